"""The classroom page: served, or as one file."""
