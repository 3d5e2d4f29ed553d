"""Every type of page: how the router spells it, which address opens one, and who opens it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts

from tests.browser.world import World


@dataclass(frozen=True)
class PageType:
    """One type of page; the address may hold names of the world in braces."""

    route: str
    address: str
    who: str | None = None
    status: int = 200
    shown: str = ""
    """What tells it from another of the same route."""

    def at(self, world: World) -> str:
        """Where it is in this world."""
        return self.address.format(**world.names)

    def __str__(self) -> str:
        return f"{self.route} {self.shown}".strip()


PAGES: Final = (
    # --- for everybody ---
    PageType("/", "/"),
    PageType("/", "/?territoire=Z-9", status=422, shown="with a mistake"),
    PageType("/accessibilite", "/accessibilite"),
    PageType("/p/{key}", "/p/{key}"),
    PageType("/p/{key}", "/p/unknown", status=404, shown="that is not there"),
    # --- the entrance ---
    PageType("/equipe/connexion", "/equipe/connexion"),
    PageType("/equipe/mot-de-passe", "/equipe/mot-de-passe"),
    PageType("/equipe/bienvenue/{plain}", "/equipe/bienvenue/{invitation}"),
    PageType("/equipe/bienvenue/{plain}", "/equipe/bienvenue/used-up", status=404, shown="used up"),
)

NO_PAGES: Final[Mapping[str, str]] = {
    "/p/{key}/{position}": "a picture",
    "/l/{key}": "leads away",
}
"""What the router answers GET with beside pages, and why it is none."""


MACHINES: Final = frozenset({"/healthz", "/readyz"})
"""What only machines ask."""


def routes_that_show(app: FastAPI) -> set[str]:
    """Every address of staff pages and portal that answers GET, as the router spells them."""
    return {
        one.path
        for one in iter_route_contexts(app.routes)
        if isinstance(one.original_route, APIRoute) and one.path and "GET" in (one.methods or ())
        if not one.path.startswith("/api/") and one.path not in MACHINES
    }


def named(types: tuple[PageType, ...] = PAGES) -> dict[str, Any]:
    """How tests over all types of pages are called."""
    return {"argvalues": types, "ids": [str(one) for one in types]}
