"""What changed in a post between two looks at it, field by field, in words."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from pydantic import ValidationError
from sqlmodel import Session, col, select

from hub.domain.account import Account
from hub.domain.audit import AuditEntry
from hub.domain.clock import Fold
from hub.domain.person import Person
from hub.domain.post import KIND_NAMES, Approval, Post, PostVersion
from hub.language import _
from hub.services import choosing, drafting, geotargeting
from hub.services.describing import Fact, facts, moment
from hub.services.drafting import Draft


class Fate(StrEnum):
    """What became of a piece of text."""

    KEPT = "kept"
    ADDED = "added"
    REMOVED = "removed"


@dataclass(frozen=True)
class Segment:
    """A piece of text that was kept, added or removed."""

    fate: Fate
    text: str


@dataclass(frozen=True)
class Difference:
    """One field that says something else now."""

    field: str
    name: str
    before: str
    after: str
    segments: tuple[Segment, ...] = ()
    """For longer texts: what of it was kept, added, removed, word by word."""


class Verdict(StrEnum):
    """What came of the last look."""

    APPROVED = "approved"
    RETURNED = "returned"


@dataclass(frozen=True)
class Look:
    """The last time that a coordinator decided about a post, and what it says differently now."""

    verdict: Verdict
    at: datetime | None
    by_name: str
    differences: tuple[Difference, ...]
    known: bool = True
    """Whether what the post said then was kept."""


@dataclass(frozen=True)
class Names:
    """How accounts (by number) and territories (by code) are called."""

    accounts: Mapping[str, str] = field(default_factory=dict)
    territories: Mapping[str, str] = field(default_factory=dict)

    def account(self, number: str) -> str:
        """The name of an account."""
        return self.accounts.get(number, number)

    def territory(self, code: str) -> str:
        """The name of a territory."""
        return self.territories.get(code, code)

    def commune(self, insee: str) -> str:
        """The name of a commune."""
        return self.territory(f"C-{insee}")


LONGEST_BY_WORD: Final = 4000
"""Texts of more words and signs than this are compared line by line, or it would take seconds."""


def since_last_look(session: Session, post: Post) -> Look | None:
    """What the post says differently since it was approved last, else returned last; None where it never was."""
    approved = select(Approval, Person.name).join(Person, col(Person.id) == col(Approval.by_id))
    found = session.exec(approved.where(Approval.post_id == post.id).order_by(col(Approval.id).desc())).first()
    if found is not None:
        approval, name = found
        return _look(session, post, Verdict.APPROVED, approval.version, at=approval.at, by_name=name)
    if post.returned_version is not None:
        query = select(AuditEntry).where(AuditEntry.thing == f"post:{post.id}", AuditEntry.action == "post.return")
        entry = session.exec(query.order_by(col(AuditEntry.id).desc())).first()
        at, name = (entry.at, entry.by_name) if entry else (None, "")
        return _look(session, post, Verdict.RETURNED, post.returned_version, at=at, by_name=name)
    return None


def _look(
    session: Session, post: Post, verdict: Verdict, version: int | None, *, at: datetime | None, by_name: str
) -> Look:
    then = _kept(drafting.find_version(session, post, version))
    if then is None:
        return Look(verdict, at, by_name, (), known=False)
    now = _kept(drafting.find_version(session, post, post.version)) or drafting.typed_of(session, post)
    return Look(verdict, at, by_name, tuple(differences(then, now, names_for(session, [then, now]))))


def _kept(version: PostVersion | None) -> Draft | None:
    """A version as a draft; None for one that this program cannot read any more."""
    try:
        return Draft.model_validate(version.content) if version else None
    except ValidationError:
        return None


def names_for(session: Session, drafts: Sequence[Draft]) -> Names:
    """The names of all that these drafts point at."""
    codes = {code for one in drafts for code in one.audience or ()}
    codes |= {f"C-{one.event.commune}" for one in drafts if one.event and one.event.commune}
    numbers = {int(number) for one in drafts for number in [*(one.accounts or ()), *one.variants] if number.isdigit()}
    accounts = session.exec(select(Account.id, Account.name).where(col(Account.id).in_(numbers)))
    land = geotargeting.atlas(session, codes)
    return Names(
        accounts={str(number): name for number, name in accounts},
        territories={code: land.name(code) for code in codes if code in land},
    )


def differences(before: Draft, after: Draft, names: Names) -> list[Difference]:
    """Every field that says something else, in the order of the form."""
    found = [
        _plainly("kind", _("Kind"), _(KIND_NAMES[before.kind]), _(KIND_NAMES[after.kind])),
        _worded("text", _("Text"), before.text, after.text),
        *_variants(before, after, names),
        _plainly("link", _("Link"), before.link or "", after.link or ""),
        _listed("pictures", _("Pictures"), *_pictures(before, after)),
        *_event(before, after, names),
        _plainly("when", _("When"), _when(before), _when(after)),
        _plainly("useless_after", _("Useless after"), _end(before), _end(after)),
        _listed("audience", _("Territories"), _audience(before, names), _audience(after, names)),
        _listed("accounts", _("Accounts"), _accounts(before, names), _accounts(after, names)),
        _plainly("accepts_unlimited", _("May be seen by everybody"), _yes(before), _yes(after)),
    ]
    return [one for one in found if one is not None]


def words_compared(before: str, after: str) -> tuple[Segment, ...]:
    """Two texts as one: what was kept, removed, added, word by word."""
    old, new = _SPLIT.findall(before), _SPLIT.findall(after)
    if len(old) + len(new) > LONGEST_BY_WORD:
        old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    found: list[Segment] = []
    for step, i, j, k, m in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if step == "equal":
            found.append(Segment(Fate.KEPT, "".join(old[i:j])))
            continue
        if i < j:
            found.append(Segment(Fate.REMOVED, "".join(old[i:j])))
        if k < m:
            found.append(Segment(Fate.ADDED, "".join(new[k:m])))
    return tuple(found)


_SPLIT: Final = re.compile(r"\w+|\s|[^\w\s]")


def _plainly(field: str, name: str, before: str, after: str) -> Difference | None:
    return None if before == after else Difference(field, name, before, after)


def _worded(field: str, name: str, before: str, after: str) -> Difference | None:
    if before == after:
        return None
    return Difference(field, name, before, after, words_compared(before, after))


def _listed(field: str, name: str, before: Sequence[str], after: Sequence[str]) -> Difference | None:
    """Lists item by item: an order that changed is said as before and after."""
    if list(before) == list(after):
        return None
    gone = tuple(Segment(Fate.REMOVED, one) for one in before if one not in after)
    here = tuple(Segment(Fate.KEPT if one in before else Fate.ADDED, one) for one in after)
    apart = gone or any(one.fate is Fate.ADDED for one in here)
    return Difference(field, name, ", ".join(before), ", ".join(after), (*here, *gone) if apart else ())


def _variants(before: Draft, after: Draft, names: Names) -> list[Difference | None]:
    """The words of single accounts; an account without its own says the common ones."""
    return [
        _worded(
            f"variants.{number}",
            _("Text for {account}", account=names.account(number)),
            before.variants.get(number, ""),
            after.variants.get(number, ""),
        )
        for number in sorted({*before.variants, *after.variants}, key=names.account)
    ]


def _pictures(before: Draft, after: Draft) -> tuple[list[str], list[str]]:
    """Pictures by their descriptions; another picture under the same words is told as such."""
    old = {one.id: one.alt for one in before.pictures}
    new = [
        _("{alt} (another picture)", alt=one.alt) if one.id not in old and one.alt in old.values() else one.alt
        for one in after.pictures
    ]
    return [*old.values()], new


def _event(before: Draft, after: Draft, names: Names) -> list[Difference | None]:
    old, new = _facts(before, names), _facts(after, names)
    labels = {key: fact.name for key, fact in [*old.items(), *new.items()]}
    return [
        _plainly(f"event.{key}", label, old[key].text if key in old else "", new[key].text if key in new else "")
        for key, label in labels.items()
    ]


def _facts(typed: Draft, names: Names) -> dict[str, Fact]:
    return {fact.field: fact for fact in facts(typed.event, names.commune)} if typed.event else {}


def _when(typed: Draft) -> str:
    fold = {None: "", Fold.EARLIER: _(", the earlier one"), Fold.LATER: _(", the later one")}[typed.fold]
    return f"{moment(typed.when)} ({choosing.zone_name(typed.zone)}){fold}"


def _end(typed: Draft) -> str:
    return moment(typed.useless_after) if typed.useless_after else _("as usual")


def _audience(typed: Draft, names: Names) -> list[str]:
    return sorted(names.territory(code) for code in typed.audience or ())


def _accounts(typed: Draft, names: Names) -> list[str]:
    return sorted(names.account(number) for number in typed.accounts or ())


def _yes(typed: Draft) -> str:
    return _("yes") if typed.accepts_unlimited else _("no")
