"""Write the web engine's module, ``sim/engine/web/model.wasm``: ``make web`` (needs the test packages)."""

from __future__ import annotations

from pathlib import Path

import wasmtime

from sim.engine.web.described import as_json
from sim.engine.web.program import Program

FILE = Path(__file__).resolve().parents[1] / "sim" / "engine" / "web" / "model.wasm"


def _leb(number: int) -> bytes:
    """A whole number from 0 up as WebAssembly writes it."""
    out = bytearray()
    while number >= 128:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def module() -> bytes:
    """The module, with its description in a section called ``attune``."""
    program = Program()
    said, name = as_json(program).encode(), b"attune"
    inside = _leb(len(name)) + name + said
    return bytes(wasmtime.wat2wasm(program.wat)) + b"\0" + _leb(len(inside)) + inside


if __name__ == "__main__":
    made = module()
    FILE.write_bytes(made)
    print(f"{FILE}: {len(made):,} bytes")
