"""What the classroom page shows: an address becomes a scenario, and the scenario both courses."""
