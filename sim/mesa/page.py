"""The Mesa face shown with Mesa's own SolaraViz, from this machine alone.

Solara would report its start to a service and fetch what it lacks from a content network. Here reports are off, files come from
the package ``solara-assets`` or not at all, and the page's security policy lets the browser ask this server only.
"""

from __future__ import annotations

import importlib
import os
import sys
import warnings
from typing import Any

from sim.classroom import serving
from sim.errors import MissingExtra
from sim.version import __version__

#: What the page may do in a browser. Solara compiles its templates there, which is what 'unsafe-eval' is for.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; object-src 'none'; base-uri 'self'; form-action 'self'"
)


def application(host: str) -> Any:
    """The page as an ASGI application: Solara's, with files from this machine only. Raises ``MissingExtra`` without the extra."""
    os.environ["SOLARA_APP"] = "sim.mesa.solara"
    try:
        import solara.settings
        from solara.server import settings, starlette
        from solara.server.patch import patch_matplotlib

        solara.settings.main.check_hooks = "off"  # it complains of Mesa's own page
        importlib.import_module("sim.mesa.solara")
        if not (settings.assets.proxy_cache_dir / "@widgetti").is_dir():
            raise ModuleNotFoundError(name="solara-assets")
    except ModuleNotFoundError as e:
        install = f"{sys.executable} -m pip install 'attune[mesa-page]=={__version__}'"
        said = f"the Mesa page needs packages that are not installed ({e.name}). This installs them beside Attune:\n  {install}"
        raise MissingExtra(said) from e
    from starlette.applications import Starlette
    from starlette.routing import Mount
    from starlette.staticfiles import StaticFiles

    settings.telemetry.mixpanel_enable = False
    settings.theme.show_banner = False
    patch_matplotlib()()  # done once, and undone: what Solara would do, matplotlib 3.11 cannot work with
    warnings.filterwarnings("ignore", "Cookies with samesite", UserWarning)  # it is about pages inside of other pages
    from sim.mesa.choices import Pairing

    Pairing(clients=1, sessions=1).step()  # compiled before the first visitor waits for it
    files = Mount(f"/{starlette.cdn_url_path}", StaticFiles(directory=settings.assets.proxy_cache_dir))  # Solara's would fetch
    made = Starlette(routes=[files, *starlette.routes], middleware=starlette.middleware, lifespan=starlette.lifespan)
    return serving.Guard(made, {"content-security-policy": POLICY})
