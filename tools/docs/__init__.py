"""Generators of the generated parts of the docs: ``python -m tools.docs``."""
