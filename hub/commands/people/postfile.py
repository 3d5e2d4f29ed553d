"""Posts as people type them on the command line: a TOML file or options, read, checked for names, kept when refused."""

from __future__ import annotations

import json
import tomllib
from datetime import date, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from hub.domain.errors import FieldProblem, Invalid
from hub.language import _

FIELDS: Final = (
    "kind",
    "text",
    "variants",
    "link",
    "pictures",
    "event",
    "when",
    "zone",
    "fold",
    "useless_after",
    "audience",
    "accounts",
    "accepts_unlimited",
)
"""The names of a post file: those that the API takes for a post."""

PICTURE_FIELDS: Final = ("path", "id", "alt")

WAYS: Final = ("%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%d/%m/%Y %H:%M", "%d/%m/%Y %Hh%M")
"""How a date and time may be written."""

LARGEST_FILE: Final = 4 * 1024 * 1024


def read_file(name: str) -> dict[str, Any]:
    """The post in a TOML file, or on standard input for `-`; paths of pictures are meant from the file's folder."""
    data = _bytes(name)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Invalid(_("{file} is not written in UTF-8. Save it as UTF-8, then try again.", file=name)) from error
    try:
        typed = tomllib.loads(text.replace("\r\n", "\n"))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise Invalid(_("{file} is not valid TOML: {why}.", file=name, why=error)) from error
    require_known(typed)
    folder = Path() if name == "-" else Path(name).parent
    for picture in typed.get("pictures", []):
        if "path" in picture:
            picture["path"] = str(folder / str(picture["path"]))
    plain: dict[str, Any] = _plain(typed)
    for name in ("when", "useless_after"):
        given = plain.get(name)
        if isinstance(given, str):
            try:
                plain[name] = wall_time(given, field=name)
            except Invalid:
                if _is_day(given):
                    raise
                # What else is no date is told by the API, with all other problems.
    return plain


def _is_day(text: str) -> bool:
    """Whether a date stands there without a time, which would be taken for midnight."""
    try:
        date.fromisoformat(text.strip())
    except ValueError:
        return False
    return True


def _bytes(name: str) -> bytes:
    import sys

    try:
        if name == "-":
            return sys.stdin.buffer.read(LARGEST_FILE)
        with Path(name).open("rb") as file:
            return file.read(LARGEST_FILE)
    except OSError as error:
        raise Invalid(_("{file} cannot be read: {why}.", file=name, why=error.strerror)) from error


def require_known(typed: dict[str, Any]) -> None:
    """Raise Invalid for every name that no post has, with the nearest one that it has."""
    problems = [_unknown(name, name, FIELDS) for name in typed if name not in FIELDS]
    pictures = typed.get("pictures", [])
    if not isinstance(pictures, list) or not all(isinstance(picture, dict) for picture in pictures):
        problems.append(FieldProblem("pictures", _('Write pictures as [[pictures]] with path = "…" and alt = "…".')))
        pictures = []
    for number, picture in enumerate(pictures):
        problems += [
            _unknown(f"pictures.{number}.{name}", name, PICTURE_FIELDS)
            for name in picture
            if name not in PICTURE_FIELDS
        ]
    if problems:
        raise Invalid(problems)


def _unknown(place: str, name: str, known: tuple[str, ...]) -> FieldProblem:
    near = get_close_matches(name, known, n=1, cutoff=0.5)
    hint = _("Did you mean {name}?", name=near[0]) if near else _("Possible names: {names}.", names=", ".join(known))
    return FieldProblem(place, _("A post has no “{name}”.", name=name) + " " + hint)


def _plain(value: Any) -> Any:
    """TOML's own dates as text, the rest as it is."""
    match value:
        case dict():
            return {name: _plain(one) for name, one in value.items()}
        case list():
            return [_plain(one) for one in value]
        case datetime() | date():
            return value.isoformat()
        case _:
            return value


def wall_time(text: str, *, field: str) -> str:
    """A date and time as typed, in the form that the API takes."""
    for way in WAYS:
        try:
            return datetime.strptime(text.strip(), way).isoformat(timespec="minutes")  # noqa: DTZ007 - wall time is meant
        except ValueError:
            continue
    raise Invalid(
        _("“{text}” is not a date and time. Write it like 2026-12-01 18:00 or 01/12/2026 18:00.", text=text),
        field=field,
    )


def split(text: str, *, option: str, example: str) -> tuple[str, str]:
    """The two sides of NAME=VALUE."""
    name, sign, value = text.partition("=")
    if not sign or not name.strip():
        raise Invalid(_("{option} is written like {example}.", option=option, example=example), field=option)
    return name.strip(), value


def save(typed: dict[str, Any]) -> Path | None:
    """Keep what was typed in a post file in this folder, so that nothing is lost; None when that fails too."""
    name = f"relais-brouillon-{datetime.now():%Y%m%d-%H%M%S}"  # noqa: DTZ005 - the clock on the reader's wall
    for number in range(1, 100):
        file = Path(f"{name}{'' if number == 1 else f'-{number}'}.toml")
        try:
            with file.open("x", encoding="utf-8", newline="\n") as out:
                out.write(written(typed))
        except FileExistsError:
            continue
        except OSError:
            return None
        return file
    return None


def written(typed: dict[str, Any]) -> str:
    """A post as TOML."""
    lines = [f"{name} = {_value(value)}" for name, value in typed.items() if value is not None]
    return "\n".join(lines) + "\n"


def _value(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case list() | tuple():
            return "[" + ", ".join(_value(one) for one in value) + "]"
        case dict():
            inside = ", ".join(f"{_text(str(name))} = {_value(one)}" for name, one in value.items() if one is not None)
            return "{ " + inside + " }"
        case _:
            return _text(str(value))


def _text(text: str) -> str:
    """A TOML string: JSON's form, but for one sign, and halves of characters that no file can hold."""
    whole = text.encode("utf-8", "replace").decode()
    return json.dumps(whole, ensure_ascii=False).replace("\x7f", "\\u007f")
