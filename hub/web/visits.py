"""Who is at the page: a session that holds, or an answer that leads to the entrance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from hub.database import reading, writing
from hub.domain.errors import NotSignedIn
from hub.domain.person import Actor, RoleKind
from hub.language import _
from hub.services import delivering, visiting
from hub.services.visiting import Owed
from hub.web.deps import Now, TheHub
from hub.web.security import SESSION, read_cookie


class SecondFactorOwed(NotSignedIn):
    """The password was right; a second factor is still to be shown, or to be set up."""

    def __init__(self, owed: Owed) -> None:
        self.owed = owed
        super().__init__(_("Show your second factor first."))


@dataclass(frozen=True)
class Visit:
    """Somebody signed in, at one page."""

    actor: Actor
    sign_in_id: int
    owed: Owed

    def is_any(self, *kinds: str) -> bool:
        """Whether they hold one of these roles anywhere; for what the menu shows, not for what they may do."""
        return bool(self.actor.territories({RoleKind(kind) for kind in kinds}))

    @property
    def is_national(self) -> bool:
        """Whether one of their roles is for the whole country."""
        return "FR" in self.actor.territories()


def at_the_door(request: Request, hub: TheHub, now: Now) -> Visit:
    """Who showed their password; what else they owe is not asked here."""
    plain = read_cookie(request, hub, SESSION)
    if not plain:
        raise NotSignedIn(_("Please sign in."))
    with reading(hub.engine) as session:
        entered = visiting.entered(session, plain, at=now)
        request.state.hold = delivering.open_hold(session)
    if entered.stale:
        with writing(hub.engine) as session:
            visiting.note_use(session, entered.sign_in_id, at=now)
    visit = Visit(entered.actor, entered.sign_in_id, entered.owed)
    request.state.visit = visit
    return visit


AtTheDoor = Annotated[Visit, Depends(at_the_door)]


async def inside(visit: AtTheDoor) -> Visit:
    """Who showed all that is asked for."""
    if visit.owed is not Owed.NOTHING:
        raise SecondFactorOwed(visit.owed)
    return visit


Inside = Annotated[Visit, Depends(inside)]
