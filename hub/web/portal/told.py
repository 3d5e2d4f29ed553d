"""What a public site owes everybody: who runs it, what it keeps, how accessible it is, where its data come from."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from hub.language import _
from hub.services import crediting
from hub.web.deps import ReadDb
from hub.web.portal import answers
from hub.web.portal.answers import public
from hub.web.portal.places import SOURCE_NAMES

router = APIRouter()


@router.get("/accessibilite")
def accessibility(request: Request) -> Response:
    """What can be said about accessibility before anybody has audited it."""
    return public(request, "portal/accessibility.html", keep=answers.HOURS)


@router.get("/mentions-legales")
def legal(request: Request) -> Response:
    """Who runs the site."""
    return public(request, "portal/legal.html", keep=answers.HOURS)


@router.get("/vie-privee")
def privacy(request: Request) -> Response:
    """What is kept of whom: of readers nothing."""
    return public(request, "portal/privacy.html", keep=answers.HOURS)


@router.get("/sources")
def sources(request: Request, session: ReadDb) -> Response:
    """Where the data come from, with the credit that their licences ask for."""
    known = [
        (_(SOURCE_NAMES.get(source, source)), number, newest) for source, number, newest in crediting.sources(session)
    ]
    return public(request, "portal/sources.html", keep=answers.HOURS, places=known)
