"""``python -m sim`` is the command ``attune``."""

from sim.cli.main import main

main()
