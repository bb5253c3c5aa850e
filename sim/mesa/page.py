"""The page for people who come from Mesa: the Mesa face shown with Mesa's own SolaraViz, from this machine alone.

Solara would report its start to a service and fetch what it lacks from a content network, through the server or the browser.
Here neither happens: reports are off, its files come from the package ``solara-assets`` or not at all, and the page's
security policy lets the browser ask this server only.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import warnings
import webbrowser
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

from sim import screen
from sim.errors import MissingExtra
from sim.serving import OPEN_TO_OTHERS, address_of, is_open_to_others, listening

#: What the page may do in a browser. Solara compiles its templates there, which is what 'unsafe-eval' is for.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; object-src 'none'; base-uri 'self'; form-action 'self'"
)
_COMPONENTS = "sim.mesa.solara"
#: Seconds that open pages are given to answer when the server stops; without it one that sleeps would hold it up.
_PATIENCE = 1

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


def serve(host: str, port: int, browser: bool) -> None:
    """Serve the Mesa page until Ctrl-C: at this host and port (0: any that is free), and open it if ``browser``.

    Raises ``MissingExtra`` without the extra, and ``ServingError`` where nothing can be served (both are ``ValueError``).
    """
    application = _application()
    with listening(host, port) as listener:
        import uvicorn

        _compile()
        warnings.filterwarnings("ignore", "Cookies with samesite", UserWarning)  # it is about pages inside of other pages
        server = uvicorn.Server(uvicorn.Config(application, log_level="critical", timeout_graceful_shutdown=_PATIENCE))
        address = address_of(listener)
        screen.say(f"Attune with Mesa is at {address} (Ctrl-C stops it)")
        if is_open_to_others(listener):
            screen.note(OPEN_TO_OTHERS)
        if browser:
            webbrowser.open(address)
        with contextlib.suppress(KeyboardInterrupt):
            server.run(sockets=[listener])


def _application() -> Any:
    """The server's application: Solara's, with files from this machine only."""
    try:
        solara_server, folder = _solara()
    except ModuleNotFoundError as e:
        if (e.name or "").partition(".")[0] == "sim":
            raise
        raise _missing(e.name or "a package") from e
    if not (folder / "@widgetti").is_dir():
        raise _missing("solara-assets")
    from starlette.applications import Starlette
    from starlette.routing import Mount
    from starlette.staticfiles import StaticFiles

    own = Mount(f"/{solara_server.cdn_url_path}", StaticFiles(directory=folder))  # before Solara's, which would fetch
    routes = [own, *solara_server.routes]
    return _with_policy(Starlette(routes=routes, middleware=solara_server.middleware, lifespan=solara_server.lifespan))


def _solara() -> tuple[Any, Path]:
    """Solara's server, told what it is to do, and the folder of its files. Raises ``ModuleNotFoundError`` without it."""
    os.environ["SOLARA_APP"] = _COMPONENTS
    import solara.settings

    solara.settings.main.check_hooks = "off"  # it complains of Mesa's own page
    from solara.server import settings, starlette

    settings.telemetry.mixpanel_enable = False
    settings.theme.show_banner = False
    importlib.import_module(_COMPONENTS)
    # Solara would give every visitor settings of matplotlib of their own, in a way that matplotlib 3.11 cannot work with. It
    # does so once: what is done here, and undone, is not done again. Figures are drawn one by one (``mesa/panels.py``).
    from solara.server.patch import patch_matplotlib

    patch_matplotlib()()
    return starlette, settings.assets.proxy_cache_dir


def _missing(package: str) -> MissingExtra:
    return MissingExtra(
        f"the Mesa page needs packages that are not installed ({package}). In the project's folder:\n"
        f"  {sys.executable} -m pip install -c constraints.txt -e '.[mesa-page]'"
    )


def _with_policy(application: Any) -> Any:
    async def answered(scope: Any, receive: Any, send: Send) -> None:
        async def with_header(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), (b"content-security-policy", POLICY.encode())]
            await send(message)

        await application(scope, receive, with_header)

    return answered


def _compile() -> None:
    """Compile the model before the first visitor waits for it."""
    from sim.mesa.choices import Pairing

    Pairing(clients=1, sessions=1).step()
