"""The classroom page: an address becomes a scenario, the scenario both courses, and the browser plays them."""
