"""Letters of any script in figures: a font that has them where one is installed, else one note that names what lacks them."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import Any

from matplotlib import font_manager
from matplotlib.text import Text

from sim.errors import Note

#: The font of the house style, which comes with matplotlib; and one of matplotlib's that has a box for every letter.
HOUSE, BOXES = "DejaVu Sans", "Last Resort"
INSTALL = "install one that has them, such as Noto or Symbola (Debian, Ubuntu: fonts-noto-core, fonts-noto-cjk, fonts-symbola)"


@lru_cache(maxsize=None)
def _letters_of(path: str) -> frozenset[int]:
    """The letters that a font file has; none of one that cannot be read."""
    try:
        return frozenset(font_manager.get_font(path).get_charmap())
    except (OSError, RuntimeError, ValueError):
        return frozenset()


def _absent(text: str) -> frozenset[int]:
    """The letters of a text that the house's font lacks."""
    if text.isascii():
        return frozenset()
    return frozenset(ord(c) for c in text if not c.isspace()) - _letters_of(font_manager.findfont(HOUSE))


@lru_cache(maxsize=None)
def _fonts_with(letters: frozenset[int]) -> tuple[tuple[str, ...], frozenset[int]]:
    """Installed fonts that have these letters between them, and the letters that none has; also fonts installed just now."""
    known = {font.fname for font in font_manager.fontManager.ttflist}
    for path in sorted({*font_manager.findSystemFonts()} - known):
        with suppress(OSError, RuntimeError, ValueError):
            font_manager.fontManager.addfont(path)
    found: list[str] = []
    for font in sorted(
        font_manager.fontManager.ttflist, key=lambda font: (font.style != "normal", font.weight != 400, font.name)
    ):
        if letters and not font.name.startswith(BOXES) and letters & _letters_of(font.fname):
            found.append(font.name)
            letters -= _letters_of(font.fname)
    return tuple(dict.fromkeys(found)), letters


@contextmanager
def legible(figure: Any) -> Iterator[None]:
    """Draw a figure (or axes): texts with letters that the house's font lacks get a font that has them."""
    for text in figure.findobj(Text):
        if absent := _absent(text.get_text()):
            text.set_family([HOUSE, *_fonts_with(absent)[0]])
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)  # which ``tell`` says once
        yield


def tell(names: Iterable[str]) -> None:
    """Note which of these names have letters that no installed font has, as long as there are some."""
    lacking = [name for name in names if _fonts_with(_absent(name))[1]]
    if lacking:
        some = ", ".join(f"'{name}'" for name in lacking[:3]) + (f" and {len(lacking) - 3} more" if len(lacking) > 3 else "")
        warnings.warn(f"figures show boxes in {some}, since no font here has all of these letters; {INSTALL}", Note, stacklevel=3)
