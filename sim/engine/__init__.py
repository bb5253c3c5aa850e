"""How equations become a running week: wiring by name, and the compiled loop."""
