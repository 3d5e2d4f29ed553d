"""After a restore from a backup: what went out since is found, not said again."""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from hub.database import writing
from hub.domain.delivery import DeliveryState
from hub.domain.errors import Invalid
from hub.services import delivering, holding, reconciling
from tests.schedules.conftest import DUE, Room, only_sqlite, wall

S = DeliveryState


def back_up(engine: Engine, file: Path) -> None:
    """A copy of the database as it is now."""
    with sqlite3.connect(engine.url.database or "") as live, sqlite3.connect(file) as copy:
        live.backup(copy)
    live.close()
    copy.close()


def restore(engine: Engine, file: Path) -> None:
    """Put the copy in the place of the database."""
    engine.dispose()
    with sqlite3.connect(file) as copy, sqlite3.connect(engine.url.database or "") as live:
        copy.backup(live)
    live.close()
    copy.close()


@only_sqlite
def test_what_went_out_since_the_backup_is_found_and_not_said_again(room: Room, engine: Engine, tmp_path: Path) -> None:
    gone_out = room.approve_one("Déjà dit")
    still_to_come = room.approve_one("Pas encore", when=wall(3, 19))
    taken_at = room.clock()
    back_up(engine, tmp_path / "backup.db")
    room.run_at(DUE)
    restore(engine, tmp_path / "backup.db")

    with writing(room.hub.engine) as session:
        number = holding.restored(
            session, backup_from=taken_at, by="operator", at=room.clock(), patience=room.hub.patience
        )
    room.live_until(DUE + timedelta(minutes=10))
    with writing(room.hub.engine) as session:
        holding.release(session, by="operator", at=room.clock())
    room.live_until(DUE + timedelta(hours=2))

    assert number == 1
    assert (room.state(gone_out), room.state(still_to_come)) == (S.SENT, S.SENT)
    assert room.shown() == ["Déjà dit", "Pas encore"]


def test_what_was_due_but_never_left_goes_out_once_the_hold_ends(room: Room) -> None:
    delivery = room.approve_one()
    backup_from = room.clock()
    room.clock.at = DUE + timedelta(minutes=5)

    with writing(room.hub.engine) as session:
        holding.restored(session, backup_from=backup_from, by="operator", at=room.clock(), patience=room.hub.patience)
    room.live_until(DUE + timedelta(minutes=20))
    before = room.state(delivery), room.shown()
    with writing(room.hub.engine) as session:
        holding.release(session, by="operator", at=room.clock())
    room.run_after(seconds=1)

    assert before == (S.WAITING, [])
    assert (room.state(delivery), room.shown()) == (S.SENT, ["Portes ouvertes"])


def test_a_doubt_is_written_down_as_a_try_that_nobody_knows_the_outcome_of(room: Room) -> None:
    before, since = room.approve_one("Avant"), room.approve_one("Depuis", when=wall(3, 19))
    later = room.approve_one("Plus tard", when=wall(3, 21))
    backup_from, at = DUE + timedelta(minutes=30), DUE + timedelta(hours=1)
    with writing(room.hub.engine) as session:
        claims = delivering.claim(session, at=DUE, owner="dead", patience=room.hub.patience)

    with writing(room.hub.engine) as session:
        number = reconciling.doubt(session, backup_from=backup_from, at=at)

    assert (number, [claim.delivery_id for claim in claims], room.state(later)) == (2, [before], S.WAITING)
    for delivery, started_at, epoch in ((before, backup_from, 2), (since, at, 1)):
        found = room.delivery(delivery)
        assert (found.state, found.epoch, found.owner, found.lease_until) == (S.UNKNOWN, epoch, None, None)
        assert (found.unknown_since, found.look_at) == (at, at)
        (attempt,) = room.attempts(delivery)
        assert (attempt.n, attempt.outcome) == (epoch, "unknown")
        assert (attempt.started_at, attempt.deadline_at, attempt.ended_at) == (started_at, at, at)
        assert attempt.detail == found.reason == "The database was restored from a backup: it may have gone out since."


def test_only_what_had_not_gone_out_in_the_backup_is_doubted(room: Room) -> None:
    sent = room.approve_one("Parti")
    room.run_at(DUE)
    withdrawn = room.approve_one("Retiré", when=wall(3, 19))
    room.withdraw(withdrawn)

    with writing(room.hub.engine) as session:
        number = reconciling.doubt(session, backup_from=DUE, at=DUE + timedelta(hours=3))

    assert (number, room.state(sent), room.state(withdrawn)) == (0, S.SENT, S.CANCELLED)


def test_a_backup_from_the_future_is_refused(room: Room) -> None:
    with writing(room.hub.engine) as session, pytest.raises(Invalid) as refused:
        holding.restored(
            session,
            backup_from=room.clock() + timedelta(days=1),
            by="operator",
            at=room.clock(),
            patience=room.hub.patience,
        )

    assert str(refused.value) == "The backup cannot be from the future."
