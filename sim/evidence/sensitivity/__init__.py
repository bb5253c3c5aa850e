"""Which parameters move a measure."""
