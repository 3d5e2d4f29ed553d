"""Which granted page speaks for which territory: what is proposed, what stands in the way, and doing it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlmodel import Session

from hub.domain.account import Account, AccountNetwork, can_keep_account, can_see_account
from hub.domain.errors import FieldProblem, Invalid
from hub.domain.person import ACCOUNT_KEEPERS, Actor
from hub.domain.territory import COUNTRY, Atlas, Level, Node, search_key
from hub.language import N_, _
from hub.secrets import Vault
from hub.services import connecting, geotargeting

LEVEL_NAMES: Final[Mapping[Level, str]] = {
    Level.COUNTRY: N_("country"),
    Level.REGION: N_("région"),
    Level.ACADEMIE: N_("académie"),
    Level.DEPARTEMENT: N_("département"),
}
"""The levels that an account may speak for."""

LIKELIEST: Final = (Level.ACADEMIE, Level.COUNTRY, Level.REGION, Level.DEPARTEMENT)
"""What a name means first, as nearly every page is an académie's."""


@dataclass(frozen=True)
class Grant:
    """A page that may be spoken for: its token, and what the person may do there (None: nobody said)."""

    id: str
    name: str
    token: str = field(repr=False)
    tasks: tuple[str, ...] | None = None

    def told(self) -> dict[str, Any]:
        """As data, token and all: to be encrypted, never shown."""
        return {"id": self.id, "name": self.name, "token": self.token, "tasks": self.tasks}

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> Grant:
        """The same again."""
        tasks = told["tasks"]
        return cls(str(told["id"]), str(told["name"]), str(told["token"]), None if tasks is None else tuple(tasks))

    def can(self, task: str) -> bool:
        """Whether the person may do that there, as far as anybody knows; pages of the new kind prefix their tasks."""
        return self.tasks is None or any(held.endswith(task) for held in self.tasks)


@dataclass(frozen=True)
class Offer:
    """What can be done with one granted page."""

    grant: Grant
    account: Account | None = None
    """The account that it is already; its token would be renewed."""
    territory: str | None = None
    """The territory that its name speaks of."""
    obstacle: str | None = None
    """Why it cannot be linked, and what to do."""
    remark: str | None = None


def grants_of(pages: Sequence[tuple[str, str, str, tuple[str, ...] | None]]) -> list[Grant]:
    """Pages as a network names them, as grants."""
    return [Grant(number, name, token, tasks) for number, name, token, tasks in pages]


# --- Territories by name --------------------------------------------------------------------------------


def territories(session: Session, by: Actor) -> dict[str, str]:
    """What this person may have an account speak for: code → name with its level, the likeliest first."""
    land = geotargeting.atlas(session)
    held = by.territories(ACCOUNT_KEEPERS)
    nodes = [
        node
        for node in land.nodes.values()
        if node.level in LEVEL_NAMES and node.ended_on is None and any(land.within(node.code, one) for one in held)
    ]
    return {node.code: label(node) for node in sorted(nodes, key=_order)}


def label(node: Node) -> str:
    """The name of a territory with its level, since Paris is an académie and a département."""
    return f"{node.name} ({_(LEVEL_NAMES[node.level])})" if node.level in LEVEL_NAMES else node.name


def _order(node: Node) -> tuple[int, str]:
    return LIKELIEST.index(node.level), search_key(node.name)


def territory_named(typed: str, known: Mapping[str, str], land: Atlas) -> str | None:
    """The code of the territory that somebody typed: its label, its code, or its name; the likeliest of namesakes."""
    wanted = search_key(typed)
    for code, shown in known.items():
        if wanted in (search_key(shown), search_key(code)):
            return code
    return next((code for code in known if search_key(land.name(code)) == wanted), None)


def spoken_of(name: str, known: Mapping[str, str], land: Atlas) -> str | None:
    """The territory that a page's name holds as whole words: the longest name, the likeliest of namesakes."""
    words = f" {search_key(name)} "
    found = [code for code in known if code != COUNTRY and f" {search_key(land.name(code))} " in words]
    return max(found, key=lambda code: len(land.name(code)), default=None)


# --- What can be done -----------------------------------------------------------------------------------


def offers(session: Session, grants: Sequence[Grant], *, by: Actor) -> list[Offer]:
    """What can be done with each granted page, those that are here already first."""
    land, known = geotargeting.atlas(session), territories(session, by)
    accounts = connecting.list_accounts(session)
    here = {account.remote_id: account for account in accounts if account.network is AccountNetwork.FACEBOOK}
    taken = {account.territory_code for account in here.values()}
    found = [_offer(grant, here.get(grant.id), by=by, land=land, known=known, taken=taken) for grant in grants]
    return sorted(found, key=lambda offer: (bool(offer.obstacle), offer.account is None, search_key(offer.grant.name)))


def _offer(
    grant: Grant, account: Account | None, *, by: Actor, land: Atlas, known: Mapping[str, str], taken: set[str]
) -> Offer:
    if account is not None and not can_keep_account(by, land, account):
        seen = account if can_see_account(by, land, account) else None
        return Offer(grant, seen, obstacle=_("This page is in Relais already, and others look after it."))
    if not grant.can("CREATE_CONTENT"):
        return Offer(
            grant,
            account,
            obstacle=_(
                "You may not publish on this page. Ask whoever manages it on Facebook to give you the task "
                "“Content”, then connect again."
            ),
        )
    remark = None
    if not grant.can("ANALYZE"):
        remark = _("You may publish there, but not read its figures: reach will be missing.")
    if account is not None:
        return Offer(grant, account, account.territory_code, remark=remark)
    meant = spoken_of(grant.name, known, land)
    return Offer(grant, None, meant if meant not in taken else None, remark=remark)


# --- Doing it -------------------------------------------------------------------------------------------


def link(
    session: Session, vault: Vault, grants: Sequence[Grant], chosen: Mapping[str, str], *, by: Actor, at: datetime
) -> list[Account]:
    """Make or renew the account of each chosen page: page id → what was typed for its territory.

    A page that is here already keeps its territory. Every problem is told at once, under `territory-<page id>`.
    """
    land, known = geotargeting.atlas(session), territories(session, by)
    problems: list[FieldProblem] = []
    wanted: list[tuple[Offer, str]] = []
    for offer in offers(session, grants, by=by):
        if offer.grant.id not in chosen:
            continue
        name = f"territory-{offer.grant.id}"
        typed = chosen[offer.grant.id].strip()
        code = offer.account.territory_code if offer.account else territory_named(typed, known, land) if typed else None
        if offer.obstacle:
            problems.append(FieldProblem(name, offer.obstacle))
        elif code is None:
            problems.append(FieldProblem(name, unnamed(typed)))
        else:
            wanted.append((offer, code))
    if not wanted and not problems:
        problems.append(FieldProblem("pages", _("Choose at least one page.")))
    if problems:
        raise Invalid(problems)
    return [_linked(session, vault, offer, code, by=by, at=at) for offer, code in wanted]


def unnamed(typed: str) -> str:
    """What to say of a territory that was not typed, or that nobody knows."""
    if not typed:
        return _("Say which territory this page speaks for.")
    return _("There is no territory “{name}” that you may choose. Take one from the list.", name=typed[:60])


def _linked(session: Session, vault: Vault, offer: Offer, code: str, *, by: Actor, at: datetime) -> Account:
    secret = {"token": offer.grant.token}
    if offer.account is not None:
        assert offer.account.id is not None
        return connecting.renew_secret(session, vault, offer.account.id, secret, by=by, at=at)
    return connecting.add_account(
        session,
        vault,
        network=AccountNetwork.FACEBOOK,
        name=offer.grant.name[:200] or _("Page {number}", number=offer.grant.id),
        remote_id=offer.grant.id,
        handle=None,
        territory_code=code,
        secret=secret,
        options={},
        by=by,
        at=at,
    )


def grant_for(account: Account, grants: Sequence[Grant]) -> Grant | None:
    """The grant that renews an account, if its page was granted and may be published on."""
    return next((grant for grant in grants if grant.id == account.remote_id and grant.can("CREATE_CONTENT")), None)
