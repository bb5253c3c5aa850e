"""Which version of Attune this is. Kept in manifests; results of another version are not opened."""

__version__ = "0.2.0.dev0"
