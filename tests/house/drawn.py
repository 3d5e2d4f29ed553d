"""What the docs show of the code: rooms, the road of a post, states, commands; `make docs` writes it."""

from __future__ import annotations

import inspect
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any, Final

from tests.house.tree import ROOT, docstring, rooms

BEGIN = "<!-- drawn: {name} -->"
END = "<!-- end: {name} -->"


def picture(leads: Mapping[Any, frozenset[Any]], first: StrEnum) -> str:
    """A state diagram: where each state may go, in the order in which the code lists them."""
    order = list(leads)
    lines = [f"    [*] --> {first.value}"]
    for state in order:
        lines += [f"    {state.value} --> {to.value}" for to in order if to in leads[state]]
    lines += [f"    {state.value} --> [*]" for state in order if not leads[state]]
    return "\n".join(["```mermaid", "stateDiagram-v2", *lines, "```"])


def road() -> str:
    """The road of a post."""
    from hub.domain.post import ROADS, PostState

    return picture(ROADS, PostState.DRAFT)


def states() -> str:
    """The states of a delivery."""
    from hub.domain.delivery import LEADS, DeliveryState

    return picture(LEADS, DeliveryState.WAITING)


def commands() -> str:
    """Every command with its one line of help, as two tables: what works on this machine, what goes through the API."""
    from typer.main import get_command

    from hub.commands import build

    here: list[str] = []
    through: list[str] = []
    for path, command in _leaves(get_command(build()), ("relais",)):
        words = (command.help or "").split("\n")[0].strip()
        row = f"| `{' '.join(path)}` | {words} |"
        (through if _room(command).startswith("hub.commands.people") else here).append(row)
    parts = [_table("For those who keep the machine", here), _table("For people, through the API", through)]
    return "\n\n".join(part for part in parts if part)


def _leaves(command: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    inner = getattr(command, "commands", None)
    if inner is None:
        yield path, command
        return
    for name in sorted(inner):
        if not inner[name].hidden:
            yield from _leaves(inner[name], (*path, name))


def _room(command: Any) -> str:
    return inspect.unwrap(command.callback).__module__ if command.callback else ""


def _table(title: str, rows: list[str]) -> str:
    return "\n".join([f"## {title}", "", "| command | what it does |", "| --- | --- |", *rows]) if rows else ""


FLOORS: Final = ("cli.py", "hub/commands/", "hub/web/", "schedules/", "hub/", "hub/services/", "hub/domain/",
                 "channels/", "channels/sandbox/")  # fmt: skip
"""The parts of the house that the tour shows, each with its own table; a room is in the innermost that holds it."""


def floor_of(room: str) -> str:
    """Which part of the house a room is in."""
    return max((floor for floor in FLOORS if room.startswith(floor)), key=len)


def floor(name: str) -> str:
    """The rooms of one part of the house, each with the line that it opens with."""
    rows = []
    for room in rooms():
        if floor_of(room) == name:
            path = Path(room) / "__init__.py" if room.endswith("/") else Path(room)
            first = (docstring(path) or "").split("\n")[0].replace("|", "\\|")
            rows.append(f"| `{room}` | {first} |")
    return "\n".join(["| room | what it is |", "| --- | --- |", *rows])


DRAWN: Final[Mapping[str, tuple[str, Callable[[], str]]]] = {
    "road": ("docs/road.md", road),
    "states": ("docs/road.md", states),
    **{name: ("docs/tour.md", partial(floor, name)) for name in FLOORS},
    "commands": ("docs/commands.md", commands),
}
"""What is drawn: name → the page that it is on, and who draws it."""


def fill(page: str, name: str, drawing: str) -> str:
    """The page with this drawing between its marks."""
    begin, end = BEGIN.format(name=name), END.format(name=name)
    pattern = re.compile(re.escape(begin) + r".*?" + re.escape(end), re.DOTALL)
    if not pattern.search(page):
        raise LookupError(f"There is no place for {name}: write {begin} and {end} where it belongs.")
    return pattern.sub(lambda _: f"{begin}\n{drawing}\n{end}", page)


def main(arguments: list[str]) -> int:
    """Write what is drawn into the docs; with `--check`, only say what is out of date."""
    stale = []
    for name, (file, draw) in DRAWN.items():
        page = (ROOT / file).read_text(encoding="utf-8")
        now = fill(page, name, draw())
        if now != page:
            stale.append(f"{name} in {file}")
            if "--check" not in arguments:
                (ROOT / file).write_text(now, encoding="utf-8")
    if stale:
        print(("Out of date: " if "--check" in arguments else "Drawn again: ") + ", ".join(stale))
    return 1 if stale and "--check" in arguments else 0


if __name__ == "__main__":
    os.environ["RELAIS_LANGUAGE"] = "en"
    sys.exit(main(sys.argv[1:]))
