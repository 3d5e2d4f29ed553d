"""Take every page of the demo at two widths, light and dark: `make screenshots`; `ARGS=--chosen` for the docs too."""

from __future__ import annotations

import io
import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page

from tests.browser import chromium

HERE: Final = Path(__file__).parent
BUILD: Final = Path("build")
WIDTHS: Final = {390: 844, 1280: 900}
SCHEMES: Final = ("light", "dark")
LONGEST: Final = 6000
"""Pixels of a page that are kept: the rest of a long list shows nothing new."""


@dataclass(frozen=True)
class Shot:
    """A page to take: its name, who is before it, its address; or where to look for a link to one like it."""

    name: str
    who: str | None
    address: str
    link: str = ""
    """What the address of the link looks like, when the page is found from another."""


SHOTS: Final = (
    Shot("portal", None, "/"),
    Shot("portal-item", None, "/", r"^/p/"),
    Shot("accessibility", None, "/accessibilite"),
    Shot("sign-in", None, "/equipe/connexion"),
    Shot("my-day", "animator", "/equipe"),
    Shot("my-day-coordinator", "coordinator", "/equipe"),
    Shot("posts", "animator", "/equipe/publications"),
    Shot("post", "coordinator", "/equipe", r"^/equipe/publications/\d+$"),
    Shot("compose", "animator", "/equipe/publications/nouvelle"),
    Shot("compose-event", "animator", "/equipe/publications/nouvelle?genre=event"),
    Shot("change", "animator", "/equipe/publications?etat=draft", r"^/equipe/publications/\d+$"),
    Shot("queue", "coordinator", "/equipe/validation"),
    Shot("approve", "coordinator", "/equipe/validation", r"^/equipe/validation/\d+$"),
    Shot("calendar", "animator", "/equipe/calendrier"),
    Shot("calendar-week", "coordinator", "/equipe/calendrier?vue=semaine"),
    Shot("coverage", "coordinator", "/equipe/couverture"),
    Shot("coverage-one", "coordinator", "/equipe/couverture/A-14"),
    Shot("reach", "analyst", "/equipe/portee"),
    Shot("reach-posts", "analyst", "/equipe/portee?par=publication&tri=people"),
    Shot("accounts", "administrator", "/equipe/comptes"),
    Shot("account", "administrator", "/equipe/comptes", r"^/equipe/comptes/\d+$"),
    Shot("account-facebook", "administrator", "/equipe/comptes/nouveau/facebook"),
    Shot("people", "administrator", "/equipe/personnes"),
    Shot("person", "administrator", "/equipe/personnes", r"^/equipe/personnes/\d+$"),
    Shot("invite", "administrator", "/equipe/personnes/nouvelle"),
    Shot("audit", "administrator", "/equipe/journal"),
    Shot("rules", "administrator", "/equipe/reglages"),
    Shot("me", "animator", "/equipe/moi"),
    Shot("second-factor", "animator", "/equipe/moi/second-facteur"),
)

CHOSEN: Final = (
    ("compose-event", 390, "light"),
    ("queue", 1280, "light"),
    ("coverage", 1280, "light"),
    ("my-day-coordinator", 390, "dark"),
    ("post", 1280, "light"),
)
"""Those that stand in README and tour: the first screen of each."""


@contextmanager
def playing() -> Iterator[str]:
    """The demo, played into `build/demo` (taken up again if it is there), by its address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    relais = str(Path(sys.executable).with_name("relais"))
    command = [relais, "demo", "--json", "--port", str(port), "--dir", str(BUILD / "demo")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603 - our own command
    try:
        _wait_for(process, address)
        yield address
    finally:
        process.terminate()
        process.wait()


def _wait_for(process: subprocess.Popen[bytes], address: str) -> None:
    """Until it answers; it plays three weeks first."""
    while process.poll() is None:
        try:
            httpx.get(f"{address}/healthz", trust_env=False, timeout=10)
        except httpx.TransportError:
            time.sleep(0.5)
        else:
            return
    raise SystemExit("The demo ended before it served anything.")


def signed_in(browser: Browser, address: str, who: str | None) -> BrowserContext:
    """A context in which one of the demo's people is signed in."""
    context = chromium.context_of(browser, address)
    if who:
        access = json.loads((BUILD / "demo" / "access.json").read_text(encoding="utf-8"))[who]
        page = context.new_page()
        page.goto("/equipe/connexion")
        page.locator("#email").fill(access["email"])
        page.locator("#password").fill(access["password"])
        page.locator("main form button").click()
        page.wait_for_url(re.compile(r"/equipe$"))
        page.close()
    return context


def address_of(page: Page, shot: Shot) -> str | None:
    """Where the page is; None when the demo has none like it today."""
    if not shot.link:
        return shot.address
    page.goto(shot.address)
    links = [link.get_attribute("href") or "" for link in page.locator("main a").all()]
    return next((link for link in links if re.search(shot.link, link)), None)


def take(page: Page, shot: Shot, folder: Path) -> None:
    """One page at each width in each scheme, whole."""
    address = address_of(page, shot)
    if address is None:
        print(f"{shot.name}: the demo has none today")  # noqa: T201
        return
    for width, height in WIDTHS.items():
        page.set_viewport_size({"width": width, "height": height})
        page.goto(address)
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
            drawn = Image.open(io.BytesIO(page.screenshot(full_page=True)))
            drawn.crop((0, 0, drawn.width, min(drawn.height, LONGEST))).save(
                folder / f"{shot.name}-{width}-{scheme}.png"
            )


def choose(folder: Path) -> None:
    """Keep the first screen of some, small, for the docs."""
    for name, width, scheme in CHOSEN:
        with Image.open(folder / f"{name}-{width}-{scheme}.png") as drawn:
            first = drawn.convert("RGB").crop((0, 0, drawn.width, min(drawn.height, WIDTHS[width])))
        first.save(HERE / f"{name}.webp", quality=80, method=6)


def main() -> None:
    """Take them all, signed in as whoever each page is for."""
    folder = BUILD / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    path = chromium.find()
    if path is None:
        raise SystemExit("There is no Chromium here: install Debian's chromium, or put one on PATH.")
    with playing() as address, chromium.running(path) as browser:
        for who in dict.fromkeys(shot.who for shot in SHOTS):
            context = signed_in(browser, address, who)
            page = context.new_page()
            for shot in SHOTS:
                if shot.who == who:
                    take(page, shot, folder)
            context.close()
    if "--chosen" in sys.argv[1:]:
        choose(folder)
    print(f"{len(list(folder.glob('*.png')))} pictures are in {folder}.")  # noqa: T201


if __name__ == "__main__":
    main()
