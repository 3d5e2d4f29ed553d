"""The French catalogue is complete: every message is gathered, translated, sure, and keeps its `{values}`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from string import Formatter

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from tests.house.tree import ROOT

KEYWORDS = {"_": None, "N_": None, "ngettext": (1, 2)}

Words = str | tuple[str, ...]


@pytest.fixture(scope="module")
def catalogue() -> Catalog:
    """The French words."""
    with (ROOT / "hub/locale/fr/LC_MESSAGES/relais.po").open("rb") as file:
        return read_po(file, locale="fr")


@pytest.fixture(scope="module")
def messages() -> dict[Words, str]:
    """Every message in code and templates, with one place where it is said."""
    ways = [("**.py", "python"), ("web/templates/**.html", "jinja2")]
    return {
        tuple(words) if isinstance(words, list | tuple) else words: f"{folder}/{file}:{line}"
        for folder in ("hub", "schedules")
        for file, line, words, _comments, _context in extract_from_dir(
            ROOT / folder, method_map=ways, keywords=KEYWORDS
        )
    }


def _forms(words: object) -> list[str]:
    """Singular, and plural where there is one."""
    if isinstance(words, str):
        return [words]
    return [str(one) for one in words] if isinstance(words, list | tuple) else []


def _first(words: object) -> str:
    return _forms(words)[0]


def _fields(text: str) -> set[str]:
    return {name for _text, name, _spec, _kind in Formatter().parse(text) if name}


def _translated(catalogue: Catalog) -> Iterator[tuple[Message, str]]:
    for message in catalogue:
        if message.id:
            yield from ((message, text) for text in _forms(message.string) if text)


def test_every_message_is_in_the_catalogue(catalogue: Catalog, messages: dict[Words, str]) -> None:
    missing = [f"{place}: {_first(words)}" for words, place in messages.items() if catalogue.get(_first(words)) is None]

    assert missing == [], "make catalogues gathers them"


def test_every_message_is_translated(catalogue: Catalog) -> None:
    assert [message.id for message in catalogue if message.id and not all(_forms(message.string) or [""])] == []


def test_no_translation_is_a_guess(catalogue: Catalog) -> None:
    assert [message.id for message in catalogue if message.id and message.fuzzy] == []


def test_french_signs_keep_to_their_words(catalogue: Catalog) -> None:
    loose = re.compile(r" (?:[:;!»]|\?(?!\w))|« ")

    assert [text for _message, text in _translated(catalogue) if loose.search(text)] == [], "U+00A0 holds them"


def test_no_translation_outlived_its_message(catalogue: Catalog, messages: dict[Words, str]) -> None:
    living = {_first(words) for words in messages}

    assert [message.id for message in catalogue if message.id and _first(message.id) not in living] == []
    assert list(catalogue.obsolete) == []


def test_translations_use_the_values_that_they_are_given(catalogue: Catalog) -> None:
    strange = []
    for message, text in _translated(catalogue):
        given = {field for form in _forms(message.id) for field in _fields(form)}
        if not _fields(text) <= given | {"count"}:
            strange.append((message.id, text))

    assert strange == []


def test_the_catalogue_has_no_line_numbers() -> None:
    text = (ROOT / "hub/locale/fr/LC_MESSAGES/relais.po").read_text(encoding="utf-8")

    assert re.findall(r"^#: .*", text, re.MULTILINE) == []
