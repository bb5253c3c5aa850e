"""Figures of experiments on the model."""
