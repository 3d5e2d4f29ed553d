"""The page on personal data tells the truth: every table, every column about somebody, and no log of who reads."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules

import pytest

from hub import domain
from hub.domain.table import metadata
from tests.house.tree import read

ABOUT = frozenset({
    "person", "author", "who", "name", "mail", "email", "phone", "password", "device", "address", "agent", "cookie",
    "by", "hash", "birth", "lat", "lon", "ip",
})  # fmt: skip
"""Words in the names of columns about somebody; where one of them is of nobody, the column is named below."""

OF_NOBODY = {
    "commune.name", "commune.name_key", "commune.lat", "commune.lon", "territory.name", "metric.name",
    "place_type.name",
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def every_table() -> None:
    """All tables are known, whichever test ran before."""
    for room in iter_modules(domain.__path__):
        import_module(f"hub.domain.{room.name}")


def sections() -> dict[str, str]:
    """Heading → what stands below it."""
    parts = re.split(r"^## (.+)$", read("docs/privacy.md"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def rows(section: str) -> Iterator[list[str]]:
    """The cells of each line of the tables of a section."""
    for line in sections()[section].splitlines():
        if line.startswith("| `"):
            yield [cell.strip() for cell in line.strip("| ").split(" | ")]


def words(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def told() -> dict[str, list[str]]:
    """Table about somebody → its columns, as the page has them."""
    return {
        words(cells[0])[0]: words(cells[1])
        for section in ("Of those who work here", "In what is written and published")
        for cells in rows(section)
    }


def of_nobody() -> list[str]:
    return [name for cells in rows("Of nobody") for name in words(cells[0])]


def test_every_table_is_told_once_and_no_other() -> None:
    named = [*told(), *of_nobody()]

    assert sorted(named) == sorted(metadata.tables)


def test_every_column_of_a_table_about_somebody_is_told() -> None:
    assert told() == {name: [one.name for one in metadata.tables[name].columns] for name in told()}


def test_each_has_a_purpose_and_a_duration() -> None:
    lines = [*rows("Of those who work here"), *rows("In what is written and published")]

    assert [cells[0] for cells in lines if len(cells) != 4 or min(map(len, cells[2:])) < 10] == []


def test_what_is_told_to_be_of_nobody_has_no_column_about_somebody() -> None:
    suspects = {
        f"{name}.{one.name}"
        for name in of_nobody()
        for one in metadata.tables[name].columns
        if ABOUT & set(one.name.split("_"))
        or any(key.column.table.name in {"person", "sign_in"} for key in one.foreign_keys)
    }

    assert suspects - OF_NOBODY == set()


def test_no_table_about_readers_can_tell_two_of_them_apart() -> None:
    counts = {name: {one.name for one in metadata.tables[name].columns} for name in ("visit", "area_visit")}

    assert counts == {
        "visit": {"delivery_id", "day", "territory_code", "unit", "count"},
        "area_visit": {"day", "territory_code", "page", "count"},
    }


def test_neither_our_server_nor_the_proxy_writes_down_who_asked() -> None:
    proxy = re.sub(r"#.*", "", read("docs/running/nginx.conf"))

    assert "access_log=False" in read("hub/commands/operator/serve.py")
    assert re.findall(r"\baccess_log\s+([^;]+);", proxy) == ["off"]
    # Every weaker level names the address and the request of whom it is about.
    assert [told.split()[-1] for told in re.findall(r"\berror_log\s+([^;]+);", proxy)] == ["emerg"]
    assert "log_format" not in proxy
