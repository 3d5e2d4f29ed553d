"""What the demo came to, counted from the sandbox's own records: it alone knows what was really posted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlmodel import Session, col, func, select

from channels import normalised
from channels.sandbox.server import Sandbox
from hub.domain.account import Account, AccountNetwork
from hub.domain.delivery import Delivery, DeliveryState, counts
from hub.domain.gate import GeoKey
from hub.domain.post import Approval, Post, PostAudience, PostState
from hub.domain.territory import Atlas
from hub.services import geotargeting

REPEAT = timedelta(hours=24)


@dataclass(frozen=True)
class Shown:
    """One post as a network shows it."""

    network: str
    account_id: str
    remote_id: str
    text: str
    targeting: frozenset[str]
    """Keys, as `kind:key`; empty: everybody may see it."""
    at: datetime


def shown_posts(sandbox: Sandbox) -> list[Shown]:
    """Everything that people can see on the sandbox's Facebook and X."""
    told = []
    for post in sandbox.graph.visible_posts():
        at = datetime.fromtimestamp(post["published_at"], UTC)
        keys = _keys(post["targeting"])
        told.append(Shown("facebook", post["page_id"], post["id"], post["message"], keys, at))
    for post in sandbox.x.posts():
        if not post.get("deleted"):
            at = _moment(post["created_at"])
            told.append(Shown("x", post["account_id"], post["id"], post["text"], frozenset(), at))
    return told


def _moment(value: object) -> datetime:
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value, UTC)
    return datetime.fromisoformat(str(value).replace("Z", "+00:00"))


def _keys(targeting: dict[str, Any] | None) -> frozenset[str]:
    """The places of a stored targeting, as `kind:key`."""
    places = (targeting or {}).get("geo_locations") or targeting or {}
    found = {f"country:{key}" for key in places.get("countries", ())}
    for kind, plural in [("region", "regions"), ("city", "cities"), ("zip", "zips")]:
        found |= {f"{kind}:{one['key'] if isinstance(one, dict) else one}" for one in places.get(plural, ())}
    return frozenset(found)


def duplicates(shown: list[Shown]) -> int:
    """Posts that say the same on the same account, with the same targeting, within 24 hours of an earlier one."""
    number = 0
    last: dict[tuple[str, str, str, frozenset[str]], datetime] = {}
    for one in sorted(shown, key=lambda post: post.at):
        said = (one.network, one.account_id, normalised(one.text), one.targeting)
        if said in last and one.at - last[said] <= REPEAT:
            number += 1
        last[said] = one.at
    return number


def outside(session: Session, shown: list[Shown]) -> tuple[int, int]:
    """How many posts reach beyond their approved audience, and how many were accepted as not limited."""
    accounts = {(account.network.value, account.remote_id): account for account in session.exec(select(Account))}
    deliveries = {(one.account_id, one.remote_id): one for one in session.exec(select(Delivery)) if one.remote_id}
    covers = {f"{key.kind.value}:{key.key}": key.covers or [key.territory_code] for key in session.exec(select(GeoKey))}
    named = {code for codes in covers.values() for code in codes}
    audiences: dict[int, list[str]] = {}
    for meant in session.exec(select(PostAudience)):
        audiences.setdefault(meant.post_id, []).append(meant.territory_code)
        named.add(meant.territory_code)
    land = geotargeting.atlas(session, named)
    beyond = unlimited = 0
    for one in shown:
        account = accounts.get((one.network, one.account_id))
        delivery = deliveries.get((account.id or 0, one.remote_id)) if account else None
        if account is None or delivery is None:
            beyond += 1  # nobody approved it at all
            continue
        if land.covers(audiences.get(delivery.post_id, []), _reached(one, account, covers, land)):
            continue
        if one.network == "x" and (delivery.gate or {}).get("unlimited"):
            unlimited += 1
        else:
            beyond += 1
    return beyond, unlimited


def _reached(one: Shown, account: Account, covers: dict[str, list[str]], land: Atlas) -> list[str]:
    """The territories in which a post can be seen: all of its page's without targeting, else what its keys cover."""
    if not one.targeting:
        return [account.territory_code]
    return [code for key in one.targeting for code in covers.get(key, ["FR"]) if code in land]


def lost(session: Session, shown: list[Shown]) -> int:
    """Deliveries that we call sent and the sandbox has never seen."""
    seen = {(one.network, one.account_id, one.remote_id) for one in shown}
    query = (
        select(Account, Delivery.remote_id)
        .join(Delivery, col(Account.id) == col(Delivery.account_id))
        .where(Delivery.state == DeliveryState.SENT, Account.network != AccountNetwork.PORTAL)
    )
    posted = [(account.network.value, account.remote_id, post or "") for account, post in session.exec(query)]
    return sum(1 for one in posted if one not in seen)


def verdict(session: Session, sandbox: Sandbox) -> tuple[dict[str, Any], bool]:
    """The counts, and whether all is as promised: nothing twice, nothing outside, nothing lost."""
    shown = shown_posts(sandbox)
    beyond, unlimited = outside(session, shown)
    twice = duplicates(shown)
    missing = lost(session, shown)
    posts = Counter(session.exec(select(Post.state)))
    approved = session.exec(select(func.count(func.distinct(Approval.post_id)))).one()
    networks = Counter(account.network.value for account in session.exec(select(Account)))
    states = counts(one.state for one in session.exec(select(Delivery)))
    told = {
        "accounts": {name: networks[name] for name in ("facebook", "x", "portal")},
        "posts": sum(posts.values()),
        "approved": approved,
        "returned": posts[PostState.RETURNED],
        "deliveries": {name: states[name] for name in ("sent", "waiting", "failed", "unknown", "review", "cancelled")},
        "sandbox": {
            "facebook_posts": sum(one.network == "facebook" for one in shown),
            "x_posts": sum(one.network == "x" for one in shown),
            "duplicates": twice,
            "outside_territory": beyond,
            "unlimited": unlimited,
        },
    }
    return told, not (twice or beyond or missing)
