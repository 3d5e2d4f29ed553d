"""`relais figures`: whether reports say what was read, counting them again, and taking an absurd reading out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Final

import typer

from hub.language import _, ngettext

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Engine
    from sqlmodel import Session

    from hub.services.rolling import Proof

AsJson = Annotated[bool, typer.Option("--json", help=_("Print data for programs."))]

MOST_NAMED: Final = 20
"""How many deliveries are named before the rest is counted."""


def build() -> typer.Typer:
    """The commands on figures."""
    app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
    app.command("check", help=_("Count reports again from every reading, and say whether they tell the same."))(check)
    app.command("rebuild", help=_("Count reports again from every reading, and put right what differs."))(rebuild)
    app.command("strike", help=_("Take one absurd reading out, for good and on record."))(strike)
    return app


def check(as_json: AsJson = False) -> None:
    """Compare the roll-up with the raw readings; exit 5 when they differ."""
    from hub.commands import terminal
    from hub.commands.operator.opening import open_hub

    proof = compare(open_hub().engine)
    if as_json:
        _tell_json(proof)
    elif proof.holds:
        terminal.say(_counted(proof) + " " + _("Reports tell what was read: not one figure differs."))
    else:
        terminal.say(_counted(proof))
        for words in _differing(proof):
            terminal.warn(words)
        terminal.warn(_("“relais figures rebuild” puts them right."))
    if not proof.holds:
        from hub.domain.errors import WrongState

        raise typer.Exit(terminal.EXIT_CODES[WrongState])


def rebuild(as_json: AsJson = False) -> None:
    """Write the roll-up anew where it differs from the raw readings."""
    from hub.commands import terminal
    from hub.commands.operator.opening import open_hub

    hub = open_hub()
    proof = count_again(hub.engine, at=hub.now())
    if as_json:
        _tell_json(proof)
    elif proof.holds:
        terminal.say(_counted(proof) + " " + _("Nothing had to be put right."))
    else:
        terminal.say(_counted(proof) + " " + mended(proof))


def strike(
    delivery: Annotated[int, typer.Argument(metavar="DELIVERY", help=_("Number of the delivery."), min=1)],
    metric: Annotated[str, typer.Option(help=_("The network's name of the figure."))],
    slot: Annotated[int, typer.Option(help=_("Which reading, in hours after publication."))],
    reason: Annotated[str, typer.Option(help=_("Why."))],
) -> None:
    """Take a reading out; reports then tell what the others say."""
    from hub.commands import terminal
    from hub.commands.operator.opening import open_hub
    from hub.database import writing
    from hub.services import measuring

    hub = open_hub()
    with writing(hub.engine) as session:
        sample = measuring.strike(session, delivery, metric, slot, reason=reason, at=hub.now())
        value = "—" if sample.value is None else sample.value
    terminal.say(
        _(
            "The reading of {metric} after {slot} h ({value}) is struck out of delivery {number}.",
            metric=metric,
            slot=slot,
            value=value,
            number=delivery,
        )
    )


# --- Page by page ---------------------------------------------------------------------------------------------


def compare(engine: Engine) -> Proof:
    """Count everything again and compare, each page as it is at one moment; nothing is changed."""
    from hub.commands import terminal
    from hub.database import reading
    from hub.services import rebuilding, rolling

    proof = rolling.Proof()
    with terminal.progress(_("Counting again")) as told:
        with reading(engine) as session:
            pages = list(rolling.pages(session))
        for number, span in enumerate(pages, start=1):
            with reading(engine) as session:
                _one_moment(session)
                rebuilding.compare(session, span, proof)
            if told:
                told(number, len(pages))
        with reading(engine) as session:
            months = list(rolling.months(session))
        for first, last in months:
            with reading(engine) as session:
                _one_moment(session)
                rebuilding.compare_days(session, first, last, proof)
    return proof


def _one_moment(session: Session) -> None:
    """Nothing that others do meanwhile is seen by halves; a SQLite file is read so anyway."""
    from hub.database import on_server

    engine = session.get_bind().engine
    if on_server(engine):
        session.connection(execution_options={"isolation_level": "REPEATABLE READ"})


def count_again(engine: Engine, *, at: datetime) -> Proof:
    """Count everything again and put right what differs, each page in a transaction of its own."""
    from hub.commands import terminal
    from hub.database import reading, writing
    from hub.services import rebuilding, rolling

    proof = rolling.Proof()
    with _stopped_halfway(proof), terminal.progress(_("Counting again")) as told:
        with reading(engine) as session:
            pages = list(rolling.pages(session))
        for number, span in enumerate(pages, start=1):
            with writing(engine) as session:
                rebuilding.mend(session, span, proof, at=at)
            if told:
                told(number, len(pages))
        with reading(engine) as session:
            months = list(rolling.months(session))
        for first, last in months:
            with writing(engine) as session:
                rebuilding.mend_days(session, first, last, proof, at=at)
        with writing(engine) as session:
            rebuilding.finish(session, proof, at=at)
    return proof


@contextmanager
def _stopped_halfway(proof: Proof) -> Iterator[None]:
    """Whoever stops it learns that nothing is half-done."""
    from hub.commands import terminal

    try:
        yield
    except KeyboardInterrupt:
        terminal.warn(_counted(proof))
        terminal.warn(
            _("Stopped: what was counted is right, the rest is as it was. “relais figures rebuild” counts all of it.")
        )
        raise typer.Exit(terminal.INTERRUPTED) from None


# --- In words -------------------------------------------------------------------------------------------------


def mended(proof: Proof) -> str:
    """How much was put right."""
    told = []
    if proof.differing:
        told.append(
            ngettext("{count} delivery was put right.", "{count} deliveries were put right.", len(proof.differing))
        )
    if proof.differing_days:
        told.append(
            ngettext("The sum of {count} day was put right.", "The sums of {count} days were put right.",
                     len(proof.differing_days))
        )  # fmt: skip
    return " ".join(told)


def _counted(proof: Proof) -> str:
    return _(
        "Deliveries counted again: {deliveries}; readings: {samples}.",
        deliveries=proof.deliveries,
        samples=proof.samples,
    )


def _differing(proof: Proof) -> list[str]:
    told = [_differing_deliveries(proof)] if proof.differing else []
    if proof.differing_days:
        days = ", ".join(day.isoformat() for day in proof.differing_days[:MOST_NAMED])
        told.append(
            ngettext(
                "The sum of {count} day is not that of its posts: {days}",
                "The sums of {count} days are not those of their posts: {days}",
                len(proof.differing_days),
                days=days + (" …" if len(proof.differing_days) > MOST_NAMED else ""),
            )
        )
    return told


def _differing_deliveries(proof: Proof) -> str:
    numbers = ", ".join(str(number) for number in proof.differing[:MOST_NAMED])
    return ngettext(
        "Reports of {count} delivery differ from what was read: {numbers}",
        "Reports of {count} deliveries differ from what was read: {numbers}",
        len(proof.differing),
        numbers=numbers + (" …" if len(proof.differing) > MOST_NAMED else ""),
    )


def _tell_json(proof: Proof) -> None:
    from dataclasses import asdict

    from hub.commands import terminal

    terminal.say_json(asdict(proof))
