"""One file, one question: reading, checking and changing scenarios."""
