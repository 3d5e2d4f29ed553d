"""Signing in, and who one is."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request, Response, status
from pydantic import StringConstraints

from hub.database import writing
from hub.domain.event import Typed
from hub.domain.person import Actor
from hub.services import joining, proving
from hub.web.api.typed import Answer
from hub.web.deps import BearerToken, Now, SignedIn, TheHub, WriteDb
from hub.web.problems import documented

router = APIRouter(tags=["people"])


class SignIn(Typed):
    """What somebody who signs in types; `name` says what the token is for."""

    email: Annotated[str, StringConstraints(min_length=1, max_length=254)]
    password: Annotated[str, StringConstraints(min_length=1, max_length=1000)]
    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)] = "relais login"
    code: Annotated[str, StringConstraints(strip_whitespace=True, max_length=100)] = ""
    """Of the authenticator, or a recovery code, for whoever has a second factor."""


@router.post("/login", summary="Exchange e-mail and password for a token.", responses=documented(400, 401, 429))
def login(typed: SignIn, request: Request, hub: TheHub, now: Now) -> Answer:
    """The password is checked outside any transaction, since that is slow on purpose."""
    request.app.state.sign_ins.pass_through(request.client.host if request.client else "", now)
    person = joining.sign_in(hub.engine, typed.email, typed.password, at=now)
    proving.require_shown(hub.engine, lambda: hub.vault, typed.code, by=person, at=now)
    with writing(hub.engine) as session:
        token = joining.make_token(session, person.id, typed.name, by=person, at=now)
    return {"token": token, "person": _told(person)}


@router.get("/me", summary="Who holds this token.", responses=documented(401))
def me(person: SignedIn) -> Answer:
    """Name, address, roles."""
    return _told(person)


@router.delete(
    "/tokens/current",
    status_code=status.HTTP_204_NO_CONTENT,
    summary="Revoke the token in use.",
    responses=documented(401),
)
def sign_out(person: SignedIn, token: BearerToken, session: WriteDb, now: Now) -> Response:
    """From now on the token opens nothing."""
    joining.give_up_token(session, token, by=person, at=now)
    return Response(status_code=status.HTTP_204_NO_CONTENT)


def _told(person: Actor) -> Answer:
    return {
        "id": person.id,
        "name": person.name,
        "email": person.email,
        "roles": [{"kind": role.kind.value, "territory": role.territory_code} for role in person.roles],
    }
