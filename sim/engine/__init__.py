"""How equations become a running week: wiring by name, and the two engines that walk tuples of steps."""
