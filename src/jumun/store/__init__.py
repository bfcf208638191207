"""Where the journal is kept: in memory (simulation), SQLite (embedded), PostgreSQL (production)."""
