"""The report of a run and of a batch, each one file."""
