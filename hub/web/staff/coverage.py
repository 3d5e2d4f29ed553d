"""The coverage board: a map and a table of what each territory said last and says next, and one territory from near."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from sqlmodel import Session

from hub.domain.account import NETWORK_NAMES
from hub.domain.clock import local_day, place_of
from hub.domain.delivery import STATE_NAMES
from hub.domain.policy import Policies
from hub.domain.territory import search_key
from hub.language import N_, _, ngettext
from hub.services import agreeing, covering, geotargeting
from hub.services.covering import Board, Covered, Health, Near, Standing
from hub.services.tending import HEALTH_NAMES
from hub.web import drawing, nearby
from hub.web.deps import Now, ReadDb
from hub.web.drawing import Look
from hub.web.pages import page
from hub.web.visits import Inside, Visit

router = APIRouter()

STANDING_NAMES: Final = {
    Standing.TROUBLE: N_("account in trouble"),
    Standing.SILENT: N_("silent"),
    Standing.FINE: N_("heard lately"),
}
STANDING_TONES: Final = {Standing.TROUBLE: "bad", Standing.SILENT: "warn", Standing.FINE: "ok"}
HEALTH_TONES: Final = {
    Health.TROUBLE: "bad",
    Health.CARE: "warn",
    Health.UNCHECKED: "quiet",
    Health.GOOD: "ok",
    Health.NONE: "quiet",
}

ORDERS: Final[Mapping[str, str]] = {
    "urgence": N_("most urgent first"),
    "nom": N_("by name"),
    "silence": N_("longest silence first"),
    "derniere": N_("newest post first"),
    "prochaine": N_("next post first"),
    "semaine": N_("most posts this week first"),
    "validation": N_("most to approve first"),
}
"""How the table may be ordered: word of the address → what is said."""

_LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NEVER: Final = datetime(9999, 1, 1, tzinfo=UTC)


@router.get("/couverture")
def show(request: Request, visit: Inside, session: ReadDb, now: Now, tri: str = "urgence", voir: str = "") -> Response:
    """The board; who has one territory only sees it from near at once."""
    policies = agreeing.policies(session)
    board = covering.board(session, by=visit.actor, at=now, policies=policies)
    if len(board.territories) == 1:
        only = board.territories[0].code
        near = covering.territory(session, only, by=visit.actor, at=now, policies=policies)
        return _near_page(request, session, visit, near, now, policies, alone=True)
    order, kept = tri if tri in ORDERS else "urgence", voir if voir in CHOICES else ""
    return page(
        request,
        "coverage/board.html",
        board=board,
        lines=ordered([line for line in board.territories if CHOICES[kept](line)], order),
        counts={name: sum(map(fits, board.territories)) for name, fits in CHOICES.items()},
        standings={one: sum(line.standing is one for line in board.territories) for one in Standing},
        order=order,
        orders=ORDERS,
        kept=kept,
        silence_days=policies.silence_days,
        **_map(session, board),
        **_words(),
    )


@router.get("/couverture/{code}")
def show_one(code: str, request: Request, visit: Inside, session: ReadDb, now: Now) -> Response:
    """One territory: its posts to come, its last ones, its accounts, what reaches it from above, and its reach."""
    policies = agreeing.policies(session)
    near = covering.territory(session, code, by=visit.actor, at=now, policies=policies)
    return _near_page(request, session, visit, near, now, policies, alone=False)


def _near_page(
    request: Request, session: Session, visit: Visit, near: Near, now: datetime, policies: Policies, *, alone: bool
) -> Response:
    today = local_day(now, near.line.zone)
    return page(
        request,
        "coverage/territory.html",
        near=near,
        line=near.line,
        place_of=place_of,
        accounts=[(one, covering.health_of(one, at=now, policies=policies)) for one in near.line.accounts],
        alone=alone,
        silence_days=policies.silence_days,
        **nearby.of_territory(session, near.line.code, by=visit.actor, today=today),
        **_words(),
    )


def _words() -> dict[str, Any]:
    """What templates call things."""
    return {
        "standing_names": STANDING_NAMES,
        "standing_tones": STANDING_TONES,
        "health_names": {**HEALTH_NAMES, Health.NONE: N_("no account of its own")},
        "health_tones": HEALTH_TONES,
        "networks": NETWORK_NAMES,
        "delivery_states": STATE_NAMES,
        "silence": silence_words,
    }


def silence_words(line: Covered) -> str:
    """How long a territory has said nothing of its own."""
    if line.silence is None:
        return _("never heard")
    if line.silence == 0:
        return _("today")
    return ngettext("{count} day", "{count} days", line.silence)


CHOICES: Final[Mapping[str, Callable[[Covered], bool]]] = {
    "": lambda line: True,
    "silence": lambda line: line.silent,
    "rien": lambda line: line.next is None,
    "comptes": lambda line: line.health in {Health.TROUBLE, Health.CARE},
    "validation": lambda line: line.to_approve > 0,
}
"""Which lines of the table are wanted: word of the address → whether a line is one of them."""


def ordered(lines: Sequence[Covered], order: str) -> list[Covered]:
    """The lines in some order; those that are alike by name."""
    by_name = sorted(lines, key=lambda line: search_key(line.name))
    longest = max((line.silence or 0 for line in lines), default=0) + 1

    def quiet(line: Covered) -> int:
        return longest if line.silence is None else line.silence

    keys: dict[str, Callable[[Covered], Any]] = {
        "urgence": lambda line: (list(Standing).index(line.standing), -quiet(line)),
        "nom": lambda line: 0,
        "silence": lambda line: -quiet(line),
        "derniere": lambda line: -(line.last.at if line.last else _LONG_AGO).timestamp(),
        "prochaine": lambda line: line.next.at if line.next else _NEVER,
        "semaine": lambda line: -(line.published + line.planned),
        "validation": lambda line: -line.to_approve,
    }
    return sorted(by_name, key=keys[order])


# --- The map --------------------------------------------------------------------------------------------


def _map(session: Session, board: Board) -> dict[str, Any]:
    """The map, and the territories that are not on it."""
    drawn = drawing.country(geotargeting.atlas(session), {line.code: _look(line) for line in board.territories})
    return {"country": drawn, "overseas": [line for line in board.territories if line.code not in drawn.drawn]}


def _look(line: Covered) -> Look:
    standing = line.standing
    words = f"{_(STANDING_NAMES[standing])}, {silence_words(line)}"
    if standing is Standing.FINE:
        return Look(f"/equipe/couverture/{line.code}", standing.value, line.name + _(": ") + words)
    mark = "!" if standing is Standing.TROUBLE else "?" if line.silence is None else str(line.silence)
    return Look(f"/equipe/couverture/{line.code}", standing.value, line.name + _(": ") + words, standing.value, mark)
