"""`relais init`: database, key, portal account and reference data, made or brought up to date; safe to repeat."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hub.language import _, ngettext

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Engine
    from sqlmodel import Session

    from hub.settings import Settings

OWN_COMMUNES = ("relais-communes.json", "relais-communes.csv")
"""A file of that name in the home folder replaces the communes we ship."""

MOST_NAMED = 10
"""How many ended communes are named before the rest is counted."""


def init() -> None:
    """Make what Relais needs on this machine, or bring it up to date."""
    from hub.commands import terminal
    from hub.database import build_engine, migrate, on_server
    from hub.settings import read_settings

    settings = read_settings()
    _make_home(settings.home)
    engine = build_engine(settings.database)
    done = []
    try:
        if migrate(engine):
            where = engine.url.render_as_string(hide_password=True) if on_server(engine) else engine.url.database
            done.append(_("The database {where} was brought to this version.", where=where))
        done += _make_key(engine, settings)
        done += _fill(engine, settings)
        done += _count_again(engine)
    finally:
        engine.dispose()
    for line in done or [_("Nothing changed: database, key and reference data are up to date.")]:
        terminal.say(line)


def _make_home(home: Path) -> None:
    from hub.domain.errors import Invalid

    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Invalid(
            _("The folder {home} cannot be made: {why}. Choose another RELAIS_HOME.", home=home, why=error.strerror)
        ) from error


def _make_key(engine: Engine, settings: Settings) -> list[str]:
    """Write the first key; never a second one beside secrets that it cannot open."""
    from hub.database import explained, reading
    from hub.secrets import Vault, lost_key, read_keys, write_new_key
    from hub.services import sealing

    keys = [key.get_secret_value() for key in settings.secret_keys] or read_keys(settings.key_file)
    with explained(engine), reading(engine) as session:
        if keys:
            sealing.require_all_open(session, Vault(keys))
            return []
        if sealing.anything_sealed(session):
            raise lost_key(settings.key_file)
    write_new_key(settings.key_file)
    return [
        _("The secret key is in {file}: keep a copy apart from the backups of the database.", file=settings.key_file)
    ]


def _fill(engine: Engine, settings: Settings) -> list[str]:
    """Load the reference data and make the portal account, in one transaction."""
    from hub.commands import terminal
    from hub.database import explained, writing
    from hub.services import importing
    from hub.wiring import machine_clock

    at = machine_clock()
    own = next((file for name in OWN_COMMUNES if (file := settings.home / name).is_file()), None)
    with explained(engine), writing(engine) as session:
        with terminal.progress(_("Reference data")) as told:
            counts = importing.load_reference(session, at=at, communes=own, told=told)
        done = _loaded(session, counts, own, at=at) + _lay_metrics(session, at=at)
        if importing.make_portal_account(session, at=at):
            done.append(_("The portal account was made: approved posts can appear there."))
            done.append(_("Next: “relais user add” makes the first administrator, “relais serve” starts Relais."))
    return done


def _lay_metrics(session: Session, *, at: datetime) -> list[str]:
    """Bring the catalogue of metrics up to date, unless the operator's own rows contradict it."""
    from hub.commands import terminal
    from hub.domain.errors import Invalid
    from hub.services import cataloguing

    try:
        changed = cataloguing.lay(session, at=at)
    except Invalid as error:
        terminal.warn(
            _("The metrics of this version contradict those that were brought in here, which go on counting:")
        )
        for problem in error.problems:
            terminal.warn("  " + problem.message)
        terminal.warn(_("“relais metrics import” brings in rows that fit both."))
        return []
    if not changed:
        return []
    told = ngettext(
        "Metrics: {count} row was added or changed.", "Metrics: {count} rows were added or changed.", changed
    )
    return [told]


def _count_again(engine: Engine) -> list[str]:
    """Count what is out already, where reports do not know it yet or metrics count anew."""
    from hub.commands.operator import figures
    from hub.database import explained, reading
    from hub.services import rebuilding
    from hub.wiring import machine_clock

    with explained(engine):
        with reading(engine) as session:
            if not rebuilding.is_due(session):
                return []
        proof = figures.count_again(engine, at=machine_clock())
    return [_("Reports were counted again.") + " " + figures.mended(proof)]


def _loaded(session: Session, counts: dict[str, int], own: Path | None, *, at: datetime) -> list[str]:
    from hub.services import importing

    if not counts["added"] and not counts["changed"]:
        return []
    lines = [
        _(
            "Reference data: {territories} territories, of which {communes} communes; {postcodes} postcodes "
            "({added} rows added, {changed} changed).",
            **counts,
        )
    ]
    if own is not None:
        lines.append(_("The communes were taken from {file}.", file=own))
    if counts["ended"]:
        ended = importing.ended_communes(session, at=at)
        names = ", ".join(f"{one.name} ({one.code.removeprefix('C-')})" for one in ended[:MOST_NAMED])
        lines.append(
            ngettext(
                "{count} commune is not in the file any more; it is kept, marked as ended: {names}",
                "{count} communes are not in the file any more; they are kept, marked as ended: {names}",
                counts["ended"],
                names=names + (" …" if counts["ended"] > MOST_NAMED else ""),
            )
        )
    return lines
