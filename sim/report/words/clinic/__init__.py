"""Sentences about clinics."""
