"""The audit in words: who did what to which thing, so that nobody needs to know how it is stored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlmodel import Session, col, select

from hub.domain.account import Account
from hub.domain.audit import CLOCK, OPERATOR, AuditEntry
from hub.domain.delivery import Delivery
from hub.domain.person import Person, Token
from hub.domain.place import Place
from hub.domain.post import Post
from hub.domain.territory import Atlas
from hub.language import N_, _
from hub.services import geotargeting, spelling
from hub.services.showing import title

LARGEST_ID: Final = 2**31 - 1
"""A larger number is no id of ours."""

DEEDS: Final[Mapping[str, tuple[str, Mapping[str, str]]]] = {
    "post": (
        N_("Posts"),
        {
            "post.draft": N_("wrote a post"),
            "post.change": N_("changed a post"),
            "post.submit": N_("handed in a post"),
            "post.approve": N_("approved a post"),
            "post.return": N_("returned a post"),
            "post.withdraw": N_("withdrew a post"),
            "post.move": N_("moved a post in time"),
            "post.expire": N_("let a post expire"),
            "post.archive": N_("put a post away"),
        },
    ),
    "delivery": (
        N_("Deliveries"),
        {
            "delivery.resolve": N_("decided about a delivery"),
            "delivery.cancel": N_("cancelled a delivery"),
            "delivery.remove": N_("asked to take a live post down"),
            "delivery.removed": N_("took a live post down"),
            "delivery.removal-refused": N_("was refused the taking down of a live post"),
            "delivery.removal-failed": N_("could not take a live post down"),
            "delivery.read-back": N_("found a delivery on the network"),
            "delivery.late-answer": N_("heard late what became of a delivery"),
            "delivery.late": N_("stopped a delivery that was too late"),
            "delivery.duplicate": N_("found a delivery that was out twice"),
        },
    ),
    "account": (
        N_("Accounts"),
        {
            "account.add": N_("connected an account"),
            "account.rename": N_("renamed an account"),
            "account.options": N_("chose how an account is used"),
            "account.renew": N_("renewed the keys of an account"),
            "account.check": N_("found an account changed"),
            "account.pause": N_("paused an account"),
            "account.resume": N_("resumed an account"),
            "account.rest": N_("let an account rest: the network refuses its authorisation"),
            "account.block": N_("noted that the network blocks an account"),
            "account.app-wait": N_("was asked to wait, for all accounts of an app"),
        },
    ),
    "person": (
        N_("People"),
        {
            "person.add": N_("added a person"),
            "person.password": N_("set a password"),
            "person.disable": N_("shut a person out"),
            "person.enable": N_("let a person in again"),
            "person.throttle": N_("had a person wait after wrong passwords"),
            "person.mails": N_("chose when mails come"),
        },
    ),
    "role": (N_("Roles"), {"role.give": N_("gave a role"), "role.take": N_("took a role away")}),
    "ticket": (
        N_("Links"),
        {"ticket.invitation": N_("made an invitation link"), "ticket.reset": N_("made a link for a new password")},
    ),
    "session": (
        N_("Sessions"),
        {
            "session.open": N_("signed in"),
            "session.end": N_("ended a session"),
            "session.end_all": N_("ended all sessions"),
            "session.end-others": N_("ended all other sessions"),
        },
    ),
    "factor": (
        N_("Second factor"),
        {
            "factor.begin": N_("began to set up a second factor"),
            "factor.confirm": N_("turned a second factor on"),
            "factor.recover": N_("used a recovery code"),
            "factor.codes": N_("made new recovery codes"),
            "factor.off": N_("turned a second factor off"),
            "factor.reset": N_("took a lost second factor away"),
            "factor.throttle": N_("had a person wait after wrong codes"),
        },
    ),
    "token": (N_("Tokens"), {"token.make": N_("made a token"), "token.revoke": N_("revoked a token")}),
    "policy": (N_("Rules"), {"policy.agree": N_("changed the rules")}),
    "hold": (
        N_("Emergency stop"),
        {
            "hold.on": N_("stopped all publishing"),
            "hold.off": N_("let publishing go on"),
            "hold.restored": N_("began again after a restore"),
        },
    ),
    "keys": (
        N_("Geographical keys"),
        {"keys.import": N_("brought in geographical keys"), "keys.review": N_("reviewed geographical keys")},
    ),
    "secrets": (
        N_("Secret keys"),
        {"secrets.rotate": N_("put all secrets under a new key"), "secrets.drop": N_("dropped old secret keys")},
    ),
    "places": (
        N_("Files of places"),
        {
            "places.import": N_("brought in a file of places"),
            "places.lay": N_("brought the kinds of places up to date"),
        },
    ),
    "reference": (N_("Reference data"), {"reference.load": N_("loaded reference data")}),
    "metrics": (
        N_("Catalogue of metrics"),
        {
            "metrics.lay": N_("brought the catalogue of metrics up to date"),
            "metrics.import": N_("changed the catalogue of metrics"),
        },
    ),
    "place": (
        N_("Places"),
        {
            "place.correct": N_("corrected a place"),
            "place.undo": N_("let a place say again what its source says"),
            "place.check": N_("checked a place"),
            "place.write": N_("wrote a place"),
            "place.merge": N_("merged a place into another one"),
            "place.part": N_("parted a place from another one"),
            "place.end": N_("ended a place"),
            "place.reopen": N_("showed an ended place again"),
            "place.sector": N_("changed the sector of a place"),
            "place.propose": N_("made a post of an open day"),
            "place.dismiss": N_("made nothing of an open day"),
            "place.recall": N_("let an open day wait again"),
        },
    ),
    "population": (N_("Populations"), {"population.import": N_("brought in populations")}),
    "reach": (N_("Readings"), {"reach.strike": N_("struck a reading out")}),
    "figures": (
        N_("Figures of reports"),
        {
            "figures.mend": N_("put figures of reports right"),
            "figures.rebuild": N_("counted the figures of reports again"),
        },
    ),
    "hub": (
        N_("Databases"),
        {
            "hub.leave": N_("moved everything to another database"),
            "hub.arrive": N_("received everything from another database"),
            "hub.come-back": N_("came back to this database"),
        },
    ),
}
"""Every action that is noted, by kind, as it follows the name of who did it."""

_NAMES: Final[Mapping[str, str]] = {
    "format": N_("format"),
    "source": N_("source"),
    "file": N_("file"),
    "vanished": N_("not in the source any more"),
    "refused": N_("rows refused"),
    "state": N_("state"),
    "reason": N_("reason"),
    "text": N_("text"),
    "link": N_("link"),
    "version": N_("version"),
    "network": N_("network"),
    "remote_id": N_("number on the network"),
    "deliveries": N_("deliveries"),
    "held": N_("held back"),
    "mails": N_("mails"),
    "ended": N_("sessions ended"),
    "until": N_("until"),
    "when": N_("when"),
    "audience": N_("audience"),
    "accounts": N_("accounts"),
    "email": N_("e-mail"),
    "name": N_("name"),
    "password": N_("password chosen"),
    "role": N_("role"),
    "territory": N_("territory"),
    "person": N_("person"),
    "failures": N_("wrong tries"),
    "tokens_revoked": N_("tokens revoked"),
    "codes_left": N_("recovery codes left"),
    "sessions": N_("sessions"),
    "light": N_("health"),
    "findings": N_("findings"),
    "silence_days": N_("silence, in days"),
    "token_warning_days": N_("warning before the end of a token, in days"),
    "expiry_warning_hours": N_("warning before an approval expires, in hours"),
    "approval_lead_hours": N_("time to approve, in hours"),
    "second_factor": N_("second factor required"),
    "usual_time": N_("usual time"),
    "daily_mail_hour": N_("hour of the daily mail"),
    "quiet_windows": N_("quiet times"),
    "to": N_("new database"),
    "rows": N_("rows"),
    "added": N_("added"),
    "changed": N_("changed"),
    "counted": N_("reports count anew"),
    "metric": N_("metric"),
    "metrics": N_("metrics"),
    "value": N_("value"),
    "slot": N_("hours after publication"),
    "read_at": N_("read at"),
    "years": N_("years"),
    "sources": N_("sources"),
    "samples": N_("readings"),
    "mended": N_("deliveries put right"),
    "type_code": N_("kind of place"),
    "address": N_("address"),
    "postcode": N_("postcode"),
    "territory_code": N_("commune"),
    "lat": N_("latitude"),
    "lon": N_("longitude"),
    "point": N_("point on the map"),
    "phone": N_("telephone"),
    "mail": N_("e-mail"),
    "website": N_("website"),
    "description": N_("what one finds there"),
    "hours": N_("opening hours"),
    "accessibility": N_("accessibility"),
    "siret": N_("SIRET number"),
    "uai": N_("UAI number"),
    "checked_on": N_("checked on"),
    "ended_on": N_("ended on"),
    "same_as": N_("the same as"),
    "place": N_("number of the place"),
    "communes": N_("communes"),
    "new_communes": N_("new communes"),
    "taken_communes": N_("communes taken out"),
    "post": N_("number of the post"),
}


@dataclass(frozen=True)
class Change:
    """One value of an entry, before and after; empty where there is none."""

    name: str
    before: str
    after: str


@dataclass(frozen=True)
class Deed:
    """One line of the audit as people read it."""

    id: int
    at: datetime
    who: str
    what: str
    about: str
    """The thing by its name; empty where the words say it all, such as for what people did to themselves."""
    kind: str
    """Of the thing: `post`, `person` and so on."""
    number: int | None
    changes: tuple[Change, ...]


def action_name(action: str) -> str:
    """An action in words; as it is stored when this version does not know it."""
    _kind, names = DEEDS.get(action.partition(".")[0], ("", {}))
    return _(names[action]) if action in names else action


def actor_name(name: str) -> str:
    """Who did it: people by their names, others in words."""
    return {CLOCK: _("Relais itself"), OPERATOR: _("An operator at the machine")}.get(name, name)


def deeds(session: Session, entries: Sequence[AuditEntry]) -> list[Deed]:
    """These entries in words, in their order."""
    names = _names_of_things(session, (entry.thing for entry in entries))
    territories = geotargeting.atlas(session, _communes(entries))
    accounts = _account_names(session, entries)
    return [
        Deed(
            id=entry.id or 0,
            at=entry.at,
            who=actor_name(entry.by_name),
            what=action_name(entry.action),
            about="" if entry.thing == f"person:{entry.by_id}" else names.get(entry.thing, ""),
            kind=entry.thing.partition(":")[0],
            number=_number(entry.thing),
            changes=_changes(entry, territories, accounts),
        )
        for entry in entries
    ]


def thing_name(session: Session, thing: str) -> str:
    """What a thing is called; as it is stored where that is not known."""
    return _names_of_things(session, [thing]).get(thing, thing)


def _number(thing: str) -> int | None:
    number = thing.partition(":")[2]
    return int(number) if number.isascii() and number.isdigit() else None


def _names_of_things(session: Session, things: Iterable[str]) -> dict[str, str]:
    """What each thing is called, read together by kind."""
    wanted: dict[str, set[int]] = {}
    for thing in things:
        number = _number(thing)
        if number is not None and number <= LARGEST_ID:
            wanted.setdefault(thing.partition(":")[0], set()).add(number)
    told: dict[str, str] = {}
    if numbers := wanted.get("post"):
        for number, text in session.exec(select(Post.id, Post.text).where(col(Post.id).in_(numbers))):
            told[f"post:{number}"] = _("no. {number}, {title}", number=number, title=title(text, 60))
    if numbers := wanted.get("person"):
        for number, name in session.exec(select(Person.id, Person.name).where(col(Person.id).in_(numbers))):
            told[f"person:{number}"] = name
    if numbers := wanted.get("account"):
        for number, name in session.exec(select(Account.id, Account.name).where(col(Account.id).in_(numbers))):
            told[f"account:{number}"] = name
    if numbers := wanted.get("place"):
        for number, name in session.exec(select(Place.id, Place.name).where(col(Place.id).in_(numbers))):
            told[f"place:{number}"] = name
    if numbers := wanted.get("delivery"):
        query = select(Delivery.id, Account.name, Delivery.text).join(Account, col(Account.id) == Delivery.account_id)
        for number, name, text in session.exec(query.where(col(Delivery.id).in_(numbers))):
            told[f"delivery:{number}"] = _("{account}, {title}", account=name, title=title(text, 60))
    if numbers := wanted.get("token"):
        query = select(Token.id, Token.name, Person.name).join(Person, col(Person.id) == Token.person_id)
        for number, name, holder in session.exec(query.where(col(Token.id).in_(numbers))):
            told[f"token:{number}"] = _("{name} of {person}", name=name, person=holder)
    return told


def _communes(entries: Sequence[AuditEntry]) -> list[str]:
    """The communes that places were noted with."""
    noted = [values.get("territory_code") for one in entries for values in (one.before, one.after) if values]
    return [code for code in noted if isinstance(code, str)]


def _account_names(session: Session, entries: Sequence[AuditEntry]) -> dict[int, str]:
    """The names of the accounts that posts were noted with."""
    noted = [values.get("accounts") for one in entries for values in (one.before, one.after) if values]
    numbers = {number for some in noted if isinstance(some, list) for number in some if isinstance(number, int)}
    if not numbers:
        return {}
    found = session.exec(select(Account.id, Account.name).where(col(Account.id).in_(numbers)))
    return {number: name for number, name in found if number is not None}


def _changes(entry: AuditEntry, territories: Atlas, accounts: Mapping[int, str]) -> tuple[Change, ...]:
    before, after = entry.before or {}, entry.after or {}
    kind = entry.thing.partition(":")[0]
    names = [*before, *(name for name in after if name not in before)]
    told = (
        Change(
            _(_NAMES[name]) if name in _NAMES else name,
            spelling.value(kind, name, before.get(name), territories, accounts),
            spelling.value(kind, name, after.get(name), territories, accounts),
        )
        for name in names
    )
    return tuple(one for one in told if one.before or one.after)
