"""The server of the classroom page: stateless GET requests, every state in its address, loopback by default.

Nothing is stored and nothing that comes in is executed. Each answer carries a strict content security policy; requests under
another host's name are refused where the page is bound to loopback, so that no foreign site can reach it by rebinding names.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from functools import lru_cache, wraps
from ipaddress import ip_address
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from sim.classroom import chair, export, handout, model, page
from sim.classroom.course.many import many_of, map_of
from sim.classroom.course.play import play_of
from sim.classroom.course.scenarios import as_yaml, run_command
from sim.classroom.course.state import State, differences, read
from sim.classroom.course.words import words
from sim.classroom.lessons import FIRST, LESSONS, SETUPS, outcome
from sim.errors import AddressError, PopulationError, ScenarioError, StateError
from sim.serving import LOOPBACK, Guard

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; font-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}
#: Names under which a page that is bound to loopback is asked for.
OWN_NAMES = ("127.0.0.1", "localhost", "[::1]")
_TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}
#: Keys of requests that are no part of the page's state.
_ASKED = ("side", "session", "exchange")

Answer = Callable[[Request], Response]


def _state(request: Request) -> tuple[State, dict[str, str]]:
    """The state of a request's address, and what it asks besides (as it stands there)."""
    parts = [part.partition("=") for part in request.url.query.split("&")]
    asked = {key: value for key, _, value in parts if key in _ASKED}
    return read("&".join("".join(part) for part in parts if part[0] not in _ASKED), SETUPS, FIRST), asked


def _said(work: Answer) -> Answer:
    """The same answer; what is wrong with an address becomes messages for people, in place of an error page."""

    @wraps(work)
    def answer(request: Request) -> Response:
        try:
            return work(request)
        except AddressError as error:
            return JSONResponse({"error": list(error.messages)}, 400)
        except (ScenarioError, PopulationError) as error:
            return JSONResponse({"error": [str(error)]}, 400)
        except StateError as error:
            return JSONResponse({"error": [words()["page"]["out_of_range"].format(why=error)]}, 422)

    return answer


def _as_json(found: Any) -> Response:
    return Response(json.dumps(found, ensure_ascii=False, separators=(",", ":"), allow_nan=False), media_type="application/json")


def index(request: Request) -> Response:
    """The page, with the courses of its address already in it; a bad address gets a message and the first lesson."""
    errors: tuple[str, ...] = ()
    try:
        state = read(request.url.query, SETUPS, FIRST)
        play = {**play_of(state), "outcome": outcome(state)}
    except (AddressError, ScenarioError, PopulationError, StateError) as error:
        errors = error.messages if isinstance(error, AddressError) else (str(error),)
        state = read("", SETUPS, FIRST)
        play = {**play_of(state), "outcome": outcome(state)}
    style = '<link rel="stylesheet" href="/static/page.css">'
    script = '<script type="module" src="/static/main.js"></script>'
    return HTMLResponse(page.as_html(page.given(state, play, errors), style, script), 400 if errors else 200)


def static(request: Request) -> Response:
    """A style or module of the page, from the few that there are."""
    name = request.path_params["name"]
    if name not in page.STATIC:
        return nothing(request)
    return Response(page.STATIC[name], headers={"content-type": _TYPES["." + name.rpartition(".")[2]]})


@_said
def play(request: Request) -> Response:
    """Both courses of a state."""
    state, _ = _state(request)
    return _as_json({**play_of(state), "outcome": outcome(state)})


@_said
def many(request: Request) -> Response:
    """The fan of a state."""
    state, _ = _state(request)
    return _as_json(many_of(state, LESSONS[state.lesson]))


@_said
def take_chair(request: Request) -> Response:
    """What each response at a rupture would have led to."""
    state, asked = _state(request)
    places = []
    for key in ("session", "exchange"):
        text = asked.get(key, "")
        if not (text.isascii() and text.isdigit() and len(text) < 5):
            raise AddressError([f"{key} must be a whole number from 1, not '{text[:40]}'"])
        places.append(int(text))
    return _as_json(chair.futures(state, asked.get("side", ""), *places))


@_said
def pairings(request: Request) -> Response:
    """The map of all pairings of styles, everything else as pair A has it."""
    state, _ = _state(request)
    return _as_json(map_of(state))


@_said
def scenario(request: Request) -> Response:
    """The scenario file of a state as text, and the command that runs it."""
    state, _ = _state(request)
    return _as_json({"yaml": as_yaml(state, _address(request, state)), "command": run_command(state)})


@_said
def scenario_file(request: Request) -> Response:
    """The scenario file of a state, to keep."""
    state, _ = _state(request)
    return _file(as_yaml(state, _address(request, state)), "application/yaml", "classroom.yaml")


@_said
def data_file(request: Request) -> Response:
    """The sessions of the courses that are shown, or of all clients of the fan, to keep."""
    state, _ = _state(request)
    return _file(export.sessions_csv(state, _address(request, state)), "text/csv", f"{export.name_of(state)}.csv")


@_said
def handout_file(request: Request) -> Response:
    """The handout of a lesson, to keep."""
    name = request.path_params["lesson"]
    if name not in LESSONS:
        return nothing(request)
    return _file(zlib.decompress(_handout(name)).decode(), "text/html", f"attune-handout-{name}.html")


@lru_cache(maxsize=len(LESSONS))
def _handout(name: str) -> bytes:
    """Each takes seconds to make, so all are kept, and packed: together they then take less than one of them as text."""
    return zlib.compress(handout.handout_of(name).encode())


def the_model(request: Request) -> Response:
    """Equations and parameters of the model."""
    return _as_json(model.described())


def _address(request: Request, state: State) -> str:
    return f"{request.url.scheme}://{request.url.netloc}/?{differences(state, SETUPS[state.lesson])}"


def _file(text: str, kind: str, name: str) -> Response:
    headers = {"content-type": f"{kind}; charset=utf-8", "content-disposition": f'attachment; filename="{name}"'}
    return Response(text, headers=headers)


def nothing(request: Request, error: Exception | None = None) -> Response:
    """There is nothing at this address."""
    return PlainTextResponse(words()["page"]["not_here"], 404)


def mistake(request: Request, error: Exception) -> Response:
    """Something went wrong that nobody foresaw; what it was stays in the server's log."""
    return JSONResponse({"error": [words()["page"]["mistake"]]}, 500)


def application(host: str = LOOPBACK) -> Starlette:
    """The page as an ASGI application, for the (IP) address that it is bound to."""
    routes = [
        Route("/", index),
        Route("/static/{name}", static),
        Route("/api/play", play),
        Route("/api/many", many),
        Route("/api/chair", take_chair),
        Route("/api/map", pairings),
        Route("/api/scenario", scenario),
        Route("/api/model", the_model),
        Route("/data.csv", data_file),
        Route("/scenario.yaml", scenario_file),
        Route("/handout/{lesson}.html", handout_file),
    ]
    hosts = (*OWN_NAMES, host) if ip_address(host).is_loopback else None
    return Starlette(
        routes=routes,
        middleware=[Middleware(Guard, headers=HEADERS, hosts=hosts, refusal=words()["page"]["wrong_host"])],
        exception_handlers={404: nothing, Exception: mistake},
    )
