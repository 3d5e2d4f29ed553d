"""Errors as answers: the one table from kind of error to status, in the shape of RFC 9457."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DBAPIError, IntegrityError, InternalError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm.exc import StaleDataError
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.types import Scope

from hub.database import DatabaseTrouble, explained
from hub.domain.errors import Busy, FieldProblem, HubError, Invalid, NotAllowed, NotFound, NotSignedIn, WrongState
from hub.language import N_, _
from hub.logs import line
from hub.printing import CannotPrint
from hub.web.arriving import entrance_answer
from hub.web.pages import page

log = logging.getLogger("relais.web")

STATUSES: Final[Mapping[type[HubError], int]] = {
    NotFound: 404,
    NotSignedIn: 401,
    NotAllowed: 403,
    WrongState: 409,
    Busy: 429,
    Invalid: 422,
    DatabaseTrouble: 503,
    CannotPrint: 503,
}
"""Status by kind of error, the narrower kind first; any other one is 500."""

TITLES: Final[Mapping[int, str]] = {
    400: N_("The request cannot be read"),
    401: N_("Please sign in"),
    403: N_("Not allowed"),
    404: N_("Not found"),
    405: N_("This address does not do that"),
    409: N_("Not possible now"),
    410: N_("Gone"),
    413: N_("Too large"),
    422: N_("Something typed cannot be taken"),
    429: N_("Too many requests"),
    500: N_("Relais met a problem it did not expect"),
    503: N_("Not available now"),
}

METHODS: Final = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")

SENTENCES: Final[Mapping[str, str]] = {
    "missing": N_("This is missing."),
    "extra_forbidden": N_("There is no such field. Check its name."),
    "string_too_short": N_("Write at least {min_length} character(s)."),
    "string_too_long": N_("Write at most {max_length} characters."),
    "string_type": N_("This must be text."),
    "string_unicode": N_("The text holds characters that no network can show. Type it anew."),
    "string_pattern_mismatch": N_("This does not have the expected form."),
    "enum": N_("Choose one of: {expected}."),
    "literal_error": N_("Choose one of: {expected}."),
    "int_parsing": N_("This must be a whole number."),
    "int_type": N_("This must be a whole number."),
    "int_from_float": N_("This must be a whole number."),
    "int_parsing_size": N_("This number is too large."),
    "greater_than_equal": N_("This must be at least {ge}."),
    "less_than_equal": N_("This must be at most {le}."),
    "bool_parsing": N_("Say true or false."),
    "bool_type": N_("Say true or false."),
    "list_type": N_("This must be a list."),
    "dict_type": N_("This must be a table of names and values."),
    "model_attributes_type": N_("This must be a table of names and values."),
    "too_long": N_("At most {max_length} are taken here."),
    "too_short": N_("At least {min_length} is needed here."),
    "datetime_type": N_("Write a date and time, such as 2026-12-01T18:00."),
    "datetime_parsing": N_("Write a date and time, such as 2026-12-01T18:00."),
    "datetime_from_date_parsing": N_("Write a date and time, such as 2026-12-01T18:00."),
    "datetime_object_invalid": N_("Write a date and time, such as 2026-12-01T18:00."),
    "date_type": N_("Write a date, such as 2026-12-01."),
    "date_parsing": N_("Write a date, such as 2026-12-01."),
    "date_from_datetime_parsing": N_("Write a date, such as 2026-12-01."),
    "date_from_datetime_inexact": N_("Write a date, such as 2026-12-01."),
    "url_parsing": N_("This is not a web address. It should look like https://example.org/page."),
    "url_scheme": N_("This is not a web address. It should look like https://example.org/page."),
    "json_invalid": N_("The request is not valid JSON."),
}
"""What checks of typed data say, by pydantic's name for it; without one, pydantic's own words are shown."""


_LINE = {"type": "object", "properties": {"field": {"type": "string"}, "message": {"type": "string"}}}

_PROBLEM: Final[dict[str, Any]] = {
    "content": {
        "application/problem+json": {
            "schema": {
                "title": "Problem",
                "description": "What went wrong, in the reader's language (RFC 9457), with every field at once.",
                "type": "object",
                "required": ["type", "title", "status", "detail", "problems"],
                "properties": {
                    "type": {"type": "string"},
                    "title": {"type": "string"},
                    "status": {"type": "integer"},
                    "detail": {"type": "string"},
                    "problems": {"type": "array", "items": _LINE},
                },
            }
        }
    },
}


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """How the API's own document tells of errors: for the `responses` of a router."""
    return {status: _PROBLEM | {"description": TITLES[status] + "."} for status in statuses}


def problem(
    status: int, detail: str, problems: Sequence[FieldProblem] = (), *, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """One problem document."""
    body = {
        "type": "about:blank",
        "title": _(TITLES[status]) if status in TITLES else str(status),
        "status": status,
        "detail": detail,
        "problems": [{"field": one.field, "message": one.message} for one in problems],
    }
    return JSONResponse(body, status, headers=headers, media_type="application/problem+json")


def wants_page(path: str, accepts: str) -> bool:
    """Whether an answer is for a person at a browser: pages are for people, the API is for programs."""
    return not path.startswith("/api/") and not accepts.startswith("application/")


def _answer(
    request: Request,
    status: int,
    detail: str,
    problems: Sequence[FieldProblem] = (),
    *,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """An error as whoever asks can read it."""
    if not wants_page(request.url.path, request.headers.get("accept", "")):
        return problem(status, detail, problems, headers=headers)
    title = _(TITLES[status]) if status in TITLES else str(status)
    return page(request, "error.html", status=status, headers=headers, title=title, detail=detail, code=status)


def sorry(scope: Scope, status: int, detail: str, *, headers: Mapping[str, str] | None = None) -> Response:
    """The same for an error outside of any route."""
    return _answer(Request(scope), status, detail, headers=headers)


def install(app: FastAPI) -> None:
    """Have every error of the application answered: as a page to people, as a problem document to programs."""
    app.add_exception_handler(NotSignedIn, _of_stranger)
    app.add_exception_handler(HubError, _of_hub)
    app.add_exception_handler(RequestValidationError, _of_typing)
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(OperationalError, _of_database)
    app.add_exception_handler(InternalError, _of_database)  # a server that can only be read, a transaction it ended
    app.add_exception_handler(ProgrammingError, _of_database)  # another version's tables, or rights that were taken
    app.add_exception_handler(IntegrityError, _of_database)
    app.add_exception_handler(StaleDataError, _of_meeting)
    app.add_exception_handler(PoolTimeout, _of_database)


async def _of_stranger(request: Request, error: Exception) -> Response:
    """Lead people to the entrance; a form that they sent meanwhile goes with them, so that nothing typed is lost."""
    assert isinstance(error, NotSignedIn)
    if not wants_page(request.url.path, request.headers.get("accept", "")):
        return _of_hub(request, error)
    return await entrance_answer(request, error)


def _of_hub(request: Request, error: Exception) -> Response:
    assert isinstance(error, HubError)
    status = next((status for kind, status in STATUSES.items() if isinstance(error, kind)), 500)
    problems = error.problems if isinstance(error, Invalid) else ()
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    return _answer(request, status, str(error), problems, headers=headers)


def _of_typing(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    if all(one["loc"][:1] == ("path",) for one in error.errors()) and not request.url.path.startswith("/api/"):
        return _answer(request, 404, _("There is nothing at this address."))
    problems = list(dict.fromkeys(field_problem(one) for one in error.errors()))
    return _answer(request, 422, " ".join(dict.fromkeys(one.message for one in problems)), problems)


def field_problem(told: Mapping[str, Any]) -> FieldProblem:
    """One thing that a check of typed data found, in the reader's language."""
    place = [str(part) for part in told["loc"]]
    if place and place[0] in {"body", "query", "path", "header", "cookie"}:
        place = place[1:]
    kind = told["type"]
    if kind == "json_invalid":
        place = []
    return FieldProblem(".".join(place), _words(kind, str(told["msg"]), told.get("ctx") or {}))


def _words(kind: str, said: str, context: Mapping[str, Any]) -> str:
    if said.startswith("value is not a valid email address"):
        return _("This is not an e-mail address. It should look like name@example.org.")
    if kind == "value_error":
        return said.removeprefix("Value error, ")
    sentence = SENTENCES.get(kind)
    return said if sentence is None else _(sentence, **context)


def _of_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    sentences = {
        400: _("The body of the request cannot be read. Send JSON in UTF-8, or a form as its content type says."),
        404: _("There is nothing at this address."),
        405: _("This address does not take {method}.", method=request.method),
        413: _("The request is larger than this address takes."),
    }
    headers = dict(error.headers or {})
    if "Allow" in headers:
        headers["Allow"] = ", ".join(_methods_at(request))
    return _answer(request, error.status_code, sentences.get(error.status_code, str(error.detail)), headers=headers)


def _methods_at(request: Request) -> list[str]:
    """Every method that this address takes: of several routes at one address, the router tells only the first one's."""
    scope = request.scope
    return [
        method
        for method in METHODS
        if any(route.matches({**scope, "method": method})[0] is Match.FULL for route in request.app.router.routes)
    ]


MEETINGS: Final = frozenset({"40001", "40P01", "23505"})
"""What PostgreSQL calls it when two meet at the same rows: one of them goes on, the other one is stopped."""


ANOTHER_DATABASE: Final = frozenset({"42501", "42P01", "42703"})
"""What PostgreSQL says of tables and columns that it does not have, or does not let us see (any more)."""


def _of_meeting(request: Request, error: Exception) -> Response:
    """Somebody else was at the same thing at the very same moment, and came first."""
    log.warning(line(outcome="met-another", error=type(error).__name__))
    sentence = _(
        "Somebody else changed this at the same moment. Nothing of yours was kept: look at it again, then try again."
    )
    return _answer(request, 409, sentence)


def _met(error: Exception) -> bool:
    return _code(error) in MEETINGS or (isinstance(error, IntegrityError) and "UNIQUE" in str(error.orig))


def _is_bug(error: Exception) -> bool:
    """Whether it is a statement of ours that is wrong, about which no person can do anything."""
    return isinstance(error, IntegrityError | ProgrammingError) and _code(error) not in ANOTHER_DATABASE


def _code(error: Exception) -> str | None:
    return getattr(error.orig, "sqlstate", None) if isinstance(error, DBAPIError) else None


def _of_database(request: Request, error: Exception) -> Response:
    """A database that is locked, full or away: nothing was kept, and it is worth trying again."""
    if _met(error):
        return _of_meeting(request, error)
    if _is_bug(error):
        raise error
    try:
        with explained(request.app.state.hub.engine):
            raise error
    except (DatabaseTrouble, PoolTimeout) as trouble:
        # Where the database is and what its driver says is for the log: anybody at all may be asking.
        log.error(line(outcome="database-trouble", why=trouble))  # noqa: TRY400
        sentence = _("The database cannot be used right now. Nothing was kept; try again in a moment.")
        return _answer(request, 503, sentence, headers={"Retry-After": "5"})
