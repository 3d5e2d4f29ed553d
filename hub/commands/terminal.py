"""What commands print, and how an error leaves: words on standard error, and an exit code that scripts can read."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from hub.domain.errors import HubError, Invalid, NotAllowed, NotFound, WrongState

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

EXIT_CODES: dict[type[HubError], int] = {Invalid: 2, NotAllowed: 3, NotFound: 4, WrongState: 5}
"""Exit code by kind of error; 1 for every other one."""

ALL_WELL, TROUBLE, NOTHING_FOUND, INTERRUPTED = 0, 1, 4, 130


def exit_code(error: HubError) -> int:
    """The exit code of an error."""
    return next((code for kind, code in EXIT_CODES.items() if isinstance(error, kind)), TROUBLE)


def out() -> Console:
    """The console for what was asked for; without colours when it is not a terminal."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=not sys.stdout.isatty())


def say(text: str) -> None:
    """Print one line of words, as they are."""
    print(text)  # noqa: T201 - the terminal is this room's business


def warn(text: str) -> None:
    """Print one line of words to standard error."""
    print(text, file=sys.stderr)  # noqa: T201


def say_json(value: object) -> None:
    """Print data for programs."""
    print(json.dumps(value, ensure_ascii=False, indent=2, default=_plain))  # noqa: T201


def _plain(value: object) -> Any:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str | None = None, right: Iterable[str] = ()
) -> None:
    """Print rows under headings; the columns named in `right` are aligned to the right."""
    from rich.markup import escape
    from rich.table import Table

    grid = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for column in columns:
        grid.add_column(column, justify="right" if column in set(right) else "left", overflow="fold")
    for row in rows:
        grid.add_row(*(escape("" if cell is None else str(cell)) for cell in row))
    console = out()
    if not console.is_terminal:
        console.width = 10_000
    console.print(grid)


@contextmanager
def progress(words: str) -> Iterator[Callable[[int, int], None] | None]:
    """A bar on a terminal, told how much of how much is done; nothing at all elsewhere."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(words, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def read_table(file: Path) -> list[str]:
    """The lines of a table that somebody saved (`-`: standard input); Invalid says what to do about another file."""
    import io

    from hub.language import _

    try:
        text = _standard_input() if str(file) == "-" else file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise Invalid(_("{file} is not UTF-8 text: save it as “CSV UTF-8”.", file=file)) from error
    except IsADirectoryError as error:
        raise Invalid(_("{file} is a folder: name the file in it.", file=file)) from error
    except OSError as error:
        raise Invalid(_("{file} cannot be read: {why}.", file=file, why=error.strerror)) from error
    if not text.strip():
        raise Invalid(_("{file} is empty.", file=file if str(file) != "-" else _("Standard input")))
    return list(io.StringIO(text))


def _standard_input() -> str:
    """What was piped in: its bytes, where there are some, as nobody knows what the terminal takes them for."""
    piped = getattr(sys.stdin, "buffer", None)
    return sys.stdin.read().removeprefix("\ufeff") if piped is None else piped.read().decode("utf-8-sig")


@contextmanager
def counting(words: str) -> Iterator[Callable[[int, int], None] | None]:
    """How many of something are done, on a terminal, where nobody may know of how many; nothing at all elsewhere."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.completed:,} {task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(words, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total or None)


def read_secret(prompt: str, file: Any = None) -> str:
    """A secret from a file, else from standard input: typed unseen on a terminal; never an argument, which others can read."""  # noqa: E501
    from getpass import getpass
    from pathlib import Path

    if file is not None and str(file) != "-":
        try:
            return Path(file).read_text(encoding="utf-8").strip()
        except OSError as error:
            from hub.language import _

            raise Invalid(_("{file} cannot be read: {why}.", file=file, why=error.strerror)) from error
    if sys.stdin.isatty():
        return getpass(prompt + " ")
    return sys.stdin.readline().strip("\r\n")
