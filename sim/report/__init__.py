"""What people read of a run: figures, words, pages."""
