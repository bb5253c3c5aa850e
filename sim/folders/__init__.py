"""Looking into folders of results: how far, still whole, compared, a failed run repeated."""
