"""What a route may ask for: a session to look or to change, the time, and who is signed in."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Path, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlmodel import Session

from hub.database import reading, writing
from hub.domain.errors import NotSignedIn
from hub.domain.person import Actor
from hub.language import _
from hub.services import joining
from hub.wiring import Hub

LARGEST_ID = 2**31 - 1
"""A larger number is no id of ours, and databases would stumble over it."""

bearer = HTTPBearer(auto_error=False, description="A token of `relais login` or `relais user token`.")


# The next two only hand over what is there: asynchronous, so that they need no turn in the pool of threads.


async def get_hub(request: Request) -> Hub:
    """The hub that this application was made for."""
    hub: Hub = request.app.state.hub
    return hub


TheHub = Annotated[Hub, Depends(get_hub)]


def get_now(hub: TheHub) -> datetime:
    """This moment, by the hub's clock."""
    return hub.now()


Now = Annotated[datetime, Depends(get_now)]


def look(hub: TheHub) -> Iterator[Session]:
    """A session that only looks."""
    with reading(hub.engine) as session:
        yield session


def change(hub: TheHub) -> Iterator[Session]:
    """A session whose changes are kept when the route ends well."""
    with writing(hub.engine) as session:
        yield session


# Of function scope: the commit comes before the answer, so that no answer promises what was not kept.
ReadDb = Annotated[Session, Depends(look, scope="function")]
WriteDb = Annotated[Session, Depends(change, scope="function")]


def get_token(given: Annotated[HTTPAuthorizationCredentials | None, Security(bearer)]) -> str:
    """The token that came with the request, or NotSignedIn."""
    if given is None or not given.credentials:
        raise NotSignedIn(_("Please sign in: send a token as “Authorization: Bearer relais_…”."))
    return given.credentials


BearerToken = Annotated[str, Depends(get_token)]


def get_signed_in(token: BearerToken, hub: TheHub, now: Now) -> Actor:
    """Who holds the token, with the roles of this moment."""
    return joining.actor_by_token(hub.engine, token, at=now)


SignedIn = Annotated[Actor, Depends(get_signed_in)]
Id = Annotated[int, Path(ge=1, le=LARGEST_ID)]
