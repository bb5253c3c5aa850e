"""The generated parts of the docs. ``python -m tools.docs`` writes them again; a test keeps them fresh.

A page holds a block between ``<!-- generated: NAME -->`` and ``<!-- end -->``; everything else in it is written by hand. Two
pages are made as a whole, from results that are kept, and so is the schema of scenario files.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

from sim.scenario.fields import json_schema
from tools.docs import claims, clinic, house, packages, runs, tables, targets, validation

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
_BLOCK = re.compile(r"(<!-- generated: (\w+) -->\n)(.*?)(<!-- end -->)", re.S)

BLOCKS: dict[str, Callable[[], str]] = {
    "house": house.rooms_table,
    "exchange": tables.exchange_table,
    "wiring": tables.wiring_table,
    "session": tables.session_wiring_table,
    "equations": tables.other_equations,
    "verbs": tables.session_verbs,
    "regions": tables.regions_table,
    "draws": tables.draws_table,
    "state": tables.state_tables,
    "questionnaires": tables.questionnaires_table,
    "policies": tables.policies_table,
    "claims": tables.claims_table,
    "clinic_week": clinic.week_table,
    "clinic_keys": clinic.clinic_keys,
    "matching": clinic.matching_table,
    "programmes": clinic.programmes_table,
    "tables": tables.result_tables,
    "batch_tables": tables.batch_tables,
    "outcomes": tables.outcomes_tables,
    "parameters": tables.parameters_table,
    "stationary": runs.stationary_table,
    "targets": targets.targets_table,
    "histories": runs.histories_table,
    "renamed": tables.renamed_table,
    "lesions": runs.lesions_table,
    "packages": packages.counted,
}


#: Files that are made as a whole.
WHOLE: dict[Path, Callable[[], str]] = {
    DOCS / "CLAIMS.md": claims.page,
    DOCS / "VALIDATION.md": validation.page,
    ROOT / "scenarios" / "schema.json": lambda: json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n",
}


def refreshed(text: str) -> str:
    """A page with its generated blocks made again. Raises ``KeyError`` for a block that nobody generates."""
    return _BLOCK.sub(lambda m: f"{m[1]}{BLOCKS[m[2]]()}\n{m[4]}", text)


def main() -> None:
    """Write all generated files, and all generated blocks of the other pages, again."""
    for path in sorted({ROOT / "README.md", *DOCS.glob("*.md"), *WHOLE}):
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        new = WHOLE[path]() if path in WHOLE else refreshed(text)
        if new != text:
            path.write_text(new, encoding="utf-8")
            sys.stdout.write(f"refreshed {path.name}\n")


if __name__ == "__main__":
    main()
