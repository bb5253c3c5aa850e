"""Speed, and the same model a second time: written with Mesa, one agent per person."""
