"""Counting the roll-up again from what was read: page by page, and when that is due."""

from __future__ import annotations

from datetime import date, datetime

from sqlmodel import Session, col, select

from hub.domain.audit import FIGURES_REBUILT, METRICS_BROUGHT_IN, METRICS_LAID, OPERATOR, AuditEntry, note
from hub.domain.delivery import Delivery
from hub.domain.reach import Reached
from hub.services import cataloguing, rolling
from hub.services.rolling import OUT, Proof

Span = tuple[int, int]
"""Numbers of deliveries, first and last."""


def is_due(session: Session) -> bool:
    """Whether reports may not say what was read: something is out and in no report, or metrics count anew since."""
    entered = select(Reached.delivery_id).where(col(Reached.delivery_id) == col(Delivery.id)).exists()
    absent = select(Delivery.id).where(col(Delivery.state).in_(OUT), col(Delivery.sent_at).is_not(None), ~entered)
    return session.exec(absent.limit(1)).first() is not None or _metrics_count_anew(session)


def _metrics_count_anew(session: Session) -> bool:
    """Whether the catalogue changed what reports count, after the roll-up was last counted from its beginning."""
    newest = select(AuditEntry).order_by(col(AuditEntry.id).desc())
    last = session.exec(newest.where(AuditEntry.action == FIGURES_REBUILT)).first()
    since = newest.where(
        col(AuditEntry.action).in_([METRICS_LAID, METRICS_BROUGHT_IN]), col(AuditEntry.id) > ((last and last.id) or 0)
    )
    return any((one.after or {}).get("counted") for one in session.exec(since))


def compare(session: Session, span: Span, proof: Proof) -> None:
    """Count a span again and compare; nothing is changed."""
    rolling.prove(session, span, proof, catalogue=cataloguing.catalogue(session), mend=False)


def mend(session: Session, span: Span, proof: Proof, *, at: datetime) -> None:
    """Count a span again, and put right what differs; that goes on record with it."""
    before = len(proof.differing)
    rolling.prove(session, span, proof, catalogue=cataloguing.catalogue(session), mend=True)
    mended = proof.differing[before:]
    if mended:
        note(session, "figures.mend", f"figures:{span[0]}-{span[1]}", by=OPERATOR, at=at, after={"deliveries": mended})


def compare_days(session: Session, first: date, last: date, proof: Proof) -> None:
    """Sum days of publication up again and compare; nothing is changed."""
    rolling.prove_days(session, first, last, proof, mend=False)


def mend_days(session: Session, first: date, last: date, proof: Proof, *, at: datetime) -> None:
    """Sum days of publication up again, and put right what differs; that goes on record with it."""
    before = len(proof.differing_days)
    rolling.prove_days(session, first, last, proof, mend=True)
    mended = [day.isoformat() for day in proof.differing_days[before:]]
    if mended:
        note(session, "figures.mend", f"figures:{first}-{last}", by=OPERATOR, at=at, after={"days": mended})


def finish(session: Session, proof: Proof, *, at: datetime) -> None:
    """Note that all spans were counted again."""
    after = {"deliveries": proof.deliveries, "samples": proof.samples, "mended": len(proof.differing)}
    note(session, FIGURES_REBUILT, "figures:all", by=OPERATOR, at=at, after=after)
