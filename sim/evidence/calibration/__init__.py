"""The search for parameters that meet the published evidence, and what it leaves open."""
