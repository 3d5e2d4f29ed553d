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
    PageType("/equipe/connexion/code", "/equipe/connexion/code", "deputy"),
    # --- my day, myself ---
    PageType("/equipe", "/equipe", "animator", shown="of an animator"),
    PageType("/equipe", "/equipe", "coordinator", shown="of a coordinator"),
    PageType("/equipe", "/equipe", "stranger", shown="with nothing to do"),
    PageType("/equipe/moi", "/equipe/moi", "animator"),
    PageType("/equipe/moi/second-facteur", "/equipe/moi/second-facteur", "animator", shown="off"),
    PageType("/equipe/moi/second-facteur", "/equipe/moi/second-facteur", "analyst", shown="on"),
    PageType("/equipe/moi/second-facteur/appareil", "/equipe/moi/second-facteur/appareil", "colleague"),
    # --- posts ---
    PageType("/equipe/publications", "/equipe/publications", "animator"),
    PageType("/equipe/publications", "/equipe/publications?texte=rien", "animator", shown="none found"),
    PageType("/equipe/publications/nouvelle", "/equipe/publications/nouvelle", "animator"),
    PageType("/equipe/publications/nouvelle", "/equipe/publications/nouvelle?genre=news", "animator", shown="of news"),
    PageType("/equipe/publications/nouvelle", "/equipe/publications/nouvelle?genre=event", "animator", shown="event"),
    PageType("/equipe/publications/{post_id}/modifier", "/equipe/publications/{draft}/modifier", "animator"),
    *(
        PageType("/equipe/publications/{post_id}", f"/equipe/publications/{{{name}}}", who, shown=f"{name} {who}")
        for name, who in (
            ("draft", "animator"),
            ("submitted", "coordinator"),
            ("returned", "animator"),
            ("approved", "animator"),
            ("published", "coordinator"),
            ("failed", "coordinator"),
        )
    ),
    # --- approving ---
    PageType("/equipe/validation", "/equipe/validation", "coordinator"),
    PageType("/equipe/validation", "/equipe/validation?genre=meeting", "coordinator", shown="nothing waits"),
    PageType("/equipe/validation/{post_id}", "/equipe/validation/{submitted}", "coordinator"),
    # --- calendar, coverage, reach ---
    PageType("/equipe/calendrier", "/equipe/calendrier", "animator", shown="month"),
    PageType("/equipe/calendrier", "/equipe/calendrier?vue=semaine", "animator", shown="week"),
    PageType("/equipe/calendrier/deplacer/{post_id}", "/equipe/calendrier/deplacer/{approved}", "animator"),
    PageType("/equipe/couverture", "/equipe/couverture", "coordinator"),
    PageType("/equipe/couverture/{code}", "/equipe/couverture/A-14", "coordinator"),
    PageType("/equipe/portee", "/equipe/portee", "analyst"),
    PageType("/equipe/portee", "/equipe/portee?periode=annee&mesure=views", "animator", shown="of an animator"),
    PageType("/equipe/portee", "/equipe/portee?par=territoire", "analyst", shown="as a table"),
    PageType("/equipe/portee", "/equipe/portee?par=publication&source=facebook-own-page", "analyst", shown="posts"),
    PageType("/equipe/portee", "/equipe/portee?du=2020-01-01&au=2020-01-31", "analyst", shown="of nothing"),
    PageType("/equipe/portee", "/equipe/portee?reseau=nowhere", "analyst", status=422, shown="with a mistake"),
    PageType("/equipe/portee/rapport", "/equipe/portee/rapport", "animator", shown="of a territory"),
    PageType("/equipe/portee/rapport", "/equipe/portee/rapport", "coordinator", shown="of the country"),
    # --- accounts ---
    PageType("/equipe/comptes", "/equipe/comptes", "administrator"),
    PageType("/equipe/comptes", "/equipe/comptes", "animator", shown="of an animator"),
    PageType("/equipe/comptes/{account_id}", "/equipe/comptes/{account}", "administrator"),
    PageType("/equipe/comptes/{account_id}", "/equipe/comptes/{paused}", "administrator", shown="paused"),
    PageType("/equipe/comptes/{account_id}/jeton", "/equipe/comptes/{account}/jeton", "administrator"),
    PageType("/equipe/comptes/{account_id}/jeton", "/equipe/comptes/{x}/jeton", "administrator", shown="of X"),
    PageType("/equipe/comptes/nouveau", "/equipe/comptes/nouveau", "administrator"),
    PageType("/equipe/comptes/nouveau/facebook", "/equipe/comptes/nouveau/facebook", "administrator"),
    PageType("/equipe/comptes/nouveau/x", "/equipe/comptes/nouveau/x", "administrator"),
    PageType("/equipe/comptes/facebook/retour", "/equipe/comptes/facebook/retour", "administrator", status=404),
    PageType(
        "/equipe/comptes/facebook/pages/{consent_id}", "/equipe/comptes/facebook/pages/{consent}", "administrator"
    ),
    # --- people ---
    PageType("/equipe/personnes", "/equipe/personnes", "administrator"),
    PageType("/equipe/personnes/nouvelle", "/equipe/personnes/nouvelle", "administrator"),
    PageType("/equipe/personnes/{person_id}", "/equipe/personnes/{person}", "administrator"),
    PageType("/equipe/personnes/{person_id}", "/equipe/personnes/{invited}", "administrator", shown="invited"),
    # --- the house ---
    PageType("/equipe/journal", "/equipe/journal", "administrator"),
    PageType("/equipe/reglages", "/equipe/reglages", "administrator"),
    PageType("/equipe/reglages", "/equipe/reglages", "coordinator", shown="of a coordinator"),
)

NO_PAGES: Final[Mapping[str, str]] = {
    "/p/{key}/{position}": "a picture",
    "/l/{key}": "leads away",
    "/equipe/comptes/facebook/connexion": "leads to Facebook",
    "/equipe/calendrier/{plain}.ics": "a file for calendar programs",
    "/equipe/portee/export": "a file of figures",
    "/equipe/publications/images/{picture_id}": "a picture",
    "/equipe/publications/{post_id}/images/{position}": "a picture",
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
