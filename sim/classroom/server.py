"""The server of the classroom page: stateless GET requests, every state in its address, loopback by default.

Nothing is stored and nothing that comes in is executed. Each answer carries a strict content security policy; requests under
another host's name are refused where the page is bound to loopback, so that no foreign site can reach it by rebinding names.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping
from functools import lru_cache
from ipaddress import ip_address
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from sim.classroom import chair, handout, page
from sim.classroom.course.many import many_of, map_of
from sim.classroom.course.play import play_of
from sim.classroom.course.scenarios import as_yaml, run_command, scenario_of, stamped
from sim.classroom.course.state import State, query_of, read
from sim.classroom.course.words import words
from sim.classroom.lessons import FIRST, LESSONS, SETUPS, outcome
from sim.classroom.serving import LOOPBACK, Guard
from sim.errors import AddressError, PopulationError, ScenarioError, StateError
from sim.export.csv import as_csv
from sim.runs.run import run

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

Asked = Mapping[str, str]


# ----------------------------------------------------------- what is answered: from a state, and what its address asks besides


def play(state: State, asked: Asked) -> dict[str, Any]:
    """Both courses of a state."""
    return {**play_of(state), "outcome": outcome(state)}


def take_chair(state: State, asked: Asked) -> dict[str, Any]:
    """What each response at a rupture would have led to."""
    places = []
    for key in ("session", "exchange"):
        text = asked.get(key, "")
        if not (text.isascii() and text.isdigit() and len(text) < 5):
            raise AddressError([f"{key} must be a whole number from 1, not '{text[:40]}'"])
        places.append(int(text))
    return chair.futures(state, asked.get("side", ""), *places)


def data_file(state: State, asked: Asked) -> Response:
    """The table of sessions of the two courses that are shown (arms A and B), or with ``many`` of all clients of the fan."""
    clients = state.shared.clients if state.view.many == "1" else 1
    # Clients are numbered and their luck goes with the number: fewer of them change nothing for the others.
    few = scenario_of(state.a, state.b, state.shared).model_copy(update={"clients_per_arm": clients, "traced": {}})
    sessions = run(few, state.shared.seed, threads=1).sessions
    note = stamped(state, asked["address"], words()["export"]["columns"]).replace("\n# ", " ").strip("# \n")
    return _file(as_csv(sessions.assign(note=note)), "text/csv", f"attune-{state.lesson}-seed{state.shared.seed}.csv")


def _file(text: str, kind: str, name: str) -> Response:
    headers = {"content-type": f"{kind}; charset=utf-8", "content-disposition": f'attachment; filename="{name}"'}
    return Response(text, headers=headers)


def _as_json(found: Any) -> Response:
    return Response(json.dumps(found, ensure_ascii=False, separators=(",", ":"), allow_nan=False), media_type="application/json")


#: By address.
ANSWERS: dict[str, Callable[[State, Asked], Any]] = {
    "/api/play": play,
    "/api/many": lambda state, asked: many_of(state, LESSONS[state.lesson]),
    "/api/chair": take_chair,
    "/api/map": lambda state, asked: map_of(state),
    "/api/scenario": lambda state, asked: {"yaml": as_yaml(state, asked["address"]), "command": run_command(state)},
    "/data.csv": data_file,
    "/scenario.yaml": lambda state, asked: _file(as_yaml(state, asked["address"]), "application/yaml", "classroom.yaml"),
}


def _answering(work: Callable[[State, Asked], Any]) -> Callable[[Request], Response]:
    """What answers a request; what is wrong with its address becomes messages for people, in place of an error page."""

    def answer(request: Request) -> Response:
        parts = [part.partition("=") for part in request.url.query.split("&")]
        asked = {key: value for key, _, value in parts if key in _ASKED}
        try:
            state = read("&".join("".join(part) for part in parts if part[0] not in _ASKED), SETUPS, FIRST)
            place = f"{request.url.scheme}://{request.url.netloc}/?{query_of(state, SETUPS[state.lesson])}"
            found = work(state, {**asked, "address": place})
        except (AddressError, ScenarioError, PopulationError) as error:
            return JSONResponse({"error": _messages(error)}, 400)
        except StateError as error:
            return JSONResponse({"error": [words()["page"]["out_of_range"].format(why=error)]}, 422)
        return found if isinstance(found, Response) else _as_json(found)

    return answer


def _messages(error: Exception) -> list[str]:
    return list(error.messages) if isinstance(error, AddressError) else [str(error)]


# ------------------------------------------------------------------------------------------------- all other addresses


def index(request: Request) -> Response:
    """The page, with the courses of its address already in it; a bad address gets a message and the first lesson."""
    errors: list[str] = []
    try:
        state = read(request.url.query, SETUPS, FIRST)
        both = play(state, {})
    except (AddressError, ScenarioError, PopulationError, StateError) as error:
        errors = _messages(error)
        state = read("", SETUPS, FIRST)
        both = play(state, {})
    style = '<link rel="stylesheet" href="/static/page.css">'
    script = '<script type="module" src="/static/main.js"></script>'
    return HTMLResponse(page.as_html(page.given(state, both, errors), style, script), 400 if errors else 200)


def static(request: Request) -> Response:
    """A style or module of the page, from the few that there are."""
    name = request.path_params["name"]
    if name not in page.STATIC:
        return nothing(request)
    return Response(page.STATIC[name], headers={"content-type": _TYPES["." + name.rpartition(".")[2]]})


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
        Route("/api/model", lambda request: _as_json(page.model())),
        Route("/handout/{lesson}.html", handout_file),
        *(Route(address, _answering(work)) for address, work in ANSWERS.items()),
    ]
    hosts = (*OWN_NAMES, host) if ip_address(host).is_loopback else None
    return Starlette(
        routes=routes,
        middleware=[Middleware(Guard, headers=HEADERS, hosts=hosts, refusal=words()["page"]["wrong_host"])],
        exception_handlers={404: nothing, Exception: mistake},
    )
