"""The demo as a whole: sandbox, country, three simulated weeks, figures, report, then real time."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy import event

from channels.sandbox.server import Sandbox
from hub.commands import terminal
from hub.commands.demo import country, judge
from hub.commands.demo.story import LENGTH, Story
from hub.commands.operator.serve import reserve, run
from hub.database import reading
from hub.domain.clock import local_day
from hub.domain.errors import Invalid
from hub.domain.reach import next_page_reading
from hub.language import _
from hub.services import exporting, joining, lining, reporting
from hub.services.reporting import Frame
from hub.settings import Settings, read_settings
from hub.wiring import Hub, machine_clock, wire
from schedules import runner
from schedules.collect import pages_due
from schedules.embedded import Embedded

READ_TIMEOUT: Final = 1.0
"""Seconds; short, since the demo waits one out."""

APP_SECRET: Final = "demo-app-secret"  # noqa: S105 - of an invented app on our own sandbox


class VirtualClock:
    """A clock that stands still until it is told to jump, for the hub and the sandbox together."""

    def __init__(self, sandbox: Sandbox, start: datetime) -> None:
        self._sandbox = sandbox
        self.jump(start)

    def now(self) -> datetime:
        """The moment it stands at."""
        return self._now

    def jump(self, to: datetime) -> None:
        """Go to a moment."""
        self._now = to.astimezone(UTC)
        self._sandbox.clock.set(self._now)


def perform(*, port: int, folder: Path | None, once: bool, as_json: bool) -> bool:
    """Play the demo in a folder; return whether all is as promised."""
    began = time.monotonic()
    door = None if once else reserve("127.0.0.1", port)
    address = f"http://127.0.0.1:{door.getsockname()[1]}" if door else f"http://127.0.0.1:{port or 8000}"
    with _folder(folder) as home, _sandbox(home) as sandbox:
        settings = _settings(home, sandbox, address)
        played_until = _play(settings, sandbox, quiet=as_json)
        sandbox.clock.set(None)
        hub = wire(settings)
        _write_environment(settings)
        told, well = _count(hub, sandbox, home, until=played_until)
        told["seconds"] = round(time.monotonic() - began, 1)

        def tell() -> None:
            if as_json:
                terminal.say_json(told)
            else:
                _tell(told, hub, home, address if door else None)

        if door:
            run(hub, door, ready=tell)
        else:
            tell()
            hub.engine.dispose()
        return well


@contextmanager
def _folder(wanted: Path | None) -> Iterator[Path]:
    if wanted is None:
        with tempfile.TemporaryDirectory(prefix="relais-demo-") as made:
            yield Path(made)
        return
    try:
        wanted.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Invalid(
            _("The folder {folder} cannot be made: {why}. Choose another one with --dir.",
              folder=wanted, why=error.strerror)
        ) from error  # fmt: skip
    strange = [one.name for one in wanted.iterdir()]
    if strange and not (wanted / "demo.json").exists():
        raise Invalid(
            _("The folder {folder} holds other things ({names}). Choose an empty one with --dir.",
              folder=wanted, names=", ".join(sorted(strange)[:3]))
        )  # fmt: skip
    yield wanted


@contextmanager
def _sandbox(home: Path) -> Iterator[Sandbox]:
    running = Sandbox(0, home / "sandbox.db").start()
    try:
        yield running
    finally:
        running.stop()


def _settings(home: Path, sandbox: Sandbox, address: str) -> Settings:
    """Everything that could lead out of the demo is fixed here, whatever the environment says."""
    return read_settings(
        home=home,
        database_url=None,
        secret_keys=(),
        public_url=address,
        facebook_api_url=sandbox.url,
        facebook_dialog_url=sandbox.url,
        x_api_url=sandbox.url,
        facebook_app_id=country.APP_ID,
        facebook_app_secret=APP_SECRET,
        read_timeout=READ_TIMEOUT,
        call_deadline=10,
        lease=30,
    )


def _write_environment(settings: Settings) -> None:
    """What an operator's command needs to work on this demo while it runs."""
    lines = {
        "RELAIS_HOME": settings.home.resolve(),
        "RELAIS_PUBLIC_URL": settings.public_url,
        "RELAIS_FACEBOOK_API_URL": settings.facebook_api_url,
        "RELAIS_FACEBOOK_DIALOG_URL": settings.facebook_dialog,
        "RELAIS_X_API_URL": settings.x_api_url,
        "RELAIS_FACEBOOK_APP_ID": country.APP_ID,
        "RELAIS_FACEBOOK_APP_SECRET": APP_SECRET,
    }
    text = "".join(f"{name}='{value}'\n" for name, value in lines.items())
    (settings.home / "demo.env").write_text(text, encoding="utf-8")


def _without_waiting_for_the_disk(hub: Hub) -> Hub:
    """The same hub for a past that is played: a power cut would lose nothing that cannot be played again."""
    event.listen(hub.engine, "connect", lambda connection, _record: connection.execute("PRAGMA synchronous=OFF"))
    return hub


def _play(settings: Settings, sandbox: Sandbox, *, quiet: bool) -> datetime:
    """Play the story up to now, or go on from where an earlier demo stopped; return until when."""
    note = settings.home / "demo.json"
    until = machine_clock().replace(microsecond=0)
    if note.exists():
        start = datetime.fromisoformat(json.loads(note.read_text(encoding="utf-8"))["until"])
        clock = VirtualClock(sandbox, start)
        hub = _without_waiting_for_the_disk(wire(settings, now=clock.now))
        scenes = []
    else:
        start = (until - LENGTH).replace(hour=6, minute=0, second=0)
        clock = VirtualClock(sandbox, start)
        hub = _without_waiting_for_the_disk(wire(settings, now=clock.now))
        sandbox.graph.tokens.create_app(country.APP_ID, APP_SECRET, require_proof=True)
        country.write_access(settings.home, country.found(hub, sandbox, at=start))
        scenes = Story(hub, sandbox, start, read_timeout=READ_TIMEOUT).scenes()
    engine = Embedded(hub, runner.JOBS)
    engine.take_lock()
    try:
        with _progress(quiet) as tell:
            pages_at = clock.now()
            while clock.now() < until:
                moments = [
                    moment
                    for moment in (engine.agenda().next_at, scenes[0].at if scenes else None)
                    if moment is not None
                ]
                clock.jump(min([*moments, until]))
                while scenes and scenes[0].at <= clock.now():
                    scenes.pop(0).act(clock.now())
                engine.run_due()
                if clock.now() >= pages_at:
                    # No agenda names them.
                    pages_due(engine.worker)
                    engine.worker.finish()
                    # Once a week will do for a play: what was missed is made up for.
                    pages_at = next_page_reading(clock.now() + timedelta(days=6))
                tell((clock.now() - start) / (until - start))
    finally:
        engine.stop()
        hub.engine.dispose()
    note.write_text(json.dumps({"until": until.isoformat()}), encoding="utf-8")
    return until


@contextmanager
def _progress(quiet: bool) -> Iterator[Any]:
    """A bar on a terminal; nothing elsewhere."""
    if quiet or not sys.stderr.isatty():
        yield lambda part: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(_("Three weeks go by"), total=1.0)
        yield lambda part: bar.update(task, completed=part)


def _count(hub: Hub, sandbox: Sandbox, home: Path, *, until: datetime) -> tuple[dict[str, Any], bool]:
    """All counts, with the report written beside the demo."""
    last = local_day(until, "Europe/Paris")
    first = last - LENGTH - timedelta(days=1)
    file = home / "reach.csv"
    analyst = country.read_access(home)["analyst"]
    with reading(hub.engine) as session:
        by = joining.actor_for(session, _person(session, analyst.email))
        told, well = judge.verdict(session, sandbox)
        report = reporting.report(session, by=by, first=first, last=last)
        plan = exporting.plan(session, Frame(first, last), by=by)
        rows = exporting.count(session, plan)
        entries = exporting.entries(lambda: nullcontext(session), plan)
        with file.open("w", encoding="utf-8", newline="") as writing:
            writing.writelines(lining.csv(entries, plan.catalogue.version))
    reached = {row.key for row in report.rows if row.key.startswith("A-")}
    counts = {
        "territories": len(reached) + len(report.silent),
        **told,
        "reach": {"territories": len(reached), "rows": rows},
        "report": str(file),
    }
    return counts, well


def _person(session: Any, email: str) -> int:
    person = joining.person_by_email(session, email)
    assert person.id is not None
    return person.id


def _tell(told: dict[str, Any], hub: Hub, home: Path, address: str | None) -> None:
    """What a newcomer wants to see: what happened, the report, how to get in, what to try."""
    from hub.commands.demo.telling import tell

    tell(told, hub, home, address)
