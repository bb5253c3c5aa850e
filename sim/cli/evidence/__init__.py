"""The commands that hold the model against evidence."""
