"""A week of a service: who comes, waits, is matched, tires and leaves."""
