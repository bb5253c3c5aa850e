"""Figures: numbers and an axis in, the axis out."""
