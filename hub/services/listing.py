"""The list of posts: those that somebody may see, filtered and paged by the database itself."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, union
from sqlmodel import Session, col, func, or_, select

from hub.database import ACCENTED, folded
from hub.domain.person import Actor
from hub.domain.post import Kind, Post, PostAudience, PostState
from hub.domain.territory import COUNTRY, Territory, lineage
from hub.services import geotargeting


@dataclass(frozen=True)
class Wanted:
    """What somebody looks for; what is left out does not matter."""

    states: Collection[PostState] = ()
    kind: Kind | None = None
    territory: str | None = None
    """Posts meant for something there, or for what holds it."""
    author_id: int | None = None
    text: str = ""
    """Words of the text as they stand there; case and French accents do not matter."""
    since: datetime | None = None
    until: datetime | None = None


def list_posts(
    session: Session, wanted: Wanted, *, by: Actor, limit: int = 50, before: int | None = None
) -> list[Post]:
    """The newest posts that this person may see, newest first; `before` is the id to go on from."""
    query = select(Post).where(reaching(session, by.territories()), *conditions(session, wanted))
    if before is not None:
        query = query.where(col(Post.id) < before)
    return list(session.exec(query.order_by(col(Post.id).desc()).limit(limit)))


def reaching(session: Session, codes: Iterable[str]) -> ColumnElement[bool]:
    """The condition that a post's audience meets one of these territories: lies in it, or holds it.

    With the territories of somebody's roles it says the same as `domain.post.can_see`, without reading any post.
    """
    held = set(codes)
    if COUNTRY in held:
        return exists().where(col(PostAudience.post_id) == col(Post.id))
    known = geotargeting.atlas(session, held)
    above = {code for own in held if own in known for code in lineage(known.nodes[own].path)}
    below = {code for code in known.nodes if any(known.within(code, own) for own in held)}
    land = union(
        select(Territory.code).where(col(Territory.code).in_(above | below)),
        select(Territory.code).where(col(Territory.parent_code).in_(below)),
    )
    meant = select(PostAudience.post_id).where(col(PostAudience.territory_code).in_(land))
    return col(Post.id).in_(meant)


def conditions(session: Session, wanted: Wanted) -> list[ColumnElement[bool]]:
    """What a post must be to be one of those."""
    told: list[ColumnElement[bool]] = []
    if wanted.states:
        told.append(or_(*(col(Post.state) == state for state in sorted(wanted.states))))
    if wanted.kind is not None:
        told.append(col(Post.kind) == wanted.kind)
    if wanted.author_id is not None:
        told.append(col(Post.author_id) == wanted.author_id)
    if wanted.since is not None:
        told.append(col(Post.first_due_at) >= wanted.since)
    if wanted.until is not None:
        told.append(col(Post.first_due_at) < wanted.until)
    if wanted.territory is not None and wanted.territory != COUNTRY:
        told.append(reaching(session, [wanted.territory]))
    if words := wanted.text.strip():
        told.append(says(session, col(Post.text), words))
    return told


def says(session: Session, text: Any, words: str) -> ColumnElement[bool]:
    """The condition that a text (a column) holds these words, whatever their case and French accents."""
    plain = folded(words)
    if session.get_bind().dialect.name == "postgresql":
        # Whether a server makes small letters of the accented ones too depends on its locale: here it need not.
        told = func.translate(func.lower(text), ACCENTED[0] + ACCENTED[0].upper(), ACCENTED[1] * 2)
        told = func.replace(func.replace(told, "œ", "oe"), "Œ", "oe")
        return told.contains(plain, autoescape=True)
    # Reading a text letter by letter is slow, so that only those are folded that could fit: any letter where an accent
    # may stand, which the database looks for by itself.
    rough = re.sub(r"[aceinouy]|[^\x00-\x7f]", "_", re.sub(r"([%_\\])", r"\\\1", plain).replace("oe", "%"))
    sounds: ColumnElement[bool] = text.like(f"%{rough}%", escape="\\")
    return and_(sounds, func.folded(text).contains(plain, autoescape=True))
