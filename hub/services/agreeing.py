"""Policies: what the people of this house agreed on, read by everybody and changed by few."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from pydantic import ValidationError
from sqlmodel import Session, col, select

from hub.database import in_turn
from hub.domain.audit import note
from hub.domain.errors import FieldProblem, Invalid, NotAllowed
from hub.domain.person import ACCOUNT_KEEPERS, Actor
from hub.domain.policy import Policies, Policy
from hub.domain.territory import COUNTRY, Territory
from hub.language import _, ngettext


def policies(session: Session) -> Policies:
    """What is agreed on at this moment; a stored value that this version cannot take counts as the usual one."""
    stored = {row.name: row.value for row in session.exec(select(Policy)) if row.name in Policies.model_fields}
    try:
        return Policies.model_validate(stored)
    except ValidationError as error:
        odd = {str(one["loc"][0]) for one in error.errors()}
        return Policies.model_validate({name: value for name, value in stored.items() if name not in odd})


def can_agree(actor: Actor) -> bool:
    """Whether this person may change policies: coordinators and administrators for the whole country."""
    return COUNTRY in actor.territories(ACCOUNT_KEEPERS)


def require_agreer(actor: Actor) -> None:
    """Raise NotAllowed unless this person may change policies."""
    if not can_agree(actor):
        raise NotAllowed(_("Only a coordinator or administrator for the whole country may change this."))


def last_change(session: Session) -> Policy | None:
    """What was agreed on last; None while the usual values hold."""
    return session.exec(select(Policy).order_by(col(Policy.changed_at).desc()).limit(1)).first()


def agree(session: Session, changes: Mapping[str, Any], *, by: Actor | str, at: datetime) -> Policies:
    """Change these policies and leave the others; Invalid with every problem, NotAllowed for most people."""
    if isinstance(by, Actor):
        require_agreer(by)
    in_turn(session, "policies")
    now = policies(session)
    wanted = _checked(session, now.model_dump(mode="json") | dict(changes))
    old, new = now.model_dump(mode="json"), wanted.model_dump(mode="json")
    changed = [name for name in new if new[name] != old[name]]
    for name in changed:
        row = session.get(Policy, name) or Policy(name=name, changed_at=at, changed_by="")
        row.value, row.changed_at = new[name], at
        row.changed_by = by.name if isinstance(by, Actor) else by
        session.add(row)
    if changed:
        before, after = ({name: values[name] for name in changed} for values in (old, new))
        note(session, "policy.agree", "policy:all", by=by, at=at, before=before, after=after)
    session.flush()
    return wanted


def _checked(session: Session, values: Mapping[str, Any]) -> Policies:
    try:
        wanted = Policies.model_validate(dict(values))
    except ValidationError as error:
        raise Invalid([_problem(one) for one in error.errors()]) from error
    problems = [
        FieldProblem(f"quiet_windows.{place}.territories", _("There is no territory {code}.", code=code))
        for place, window in enumerate(wanted.quiet_windows)
        for code in _unknown(session, window.territories)
    ]
    if problems:
        raise Invalid(problems)
    return wanted


def _problem(told: Mapping[str, Any]) -> FieldProblem:
    """What pydantic found, in words of ours."""
    limits = told.get("ctx") or {}
    match told["type"]:
        case "value_error":
            sentence = str(told["msg"]).removeprefix("Value error, ")
        case "greater_than_equal":
            sentence = _("This must be at least {ge}.", **limits)
        case "less_than_equal":
            sentence = _("This must be at most {le}.", **limits)
        case "int_parsing" | "int_type" | "int_from_float" | "int_parsing_size":
            sentence = _("This must be a whole number.")
        case "string_pattern_mismatch":
            sentence = _("Write a time of day such as 18:00.")
        case "date_from_datetime_parsing" | "date_parsing" | "date_type":
            sentence = _("Write a date, such as 2026-12-01.")
        case "extra_forbidden":
            sentence = _("There is no such field. Check its name.")
        case "too_long" | "string_too_long":
            sentence = _("At most {max_length} are taken here.", **limits)
        case "too_short" | "string_too_short":
            sentence = _("This is missing.")
        case "bool_parsing" | "bool_type":
            sentence = _("Say true or false.")
        case _other:
            sentence = _("This does not have the expected form.")
    return FieldProblem(".".join(str(part) for part in told["loc"]), sentence)


def _unknown(session: Session, codes: list[str]) -> list[str]:
    known = set(session.exec(select(Territory.code).where(col(Territory.code).in_(codes))))
    return [code for code in codes if code not in known]


def advice_at(session: Session, due_at: datetime, *, at: datetime) -> str:
    """What to say now to somebody who hands in a post that is due then; empty when there is time enough."""
    return late_advice(policies(session), due_at=due_at, at=at) or ""


def late_advice(agreed: Policies, *, due_at: datetime, at: datetime) -> str | None:
    """What to say to somebody who hands a post in later than agreed; None when there is time enough."""
    lead = timedelta(hours=agreed.approval_lead_hours)
    if due_at <= at or due_at - at >= lead:
        return None
    return ngettext(
        "This post goes out in less than {count} hour. Tell a coordinator, so that it is approved in time.",
        "This post goes out in less than {count} hours. Tell a coordinator, so that it is approved in time.",
        agreed.approval_lead_hours,
    )
