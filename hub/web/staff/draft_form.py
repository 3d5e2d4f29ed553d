"""A post as the fields of a page, and back: flat names, every problem at its own field, nothing lost on the way."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from pydantic import ValidationError

from hub.domain.clock import LOCAL
from hub.domain.errors import FieldProblem, Invalid
from hub.domain.event import Attendance, Event
from hub.domain.post import Kind
from hub.language import _
from hub.services.drafting import Draft
from hub.web.forms import Form
from hub.web.problems import field_problem

Pair = tuple[str, str]

WITH_EVENT: Final = frozenset({Kind.EVENT, Kind.MEETING})
"""Kinds that take place somewhere; the others may, when somebody says so (`with-event`)."""

TIMING: Final = ("date", "from", "to", "last")
"""Parts of one time span: day, hours, and the last day where that is another one."""

EVENT_TEXTS: Final = ("venue", "address", "commune", "online", "conditions")
REGISTRATION: Final = ("link", "phone", "email")
AGES: Final = ("min", "max")

_PLACES: Final[Mapping[str, str]] = {
    "when": "date",
    "useless_after": "until-date",
    "accounts": "account",
    "pictures": "picture-file",
    "event.timings": "timing-0-date",
    "event.zone": "event-zone",
    "event.ages": "ages-max",
    "event.registration": "registration-link",
    "accepts_unlimited": "accepts-unlimited",
}
"""Where the page tells what is wrong with a part of the draft; other parts are named by rule."""

_NUMBERED: Final = re.compile(
    r"^(?:(?:event\.)?(timing|picture)s\.(\d+)|variants\.(.+?)|(audience|accounts)\.\d+)(?:\.(\w+))?$"
)
_TIMING_PARTS: Final[Mapping[str | None, str]] = {"begin": "from", "end": "to", None: "to"}


# --- From the page ------------------------------------------------------------------------------------


def read(form: Form) -> Draft:
    """The draft that somebody typed, from a tidied form; Invalid with every problem at its field of the page."""
    problems = [*_missing(form)]
    accounts = None if follows(form) else form.every("account")
    variants = {key: text for key, text in form.under("variant-").items() if text.strip()}
    values = {
        "kind": form["kind"],
        "text": form.raw("text"),
        "variants": {key: text for key, text in variants.items() if accounts is None or key in accounts},
        "link": form["link"] or None,
        "pictures": [{"id": form[f"picture-{row}-id"], "alt": form[f"picture-{row}-alt"]} for row in pictures(form)],
        "event": _event(form) if has_event(form) else None,
        "when": _moment(form["date"], form["time"]),
        "zone": form["zone"] or LOCAL,
        "fold": form["fold"] or None,
        "useless_after": _moment(form["until-date"], form["until-time"]),
        "audience": form.every("audience"),
        "accounts": accounts,
        "accepts_unlimited": "accepts-unlimited" in form,
    }
    told = {one.field for one in problems}
    try:
        draft = Draft.model_validate(values)
    except ValidationError as error:
        found = (placed(field_problem(one), form) for one in error.errors())
        problems += [one for one in found if one.field not in told]
    if problems:
        raise Invalid(list(dict.fromkeys(problems)))
    return draft


def follows(form: Form) -> bool:
    """Whether the accounts are still those that were proposed: then they follow the audience."""
    return "proposed" in form and set(form.every("account")) == {one for one in form.every("proposed") if one}


def has_event(form: Form) -> bool:
    """Whether something was said of when and where, for a kind that asks for it."""
    asked = form["kind"] in WITH_EVENT or "with-event" in form
    return asked and any(form[name] for name in _event_fields(form))


def _event_fields(form: Form) -> Iterator[str]:
    yield from EVENT_TEXTS
    yield from (f"registration-{part}" for part in REGISTRATION)
    yield from (f"ages-{part}" for part in AGES)
    yield "accessibility"
    yield from (f"timing-{row}-{part}" for row in timings(form) for part in TIMING)


def timings(form: Form) -> list[int]:
    """The numbers of the time spans in which something was typed."""
    return _rows(form, "timing", TIMING)


def pictures(form: Form) -> list[int]:
    """The numbers of the pictures."""
    return _rows(form, "picture", ("id",))


def _rows(form: Form, thing: str, parts: Iterable[str]) -> list[int]:
    numbers = {int(found[1]) for name, _value in form.pairs if (found := re.match(rf"{thing}-(\d{{1,3}})-", name))}
    return [row for row in sorted(numbers) if any(form[f"{thing}-{row}-{part}"] for part in parts)]


def tidied(form: Form) -> Form:
    """The same form with its rows numbered from 0 and without empty ones, so that problems find their row."""
    places = {("timing", str(row)): place for place, row in enumerate(timings(form))}
    places |= {("picture", str(row)): place for place, row in enumerate(pictures(form))}
    pairs: list[Pair] = []
    for name, value in form.pairs:
        row = re.match(r"(timing|picture)-(\d{1,3})-(\w+)$", name)
        if row is None:
            pairs.append((name, value))
        elif (row[1], str(int(row[2]))) in places:
            pairs.append((f"{row[1]}-{places[row[1], str(int(row[2]))]}-{row[3]}", value))
    return replace(form, pairs=tuple(pairs))


def _moment(day: str, hour: str) -> str | None:
    return f"{day}T{hour}" if day and hour else None


def _event(form: Form) -> dict[str, Any]:
    told: dict[str, Any] = {name: form[name] or None for name in EVENT_TEXTS}
    told["attendance"] = form["attendance"] or Attendance.ON_SITE
    if form["event-zone"]:
        told["zone"] = form["event-zone"]
    told["timings"] = [_timing(form, row) for row in timings(form)]
    told["accessibility"] = form.every("accessibility")
    for group, parts in (("registration", REGISTRATION), ("ages", AGES)):
        given = {part: form[f"{group}-{part}"] for part in parts if form[f"{group}-{part}"]}
        told[group] = given or None
    return told


def _timing(form: Form, row: int) -> dict[str, str | None]:
    day, begin, end, last = (form[f"timing-{row}-{part}"] for part in TIMING)
    return {"begin": _moment(day, begin), "end": _moment(last or day, end)}


def _missing(form: Form) -> Iterator[FieldProblem]:
    """What is not there yet, in words that say what to do."""
    if not form["kind"]:
        yield FieldProblem("kind", _("Choose what it is about."))
    if not form["text"]:
        yield FieldProblem("text", _("Write a text."))
    if not form.every("audience"):
        yield FieldProblem("audience", _("Choose at least one territory."))
    if not form["date"]:
        yield FieldProblem("date", _("Choose the day on which it goes out."))
    elif not form["time"]:
        yield FieldProblem("date", _("Choose the time at which it goes out."))
    if bool(form["until-date"]) != bool(form["until-time"]):
        yield FieldProblem("until-date", _("Give both day and time, or neither."))
    for row in pictures(form):
        if not form[f"picture-{row}-alt"]:
            yield FieldProblem(f"picture-{row}-alt", _("Say in a few words what the picture shows."))
    if has_event(form):
        yield from _missing_of_event(form)


def _missing_of_event(form: Form) -> Iterator[FieldProblem]:
    if not timings(form):
        yield FieldProblem("timing-0-date", _("Say when it takes place, or leave out place and registration too."))
    for row in timings(form):
        if not form[f"timing-{row}-date"]:
            yield FieldProblem(f"timing-{row}-date", _("Choose the day."))
        if not form[f"timing-{row}-from"]:
            yield FieldProblem(f"timing-{row}-from", _("Say at what time it begins."))
        if not form[f"timing-{row}-to"]:
            yield FieldProblem(f"timing-{row}-to", _("Say at what time it ends."))


# --- Problems at their place ----------------------------------------------------------------------------


def placed(problem: FieldProblem, form: Form) -> FieldProblem:
    """The same problem at the field of the page where it was typed."""
    return replace(problem, field=place(problem.field, form))


def place(path: str, form: Form) -> str:
    """The field of the page for a part of the draft, named by its dotted path."""
    if path == "event":
        return "online" if form["attendance"] == Attendance.ONLINE else "venue"
    if path in _PLACES:
        return _PLACES[path]
    numbered = _NUMBERED.match(path)
    if numbered is None:
        return path.removeprefix("event.").replace(".", "-").replace("_", "-")
    thing, row, variant, several, part = numbered.groups()
    if variant is not None:
        return f"variant-{variant}"
    if several is not None:
        return _PLACES.get(several, several)
    return f"{thing}-{row}-{_TIMING_PARTS.get(part, 'to') if thing == 'timing' else part or 'alt'}"


# --- To the page ------------------------------------------------------------------------------------------


def written(draft: Draft) -> list[Pair]:
    """The fields of a draft: read again, they give the same draft."""
    pairs: list[Pair] = [("kind", draft.kind), ("text", draft.text), ("link", draft.link or "")]
    pairs += [(f"variant-{key}", text) for key, text in draft.variants.items()]
    for row, picture in enumerate(draft.pictures):
        pairs += [(f"picture-{row}-id", picture.id), (f"picture-{row}-alt", picture.alt)]
    pairs += [("date", draft.when.date().isoformat()), ("time", hour(draft.when)), ("zone", draft.zone)]
    pairs += [("fold", draft.fold)] if draft.fold else []
    if draft.useless_after:
        pairs += [("until-date", draft.useless_after.date().isoformat()), ("until-time", hour(draft.useless_after))]
    pairs += [("audience", code) for code in draft.audience or []]
    pairs += [("proposed", "")] if draft.accounts is None else [("account", one) for one in draft.accounts]
    pairs += [("accepts-unlimited", "1")] if draft.accepts_unlimited else []
    if draft.event:
        pairs += [] if draft.kind in WITH_EVENT else [("with-event", "1")]
        pairs += _of_event(draft.event)
    return pairs


def _of_event(event: Event) -> Iterator[Pair]:
    yield "attendance", event.attendance
    yield "event-zone", event.zone
    for row, timing in enumerate(event.timings):
        last = "" if timing.end.date() == timing.begin.date() else timing.end.date().isoformat()
        parts = (timing.begin.date().isoformat(), hour(timing.begin), hour(timing.end), last)
        yield from ((f"timing-{row}-{part}", text) for part, text in zip(TIMING, parts, strict=True))
    yield from ((name, str(value)) for name in EVENT_TEXTS if (value := getattr(event, name)) is not None)
    for name in ("registration", "ages"):
        given = getattr(event, name)
        told = given.model_dump(mode="json", exclude_none=True) if given else {}
        yield from ((f"{name}-{part}", str(value)) for part, value in told.items())
    yield from (("accessibility", one) for one in event.accessibility)


def hour(moment: datetime) -> str:
    """The time of day as browsers write it: without seconds where there are none."""
    clock = moment.time()
    return clock.isoformat("auto" if clock.second or clock.microsecond else "minutes")
