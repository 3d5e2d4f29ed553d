"""The story of a post: everything that was done to it and that became of it, newest first."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from sqlmodel import Session, col, select

from hub.domain.account import Account
from hub.domain.audit import CLOCK, AuditEntry
from hub.domain.delivery import Action, Attempt, AttemptKind, Delivery, DeliveryState, OutcomeKind
from hub.domain.metric import Catalogue
from hub.domain.post import Post
from hub.domain.reach import ReachFigure, Unit, combine
from hub.domain.table import by_letters
from hub.language import N_, _
from hub.services import cataloguing, geotargeting
from hub.services.reporting import UNIT_NAMES


class Mood(StrEnum):
    """What kind of thing happened, so that a page can give it a mark."""

    WRITTEN = "written"
    DECIDED = "decided"
    PUBLISHED = "published"
    TROUBLE = "trouble"
    UNDER_WAY = "under-way"
    FIGURES = "figures"
    ENDED = "ended"


@dataclass(frozen=True)
class Event:
    """One thing that happened to a post."""

    at: datetime
    who: str
    what: str
    mood: Mood
    detail: str = ""
    link: str | None = None
    delivery_id: int | None = None


_OF_POSTS: Final[Mapping[str, tuple[str, Mood]]] = {
    "post.draft": (N_("wrote it"), Mood.WRITTEN),
    "post.change": (N_("changed it"), Mood.WRITTEN),
    "post.submit": (N_("handed it in for approval"), Mood.WRITTEN),
    "post.approve": (N_("approved it"), Mood.DECIDED),
    "post.return": (N_("returned it"), Mood.TROUBLE),
    "post.withdraw": (N_("withdrew it"), Mood.ENDED),
    "post.expire": (N_("let it expire: nobody approved it in time"), Mood.TROUBLE),
    "post.archive": (N_("put it away"), Mood.ENDED),
}

_OF_DELIVERIES: Final[Mapping[str, tuple[str, Mood]]] = {
    "delivery.late": (N_("did not send it to {account}: it is too late, and a person must decide"), Mood.TROUBLE),
    "delivery.cancel": (N_("cancelled it for {account}"), Mood.ENDED),
    "delivery.read-back": (N_("looked on {account} what became of it"), Mood.UNDER_WAY),
    "delivery.late-answer": (N_("heard late from {account}: it is published"), Mood.PUBLISHED),
    "delivery.duplicate": (N_("found it on {account} twice"), Mood.TROUBLE),
    "delivery.resolve": (N_("decided about {account}"), Mood.DECIDED),
    "delivery.remove": (N_("asked to take it down from {account}"), Mood.ENDED),
    "delivery.removed": (N_("took it down from {account}"), Mood.ENDED),
    "delivery.removal-refused": (N_("could not take it down from {account}"), Mood.TROUBLE),
    "delivery.removal-failed": (N_("could not take it down from {account}"), Mood.TROUBLE),
}

_DECISIONS: Final[Mapping[str, str]] = {
    Action.FOUND: N_("found it on {account}"),
    Action.SEND: N_("had it sent to {account}"),
    Action.GIVE_UP: N_("gave up {account}"),
}

_TRIES: Final[Mapping[str, tuple[str, Mood]]] = {
    OutcomeKind.OK: (N_("published it on {account}"), Mood.PUBLISHED),
    OutcomeKind.NOT_SENT: (N_("could not send it to {account}"), Mood.TROUBLE),
    OutcomeKind.RATE: (N_("was asked by {account} to wait"), Mood.UNDER_WAY),
    OutcomeKind.AUTH: (N_("was refused by {account}: the account needs care"), Mood.TROUBLE),
    OutcomeKind.CONTENT: (N_("was refused by {account}: it will not show this post"), Mood.TROUBLE),
    OutcomeKind.BLOCK: (N_("was refused by {account}: the account is blocked for a while"), Mood.TROUBLE),
    OutcomeKind.DUPLICATE: (N_("does not know yet what became of it on {account}"), Mood.TROUBLE),
    OutcomeKind.UNKNOWN: (N_("does not know yet what became of it on {account}"), Mood.TROUBLE),
}


@dataclass(frozen=True)
class _Cast:
    """The deliveries of a post, and where each goes."""

    deliveries: Mapping[int, Delivery]
    names: Mapping[int, str]

    def account(self, delivery_id: int) -> str:
        """Where a delivery goes, in words."""
        return self.names.get(delivery_id, "?")


def story(session: Session, post: Post, *, counted: Collection[int] | None = None) -> list[Event]:
    """Everything that happened to a post, newest first: audit, tries, what was read back, figures.

    `counted`: the deliveries whose figures may be told; all of them where it is not given.
    """
    cast = _cast(session, post)
    told = [
        *_audited(session, post, cast),
        *_tried(session, cast),
        *_counted(session, cast, cast.deliveries if counted is None else counted),
    ]
    return sorted(told, key=lambda one: one.at)[::-1]  # of one instant: as they came


def entries_of(session: Session, post: Post, deliveries: Iterable[int]) -> list[AuditEntry]:
    """The lines of audit about a post and its deliveries, newest first."""
    things = [f"post:{post.id}", *(f"delivery:{number}" for number in deliveries)]
    query = select(AuditEntry).where(col(AuditEntry.thing).in_(things))
    return list(session.exec(query.order_by(col(AuditEntry.at).desc(), col(AuditEntry.id).desc())))


def destination_names(session: Session, deliveries: Sequence[Delivery]) -> dict[int, str]:
    """Where each delivery goes, by its number: its account, with the territory where one account has several."""
    accounts = select(Account.id, Account.name).where(col(Account.id).in_({one.account_id for one in deliveries}))
    names = dict(session.exec(accounts).all())
    land = geotargeting.atlas(session, [one.territory_code for one in deliveries])
    several = {one.account_id for one in deliveries if sum(o.account_id == one.account_id for o in deliveries) > 1}
    told = {}
    for one in deliveries:
        assert one.id is not None
        name = names[one.account_id]
        told[one.id] = f"{name} ({land.name(one.territory_code)})" if one.account_id in several else name
    return told


def _cast(session: Session, post: Post) -> _Cast:
    found = session.exec(select(Delivery).where(Delivery.post_id == post.id)).all()
    return _Cast({one.id: one for one in found if one.id is not None}, destination_names(session, found))


def _audited(session: Session, post: Post, cast: _Cast) -> list[Event]:
    return [_from_audit(entry, cast) for entry in reversed(entries_of(session, post, cast.deliveries))]


def _from_audit(entry: AuditEntry, cast: _Cast) -> Event:
    kind, _sign, number = entry.thing.partition(":")
    after = entry.after or {}
    who = _("Relais") if entry.by_name == CLOCK else entry.by_name
    if kind == "post":
        what, mood = _OF_POSTS.get(entry.action, (entry.action, Mood.DECIDED))
        return Event(entry.at, who, _(what), mood, detail=_post_detail(entry.action, after))
    delivery_id = int(number)
    what, mood = _OF_DELIVERIES.get(entry.action, (entry.action, Mood.DECIDED))
    what = _DECISIONS.get(after.get("action", ""), what)
    detail = str(after.get("reason") or "")
    if entry.action == "delivery.late":
        detail = _(detail)
    if entry.action in {"delivery.read-back", "delivery.late-answer"} and after.get("state") == DeliveryState.SENT:
        mood, detail = Mood.PUBLISHED, detail or _("It is published.")
    return Event(entry.at, who, _(what, account=cast.account(delivery_id)), mood, detail, delivery_id=delivery_id)


def _post_detail(action: str, after: Mapping[str, object]) -> str:
    held = after.get("held")
    if action == "post.approve" and isinstance(held, dict) and held:
        why = "; ".join(dict.fromkeys(str(reason) for reason in held.values()))
        return _("Some destinations are held: {why}", why=why)
    return str(after.get("reason") or "")


def _tried(session: Session, cast: _Cast) -> list[Event]:
    query = select(Attempt).where(
        col(Attempt.delivery_id).in_(cast.deliveries), col(Attempt.kind) == AttemptKind.PUBLISH
    )
    return [_from_try(one, cast) for one in session.exec(query.order_by(col(Attempt.id)))]


def _from_try(attempt: Attempt, cast: _Cast) -> Event:
    account = cast.account(attempt.delivery_id)
    if attempt.ended_at is None or attempt.outcome is None:
        what = _("is sending it to {account}", account=account)
        return Event(attempt.started_at, _("Relais"), what, Mood.UNDER_WAY, delivery_id=attempt.delivery_id)
    what, mood = _TRIES.get(attempt.outcome, (N_("tried to send it to {account}"), Mood.UNDER_WAY))
    published = attempt.outcome == OutcomeKind.OK
    return Event(
        attempt.ended_at,
        _("Relais"),
        _(what, account=account),
        mood,
        detail="" if published else attempt.detail or "",
        link=cast.deliveries[attempt.delivery_id].url if published else None,
        delivery_id=attempt.delivery_id,
    )


def _counted(session: Session, cast: _Cast, counted: Collection[int]) -> list[Event]:
    return [
        Event(
            max(one.last_read_at for one in figures),
            _("Relais"),
            _("read the figures of {account}", account=cast.account(delivery_id)),
            Mood.FIGURES,
            detail=figures_told(figures),
            delivery_id=delivery_id,
        )
        for delivery_id, figures in figures_of(session, counted).items()
    ]


def figures_of(session: Session, deliveries: Iterable[int]) -> dict[int, list[ReachFigure]]:
    """What reports count of several deliveries; nothing for those of which the network said nothing."""
    query = (
        select(ReachFigure, Account.network)
        .join(Delivery, col(Delivery.id) == col(ReachFigure.delivery_id))
        .join(Account, col(Account.id) == col(Delivery.account_id))
        .where(col(ReachFigure.delivery_id).in_(deliveries), col(ReachFigure.value).is_not(None))
        .order_by(col(ReachFigure.delivery_id), by_letters(col(ReachFigure.metric)))
    )
    found = session.exec(query).all()
    catalogue = cataloguing.catalogue(session) if found else Catalogue((), "")
    read: dict[tuple[int, str], list[ReachFigure]] = {}
    for figure, network in found:
        if catalogue.counts(network, figure.metric):
            read.setdefault((figure.delivery_id, network), []).append(figure)
    told = {}
    for (delivery_id, network), figures in read.items():
        gone = catalogue.replaced(network, [one.metric for one in figures])
        told[delivery_id] = [one for one in figures if one.metric not in gone]
    return told


def figures_told(figures: Sequence[ReachFigure]) -> str:
    """Figures of one delivery in words, those of one kind together as the report does."""
    told = []
    for unit in Unit:
        value, _how = combine(unit, [one.value for one in figures if one.unit == unit])
        if value is not None:
            told.append(f"{value:,}".replace(",", "\u202f") + f"\u00a0{_(UNIT_NAMES[unit])}")
    return ", ".join(told)
