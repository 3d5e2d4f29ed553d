"""Counting again: when it is due, what it puts right, and that it goes on record."""

from __future__ import annotations

import pytest
from sqlalchemy import delete
from sqlmodel import col, select

from hub.database import reading, writing
from hub.domain.audit import AuditEntry
from hub.domain.delivery import DeliveryState
from hub.domain.reach import Reached
from hub.services import cataloguing, rebuilding, rolling
from hub.services.rolling import Proof
from tests.services.counting import PEOPLE, published, read
from tests.services.desk import Desk


def is_due(desk: Desk) -> bool:
    with reading(desk.stage.hub.engine) as session:
        return rebuilding.is_due(session)


def count_again(desk: Desk) -> Proof:
    proof = Proof()
    with writing(desk.stage.hub.engine) as session:
        for span in rolling.pages(session):
            rebuilding.mend(session, span, proof, at=desk.now)
        rebuilding.finish(session, proof, at=desk.now)
    return proof


def noted(desk: Desk) -> list[tuple[str, str, object]]:
    query = select(AuditEntry).where(col(AuditEntry.action).startswith("figures.")).order_by(col(AuditEntry.id))
    with reading(desk.stage.hub.engine) as session:
        return [(one.action, one.thing, one.after) for one in session.exec(query)]


def forget(desk: Desk) -> None:
    """As in a hub that was begun with an older Relais."""
    with writing(desk.stage.hub.engine) as session:
        session.execute(delete(Reached))


def test_nothing_is_due_while_reports_know_all_that_is_out(desk: Desk):
    read(desk, published(desk)[0], **{PEOPLE: 120})
    desk.approved(text="Pas encore")

    assert not is_due(desk)


@pytest.mark.parametrize("state", [DeliveryState.SENT, DeliveryState.REMOVED])
def test_what_is_out_and_in_no_report_is_counted(desk: Desk, state):
    [delivery] = published(desk)
    read(desk, delivery, **{PEOPLE: 120})
    desk.move(delivery.id, state=state)
    forget(desk)
    before = is_due(desk)

    proof = count_again(desk)

    assert (before, is_due(desk), proof.differing) == (True, False, [delivery.id])
    assert noted(desk) == [
        ("figures.mend", "figures:1-1", {"deliveries": [delivery.id]}),
        ("figures.rebuild", "figures:all", {"deliveries": 1, "samples": 1, "mended": 1}),
    ]


@pytest.mark.parametrize(("counted", "due"), [("no", True), ("yes", False)], ids=["another count", "other words"])
def test_counting_again_is_due_from_a_change_of_what_counts_until_it_is_done(desk: Desk, counted, due):
    read(desk, published(desk)[0], **{PEOPLE: 120})
    rows = [
        ";".join(cataloguing.COLUMNS) + "\n",
        f"facebook;post;{PEOPLE};;people;no;{counted};2010-01-01;;;Personnes;People\n",
    ]
    with writing(desk.stage.hub.engine) as session:
        cataloguing.bring_in(session, rows, at=desk.now)
    before = is_due(desk)

    proof = count_again(desk)

    assert (before, is_due(desk), bool(proof.differing)) == (due, False, due)


def test_to_compare_changes_nothing(desk: Desk):
    published(desk)
    forget(desk)
    proof = Proof()

    with writing(desk.stage.hub.engine) as session:
        rebuilding.compare(session, (1, 1), proof)

    assert (proof.deliveries, proof.differing, is_due(desk), noted(desk)) == (1, [1], True, [])
