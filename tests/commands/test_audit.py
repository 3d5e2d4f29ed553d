"""`relais audit` and `relais hold`: what was done is told, and everything can be stopped."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from hub.database import reading, writing
from hub.domain.audit import note
from hub.domain.person import Actor, HeldRole, RoleKind
from hub.services import auditing, delivering, holding, joining
from tests.commands.conftest import Relais

pytestmark = pytest.mark.usefixtures("hub_file")


@pytest.fixture
def history(engine) -> None:
    """Three days of small deeds."""
    with writing(engine) as session:
        ana = joining.add_person(
            session, email="ana@example.org", name="Ana", at=datetime(2026, 11, 1, tzinfo=UTC), by="operator"
        )
        assert ana.id is not None
        actor = Actor(ana.id, ana.email, ana.name, (HeldRole(RoleKind.ANIMATOR, "A-14"),))
        note(session, "post.draft", "post:7", by=actor, at=datetime(2026, 11, 2, tzinfo=UTC), after={"text": "Été"})
        note(session, "post.submit", "post:77", by=actor, at=datetime(2026, 11, 3, tzinfo=UTC))


def things(relais: Relais, *options: str) -> list[str]:
    return [entry["thing"] for entry in json.loads(relais("audit", "--json", *options).out)]


@pytest.mark.usefixtures("history")
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--limit", "3"), ["post:77", "post:7", "person:1"]),
        (("--limit", "1"), ["post:77"]),
        (("--thing", "post:7"), ["post:7"]),
        (("--thing", "post"), ["post:77", "post:7"]),
        (("--thing", "pos"), []),
        (("--thing", "%"), []),
        (("--by", "ana"), ["post:77", "post:7"]),
        (("--by", "ANA@example.org"), ["post:77", "post:7"]),
        (("--by", "nobody"), []),
        (("--since", "2026-11-03"), ["post:77"]),
        (("--since", "2026-11-02T01:00+01:00"), ["post:77", "post:7"]),
        (("--since", "2026-11-02T00:00:01"), ["post:77"]),
    ],
)
def test_the_newest_deeds_are_told_first_by_thing_person_and_moment(relais, options, expected):
    assert things(relais, *options) == expected


@pytest.mark.usefixtures("history")
def test_a_table_shows_who_what_and_the_change(relais):
    (line,) = [line for line in relais("audit").out.splitlines() if "post:7 " in line]

    assert line.split() == ["2026-11-02", "00:00:00", "Ana", "post.draft", "post:7", '{"text":', '"Été"}']


def test_a_moment_that_is_none_is_refused(relais):
    assert relais("audit", "--since", "yesterday").code == 2
    assert relais("audit", "--limit", "0").code == 2


def test_everything_is_stopped_with_a_reason_once_and_goes_on(relais, engine):
    stopped = relais("hold", "on", "--reason", "erreur nationale")
    with reading(engine) as session:
        hold = delivering.open_hold(session)
        assert hold is not None
        reason, since = hold.reason, hold.since
    again = relais("hold", "on", "--reason", "x")
    released = relais("hold", "off", "--reason", "corrigée")

    assert (stopped.code, again.code, released.code) == (0, 5, 0)
    assert reason == "erreur nationale"
    assert since.tzinfo is UTC
    assert reason in again.err
    assert relais("hold", "off").code == 5
    with reading(engine) as session:
        assert delivering.open_hold(session) is None
        assert [one.action for one in auditing.list_entries(session, thing="hold")] == ["hold.off", "hold.on"]


@pytest.mark.parametrize("options", [(), ("--reason", " ")])
def test_stopping_needs_a_reason(relais, options):
    assert relais("hold", "on", *options).code == 2


@pytest.mark.parametrize(
    ("kind", "held", "may"),
    [
        (RoleKind.COORDINATOR, "FR", True),
        (RoleKind.ADMINISTRATOR, "FR", True),
        (RoleKind.COORDINATOR, "A-14", False),
        (RoleKind.ANIMATOR, "FR", False),
        (RoleKind.ANALYST, "FR", False),
    ],
)
@pytest.mark.usefixtures("history")
def test_the_whole_country_is_stopped_only_by_those_who_manage_it(engine, kind, held, may):
    from hub.domain.errors import NotAllowed

    actor = Actor(1, "ana@example.org", "Ana", (HeldRole(kind, held),))
    at = datetime(2026, 11, 4, tzinfo=UTC)

    with writing(engine) as session:
        if may:
            holding.hold(session, reason="x", by=actor, at=at)
            assert holding.release(session, by=actor, at=at).by_name == "Ana"
        else:
            with pytest.raises(NotAllowed):
                holding.hold(session, reason="x", by=actor, at=at)
