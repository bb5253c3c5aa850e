"""Sentences made from numbers: answers, captions, caveats."""
