"""``python -m sim`` is the command ``attune``."""

from sim.cli import main

main()
