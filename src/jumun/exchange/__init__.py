"""The exchange: what really happened; the oracle the books are compared with."""
