"""``python -m sim`` is the command ``attune``."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command; Ctrl-C is answered from the first moment on, also while the program is still being read."""
    try:
        from sim.cli.main import main as command
    except KeyboardInterrupt:
        from sim import screen

        screen.note("attune: stopped; nothing is left half-written")
        sys.exit(130)
    command()


if __name__ == "__main__":
    main()
