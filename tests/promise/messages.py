"""What is said of bad scenario files: message, line and exit status, to see that a change of the program loses none of it.

    python -m tests.promise.messages write     # keeps all of them in messages.json, on purpose only
    python -m tests.promise.messages improve   # keeps what is said otherwise now beside what was said
    python -m tests.promise.messages           # compares; exit status 1 and both messages of every case that differs

``cases.json`` holds the files. A message that was improved stands under ``now``, beside the one that it replaces.
"""

from __future__ import annotations

import base64
import contextlib
import io
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from sim.cli.main import main as attune

HERE = Path(__file__).parent
KEPT = HERE / "messages.json"


def cases() -> dict[str, bytes]:
    """Bad scenario files by name."""
    rows = json.loads((HERE / "cases.json").read_text(encoding="utf-8"))
    return {name: base64.b64decode(row["base64"]) if "base64" in row else row["text"].encode() for name, row in rows.items()}


def said_of(data: bytes) -> dict[str, Any]:
    """What ``attune check`` says of a file, and with which status it ends."""
    before, error, status = Path.cwd(), io.StringIO(), 0
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(error), contextlib.redirect_stdout(io.StringIO()):
        (Path(folder) / "s.yaml").write_bytes(data)
        os.chdir(folder)
        try:
            attune(["check", "s.yaml"])
        except SystemExit as end:
            status = int(end.code or 0)
        finally:
            os.chdir(before)
    return {"message": error.getvalue().strip(), "status": status}


def differences(kept: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """One text for every case that is missing, new, or said otherwise."""
    lines = []
    for name in dict.fromkeys((*kept, *now)):
        was, is_now = kept.get(name), now.get(name)
        expected = was and {"message": was.get("now", was["message"]), "status": was["status"]}
        if expected != is_now:
            lines.append(f"{name}\n  was {expected}\n  now {is_now}")
    return lines


def main() -> int:
    """Write, improve or compare."""
    now = {name: said_of(data) for name, data in cases().items()}
    kept = {} if sys.argv[1:] == ["write"] else json.loads(KEPT.read_text(encoding="utf-8"))
    if sys.argv[1:] == ["write"]:
        kept = now
    elif sys.argv[1:] == ["improve"]:
        for name, row in kept.items():
            row.pop("now", None)
            if now[name]["message"] != row["message"]:
                row["now"] = now[name]["message"]
    if sys.argv[1:]:
        KEPT.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    lines = differences(kept, now)
    improved = sum("now" in row for row in kept.values())
    print("\n".join([*lines, f"{len(kept)} bad files: {len(lines)} differ; {improved} messages were improved"]))
    return bool(lines)


if __name__ == "__main__":
    sys.exit(main())
