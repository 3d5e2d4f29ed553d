"""Rows from SQLite to PostgreSQL: every table, every value, in flat memory; and what cannot be kept is named."""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
import tracemalloc
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, inspect, select, text
from sqlmodel import Session, col

from hub.database import build_engine, reading, writing
from hub.domain.audit import AuditEntry, note
from hub.domain.delivery import Delivery, Hold
from hub.domain.errors import Invalid, WrongState
from hub.domain.policy import Policy
from hub.domain.post import Media
from hub.domain.territory import Level, Territory
from hub.services import copying, delivering, holding, moving
from hub.services.copying import Compared, Unstorable
from tests import postgresql
from tests.furnished import EVERY_BYTE, ODD_DOCUMENTS, ODD_MOMENT, ODD_TEXT, furnish
from tests.stage import NOON, Stage, build_stage

BY = "operator"


@pytest.fixture
def here(small_template: Path, tmp_path: Path) -> Iterator[Engine]:
    """A small SQLite."""
    file = shutil.copyfile(small_template, tmp_path / "relais.db")
    engine = build_engine(f"sqlite:///{file}")
    yield engine
    engine.dispose()


@pytest.fixture
def there(server: postgresql.Server, bare_template: str) -> Iterator[Engine]:
    """A PostgreSQL with nothing in it."""
    with server.database(bare_template) as name:
        engine = build_engine(server.url(name))
        yield engine
        engine.dispose()


def copy(here: Engine, there: Engine, **more: object) -> list[Compared]:
    with reading(here) as source, writing(there) as target:
        return copying.copy(source, target, left_out={}, **more)  # type: ignore[arg-type]


def compare(here: Engine, there: Engine) -> list[str]:
    """The tables that differ."""
    with reading(here) as source, reading(there) as target:
        compared = copying.compare(source, target, left_out={}, left_out_there={})
    return [one.table for one in compared if not one.same]


def test_no_table_of_the_database_is_left_out(here: Engine, there: Engine, tmp_path: Path) -> None:
    furnish(here, tmp_path)

    compared = copy(here, there)

    in_database = set(inspect(there).get_table_names()) - {"alembic_version"}
    assert {one.table for one in compared} == in_database == set(inspect(here).get_table_names()) - {"alembic_version"}
    assert [one.table for one in compared if not one.here.rows] == [], "nothing to copy proves nothing"
    assert [one.table for one in compared if not one.same] == []
    assert compare(here, there) == []


def test_every_value_is_read_over_there_as_it_was_written_here(here: Engine, there: Engine, tmp_path: Path) -> None:
    room = furnish(here, tmp_path)
    copy(here, there)

    def seen(session: Session) -> list[object]:
        policies = session.execute(select(col(Policy.name), col(Policy.value), col(Policy.changed_at))).all()
        picture = session.get(Media, hashlib.sha256(EVERY_BYTE).hexdigest())
        delivery = session.get(Delivery, room.waiting)
        assert picture is not None
        return [sorted(map(repr, policies)), picture.data, picture.created_at, delivery]

    with reading(here) as source, reading(there) as target:
        was, now = seen(source), seen(target)
        policy = target.get(Policy, "nested")
    assert now == was
    assert policy is not None
    assert (policy.value, policy.changed_at, policy.changed_by) == (ODD_DOCUMENTS["nested"], ODD_MOMENT, ODD_TEXT)
    assert now[1] == EVERY_BYTE


def test_new_rows_are_numbered_after_the_copied_ones(here: Engine, there: Engine, tmp_path: Path) -> None:
    furnish(here, tmp_path)
    copy(here, there)

    with reading(here) as source:
        last = source.execute(select(func.max(col(AuditEntry.id)))).scalar_one()
    with writing(there) as target:
        note(target, "test.note", "test:1", by=BY, at=NOON)
        target.flush()
        made = target.execute(select(func.max(col(AuditEntry.id)))).scalar_one()
    assert made == last + 1


def test_an_empty_table_begins_at_one(here: Engine, there: Engine) -> None:
    copy(here, there)

    with writing(there) as target:
        stop = Hold(since=NOON, reason="Panne", by_name=BY)
        target.add(stop)
        target.flush()
        assert stop.id == 1


CHANGES = {
    "a text": ("UPDATE policy SET changed_by = changed_by || '.' WHERE name = 'whole'", "policy"),
    "a document": ("UPDATE policy SET value = '14.0' WHERE name = 'whole'", "policy"),
    "a microsecond": ("UPDATE media SET created_at = created_at + interval '1 microsecond'", "media"),
    "a byte": ("UPDATE media SET data = set_byte(data, 70000, 1)", "media"),
    "nothing for an empty text": ("UPDATE sign_in SET device = '' WHERE device <> ''", "sign_in"),
    "a row too few": ("DELETE FROM sample", "sample"),
    "a number": ("UPDATE reach_figure SET value = value - 1", "reach_figure"),
}


@pytest.fixture(scope="module")
def copied(
    small_template: Path, server: postgresql.Server, bare_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Engine, str]]:
    """A furnished hub, and the name of its copy."""
    home = tmp_path_factory.mktemp("home")
    engine = build_engine(f"sqlite:///{shutil.copyfile(small_template, home / 'relais.db')}")
    furnish(engine, home)
    with server.database(bare_template) as name:
        target = build_engine(server.url(name))
        copy(engine, target)
        target.dispose()
        yield engine, name
    engine.dispose()


@pytest.mark.parametrize("what", CHANGES)
def test_the_smallest_difference_is_found(copied: tuple[Engine, str], server: postgresql.Server, what: str) -> None:
    here, name = copied
    statement, table = CHANGES[what]
    with server.database(name) as spoiled:
        changed = server.tell(
            f"WITH changed AS ({statement} RETURNING 1) SELECT count(*) FROM changed", database=spoiled
        )
        there = build_engine(server.url(spoiled))

        different = compare(here, there)

        there.dispose()
    assert changed[0][0] > 0
    assert different == [table]


def test_pictures_are_copied_a_few_at_a_time(here: Engine, there: Engine) -> None:
    size, number = 2**20, 60
    with writing(here) as session:
        for at in range(number):
            data = at.to_bytes(4, "big") * (size // 4)
            session.add(
                Media(id=f"{at:064}", mime="image/png", width=1, height=1, size=size, data=data, created_at=NOON)
            )
    tracemalloc.start()
    compared = copy(here, there)
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert {one.table: one.here.rows for one in compared}["media"] == number
    assert all(one.same for one in compared)
    assert peak < number * size / 3


def test_progress_ends_at_its_end(here: Engine, there: Engine) -> None:
    steps: list[tuple[int, int]] = []
    copy(here, there, told=lambda done, total: steps.append((done, total)))

    with reading(here) as session:
        rows = copying.count(session, {})
    assert steps[-1] == (2 * rows, 2 * rows)
    assert steps == sorted(steps)


def spoil(engine: Engine, statement: str) -> None:
    with closing(sqlite3.connect(engine.url.database or "")) as database:
        database.execute(statement)
        database.commit()


@pytest.mark.parametrize(
    ("statement", "where", "why"),
    [
        ("UPDATE territory SET name = 'a' || char(0) || 'b' WHERE code = 'D-35'", "name of territory D-35", "0000"),
        ("UPDATE territory SET population = 3000000000 WHERE code = 'D-35'", "population of territory D-35", "large"),
        ("UPDATE commune SET departement = '35000' WHERE insee = '35238'", "departement of commune 35238", "than 3 ch"),
    ],
)
def test_what_postgresql_cannot_keep_is_named(
    here: Engine, there: Engine, statement: str, where: str, why: str
) -> None:
    spoil(here, statement)

    with pytest.raises(Unstorable, match=f"The column {where} cannot be copied: .*{why}"):
        copy(here, there)

    with reading(there) as target:
        assert target.execute(select(func.count()).select_from(Territory)).scalar_one() == 0


def test_what_only_postgresql_refuses_is_told_in_its_words(here: Engine, there: Engine) -> None:
    spoil(here, "INSERT INTO policy VALUES ('odd', 'NaN', '2026-01-01 00:00:00.000000', 'me')")

    with pytest.raises(Unstorable, match="does not take a row of the table policy: invalid input syntax for type json"):
        copy(here, there)


def test_what_init_left_over_there_is_replaced(here: Engine, there: Engine) -> None:
    with writing(there) as target:
        target.add(Territory(code="FR", level=Level.COUNTRY, name="Ancienne", path="/FR/", zone="Europe/Paris"))

    compared = copy(here, there)

    assert all(one.same for one in compared)


def test_a_database_in_use_is_told_from_a_founded_one(here: Engine, stage_here: Stage) -> None:
    with reading(here) as session:
        used = copying.in_use(session)

    assert used == ["person", "account", "geokey", "role", "token"]


def test_a_founded_database_is_nobodys_yet(here: Engine) -> None:
    with reading(here) as session:
        assert copying.in_use(session) == []


@pytest.fixture
def stage_here(here: Engine, tmp_path: Path) -> Stage:
    return build_stage(here, tmp_path)


# --- The mark that is left --------------------------------------------------------------------------------------------


def leave(engine: Engine) -> moving.Move:
    with writing(engine) as session:
        return moving.leave(session, "c0", to="postgresql+psycopg://relais@db/relais", by=BY, at=NOON)


def test_a_hub_that_left_refuses_in_words_and_is_on_hold(here: Engine) -> None:
    leave(here)

    with reading(here) as session:
        hold = delivering.open_hold(session)
        with pytest.raises(WrongState) as refused:
            moving.require_here(session)
    assert hold is not None
    assert hold.reason == "Moved to postgresql+psycopg://relais@db/relais"
    assert str(refused.value) == (
        "This hub moved to postgresql+psycopg://relais@db/relais on 2026-11-02: set RELAIS_DATABASE_URL to it. To come "
        "back to the database here, stop every Relais there first, then run “relais hold restored 2026-11-02T11:00Z”."
    )


def test_it_comes_back_like_a_backup_of_that_moment_still_on_hold(here: Engine, stage_here: Stage) -> None:
    leave(here)
    at = NOON + timedelta(days=1)

    with writing(here) as session:
        holding.restored(session, backup_from=NOON, by=BY, at=at, patience=stage_here.hub.patience)

    with reading(here) as session:
        moving.require_here(session)
        hold = delivering.open_hold(session)
    assert hold is not None
    assert hold.reason == "Restored from a backup"


def test_coming_back_from_too_late_a_moment_is_refused(here: Engine, stage_here: Stage) -> None:
    leave(here)
    late = NOON + timedelta(minutes=1)

    with pytest.raises(Invalid, match="relais hold restored 2026-11-02T11:00Z"), writing(here) as session:
        holding.restored(
            session, backup_from=late, by=BY, at=NOON + timedelta(days=1), patience=stage_here.hub.patience
        )

    with reading(here) as session:
        assert moving.find_move(session) is not None


def test_a_hold_that_was_there_before_stays_when_it_leaves_and_comes_back(here: Engine, stage_here: Stage) -> None:
    with writing(here) as session:
        holding.hold(session, reason="Panne", by=BY, at=NOON)
    move = leave(here)

    with writing(here) as session:
        holding.restored(session, backup_from=NOON, by=BY, at=NOON, patience=stage_here.hub.patience)

    with reading(here) as session:
        hold = delivering.open_hold(session)
    assert move.hold_id is None
    assert hold is not None
    assert hold.reason == "Panne"


def test_what_moving_leaves_behind_is_no_difference(here: Engine, there: Engine) -> None:
    copy(here, there)
    move = leave(here)
    with writing(there) as target:
        moving.arrive(target, move.copy, rows=7, by=BY, at=datetime(2026, 11, 2, tzinfo=UTC))

    with reading(here) as source, reading(there) as target:
        compared = copying.compare(
            source,
            target,
            left_out=moving.traces_here(move),
            left_out_there=moving.traces_there(move.copy),
        )
        arrived = (moving.has_arrived(target, move.copy), moving.has_arrived(target, "another"))

    assert [one.table for one in compared if not one.same] == []
    assert compare(here, there) == ["hold", "auditentry"]
    assert arrived == (True, False)


def test_keys_are_ordered_by_bytes_whatever_the_servers_own_order(here: Engine, there: Engine) -> None:
    with writing(there) as target:
        if not target.connection().scalar(text("SELECT count(*) FROM pg_collation WHERE collname = 'fr-x-icu'")):
            pytest.skip("this PostgreSQL knows no order but that of bytes")
        target.connection().execute(text('ALTER TABLE policy ALTER COLUMN name TYPE varchar(60) COLLATE "fr-x-icu"'))
    with writing(here) as session:
        for name in ("b", "B", "a", "Z", "é", "_"):
            session.add(Policy(name=name, value=1, changed_at=NOON, changed_by=BY))

    compared = copy(here, there)

    assert all(one.same for one in compared)
