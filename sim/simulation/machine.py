"""What this process may use of the machine: as much as a container, a queue, a service or the shell grants."""

from __future__ import annotations

import math
import os
import resource
from collections.abc import Iterator
from pathlib import Path


def cores(root: Path = Path("/")) -> int:
    """Cores for this process: as many as it may run on (affinity), or its CPU quota, rounded up, where that is less.

    ``root``: where ``proc`` and ``sys`` are looked for.
    """
    may = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min((may, *(math.ceil(quota) for quota in _quotas(root)))))


def memory_here(root: Path = Path("/")) -> float:
    """Bytes for this process: the machine's memory, or less where a control group or a limit of the shell says so.

    ``root``: where ``proc`` and ``sys`` are looked for.
    """
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    there = float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    return min((there, *([] if limit == resource.RLIM_INFINITY else [float(limit)]), *_limits(root)))


def _quotas(root: Path) -> Iterator[float]:
    """Cores that each control group of this process grants."""
    for quota, period in _granted(root, "cpu.max", "cpu.cfs_quota_us", "cpu.cfs_period_us"):
        if quota > 0 and period > 0:  # -1: no quota
            yield quota / period


def _limits(root: Path) -> Iterator[float]:
    """Bytes that each control group of this process grants."""
    for (limit,) in _granted(root, "memory.max", "memory.limit_in_bytes"):
        yield limit


def _granted(root: Path, now: str, *before: str) -> Iterator[list[float]]:
    """The numbers that every control group of this process has in such a file, its own group first, then those around it.

    ``now``: the file of version 2; ``before``: those of version 1 (Linux has either, or both side by side).
    """
    try:
        groups = [line.split(":", 2)[1:] for line in (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()]
    except OSError:
        return
    for controllers, name in groups:  # of version 2 there is one line, which names no controllers
        top = root / "sys/fs/cgroup" / controllers
        own = top / name.lstrip("/")  # in a container often the name outside of it; then only the top is there
        for group in (own, *own.parents[: len(own.parts) - len(top.parts)]):
            try:
                texts = [(group / file).read_text(encoding="ascii") for file in (before if controllers else (now,))]
                yield [float(number) for text in texts for number in text.split()]
            except (OSError, ValueError):  # no such controller; "max" is no number
                continue
