"""Every claim as a contrast, stated before it was run."""
