"""Verbs of the business: pure functions over `jumun.model`, safe to replay."""
