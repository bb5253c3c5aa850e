"""Who takes part: state columns, populations, life outside therapy."""
