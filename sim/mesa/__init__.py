"""The face for people who come from Mesa."""
