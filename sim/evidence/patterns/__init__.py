"""The published patterns, and the simulated studies that are held against them."""
