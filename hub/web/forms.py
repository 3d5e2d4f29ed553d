"""What people type into pages: taken as typed, given back as typed, with each problem beside its field."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Annotated, Final

from fastapi import Depends, Request
from starlette.datastructures import FormData, UploadFile

from hub.domain.errors import FieldProblem, HubError, Invalid
from hub.language import _
from hub.web.security import FIELD, MOST_FIELDS, MOST_FILES

LONGEST: Final = 200_000
"""Characters of one field; more is cut nowhere, but refused."""

SECRETS: Final = frozenset(
    {FIELD, "password", "old_password", "again", "code", "token", "secret"}
    | {"consumer_key", "consumer_secret", "access_token", "access_token_secret"}
)
"""Never given back to a page."""


@dataclass(frozen=True)
class Form:
    """The fields of one form: `pairs` as typed, `problems` by field (empty name: the form as a whole)."""

    pairs: tuple[tuple[str, str], ...] = ()
    problems: Mapping[str, Sequence[str]] = field(default_factory=dict)
    files: tuple[tuple[str, UploadFile], ...] = ()

    def __getitem__(self, name: str) -> str:
        """The last value of a field, stripped; empty when absent."""
        return self._last.get(name, "").strip()

    @cached_property
    def _last(self) -> Mapping[str, str]:
        """The last value of each field: a form with a thousand of them is asked for each, once."""
        return dict(self.pairs)

    def raw(self, name: str) -> str:
        """The last value of a field just as typed (passwords, texts)."""
        return self._last.get(name, "")

    def every(self, name: str) -> list[str]:
        """All values of a field that may be given several times, such as checkboxes."""
        return [value.strip() for key, value in self.pairs if key == name]

    def __contains__(self, name: str) -> bool:
        """Whether the field came at all: a ticked checkbox, the button that was pressed."""
        return name in self._last

    def under(self, prefix: str) -> dict[str, str]:
        """Fields whose names begin alike, by the rest of the name."""
        return {key.removeprefix(prefix): value for key, value in self.pairs if key.startswith(prefix)}

    def refused(self, error: HubError, *, names: Mapping[str, str] | None = None) -> Form:
        """The same form with what is wrong; `names` maps the activity's field names to those of the page."""
        told = error.problems if isinstance(error, Invalid) else [FieldProblem("", str(error))]
        problems: dict[str, list[str]] = {key: list(some) for key, some in self.problems.items()}
        for one in told:
            name = (names or {}).get(one.field, one.field)
            if one.message not in problems.setdefault(name, []):
                problems[name].append(one.message)
        return replace(self, problems=problems)

    def with_values(self, **values: str) -> Form:
        """The same form with some fields set anew."""
        kept = tuple((key, value) for key, value in self.pairs if key not in values)
        return replace(self, pairs=(*kept, *values.items()))

    def keepable(self) -> list[tuple[str, str]]:
        """What may be shown again or kept: everything but secrets."""
        return [(key, value) for key, value in self.pairs if key not in SECRETS]


def filled(values: Mapping[str, str] | Iterable[tuple[str, str]]) -> Form:
    """A form as it is first shown, with what is known already."""
    pairs = values.items() if isinstance(values, Mapping) else values
    return Form(tuple((key, value) for key, value in pairs))


def form_of(data: FormData) -> Form:
    """The form in what came; line ends as we keep them; Invalid for what no form of ours sends."""
    pairs: list[tuple[str, str]] = []
    files: list[tuple[str, UploadFile]] = []
    for name, value in data.multi_items():
        if isinstance(value, UploadFile):
            if value.filename:
                files.append((name, value))
        else:
            pairs.append((name, value.replace("\r\n", "\n").replace("\r", "\n")))
    if len(pairs) > MOST_FIELDS or any(len(value) > LONGEST for _name, value in pairs):
        raise Invalid(_("The form holds more than Relais takes. Shorten the text."))
    if any("\x00" in text for pair in pairs for text in pair):
        raise Invalid(_("The text holds characters that no network can show. Type it anew."))
    return Form(tuple(pairs), files=tuple(files))


async def read_form(request: Request) -> Form:
    """The form of this request."""
    return form_of(await request.form(max_files=MOST_FILES, max_fields=MOST_FIELDS))


TypedForm = Annotated[Form, Depends(read_form)]
