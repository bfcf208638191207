"""Nouns of the business: values only, no I/O, no clock, nothing of ours imported from outside."""
