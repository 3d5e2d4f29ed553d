"""Three weeks of work: who writes what when, what the coordinators say, and what goes wrong on the way."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any, Final

from PIL import Image, ImageDraw
from sqlmodel import Session, col, select

from channels.sandbox.faults import Fault
from channels.sandbox.server import Sandbox
from hub import media
from hub.commands.demo import texts
from hub.commands.demo.country import HOME_ACADEMIE, academies
from hub.commands.demo.texts import Text
from hub.database import reading, writing
from hub.domain.account import Account, AccountNetwork
from hub.domain.clock import LOCAL, local_day
from hub.domain.delivery import Delivery, DeliveryState
from hub.domain.person import Actor, Person, Role, RoleKind
from hub.domain.post import Kind, Post, PostState
from hub.domain.reach import Unit
from hub.domain.territory import Territory
from hub.services import approving, drafting, geotargeting, joining, measuring
from hub.services.drafting import Draft, PictureOf
from hub.wiring import Hub

PARIS: Final = "Europe/Paris"
LENGTH: Final = timedelta(days=21)
INTEREST: Final = timedelta(days=3)
"""How long an item of the portal is looked at."""
EXPIRING: Final = "A-22"
"""Limoges: the page whose token expires."""
SILENT_ANSWER: Final = "A-09"
"""Lille: the page whose network once accepts a post and never answers."""


@dataclass(frozen=True)
class Scene:
    """Something that people (or the world) do at one moment."""

    at: datetime
    act: Callable[[datetime], None]


@dataclass(frozen=True)
class Writing:
    """A post that somebody will write, and what becomes of it."""

    author: str
    """Territory of the animator, or `coordinator`."""
    text: Text
    day: int
    """Day of the story on which it goes out."""
    audience: tuple[str, ...] = ()
    accounts: tuple[str, ...] | None = None
    variants: Mapping[str, str] | None = None
    unlimited: bool = False
    picture: bool = False
    end: str = "approved"
    """approved, returned, mended (returned, changed, approved), draft, submitted, withdrawn, or forgotten (expires)."""


class Story:
    """The scenes of one demo, from its first morning."""

    def __init__(self, hub: Hub, sandbox: Sandbox, start: datetime, *, read_timeout: float) -> None:
        self.hub, self.sandbox, self.start = hub, sandbox, start
        self._read_timeout = read_timeout
        self._ready: list[int] = []
        """Posts that a coordinator will approve at the next sitting."""
        with reading(hub.engine) as session:
            self._places = academies(session)
            self._actors = _actors(session)
            self._cities = {place.code: _city(session, place) for place in self._places}

    def scenes(self) -> list[Scene]:
        """Every scene, in order of time."""
        told = [scene for one in self._writings() for scene in self._of(one)]
        for day in range(int(LENGTH.days) + 1):
            told.append(Scene(self._moment(day, 14, 0), self._approve_all))
            told.append(Scene(self._moment(day, 20, 30), self._count_visitors))
        told += [Scene(self._moment(12, 6, 0), self._expire_token), Scene(self._moment(9, 6, 0), self._lose_an_answer)]
        return sorted(told, key=lambda scene: scene.at)

    def _moment(self, day: int, hour: int, minute: int) -> datetime:
        return self.start.replace(hour=hour, minute=minute) + timedelta(days=day)

    # --- who writes what ---

    def _writings(self) -> Iterator[Writing]:
        last = LENGTH.days
        for number, place in enumerate(self._places):
            first, second = texts.LOCAL[number % 9], texts.LOCAL[(number * 2 + 5) % 9]
            if first is second:
                second = texts.LOCAL[(number * 2 + 6) % 9]
            yield Writing(place.code, first, 2 + (number * 7) % 17, picture=number % 12 == 3)
            if number % 2:
                continue  # every second territory posts less: animators are not all alike
            yield Writing(place.code, second, 3 + (number * 5 + 8) % 16)
        yield Writing(EXPIRING, texts.LOCAL[4], 14)
        yield Writing(SILENT_ANSWER, texts.LOCAL[2], 9)
        national, regional = texts.NATIONAL, texts.REGIONAL
        everywhere = ("facebook:FR", "x:FR", "portal:FR")
        yield Writing("coordinator", national[0], 4, ("FR",), everywhere)
        yield Writing("coordinator", national[1], 11, ("FR",), everywhere)
        limited = ("facebook:FR", "portal:FR")
        yield Writing("coordinator", regional[0], 6, ("R-53", "R-52"), limited)
        yield Writing("coordinator", regional[1], 13, ("R-84", "A-28", "A-40"), limited)
        yield Writing("coordinator", regional[0], 16, ("R-11",), limited)
        yield Writing(
            HOME_ACADEMIE, texts.LOCAL[3], 15, (HOME_ACADEMIE,), ("facebook:A-14", "x:FR", "portal:FR"),
            {"x:FR": "Rennes : forum de l'alternance, 30 entreprises recrutent des apprentis, même sans diplôme."},
            unlimited=True,
        )  # fmt: skip
        yield Writing(HOME_ACADEMIE, texts.LOCAL[5], 10, ("D-35",), ("facebook:A-14", "portal:FR"))
        yield Writing("A-10", texts.LOCAL[1], 17, end="mended")
        yield Writing("A-23", texts.LOCAL[2], last + 3, end="returned")
        yield Writing("A-02", texts.LOCAL[6], 12, end="forgotten")
        yield Writing("A-16", texts.LOCAL[8], last + 2, end="withdrawn")
        for number, code in enumerate(["A-14", "A-33", "A-44", "A-01", "A-41", "A-15"]):
            yield Writing(code, texts.LOCAL[(number * 4 + 2) % 9], last + 2 + number % 4)
        for number, code in enumerate(["A-28", "A-12", "A-14"]):
            yield Writing(code, texts.LOCAL[number + 5], last + 3 + number, end="submitted")
        yield Writing(HOME_ACADEMIE, texts.LOCAL[0], last + 5, end="draft")

    def _of(self, one: Writing) -> Iterator[Scene]:
        """Written two days before (or on the last days), handed in at once, approved at the next sitting."""
        day = min(one.day - 2, LENGTH.days - 1) if one.end != "submitted" else LENGTH.days - 1
        hour = 15 if one.end == "submitted" else 8
        at = self._moment(max(day, 0), hour, 0)
        yield Scene(at, lambda now: self._write(one, now))

    def _write(self, one: Writing, now: datetime) -> None:
        author = self._actors[one.author if one.author == "coordinator" else f"animator:{one.author}"]
        pictures = [self._picture(one, now)] if one.picture else []
        draft = self._draft(one, pictures)
        hub = self.hub
        with writing(hub.engine) as session:
            post = drafting.draft(session, draft, by=author, at=now, terms=hub.terms, rules=hub.rules)
            assert post.id is not None
            if one.end == "draft":
                return
            drafting.submit(session, post.id, by=author, at=now, terms=hub.terms, rules=hub.rules)
            if one.end in {"returned", "mended"}:
                back = now + timedelta(minutes=20)
                approving.give_back(session, post.id, by=self._actors["second"], at=back, reason=texts.RETURN_REASON)
            if one.end == "mended":
                again = draft.model_copy(update={"text": draft.text + " Rendez-vous au 12, rue de la Gare, à 14 h."})
                later = now + timedelta(minutes=45)
                drafting.change(session, post.id, again, by=author, at=later)
                drafting.submit(session, post.id, by=author, at=later, terms=hub.terms, rules=hub.rules)
            if one.end == "withdrawn":
                drafting.withdraw(session, post.id, by=author, at=now + timedelta(hours=2), reason="Date reportée")
            if one.end in {"approved", "mended"}:
                self._ready.append(post.id)

    def _draft(self, one: Writing, pictures: list[PictureOf]) -> Draft:
        code = one.author if one.author != "coordinator" else ""
        city = self._cities[code].name if code else ""
        # Only our own words are filled here; {academie} and {territoire} are left for Relais.
        words = _elided(one.text.words.replace("{ville}", city))
        day = local_day(self._moment(one.day, 9, 0), PARIS)
        when = datetime.combine(day, time.fromisoformat(one.text.hour))
        event: dict[str, Any] | None = None
        if one.text.kind is Kind.EVENT and code:
            begin = datetime.combine(day + timedelta(days=6), time(14))
            event = {
                "timings": [{"begin": begin, "end": begin + timedelta(hours=3)}],
                "zone": self._cities[code].zone,
                "venue": one.text.venue,
                "commune": self._cities[code].code.removeprefix("C-"),
                "registration": {"phone": "01 99 00 00 00"},
                "ages": {"min": 16, "max": 25},
                "accessibility": ["motor"],
            }
        return Draft.model_validate(
            {
                "kind": one.text.kind,
                "text": words,
                "link": one.text.link,
                "when": when,
                "zone": LOCAL if code else PARIS,
                "event": event,
                "audience": list(one.audience) or [code],
                "accounts": list(one.accounts) if one.accounts else None,
                "variants": dict(one.variants or {}),
                "accepts_unlimited": one.unlimited,
                "pictures": pictures,
            }
        )

    def _picture(self, one: Writing, now: datetime) -> PictureOf:
        """A drawn poster, cleaned and kept as an uploaded one would be."""
        cleaned = media.clean(_poster(one.text.venue))
        with writing(self.hub.engine) as session:
            media.keep(session, cleaned, at=now)
        return PictureOf(id=cleaned.id, alt=f"Affiche : {one.text.venue}, bienvenue à tous les jeunes.")

    # --- what others do ---

    def _approve_all(self, now: datetime) -> None:
        """A coordinator's sitting: everything handed in is approved, by one who did not write it."""
        hub = self.hub
        waiting, self._ready = self._ready, []
        for post_id in waiting:
            with writing(hub.engine) as session:
                post = session.get(Post, post_id)
                assert post is not None
                first = self._actors["coordinator"]
                by = self._actors["second"] if post.author_id == first.id else first
                if post.state is PostState.SUBMITTED:
                    planned = geotargeting.plan(session, post, terms=hub.terms, rules=hub.rules, at=now)
                    seen = approving.fingerprint_of(session, post, planned)
                    approving.approve(session, post_id, by=by, at=now, terms=hub.terms, rules=hub.rules, seen=seen)

    def _count_visitors(self, now: datetime) -> None:
        """Visitors of the portal: fewer each day, and of nobody in particular."""
        with writing(self.hub.engine) as session:
            shown = (
                select(Delivery)
                .join(Account, col(Account.id) == col(Delivery.account_id))
                .where(Account.network == AccountNetwork.PORTAL, Delivery.state == DeliveryState.SENT)
            )
            for delivery in session.exec(shown).all():
                assert delivery.id is not None
                assert delivery.sent_at is not None
                age = (now - delivery.sent_at).days
                if age > INTEREST.days:
                    continue
                for code in self._visitors_from(delivery):
                    dice = hashlib.sha256(f"{delivery.key}{code}{age}".encode()).digest()
                    views = (dice[0] % 40 + 6) // (age + 1)
                    day = local_day(now, PARIS)
                    for unit, number in [(Unit.VIEWS, views), (Unit.CLICKS, views // 7)]:
                        if number:
                            measuring.add_visits(
                                session, delivery.id, territory_code=code, unit=unit, day=day, number=number
                            )

    def _visitors_from(self, delivery: Delivery) -> Iterable[str]:
        """The académies in which an item is shown."""
        if delivery.gate is None:
            return [place.code for place in self._places]
        wanted = set(delivery.gate["territories"])
        return [
            place.code
            for place in self._places
            if wanted & set(place.path.split("/")) or any(self._lies_in(code, place) for code in wanted)
        ]

    def _lies_in(self, code: str, place: Territory) -> bool:
        return code == "D-35" and place.code == HOME_ACADEMIE

    def _expire_token(self, _now: datetime) -> None:
        """The network ends the token of one page."""
        page = self._page(EXPIRING)
        vault = self.hub.vault
        assert page.id is not None
        assert page.secret is not None
        self.sandbox.graph.tokens.expire_token(vault.open(page.id, page.secret)["token"])

    def _lose_an_answer(self, _now: datetime) -> None:
        """The network takes the next post of one page, and its answer comes too late."""
        page = self._page(SILENT_ANSWER)
        self.sandbox.faults.add(
            Fault(
                "delay",
                network="facebook",
                method="POST",
                path=f"/{page.remote_id}/feed$",
                after=True,
                seconds=self._read_timeout * 1.5,
            )
        )

    def _page(self, code: str) -> Account:
        query = select(Account).where(Account.network == AccountNetwork.FACEBOOK, Account.territory_code == code)
        with reading(self.hub.engine) as session:
            return session.exec(query).one()


def _elided(words: str) -> str:
    """« de Le Havre » as « du Havre », « de Amiens » as « d'Amiens »."""
    for loose, joined in [(" de Le ", " du "), (" à Le ", " au "), (" de Les ", " des "), (" à Les ", " aux ")]:
        words = words.replace(loose, joined)
    return re.sub(r"\bde (?=[AEIOUYÉÈÊÎ])", "d'", words)


def _actors(session: Session) -> dict[str, Actor]:
    """Who acts: `coordinator`, `second`, and `animator:<territory>`."""
    told = {}
    coordinators = []
    query = select(Person.id, Role.kind, Role.territory_code).join(Role, col(Role.person_id) == col(Person.id))
    for person_id, kind, territory in session.exec(query.order_by(col(Person.id))):
        assert person_id is not None
        actor = joining.actor_for(session, person_id)
        if kind is RoleKind.ANIMATOR:
            told[f"animator:{territory}"] = actor
        elif kind is RoleKind.COORDINATOR:
            coordinators.append(actor)
    told["coordinator"], told["second"] = coordinators
    return told


def _city(session: Session, place: Territory) -> Territory:
    """The biggest commune of a territory."""
    query = (
        select(Territory)
        .where(col(Territory.path).startswith(place.path + "/"), Territory.level == "commune")
        .order_by(col(Territory.population).desc())
    )
    return session.exec(query.limit(1)).one()


def _poster(title: str) -> bytes:
    picture = Image.new("RGB", (1200, 630), "#1d3a5f")
    pen = ImageDraw.Draw(picture)
    for step in range(0, 630, 6):
        pen.line([(0, step), (1200, step)], fill=(29 + step // 12, 58 + step // 9, 95 + step // 6), width=6)
    pen.rectangle([60, 60, 1140, 570], outline="#ffd27d", width=8)
    pen.text((110, 260), title, fill="#ffffff", font_size=64)
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=85)
    return file.getvalue()
