"""The commands ``attune app`` and ``attune handout``: the classroom page, and a lesson of it as a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from sim import screen
from sim.classroom import serving
from sim.classroom.course.play import play_of
from sim.classroom.course.state import read
from sim.classroom.handout import handout_of
from sim.classroom.lessons import FIRST, LESSONS, SETUPS
from sim.errors import UsageError
from sim.files import must_be_free, write_new
from sim.naming import nearest

PORT = 8765
#: How uvicorn serves the page: gives little away, and waits for nobody long.
SERVER: dict[str, Any] = {
    "log_level": "warning", "access_log": False, "server_header": False, "lifespan": "off", "timeout_graceful_shutdown": 2,
    "timeout_keep_alive": 30, "h11_max_incomplete_event_size": 32_768,
}  # fmt: skip


def app(
    host: Annotated[str, typer.Option(help="Address to listen on; any but 127.0.0.1 is open to the network.")] = serving.LOOPBACK,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 = any free one.")] = PORT,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in the browser.")] = True,
    mesa: Annotated[bool, typer.Option("--mesa", help="Show the page for people who come from Mesa instead (an extra).")] = False,
) -> None:
    """Open the classroom page in the browser. Two courses of therapy side by side, with lessons. Ctrl-C stops it."""
    if mesa:
        from sim.mesa.page import application

        # A second for open pages to answer when the server stops: one that sleeps would hold it up.
        serving.serve("Attune with Mesa", application, host, port, browser, log_level="critical", timeout_graceful_shutdown=1)
    else:
        serving.serve("Attune's classroom page", classroom, host, port, browser, **SERVER)


def classroom(host: str) -> Any:
    """The application of the page for an address, with all compiled that it needs before the first visitor comes."""
    from sim.classroom.server import application

    screen.say("Getting ready (the first time this takes half a minute) ...")
    play_of(read("", SETUPS, FIRST))
    play_of(read("sessions=2&a_do=1.1.name_it", SETUPS, FIRST))  # what the chair does needs a form of its own
    return application(host)


def handout(
    lesson: Annotated[str, typer.Argument(help="A lesson, such as secure_base.")],
    out: Annotated[Path | None, typer.Option(help="File to write; default: attune-handout-<lesson>.html here.")] = None,
) -> None:
    """Write a lesson as one HTML file that needs no server. Courses are computed in advance; the controls are the same."""
    if lesson not in LESSONS:
        raise UsageError(f"there is no lesson '{lesson[:60]}'{nearest(lesson[:60], LESSONS)}; lessons are {', '.join(LESSONS)}")
    path = out or Path(f"attune-handout-{lesson}.html")
    must_be_free(path, advice := "choose another name with --out")
    text = handout_of(lesson)
    write_new(path, text, advice)
    screen.say(f"Wrote {path} ({len(text.encode()) / 1e6:.1f} MB). Open it in a browser; it needs no server and no network.")
