"""The kinds of places that we ship."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from sqlmodel import select

from hub.database import reading, writing
from hub.domain.audit import AuditEntry
from hub.domain.place import PlaceType
from hub.services import kinds, placing

NOON = datetime(2026, 11, 2, 11, tzinfo=UTC)


def test_laying_kinds_again_changes_nothing(engine):
    with writing(engine) as session:
        kinds.lay(session, at=NOON)
        before = len(session.exec(select(AuditEntry)).all())

        assert kinds.lay(session, at=NOON) == 0
        assert len(session.exec(select(AuditEntry)).all()) == before


def test_a_kind_that_was_changed_is_put_right_and_one_of_others_is_left(engine):
    with writing(engine) as session:
        kinds.lay(session, at=NOON)
        session.get_one(PlaceType, "cio").name = "?"
        session.add(PlaceType(code="tiers_lieu", name="Tiers-lieu", plural="Tiers-lieux", does="", rank=300))
        session.flush()

        assert kinds.lay(session, at=NOON) == 1
        assert session.get_one(PlaceType, "cio").name.startswith("Centre")
        assert session.get_one(PlaceType, "tiers_lieu").name == "Tiers-lieu"


def test_kinds_explain_their_acronyms_and_say_what_one_finds_there(engine):
    with writing(engine) as session:
        kinds.lay(session, at=NOON)

    with reading(engine) as session:
        for kind in placing.kinds(session):
            assert not re.search(r"\b[A-Z0-9]{3,}\b", re.sub(r"\([^)]*\)", "", kind.name)), kind.name
            assert kind.does.endswith("."), kind.code
            assert kind.plural != kind.name
