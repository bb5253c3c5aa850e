"""How many cores this process may use: those it may run on, and how much of them a container, a queue or a service grants."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path


def cores(root: Path = Path("/")) -> int:
    """Cores for this process: as many as it may run on (affinity), or its CPU quota, rounded up, where that is less.

    ``root``: where ``proc`` and ``sys`` are looked for.
    """
    may = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min((may, *(math.ceil(quota) for quota in _quotas(root)))))


def _quotas(root: Path) -> Iterator[float]:
    """Cores that each control group of this process grants (Linux, both versions): its own first, then those around it."""
    try:
        groups = [line.split(":", 2)[1:] for line in (root / "proc/self/cgroup").read_text().splitlines()]
    except OSError:
        return
    for controllers, name in groups:  # of version 2 there is one line, which names no controllers
        top = root / "sys/fs/cgroup" / controllers
        own = top / name.lstrip("/")  # in a container often the name outside of it; then only the top is there
        for group in (own, *own.parents[: len(own.parts) - len(top.parts)]):
            try:
                if controllers:
                    quota, period = ((group / f"cpu.cfs_{what}_us").read_text() for what in ("quota", "period"))
                else:
                    quota, period = (group / "cpu.max").read_text().split()
                granted = float(quota) / float(period)
            except (OSError, ValueError, ZeroDivisionError):  # no such controller; "max" is no number
                continue
            if granted > 0:  # -1: no quota
                yield granted
