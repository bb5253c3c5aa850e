"""What the science says: equations, parameters, regions, styles, claims and sources."""
