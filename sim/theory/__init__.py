"""What the science says: equations, numbers, regions, styles, claims and sources."""
