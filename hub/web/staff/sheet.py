"""The page on which a post is written: everything that its template shows, told from the form as typed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlmodel import Session, col, select

from hub.domain.account import AccountNetwork
from hub.domain.clock import LOCAL
from hub.domain.errors import FieldProblem, Invalid
from hub.domain.event import ATTENDANCE_NAMES, IMPAIRMENT_NAMES
from hub.domain.person import Actor
from hub.domain.post import MAX_PICTURES, Kind, Media, Post, PostState
from hub.domain.territory import Atlas, Level
from hub.language import N_, _
from hub.services import agreeing, choosing, drafting, finding, geotargeting, proposing
from hub.services.choosing import Choice
from hub.services.drafting import Draft
from hub.services.geotargeting import Planned
from hub.web.forms import Form, filled
from hub.web.staff import draft_form, preview
from hub.web.staff.draft_form import Pair
from hub.wiring import Hub

KINDS: Final = (
    (Kind.EVENT, N_("Event"), N_("Open day, forum, workshop: a date and a place.")),
    (Kind.OPTION, N_("Option"), N_("A way on: training, second-chance school, civic service.")),
    (Kind.MEETING, N_("Meeting"), N_("Somebody to talk to near home: drop-in, café, visit.")),
    (Kind.ADVICE, N_("Advice"), N_("Something worth knowing, good at any time.")),
    (Kind.NEWS, N_("News"), N_("What is new here.")),
)
"""Kinds as they are chosen, each with what it is good for."""

MOST_SHOWN: Final = 12
"""Found communes shown at once."""


@dataclass(frozen=True)
class Begun:
    """What is being written: a new post, or a change of one; and the sheet that it is kept on."""

    sheet_id: str
    post: Post | None = None
    version: int | None = None
    """The version of the post that the person began from."""

    @property
    def address(self) -> str:
        """Where its form is sent."""
        return f"/equipe/publications/{self.post.id}/modifier" if self.post else "/equipe/publications/nouvelle"

    @property
    def consequence(self) -> str:
        """What saving a change will do to the post, besides; empty for nothing."""
        match self.post.state if self.post else None:
            case PostState.APPROVED:
                return _("This post is approved. Saving a change takes the approval back: it must be approved again.")
            case PostState.SUBMITTED:
                return _("This post waits for approval. Saving a change takes it back: hand it in again afterwards.")
            case _state:
                return ""


# --- How a form begins ----------------------------------------------------------------------------------


def fresh(session: Session, *, by: Actor, at: datetime, kind: str = "") -> Form:
    """The form of a new post, with what is usual."""
    land = geotargeting.atlas(session, by.territories())
    home = choosing.home(by)
    wall = choosing.usual_time(session, by=by, land=land, at=at)
    pairs: list[Pair] = [("kind", kind)] if kind in set(Kind) else []
    pairs += [("audience", home), ("proposed", ""), ("event-zone", land.zone(home)), ("zone", LOCAL)]
    return filled([*pairs, ("date", wall.date().isoformat()), ("time", draft_form.hour(wall))])


def of_post(session: Session, post: Post) -> Form:
    """The form of a post as it is."""
    return filled(draft_form.written(drafting.typed_of(session, post)))


def like(session: Session, post: Post, *, by: Actor, at: datetime) -> Form:
    """The form of a copy: the same words, at the usual time where the old one has passed."""
    typed = drafting.typed_of(session, post)
    changed: dict[str, Any] = {"useless_after": None}
    if post.first_due_at <= at:
        land = geotargeting.atlas(session, by.territories())
        changed |= {"when": choosing.usual_time(session, by=by, land=land, at=at), "fold": None}
    return filled(draft_form.written(typed.model_copy(update=changed)))


def about(session: Session, proposal_id: int, *, by: Actor, at: datetime) -> Form:
    """The form of a post about an open day: everything that its source says, for somebody to read and complete."""
    told = proposing.sketch(session, proposal_id, by=by)
    usual = fresh(session, by=by, at=at, kind=Kind.EVENT)
    zone = told.zone if told.zone in choosing.ZONE_PLACES else usual["event-zone"]
    changed = {
        "proposal": str(proposal_id),
        "text": told.text,
        "link": told.link,
        "audience": told.audience,
        "attendance": told.attendance.value,
        "venue": told.venue,
        "address": told.address,
        "commune": told.commune,
        "online": told.online,
        "event-zone": zone,
    }
    for row, span in enumerate(told.spans):
        parts = (span.day, span.begin, span.end, span.last)
        changed |= {f"timing-{row}-{part}": text for part, text in zip(draft_form.TIMING, parts, strict=True)}
    return usual.with_values(**changed)


# --- What the page shows --------------------------------------------------------------------------------


def shown(session: Session, hub: Hub, form: Form, begun: Begun, *, by: Actor, looked: bool) -> dict[str, Any]:
    """Everything that the page says; `looked`: a preview was asked for, or there is something to see."""
    at = hub.now()
    form = draft_form.tidied(form)
    codes = [code for code in form.every("audience") if code]
    commune = form["commune"]
    land = geotargeting.atlas(session, [*codes, *by.territories(), *([f"C-{commune}"] if commune else [])])
    audience = [code for code in dict.fromkeys(codes) if code in land]
    choices = choosing.accounts(session, audience, land, by=by)
    chosen = _chosen(form, choices)
    seen = _seen(session, hub, form, begun, chosen, by=by) if looked else Seen()
    accounts = [one.account for one in choices if one.id in chosen]
    own_words = {key for key, text in form.under("variant-").items() if text.strip()}
    common = [one for one in accounts if str(one.id) not in own_words]
    return {
        "form": form,
        "begun": begun,
        "kinds": KINDS,
        "with_event": draft_form.WITH_EVENT,
        "timing_rows": _timing_rows(form),
        "attendances": ATTENDANCE_NAMES,
        "impairments": IMPAIRMENT_NAMES,
        "communes": _found(session, form["commune-query"]),
        "commune_name": land.name(f"C-{commune}") if f"C-{commune}" in land else "",
        "event_zones": choosing.ZONE_PLACES,
        "picks": choosing.picks(land, by),
        "tree": choosing.tree(land),
        "audience": audience,
        "audience_told": _audience_told(land, audience),
        "named": [(code, land.name(code)) for code in audience if land.nodes[code].level is Level.COMMUNE],
        "places": _found(session, form["audience-query"]),
        "choices": choices,
        "chosen": chosen,
        "follows": chosen == {one.id for one in choices if one.proposed},
        "unlimited": _unlimited(choices, chosen, land, audience),
        "zones": choosing.zones(land, by, form["zone"]),
        "local_times": _local_times(land, audience, accounts, form),
        "paris": choosing.HOME_ZONE,
        "pictures": _pictures(session, form),
        "most_pictures": MAX_PICTURES,
        "counters": preview.counters(form.raw("text"), form["link"], common, seen.planned, hub.rules),
        "variant_counts": _variant_counts(form, choices, seen.planned, hub),
        "cards": preview.cards(seen.planned, hub.rules),
        "lacking": seen.lacking,
        "late": _late(session, seen.planned, at=at),
        "looked": looked,
        "warned": any(one.warnings for one in seen.planned) or "confirm-repeats" in form,
        "labels": labels(),
    }


def labels() -> dict[str, str]:
    """How fields are called where all problems are told together."""
    return {
        "kind": _("What is it about?"),
        "text": _("Text"),
        "link": _("Link"),
        "picture-file": _("Pictures"),
        "audience": _("For whom?"),
        "account": _("Where?"),
        "date": _("When?"),
        "fold": _("When?"),
        "zone": _("When?"),
        "until-date": _("When?"),
    }


@dataclass(frozen=True)
class Seen:
    """What can be shown of a post that may not be finished: deliveries, and what they still lack."""

    planned: Sequence[Planned] = ()
    lacking: Sequence[str] = ()


def _seen(session: Session, hub: Hub, form: Form, begun: Begun, chosen: set[str], *, by: Actor) -> Seen:
    lacking: list[str] = []
    typed = _readable(form, lacking)
    if typed is None:
        return Seen(lacking=lacking)
    try:
        planned = drafting.preview_typed(
            session,
            spoken_for(typed, chosen),
            by=by,
            at=hub.now(),
            terms=hub.terms,
            rules=hub.rules,
            post=begun.post,
        )
    except Invalid as error:
        return Seen(lacking=list(dict.fromkeys([*lacking, *(one.message for one in error.problems)])))
    return Seen(planned, lacking)


def _readable(form: Form, lacking: list[str]) -> Draft | None:
    """What was typed, or as much of it as a preview needs; what it lacks is told."""
    try:
        return draft_form.read(form)
    except Invalid as error:
        lacking += [one.message for one in error.problems]
    described = [(name, value if value.strip() or not name.endswith("-alt") else "…") for name, value in form.pairs]
    kind = next((value for name, value in described if name == "kind"), "")
    plain = [pair for pair in described if pair[0] not in {"kind", "with-event"}]
    try:
        # Without its event a post looks the same: that part may wait.
        return draft_form.read(
            replace(form, pairs=(*plain, ("kind", Kind.NEWS if kind in draft_form.WITH_EVENT else kind)))
        )
    except Invalid:
        return None


def also_wrong(
    session: Session, hub: Hub, form: Form, told: Invalid, begun: Begun, chosen: set[str], *, by: Actor
) -> list[FieldProblem]:
    """What is wrong beside what was told: it shows once something stands where nothing can be read yet."""
    known = {one.field for one in told.problems}
    rest = replace(form, pairs=tuple(pair for pair in form.pairs if pair[0] not in known))
    typed = _readable(rest if rest["text"] else rest.with_values(text="…"), [])
    if typed is None:
        return []
    try:
        drafting.preview_typed(
            session,
            spoken_for(typed, chosen),
            by=by,
            at=hub.now(),
            terms=hub.terms,
            rules=hub.rules,
            post=begun.post,
        )
    except Invalid as error:
        return [one for one in error.problems if draft_form.placed(one, form).field not in known]
    return []


def spoken_for(typed: Draft, chosen: set[str]) -> Draft:
    """The draft for the accounts that are meant now, without words for others."""
    variants = {key: text for key, text in typed.variants.items() if key in chosen}
    return typed.model_copy(update={"accounts": sorted(chosen, key=int), "variants": variants})


def chosen_now(session: Session, form: Form, *, by: Actor) -> set[str]:
    """The accounts that a form means now."""
    codes = [code for code in form.every("audience") if code]
    land = geotargeting.atlas(session, [*codes, *by.territories()])
    return _chosen(form, choosing.accounts(session, [code for code in codes if code in land], land, by=by))


def _chosen(form: Form, choices: Sequence[Choice]) -> set[str]:
    """The accounts proposed for the audience of now, with what somebody added to the proposal before, or left out."""
    known, ticked = {one.id for one in choices}, set(form.every("account"))
    if "proposed" not in form:
        return ticked & known
    before = set(form.every("proposed"))
    proposed = {one.id for one in choices if one.proposed}
    return ((proposed - (before - ticked)) | (ticked - before)) & known


# --- Parts ----------------------------------------------------------------------------------------------


def _timing_rows(form: Form) -> list[int]:
    """The rows of dates to show: those that say something, one to begin with, one more when asked for."""
    rows = draft_form.timings(form)
    return [*rows, len(rows)] if not rows or form["step"] == "add-timing" else rows


def _found(session: Session, query: str) -> list[finding.Found]:
    return finding.find_territories(session, query)[:MOST_SHOWN] if query else []


def _audience_told(land: Atlas, audience: Sequence[str]) -> str:
    """The audience in words, with how many people live there."""
    if not audience:
        return ""
    names = [land.name(code) for code in sorted(land.simplify(audience), key=land.name)]
    told = ", ".join(names[:4]) + (_(" and {count} more", count=len(names) - 4) if len(names) > 4 else "")
    return _(
        "{names} · {people} inhabitants", names=told, people=f"{land.population(audience):,}".replace(",", "\u202f")
    )


def _unlimited(choices: Sequence[Choice], chosen: set[str], land: Atlas, audience: Sequence[str]) -> bool:
    """Whether a chosen account cannot limit the post to its audience."""
    return any(
        one.id in chosen
        and one.account.network is AccountNetwork.X
        and not land.same(audience, one.account.territory_code)
        for one in choices
    )


def _local_times(land: Atlas, audience: Sequence[str], accounts: Sequence[Any], form: Form) -> list[choosing.Wall]:
    try:
        wall = datetime.fromisoformat(f"{form['date']}T{form['time']}")
    except ValueError:
        return []
    if wall.tzinfo is not None or not 1900 <= wall.year <= 2200 or not audience:
        return []
    return choosing.local_times(land, audience, accounts, wall)


@dataclass(frozen=True)
class Shown:
    """A picture of the form: its id, and how large it is shown."""

    id: str
    width: int
    height: int


def _pictures(session: Session, form: Form) -> list[Shown]:
    """The pictures of the form, in its order; one that is not there any more has no size."""
    ids = [form[f"picture-{row}-id"] for row in draft_form.pictures(form)]
    query = select(Media.id, Media.width, Media.height).where(col(Media.id).in_(ids))
    known = {number: (width, height) for number, width, height in session.exec(query)} if ids else {}
    return [Shown(one, *known.get(one, (0, 0))) for one in ids]


def _variant_counts(form: Form, choices: Sequence[Choice], planned: Sequence[Planned], hub: Hub) -> dict[str, Any]:
    texts = form.under("variant-")
    told = {}
    for one in choices:
        own = [each for each in planned if str(each.account.id) == one.id]
        text = texts.get(one.id, "")
        link = form["link"] if text.strip() else ""
        [told[one.id]] = preview.counters(text, link, [one.account], own if text.strip() else [], hub.rules)
    return told


def _late(session: Session, planned: Sequence[Planned], *, at: datetime) -> int:
    """How many hours before its time a post should be handed in, where that is no longer possible; else 0."""
    lead = agreeing.policies(session).approval_lead_hours
    return lead if planned and min(one.due_at for one in planned) - at < timedelta(hours=lead) else 0
