"""A folder on disk: tables, manifest and ledger, written whole or not at all."""
