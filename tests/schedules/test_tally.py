"""What a process counts of what it does: each outcome once, when it is kept; and how it is handed out."""

from __future__ import annotations

import socket
from datetime import timedelta

import httpx
import pytest

from channels import Refused, Throttled, Uncertain, Unreachable
from hub.database import writing
from hub.metrics import registry_for, show_on
from hub.services import resolving
from tests.schedules.conftest import DUE, Room, wall
from tests.schedules.disk import Disk


def counted(room: Room, name: str, **labels: str) -> float | None:
    """A number of this process."""
    found: float | None = room.engine.worker.tally.registry.get_sample_value(name, labels)
    return found


def attempts(room: Room, kind: str = "publish", network: str = "facebook") -> dict[str, float]:
    """How many tries came to what, without what nothing came to."""
    family = next(one for one in room.engine.worker.tally.registry.collect() if one.name == "relais_attempts")
    return {
        one.labels["outcome"]: one.value
        for one in family.samples
        if one.name.endswith("_total") and one.value and one.labels["kind"] == kind and one.labels["network"] == network
    }


def late(room: Room, network: str = "facebook") -> tuple[float | None, float | None]:
    """How many went out, and how late together."""
    return tuple(counted(room, f"relais_lateness_seconds_{what}", network=network) for what in ("count", "sum"))  # type: ignore[return-value]


def test_each_try_is_counted_once_by_what_it_came_to(room: Room) -> None:
    for number, error in enumerate([Refused("No."), Unreachable("No."), Throttled("Slow.", until=DUE), None]):
        room.approve_one(f"N{number}")
        if error:
            room.channel().fail_next(error)

    room.live_until(DUE + timedelta(hours=1))

    assert attempts(room) == {"content": 1, "not-sent": 1, "rate": 1, "ok": 3}
    assert attempts(room, network="x") == {}


def test_a_delivery_is_late_from_when_it_was_due_to_the_call_that_sent_it(room: Room) -> None:
    room.approve_one()
    room.channel().fail_next(Unreachable("No connection."))

    room.run_at(DUE + timedelta(seconds=2))
    before = late(room)
    room.run_after(seconds=15)

    assert (before, late(room)) == ((0, 0), (1, 17))


def test_a_delivery_that_was_approved_after_its_time_is_late_from_then(room: Room) -> None:
    room.clock.at = DUE
    made = room.approve_one(when=wall(3, 18, 30))
    room.clock.at = DUE + timedelta(minutes=45)
    with writing(room.hub.engine) as session:
        from hub.domain.post import Approval

        approval = session.get(Approval, room.delivery(made).approval_id)
        assert approval is not None
        approval.at = DUE + timedelta(minutes=40)
        session.add(approval)

    room.engine.run_due()

    assert late(room) == (1, 300)


def test_what_is_found_when_reading_back_is_counted_with_the_lateness_of_its_call(room: Room) -> None:
    room.approve_one()
    room.channel().fail_next(Uncertain("No answer."), after_showing=True)
    room.channel().fail_next(Unreachable("No reading."), call="find")

    room.run_at(DUE + timedelta(seconds=1))
    room.run_after(minutes=1)

    looks = {
        state: counted(room, "relais_looks_total", network="facebook", state=state) for state in ("unknown", "sent")
    }
    assert (attempts(room), looks) == ({"unknown": 1}, {"unknown": 1, "sent": 1})
    assert late(room) == (1, 1)


def test_taking_down_is_counted_apart(room: Room) -> None:
    made = room.approve_one()
    room.run_at(DUE)
    with writing(room.hub.engine) as session:
        by = room.stage.people["coordinator"]
        resolving.request_removal(session, made, by=by, at=room.clock(), reason="Erreur")
    room.channel().fail_next(Unreachable("No connection."), call="remove")

    room.live_until(DUE + timedelta(minutes=10))

    assert attempts(room, kind="remove") == {"not-sent": 1, "ok": 1}
    assert attempts(room) == {"ok": 1}


def test_an_outcome_that_is_written_down_at_the_second_try_is_counted_once(room: Room) -> None:
    disk = Disk(room.hub.engine)
    room.approve_one()
    disk.breaks_at = "UPDATE attempt"
    room.run_at(DUE)
    full = attempts(room), late(room), room.engine.worker.trouble
    disk.mend()
    room.run_after(seconds=5)

    assert full == ({}, (0, 0), f"record: {disk.error}")
    assert (attempts(room), late(room)) == ({"ok": 1}, (1, 0))


def test_what_dead_workers_held_is_counted(room: Room) -> None:
    from hub.services import delivering
    from schedules import dispatch

    room.approve_one()
    room.clock.at = DUE
    with writing(room.hub.engine) as session:
        delivering.claim(session, at=DUE, owner="dead", patience=room.hub.patience)
    room.clock.at = DUE + room.hub.patience.lease

    dispatch.end_leases(room.engine.worker)

    assert counted(room, "relais_leases_ended_total") == 1


def test_two_processes_count_apart(room: Room) -> None:
    from schedules import runner

    other = runner.build(room.hub)
    room.approve_one()
    room.run_at(DUE)

    labels = {"network": "facebook", "kind": "publish", "outcome": "ok"}
    assert counted(room, "relais_attempts_total", **labels) == 1
    assert other.worker.tally.registry.get_sample_value("relais_attempts_total", labels) == 0
    other.stop()


def test_a_process_without_pages_hands_the_same_out_to_this_machine_only(room: Room) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    registry = registry_for(room.hub, tally=room.engine.worker.tally, beat=room.engine.pulse)

    end = show_on(registry, port)
    told = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).text
    with pytest.raises(OSError, match="in use"):
        show_on(registry, port)
    end()

    assert "relais_overdue 0.0" in told
    assert 'relais_lateness_seconds_count{network="facebook"} 0.0' in told
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False)
