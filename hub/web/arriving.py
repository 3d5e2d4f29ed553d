"""People on their way in: where they wanted to go, and the form that they had sent when their session ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from hub.domain.errors import HubError, NotSignedIn
from hub.language import _
from hub.services.visiting import Owed
from hub.web.forms import Form, read_form
from hub.web.pages import local, page
from hub.web.security import SAFE, from_own_page
from hub.web.visits import SecondFactorOwed

ENTRANCE: Final = "/equipe/connexion"
PREFIX: Final = "garde:"
"""Before the name of every field that is carried through the entrance."""

ACTION: Final = "garde-vers"
"""Where the carried form wanted to go."""


@dataclass(frozen=True)
class Carried:
    """A form that somebody sent after their session had ended; sent on by themselves once they are in."""

    to: str = ""
    pairs: tuple[tuple[str, str], ...] = ()
    files: bool = False
    """Pictures cannot be carried: they are chosen again."""

    def __bool__(self) -> bool:
        return bool(self.to and self.pairs)

    @property
    def fields(self) -> list[tuple[str, str]]:
        """As hidden fields of the forms on the way in."""
        return [(ACTION, self.to), *((PREFIX + name, value) for name, value in self.pairs)] if self else []


def carried_in(form: Form) -> Carried:
    """What a form on the way in carries."""
    to = local(form[ACTION], "")
    return Carried(to, tuple((key.removeprefix(PREFIX), value) for key, value in form.pairs if key.startswith(PREFIX)))


def entrance_page(
    request: Request,
    *,
    form: Form | None = None,
    carried: Carried | None = None,
    after: str = "",
    status: int = 200,
    said: str | None = None,
) -> Response:
    """The sign-in page."""
    given: dict[str, Any] = {} if said is None else {"said": said}
    return page(
        request,
        "entrance/sign_in.html",
        status=status,
        form=form or Form(),
        carried=carried or Carried(),
        after=local(after, ""),
        **given,
    )


async def entrance_answer(request: Request, error: NotSignedIn) -> Response:
    """Where somebody is led who is not signed in, or not wholly."""
    if isinstance(error, SecondFactorOwed):
        return RedirectResponse(_owed_page(error.owed, request), 303)
    if request.method in SAFE:
        wanted = local(request.url.path + (f"?{request.url.query}" if request.url.query else ""), "")
        after = f"?suite={quote(wanted, safe='')}" if wanted not in ("", "/equipe") else ""
        return RedirectResponse(ENTRANCE + after, 303)
    carried = await _carried(request)
    said = str(error)
    if carried:
        said = _("Your session has ended. Sign in: what you typed is kept, and you go on where you were.")
    return entrance_page(request, carried=carried, after=request.url.path, status=401, said=said)


async def _carried(request: Request) -> Carried:
    if not from_own_page(request, request.app.state.hub):
        return Carried()
    try:
        form = await read_form(request)
    except HubError:
        return Carried()
    return Carried(local(request.url.path, ""), tuple(form.keepable()), bool(form.files))


def _owed_page(owed: Owed, request: Request) -> str:
    after = f"?suite={quote(local(request.url.path), safe='')}"
    return ("/equipe/connexion/code" if owed is Owed.CODE else "/equipe/moi/second-facteur") + after
