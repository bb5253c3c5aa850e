"""Figures of clinics."""
