"""Whole runs: a scenario on a seed, compared, and under other parameter sets."""
