"""Does it hold: checks of the model against what it should do."""
