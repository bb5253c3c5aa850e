"""Write the web engine's module, ``sim/engine/web/model.wasm``: ``make web`` (needs the test packages).

``python -m tools.web --check`` writes nothing and ends with status 1 where the file is not what the tuples make now.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import wasmtime

from sim.engine.web.described import as_json
from sim.engine.web.program import Program

FILE = Path(__file__).resolve().parents[1] / "sim" / "engine" / "web" / "model.wasm"
_NAME = b"attune"


def _leb(number: int) -> bytes:
    """A whole number from 0 up as WebAssembly writes it."""
    out = bytearray()
    while number >= 128:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def module() -> bytes:
    """The module, with its description in a section of its own at its end."""
    program = Program()
    said = as_json(program).encode()
    inside = _leb(len(_NAME)) + _NAME + said
    return bytes(wasmtime.wat2wasm(program.wat)) + b"\0" + _leb(len(inside)) + inside


def said() -> dict[str, Any]:
    """What the module that is there says of itself."""
    return dict(json.loads(FILE.read_bytes().rpartition(_leb(len(_NAME)) + _NAME)[2]))


def main(words: list[str]) -> int:
    """What is asked for on the command line; its exit status."""
    made = module()
    if words == ["--check"]:
        fresh = FILE.exists() and FILE.read_bytes() == made
        print(f"{FILE}: {'fresh' if fresh else 'not what the tuples make now; make web writes it'}")
        return int(not fresh)
    FILE.write_bytes(made)
    print(f"{FILE}: {len(made):,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
