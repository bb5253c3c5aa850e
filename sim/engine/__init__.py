"""How equations become a running week: wiring by name, and two engines that walk tuples of steps."""
