"""Keeping what was downloaded: a file is complete under its name, or not there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePath
from typing import IO, TYPE_CHECKING, Final

from hub.language import _

if TYPE_CHECKING:
    from hub.commands.client import Download

LINED: Final = frozenset({"csv", "jsonl"})
"""Formats that have one row per line; of the others the number of rows comes with them."""

FORMATS: Final = ("csv", "xlsx", "parquet", "jsonl")


def format_of(output: str, asked: str | None) -> str:
    """The format that was asked for, else the one that the name of the file tells, else CSV."""
    ending = PurePath(output).suffix.removeprefix(".").lower()
    return asked or (ending if ending in FORMATS else "csv")


def pour(download: Download, out: IO[bytes], *, header: bool, tell: Callable[[int, int], None] | None) -> int:
    """Write a download as it comes; return how many rows it has."""
    done = lines = 0
    for piece in download.pieces:
        out.write(piece)
        done += len(piece)
        lines += piece.count(b"\n")
        if tell is not None and download.rows is None:
            tell(lines, 0)
        elif tell is not None and download.rows is not None:
            tell(download.rows * done // max(download.length or done, 1), download.rows)
    return download.rows if download.rows is not None else max(lines - header, 0)


def save(download: Download, output: str, *, header: bool, tell: Callable[[int, int], None] | None = None) -> int:
    """Write beside the file, then give it its name; return the number of rows. What breaks off leaves nothing."""
    import os
    import tempfile
    from pathlib import Path

    from hub.domain.errors import Invalid

    target = Path(output)
    unfinished: Path | None = None
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        unfinished = Path(name)
        with os.fdopen(descriptor, "wb") as out:
            rows = pour(download, out, header=header, tell=tell)
            out.flush()
            os.fsync(out.fileno())
        unfinished.chmod(0o644)
        unfinished.replace(target)
    except OSError as error:
        raise Invalid(
            _(
                "{file} cannot be written: {why}. Nothing was kept: make room, or choose another place with --output.",
                file=output,
                why=error.strerror,
            ),
            field="output",
        ) from error
    finally:
        if unfinished is not None:
            unfinished.unlink(missing_ok=True)
    return rows
