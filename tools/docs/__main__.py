"""The generated parts of the docs. ``python -m tools.docs`` writes them anew; a test keeps them fresh.

A page holds a block between ``<!-- generated: NAME -->`` and ``<!-- end -->``; everything else in it is written by hand.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

from tools.docs import clinic as docs_clinic
from tools.docs import runs as docs_runs
from tools.docs import tables as docs_tables

DOCS = Path(__file__).parents[2] / "docs"
_BLOCK = re.compile(r"(<!-- generated: (\w+) -->\n)(.*?)(<!-- end -->)", re.S)

BLOCKS: dict[str, Callable[[], str]] = {
    "exchange": docs_tables.exchange_table,
    "wiring": docs_tables.wiring_table,
    "session": docs_tables.session_wiring_table,
    "equations": docs_tables.other_equations,
    "verbs": docs_tables.session_verbs,
    "regions": docs_tables.regions_table,
    "draws": docs_tables.draws_table,
    "state": docs_tables.state_tables,
    "questionnaires": docs_tables.questionnaires_table,
    "policies": docs_tables.policies_table,
    "claims": docs_tables.claims_table,
    "clinic_week": docs_clinic.week_table,
    "clinic_keys": docs_clinic.clinic_keys,
    "matching": docs_clinic.matching_table,
    "programmes": docs_clinic.programmes_table,
    "tables": docs_tables.result_tables,
    "batch_tables": docs_tables.batch_tables,
    "outcomes": docs_tables.outcomes_tables,
    "parameters": docs_tables.parameters_table,
    "stationary": docs_runs.stationary_table,
    "histories": docs_runs.histories_table,
    "lesions": docs_runs.lesions_table,
}


def refreshed(text: str) -> str:
    """A page with its generated blocks made anew. Raises ``KeyError`` for a block that nobody generates."""
    return _BLOCK.sub(lambda m: f"{m[1]}{BLOCKS[m[2]]()}\n{m[4]}", text)


def main() -> None:
    """Write all generated blocks of all pages anew."""
    for path in sorted(DOCS.glob("*.md")):
        text = path.read_text(encoding="utf-8")
        new = refreshed(text)
        if new != text:
            path.write_text(new, encoding="utf-8")
            sys.stdout.write(f"refreshed {path.name}\n")


if __name__ == "__main__":
    main()
