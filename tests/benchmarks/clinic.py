"""How a clinic's time and memory grow with its size, from a hundred clients to a million.

    python -m tests.benchmarks.clinic                 # 10^2 to 10^5 clients, and 5,000 therapists with 200,000 (minutes)
    python -m tests.benchmarks.clinic --most 1000000  # up to a million (about ten minutes)
    python -m tests.benchmarks.clinic --check         # fails where growth or memory is out of bounds

Every size runs in a process of its own, so that its peak memory is its own. One arm is one task: one core. Times depend on
the machine and are not judged; what is judged is how the time per client grows, and memory.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from typing import Any

WEEKS = 104
#: Clients for one therapist over two years: 40, as in a clinic of 50 therapists and 2,000 clients.
PER_THERAPIST = 40
SIZES = (100, 1_000, 2_000, 10_000, 100_000, 200_000)
#: The time per client may grow by this factor from 2,000 to 200,000 clients: larger arrays fit less well into caches, and
#: each client chooses among more therapists.
MOST_GROWTH = 3.0
MOST_GIB_AT_200_000 = 4.0

_CHILD = """
import json, resource, sys, time
import sim
n, weeks, each = (int(x) for x in sys.argv[1:])
plan = {"therapists": max(n // each, 1), "arrivals_per_week": n / weeks, "weeks": weeks, "capacity": 10, "turnover": True}
kept = {"sessions": n <= 10_000, "assessments": n <= 10_000}
spec = {"question": "How long?", "design": "clinic", "clinic": plan, "record": kept}
sim.run(sim.from_spec({**spec, "clinic": {**plan, "weeks": 3, "arrivals_per_week": 5}}, "warm"), seed=1)  # compiled code is read
start = time.perf_counter()
run = sim.run(sim.from_spec(spec, "clinic"), seed=1, threads=1)
seconds = time.perf_counter() - start
gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
sessions = int(run.clinic["sessions_held"].sum())
print(json.dumps({"clients": int(run.clinic["arrivals_total"].iloc[-1]), "therapists": plan["therapists"], "sessions": sessions,
                  "seconds": seconds, "gib": gib}))
"""


def measured(clients: int) -> dict[str, Any]:
    """One clinic of about so many clients over two years: seconds, GiB at the peak, and what it held."""
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, str(clients), str(WEEKS), str(PER_THERAPIST)], check=True, capture_output=True, text=True
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> int:
    """Print the table; with ``--check`` the exit status says whether growth and memory are within bounds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--most", type=int, default=SIZES[-1], help="largest number of clients")
    parser.add_argument("--check", action="store_true")
    wanted = parser.parse_args()
    sizes = [n for n in (*SIZES, 1_000_000) if n <= wanted.most]
    head = f"{'clients':>9} {'therapists':>10} {'sessions':>10} {'seconds':>8} {'ms/client':>9} {'us/session':>10} {'GiB':>6}"
    print(f"two years, one core; sessions and monthly questionnaires kept up to 10,000 clients\n{head}")
    rows = {}
    for n in sizes:
        row = rows[n] = measured(n)
        print(f"{row['clients']:>9,} {row['therapists']:>10,} {row['sessions']:>10,} {row['seconds']:>8.2f} "
              f"{1e3 * row['seconds'] / row['clients']:>9.2f} {1e6 * row['seconds'] / max(row['sessions'], 1):>10.1f} "
              f"{row['gib']:>6.2f}", flush=True)  # fmt: skip
    if not wanted.check:
        return 0
    per_client = {n: row["seconds"] / row["clients"] for n, row in rows.items()}
    growth = per_client[200_000] / per_client[2_000]
    good = growth <= MOST_GROWTH and rows[200_000]["gib"] <= MOST_GIB_AT_200_000
    print(f"time per client, 200,000 against 2,000 clients: {growth:.2f} (at most {MOST_GROWTH:g}); memory "
          f"{rows[200_000]['gib']:.2f} GiB (at most {MOST_GIB_AT_200_000:g}): {'passed' if good else 'failed'}")  # fmt: skip
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main())
