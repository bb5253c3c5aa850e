"""Where a page of this machine is served: a socket that is ours before anything slow begins, or one clear message."""

from __future__ import annotations

import errno
import socket
from ipaddress import ip_address

from sim.errors import ServingError

#: What a page is served at unless another machine is to see it.
LOOPBACK = "127.0.0.1"


#: What is said where not only this machine can reach what is served.
OPEN_TO_OTHERS = "Note: everybody who reaches this computer through the network can open the page."


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
        raise ServingError(_why(e, host, port)) from e


def _why(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"--port: {port} is in use by another program, or by another Attune; choose another, or 0 for any that is free"
    if error.errno == errno.EACCES:
        return f"--port: {port} may not be used by you; ports from 1024 up, or 0 for any that is free, may"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"--host: '{host}' is not an address of this machine; {LOOPBACK} is this machine alone, 0.0.0.0 all its addresses"
    return f"--host, --port: nothing can be served at '{host}', port {port} ({error.strerror or error})"


def is_open_to_others(listener: socket.socket) -> bool:
    """Whether other machines can reach what is served there."""
    return not ip_address(listener.getsockname()[0].partition("%")[0]).is_loopback


def address_of(listener: socket.socket) -> str:
    """The address (URL) to open on this machine for what is served there."""
    host, port = listener.getsockname()[:2]
    if ip_address(host.partition("%")[0]).is_unspecified:  # every address of this machine: a browser needs one of them
        host = LOOPBACK
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"
