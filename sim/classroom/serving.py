"""A page of this machine is served: a socket that is ours before anything slow begins, or one clear message."""

from __future__ import annotations

import errno
import socket
import threading
import webbrowser
from collections.abc import Callable, Mapping
from contextlib import suppress
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from sim import screen
from sim.errors import ServingError

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: What a page is served at unless another machine is to see it.
LOOPBACK = "127.0.0.1"


def serve(name: str, application: Callable[[str], Any], host: str, port: int, browser: bool, **how: Any) -> None:
    """Serve a page until Ctrl-C, and open it if ``browser``.

    ``application`` makes it, from the IP address that it is bound to; ``how`` goes to ``uvicorn.Config``. Raises what
    ``listening`` raises.
    """
    import uvicorn

    with listening(host, port) as bound:
        server = uvicorn.Server(uvicorn.Config(application(bound.getsockname()[0]), **how))
        url = address_of(bound)
        screen.say(f"{name}: {url}  (Ctrl-C stops it)")
        if not ip_address(bound.getsockname()[0].partition("%")[0]).is_loopback:
            screen.note("Note: everybody who reaches this computer through the network can open the page.")
        if browser:
            threading.Timer(0.3, webbrowser.open, [url]).start()
        with suppress(KeyboardInterrupt):  # how one stops it
            server.run(sockets=[bound])
    screen.say("Stopped.")


class Guard:
    """Adds headers to every answer, and refuses requests under a host's name that is not one of ``hosts`` (None: any)."""

    def __init__(self, app: ASGIApp, headers: Mapping[str, str], hosts: tuple[str, ...] | None = None, refusal: str = "") -> None:
        self.app, self.headers, self.hosts, self.refusal = app, headers, hosts, refusal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = {key.lower() for key, _ in message["headers"]}
                more = [(k.encode(), v.encode()) for k, v in self.headers.items() if k.encode() not in own]
                message = {**message, "headers": [*message["headers"], *more]}
            await send(message)

        host = next((value.decode("latin-1") for key, value in scope["headers"] if key == b"host"), "").lower()
        name, colon, port = host.rpartition(":")
        if self.hosts is not None and (name if colon and port.isdigit() else host) not in self.hosts:
            from starlette.responses import PlainTextResponse

            await PlainTextResponse(self.refusal, 400)(scope, receive, with_headers)
            return
        await self.app(scope, receive, with_headers)


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens at this host (name or address) and port (0: any that is free, else 1 to 65535).

    Raises ``ServingError`` for a port that is no port or is taken, and for a host that is not this machine.
    """
    if not 0 <= port <= 65535:
        raise ServingError(f"--port: must be a number from 0 (any that is free) to 65535, not {port}")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as e:
        raise ServingError(f"--host: '{host}' is no name or address of this machine; {LOOPBACK} is this machine alone") from e
    family, _, _, _, address = found[0]
    try:
        return socket.create_server(address, family=family, reuse_port=False)
    except OSError as e:
        why = {
            errno.EADDRINUSE: f"--port: {port} is in use by another program, or by another Attune; choose another, or 0 for any "
            "that is free",
            errno.EACCES: f"--port: {port} may not be used by you; ports from 1024 up, or 0 for any that is free, may",
            errno.EADDRNOTAVAIL: f"--host: '{host}' is not an address of this machine; {LOOPBACK} is this machine alone, 0.0.0.0 "
            "all its addresses",
        }
        other = f"--host, --port: nothing can be served at '{host}', port {port} ({e.strerror or e})"
        raise ServingError(why.get(e.errno or 0, other)) from e


def address_of(listener: socket.socket) -> str:
    """The address (URL) to open on this machine for what is served there."""
    host, port = listener.getsockname()[:2]
    if ip_address(host.partition("%")[0]).is_unspecified:  # every address of this machine: a browser needs one of them
        host = LOOPBACK
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"
