"""The words of mails: plain text, one link per thing, and never a secret but the link that was asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Final
from urllib.parse import urlsplit

from babel.dates import format_datetime, get_timezone_location

from hub.domain.clock import LOCAL
from hub.domain.notice import RHYTHM_NAMES, NoticeKind
from hub.domain.person import Person
from hub.domain.sign_in import INVITATION_LASTS, RESET_LASTS
from hub.language import N_, _, current_language, default_language, ngettext, speaking
from hub.mail import Mail, one_line
from hub.services.matters import Matter

MOST_ITEMS: Final = 30
"""How many things of a kind one mail names."""

MOST_NAMES: Final = 3
"""How many territories or accounts are named of one thing."""

LONGEST_REMARK: Final = 400

DAY_AND_HOUR: Final = "EEEE d MMMM y, HH:mm"

SUBJECTS: Final[Mapping[NoticeKind, str]] = {
    NoticeKind.EXPIRING: N_("Approve soon: {title}"),
    NoticeKind.TO_APPROVE: N_("To approve: {title}"),
    NoticeKind.RETURNED: N_("Returned to you: {title}"),
    NoticeKind.TO_DECIDE: N_("To decide: {title}"),
    NoticeKind.FAILED: N_("Not published: {title}"),
    NoticeKind.ACCOUNT_TROUBLE: N_("Account in trouble: {title}"),
}
"""When a mail tells one thing."""

HEADINGS: Final[Mapping[NoticeKind, Callable[[int], str]]] = {
    NoticeKind.EXPIRING: lambda count: ngettext(
        "{count} post waits for approval and will soon expire: it is never sent late.",
        "{count} posts wait for approval and will soon expire: they are never sent late.",
        count,
    ),
    NoticeKind.TO_APPROVE: lambda count: ngettext("{count} post to approve", "{count} posts to approve", count),
    NoticeKind.RETURNED: lambda count: ngettext(
        "{count} post came back to you, with a reason", "{count} posts came back to you, with a reason", count
    ),
    NoticeKind.TO_DECIDE: lambda count: ngettext(
        "{count} post needs a decision", "{count} posts need a decision", count
    ),
    NoticeKind.FAILED: lambda count: ngettext(
        "{count} post did not go out everywhere", "{count} posts did not go out everywhere", count
    ),
    NoticeKind.ACCOUNT_TROUBLE: lambda count: ngettext("{count} account needs you", "{count} accounts need you", count),
}


@dataclass(frozen=True)
class Told:
    """One thing as a mail tells it: several deliveries of a post are one thing."""

    kind: NoticeKind
    title: str
    lines: tuple[str, ...]
    path: str


# --- What waits for somebody ----------------------------------------------------------------------------------


def of_matters(person: Person, matters: Sequence[Matter], *, at: datetime, public_url: str, mark: str) -> Mail:
    """One mail that tells somebody all of this."""
    with speaking(default_language()):
        told = _together(matters)
        parts = [_("Hello {name},", name=one_line(person.name))]
        for kind, some in groupby(told, key=lambda one: one.kind):
            parts.append(_section(kind, list(some), public_url))
        if sum(one.kind in {NoticeKind.TO_APPROVE, NoticeKind.EXPIRING} for one in told) > 1:
            parts.append(_("All that waits for approval: {link}", link=f"{public_url}/equipe/validation"))
        parts.append(_foot(person, public_url))
        text = "\n\n".join(parts) + "\n"
        return Mail(person.email, person.name, _subject(told), text, at, _mark(mark, public_url))


def _together(matters: Iterable[Matter]) -> list[Told]:
    """In the order of urgency, then of time; what is about to expire is not told as to be approved as well."""
    urgent = {one.thing for one in matters if one.kind is NoticeKind.EXPIRING}
    left = [one for one in matters if one.kind is not NoticeKind.TO_APPROVE or one.thing not in urgent]
    order = list(NoticeKind)
    left.sort(key=lambda one: (order.index(one.kind), (one.wall or ("", ""))[0], one.path, one.number))
    return [_one(list(some)) for _key, some in groupby(left, key=lambda one: (one.kind, one.path))]


def _one(some: list[Matter]) -> Told:
    first = some[0]
    places = _named(sorted({name for one in some for name in one.territories}))
    when = moment_told(*first.wall) if first.wall else ""
    remarks = list(dict.fromkeys(_cut(one_line(one.remark)) for one in some if one.remark))
    more = len(remarks) - MOST_NAMES
    if more > 0:
        remarks = [*remarks[:MOST_NAMES], ngettext("and {count} more", "and {count} more", more)]
    lines = (" · ".join(part for part in (places, when) if part), *remarks)
    return Told(first.kind, one_line(first.title), tuple(line for line in lines if line), first.path)


def _named(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMES
    shown = ", ".join(names[:MOST_NAMES])
    return f"{shown} " + ngettext("and {count} more", "and {count} more", more) if more > 0 else shown


def _cut(words: str) -> str:
    return words if len(words) <= LONGEST_REMARK else words[: LONGEST_REMARK - 1].rstrip() + "…"


def moment_told(wall: str, zone: str) -> str:
    """A wall time in words, with whose clocks are meant."""
    shown = format_datetime(datetime.fromisoformat(wall), DAY_AND_HOUR, locale=current_language())
    if zone == LOCAL:
        return _("{moment} (local time of each territory)", moment=shown)
    return _("{moment} (time of {city})", moment=shown, city=city(zone))


def city(zone: str) -> str:
    """A zone as people say it: by its city."""
    return get_timezone_location(zone, locale=current_language(), return_city=True)


def _section(kind: NoticeKind, some: Sequence[Told], public_url: str) -> str:
    lines = [HEADINGS[kind](len(some))]
    for one in some[:MOST_ITEMS]:
        lines += ["", f"- {one.title}", *(f"  {line}" for line in one.lines), f"  {public_url}{one.path}"]
    if more := len(some[MOST_ITEMS:]):
        lines += ["", "- " + ngettext("and {count} more", "and {count} more", more)]
    return "\n".join(lines)


def _subject(told: Sequence[Told]) -> str:
    if len(told) == 1:
        return _(SUBJECTS[told[0].kind], title=told[0].title)
    return ngettext("Relais: {count} thing waits for you", "Relais: {count} things wait for you", len(told))


def _foot(person: Person, public_url: str) -> str:
    rhythm = _(RHYTHM_NAMES[person.mail_rhythm])
    link = f"{public_url}/equipe/moi"
    return _("You chose to get these mails {rhythm}. To change that: {link}", rhythm=rhythm, link=link)


def _mark(notices: str, public_url: str) -> str:
    """The same for the same notices of the same hub, so that a mail sent twice can be told as one."""
    host = urlsplit(public_url).netloc
    return "relais-" + hashlib.sha256(f"{host} {notices}".encode()).hexdigest()[:32]


# --- Single-use links -----------------------------------------------------------------------------------------


def invitation(person: Person, link: str, *, at: datetime) -> Mail:
    """The mail by which somebody who was invited chooses a password: at once, whatever rhythm they like."""
    with speaking(default_language()):
        text = _(
            "Hello {name},\n\nYou are invited to work with Relais. Choose your password here:\n\n{link}\n\n"
            "The link is good for {days} days and once. If you expected no invitation, leave this mail alone.\n",
            name=one_line(person.name),
            link=link,
            days=INVITATION_LASTS.days,
        )
        return Mail(person.email, person.name, _("Your invitation to Relais"), text, at)


def reset(person: Person, link: str, *, at: datetime) -> Mail:
    """The mail by which somebody who forgot their password chooses a new one."""
    with speaking(default_language()):
        text = _(
            "Hello {name},\n\nHere you choose a new password for Relais:\n\n{link}\n\n"
            "The link is good for {minutes} minutes and once. If you did not ask for it, leave this mail alone: "
            "your password stays as it is.\n",
            name=one_line(person.name),
            link=link,
            minutes=int(RESET_LASTS.total_seconds() // 60),
        )
        return Mail(person.email, person.name, _("A new password for Relais"), text, at)
