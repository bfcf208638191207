"""Adapters: one folder for each broker, each behind `jumun.ports.broker`."""
