"""What machines ask a public site for: what they may read, all the pages there are, how it looks as an app."""

from __future__ import annotations

import json
from typing import Final
from xml.sax.saxutils import escape

from fastapi import APIRouter, Request, Response

from hub.domain.territory import Level
from hub.language import _
from hub.services import geotargeting, nearby
from hub.web.deps import Now, ReadDb, TheHub
from hub.web.pages import asset
from hub.web.portal import answers
from hub.web.portal.answers import academie_address, area_address, kept

router = APIRouter()

MOST_ADDRESSES: Final = 50_000
"""More a sitemap may not hold (sitemaps.org)."""

ALWAYS: Final = ("/", "/accessibilite", "/mentions-legales", "/vie-privee", "/sources")


@router.get("/robots.txt")
def robots(request: Request, hub: TheHub) -> Response:
    """Everything public may be read; marked links are for people."""
    lines = ["User-agent: *", "Disallow: /equipe", "Disallow: /api/", "Disallow: /l/", "Disallow: /chercher"]
    lines += ["", f"Sitemap: {hub.settings.public_url}/sitemap.xml", ""]
    return kept(request, "\n".join(lines), "text/plain", keep=answers.HOURS)


@router.get("/sitemap.xml")
def sitemap(request: Request, session: ReadDb, now: Now, hub: TheHub) -> Response:
    """Pages that do not change, académies, communes that something is for in particular, live items."""
    land = geotargeting.atlas(session)
    paths = [
        *ALWAYS,
        *(
            academie_address(code, node.name)
            for code, node in sorted(land.nodes.items())
            if node.level is Level.ACADEMIE and node.ended_on is None
        ),
        *(area_address(insee, name) for insee, name in nearby.areas_with_something(session, at=now)),
    ][:MOST_ADDRESSES]
    told = [f"<url><loc>{escape(hub.settings.public_url + path)}</loc></url>" for path in paths]
    for key, sent_at in nearby.live_keys(session, at=now, limit=MOST_ADDRESSES - len(paths)):
        address = escape(f"{hub.settings.public_url}/p/{key}")
        told.append(f"<url><loc>{address}</loc><lastmod>{sent_at.date().isoformat()}</lastmod></url>")
    head = '<?xml version="1.0" encoding="UTF-8"?>\n<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n'
    return kept(request, head + "\n".join(told) + "\n</urlset>\n", "application/xml", keep=answers.HOURS)


@router.get("/manifest.webmanifest")
def manifest(request: Request) -> Response:
    """How it looks on the first screen of a telephone."""
    told = {
        "name": _("Relais: what exists near home"),
        "short_name": "Relais",
        "start_url": "/",
        "display": "browser",
        "lang": "fr",
        "background_color": "#f6f6f9",
        "theme_color": "#2b4bb8",
        "icons": [{"src": asset("relais.svg"), "sizes": "any", "type": "image/svg+xml", "purpose": "any maskable"}],
    }
    return kept(request, json.dumps(told, ensure_ascii=False), "application/manifest+json", keep=answers.HOURS)
