"""Open days that sources tell of places: made a post of, or not."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from hub.domain.place import ProposalState
from hub.language import _
from hub.services import geotargeting, proposing
from hub.web.deps import Id, Now, ReadDb, WriteDb
from hub.web.forms import TypedForm, filled
from hub.web.pages import go, page, query
from hub.web.visits import Inside

router = APIRouter()

HERE = "/equipe/structures/portes-ouvertes"


@router.get("/structures/portes-ouvertes")
def open_days(
    request: Request,
    visit: Inside,
    session: ReadDb,
    now: Now,
    state: Annotated[str, Query(alias="etat", max_length=20)] = "",
    number: Annotated[int, Query(alias="page", ge=1, le=10_000)] = 1,
) -> Response:
    """The open days of one's own places: those that wait, or those about which somebody has decided."""
    shown = ProposalState(state) if state in {ProposalState.TAKEN, ProposalState.DISMISSED} else None
    start = (number - 1) * proposing.PAGE
    found = proposing.list_proposals(
        session, by=visit.actor, at=now, state=shown, limit=proposing.PAGE + 1, offset=start
    )
    following = number + 1 if len(found) > proposing.PAGE else None
    return page(
        request,
        "places/open_days.html",
        found=found[: proposing.PAGE],
        waiting=proposing.count_waiting(session, by=visit.actor, at=now),
        form=filled({"etat": state}),
        states=[
            ("", _("to decide")),
            (ProposalState.TAKEN.value, _("made a post of")),
            (ProposalState.DISMISSED.value, _("dismissed")),
        ],
        shown=shown,
        land=geotargeting.atlas(session, [one.place.territory_code for one in found]),
        why_unread=proposing.why_unread,
        writes=visit.is_any("animator", "coordinator"),
        older=f"{HERE}{query(etat=state, page=following)}" if following else None,
    )


@router.post("/structures/portes-ouvertes/{proposal_id}")
def decide(proposal_id: Id, request: Request, visit: Inside, session: WriteDb, now: Now, form: TypedForm) -> Response:
    """Make nothing of it, or let it wait again."""
    back = form["wish"] == "recall"
    change = proposing.recall if back else proposing.dismiss
    change(session, proposal_id, by=visit.actor, at=now)
    return go(request, HERE, _("It waits again.") if back else _("Dismissed. Nothing is made of it."))
