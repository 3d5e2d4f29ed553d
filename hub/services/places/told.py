"""What a file tells of one place, in our words, before any of it is checked or matched to our communes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

_UNKEPT: Final = re.compile("[\x00\ud800-\udfff]")

Row = Mapping[str, Any]
"""One row of a file, by normalised name of column."""


class Unfit(Exception):
    """A row that cannot be taken; it says why and what to do."""


@dataclass(frozen=True)
class Told:
    """One place, as its source writes it: codes, points and days are still text."""

    source_id: str
    type_code: str
    name: str
    address: str = ""
    postcode: str = ""
    insee: str = ""
    town: str = ""
    lat: str = ""
    lon: str = ""
    phone: str = ""
    mail: str = ""
    website: str = ""
    description: str = ""
    hours: list[dict[str, Any]] = field(default_factory=list)
    accessibility: str = ""
    siret: str = ""
    uai: str = ""
    dated_on: str = ""
    sectors: tuple[str, ...] | None = None
    """INSEE codes of the communes that it is competent for; None: the source does not speak of them."""
    open_days: str | None = None
    """Open days in one string; None: the source does not speak of them."""


def text(row: Row, *names: str) -> str:
    """What stands in the first of these columns that says something, without the blanks around it."""
    for name in names:
        value = row.get(name)
        if value is not None and not isinstance(value, dict | list) and (told := plain(value)):
            return told
    return ""


def plain(value: object) -> str:
    """Words with one blank between them, and nothing in them that no database keeps."""
    return " ".join(_UNKEPT.sub("", str(value)).split())


def texts(row: Row, *names: str, between: str = ", ") -> str:
    """What stands in several columns, one behind the other."""
    return between.join(told for name in names if (told := text(row, name)))
