"""Fields that are declared once, with type, limits and meaning: checks, messages and the JSON Schema come from there."""
