"""Unfinished forms: what somebody is typing is kept as typed, for them alone, until it has become a post."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlmodel import Session, col, delete, select

from hub.database import in_turn
from hub.domain.errors import Invalid, NotFound
from hub.domain.person import Actor
from hub.domain.post import Post
from hub.domain.sheet import Sheet
from hub.language import _
from hub.services import drafting

Pairs = Sequence[tuple[str, str]]
"""Fields as typed: name and text, in the order of the form; a name may come several times."""

MOST_BYTES: Final = 200_000
MOST_SHEETS: Final = 20
"""Unfinished forms of one person; the oldest goes when there is one more."""

KEPT: Final = timedelta(days=30)
KEPT_WRITTEN: Final = timedelta(days=2)
"""How long we remember which post a form became, so that handing it in twice does not write it twice."""

_ID = re.compile(r"[0-9a-f]{32}")


def new_id() -> str:
    """A fresh name for a sheet, which nobody guesses; nothing is kept under it yet."""
    return secrets.token_hex(16)


def keep(
    session: Session,
    sheet_id: str,
    fields: Pairs,
    *,
    by: Actor,
    at: datetime,
    post_id: int | None = None,
    version: int | None = None,
) -> Sheet:
    """Keep what is typed right now; a form that has become a post already is left as it is.

    `post_id`, `version`: the post being changed and what it was when the person began.
    """
    drafting.require_writer(by)
    if sum(len(name.encode()) + len(text.encode("utf-8", "replace")) for name, text in fields) > MOST_BYTES:
        raise Invalid(_("This is more than Relais keeps of an unfinished post. Shorten the text."), field="text")
    take_up(session, sheet_id)
    sheet = _find(session, sheet_id, by=by)
    if sheet is None:
        if post_id is not None:
            drafting.get_post(session, post_id, by=by)
        _make_room(session, by=by, at=at)
        sheet = Sheet(id=sheet_id, person_id=by.id, post_id=post_id, version=version, saved_at=at)
    elif _is_written(sheet):
        return sheet
    sheet.fields = [[name, _showable(text)] for name, text in fields] or [["text", ""]]
    sheet.version = version
    sheet.saved_at = at
    session.add(sheet)
    session.flush()
    return sheet


def get(session: Session, sheet_id: str, *, by: Actor) -> Sheet:
    """One's own unfinished form, or NotFound."""
    sheet = _find(session, sheet_id, by=by)
    if sheet is None or _is_written(sheet):
        raise _gone()
    return sheet


def list_mine(session: Session, *, by: Actor) -> list[Sheet]:
    """One's own unfinished forms, the newest first."""
    query = select(Sheet).where(Sheet.person_id == by.id).order_by(col(Sheet.saved_at).desc(), col(Sheet.id))
    return [sheet for sheet in session.exec(query) if not _is_written(sheet)]


def find_for(session: Session, post_id: int, *, by: Actor) -> Sheet | None:
    """One's own newest unfinished change of that post."""
    return next((sheet for sheet in list_mine(session, by=by) if sheet.post_id == post_id), None)


def discard(session: Session, sheet_id: str, *, by: Actor) -> None:
    """Forget one's own unfinished form; nothing happens when it is gone already."""
    sheet = _find(session, sheet_id, by=by)
    if sheet is not None:
        session.delete(sheet)
        session.flush()


def finish(session: Session, sheet_id: str, post: Post, *, by: Actor, at: datetime) -> None:
    """Note which post a form has become, and forget what was typed, in the transaction that writes the post."""
    take_up(session, sheet_id)
    sheet = _find(session, sheet_id, by=by)
    if sheet is None:
        _make_room(session, by=by, at=at)
        sheet = Sheet(id=sheet_id, person_id=by.id, saved_at=at)
    sheet.fields = []
    sheet.post_id, sheet.version, sheet.saved_at = post.id, post.version, at
    session.add(sheet)
    session.flush()


def take_up(session: Session, sheet_id: str) -> None:
    """One after the other where the same form arrives twice at once, or is kept while it is being sent."""
    in_turn(session, f"sheet {sheet_id}")


def written_as(session: Session, sheet_id: str, *, by: Actor) -> tuple[int, int] | None:
    """The post that a form has become, and its version then; None while it is unfinished."""
    sheet = _find(session, sheet_id, by=by)
    if sheet is None or not _is_written(sheet) or sheet.post_id is None or sheet.version is None:
        return None
    return sheet.post_id, sheet.version


def sweep(session: Session, *, at: datetime) -> None:
    """Forget forms that nobody has touched for a month, and those that became posts some days ago."""
    session.exec(delete(Sheet).where(col(Sheet.saved_at) < at - KEPT))
    settled = select(Sheet).where(col(Sheet.saved_at) < at - KEPT_WRITTEN).with_for_update(skip_locked=True)
    for sheet in session.exec(settled):
        if _is_written(sheet):
            session.delete(sheet)
    session.flush()


def _make_room(session: Session, *, by: Actor, at: datetime) -> None:
    sweep(session, at=at)
    old = [sheet.id for sheet in list_mine(session, by=by)[MOST_SHEETS - 1 :]]
    if old:
        session.exec(delete(Sheet).where(col(Sheet.id).in_(old)))


def _find(session: Session, sheet_id: str, *, by: Actor) -> Sheet | None:
    """One's own; somebody else's is told like one that is not there."""
    sheet = session.get(Sheet, sheet_id) if _ID.fullmatch(sheet_id) else None
    if not _ID.fullmatch(sheet_id) or (sheet is not None and sheet.person_id != by.id):
        raise _gone()
    return sheet


def _gone() -> NotFound:
    return NotFound(_("This unfinished post is not here any more. It was finished, discarded, or older than a month."))


def _is_written(sheet: Sheet) -> bool:
    return not sheet.fields


def _showable(text: str) -> str:
    """The text without what no database keeps."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()
