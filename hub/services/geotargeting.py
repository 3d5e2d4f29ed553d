"""From territories to accounts and network keys: what a post becomes, destination by destination. Fails closed."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from sqlmodel import Session, col, func, select

from channels import Message, Network, Picture, Rules, Targeting, normalised
from hub.domain import gate as gates
from hub.domain.account import NETWORK_NAMES, Account
from hub.domain.audit import REFERENCE_LOADED, AuditEntry
from hub.domain.clock import LOCAL, Fold, instant, zone_info
from hub.domain.delivery import Delivery, DeliveryState, Provenance, mark, text_key
from hub.domain.errors import Invalid
from hub.domain.gate import Gate, GeoKey, KeyKind, Precision
from hub.domain.policy import QuietWindow, quiet_at
from hub.domain.post import Media, Post, PostAudience, PostDestination, PostMedia, fill, fingerprint, variables_in
from hub.domain.territory import COUNTRY, Atlas, Level, Node, Territory
from hub.language import _
from hub.services import agreeing
from hub.services.wording import network_problem

REPEAT_WINDOW = timedelta(hours=24)
"""The same words on the same account within this time are asked about."""

MAX_COUNTRIES = 25
"""Most countries in one Facebook targeting (facts: Graph API, targeting shape)."""


@dataclass(frozen=True)
class Terms:
    """What planning must know of this machine's settings."""

    sandboxed: frozenset[str] = frozenset()
    """Networks whose address is our own sandbox: invented keys are good there only."""
    link_base: str | None = None
    """What our marked links begin with; None: links go out as they were typed."""
    sibling_gap: timedelta = timedelta(seconds=60)
    max_cities: int = 250
    max_zips: int = 2500


@dataclass(frozen=True)
class Planned:
    """One delivery that a post would become: everything that the approver sees and that is frozen by the approval."""

    account: Account
    territory_code: str
    territory_name: str
    gate: Gate | None
    unlimited: bool
    """The network cannot limit it, and the author accepts that."""
    provenance: Provenance
    text: str
    link: str | None
    wall_time: str
    zone: str
    due_at: datetime
    useless_after: datetime
    key: str
    cost: Decimal = Decimal(0)
    problems: tuple[str, ...] = ()
    """Why it cannot go out like this."""
    warnings: tuple[str, ...] = ()
    """What somebody must have seen before it goes out."""

    @property
    def gate_key(self) -> str:
        """The stable name of its gate."""
        return self.gate.key if self.gate else gates.OPEN

    @property
    def destination(self) -> str:
        """How people point at it: `3` for an account, `3:A-14` for one gated delivery of several."""
        return f"{self.account.id}:{self.gate_key}" if self.gate else str(self.account.id)

    @property
    def text_key(self) -> str:
        """The digest by which repeats are told."""
        assert self.account.id is not None
        return text_key(self.account.id, normalised(self.text), self.gate_key)

    def stored_gate(self) -> dict[str, Any] | None:
        """The gate as it is frozen on the delivery."""
        if self.gate:
            return self.gate.stored()
        return {"unlimited": True} if self.unlimited else None

    @property
    def fingerprint(self) -> str:
        """The digest that the approver's yes is bound to."""
        return delivery_fingerprint(
            account_id=self.account.id or 0,
            gate_key=self.gate_key,
            gate=self.stored_gate(),
            text=self.text,
            link=self.link,
            due_at=self.due_at,
            useless_after=self.useless_after,
        )


def delivery_fingerprint(
    *,
    account_id: int,
    gate_key: str,
    gate: dict[str, Any] | None,
    text: str,
    link: str | None,
    due_at: datetime,
    useless_after: datetime,
) -> str:
    """The digest of everything that is frozen on a delivery."""
    return fingerprint([account_id, gate_key, gate, text, link, due_at.isoformat(), useless_after.isoformat()])


# --- Territories ------------------------------------------------------------------------------------


_NODES = select(  # type: ignore[call-overload]
    Territory.code,
    Territory.name,
    Territory.level,
    Territory.path,
    Territory.zone,
    Territory.population,
    Territory.ended_on,
)

_NEWEST_LOAD = select(func.max(AuditEntry.id)).where(AuditEntry.action == REFERENCE_LOADED)
_UPPER: WeakKeyDictionary[object, tuple[int | None, dict[str, Node]]] = WeakKeyDictionary()
"""The tree down to départements by database (its connection pool), with the load of reference data it comes from."""


def _upper_levels(session: Session) -> Mapping[str, Node]:
    """France down to départements: some 160 rows that change once a year and are asked for by every request."""
    version = session.exec(_NEWEST_LOAD).one()
    pool = session.connection().engine.pool
    known = _UPPER.get(pool)
    if known is None or known[0] != version:
        rows = session.exec(_NODES.where(Territory.level != Level.COMMUNE))
        known = _UPPER[pool] = (version, {row[0]: Node(*row) for row in rows})
    return known[1]


def atlas(session: Session, codes: Iterable[str] = ()) -> Atlas:
    """The tree down to départements, with the communes that are named; unknown codes are simply not in it."""
    communes = sorted({code for code in codes if code.startswith("C-")})
    nodes = dict(_upper_levels(session))
    for start in range(0, len(communes), 500):
        named = col(Territory.code).in_(communes[start : start + 500])
        nodes |= {row[0]: Node(*row) for row in session.exec(_NODES.where(named))}
    parents = {node.path.split("/")[-2] for node in nodes.values() if node.level is Level.COMMUNE}
    counted = {}
    if parents:
        numbers = (
            select(Territory.parent_code, func.count())
            .where(col(Territory.parent_code).in_(parents), col(Territory.ended_on).is_(None))
            .group_by(col(Territory.parent_code))
        )
        counted = {parent: number for parent, number in session.exec(numbers) if parent is not None}
    return Atlas(nodes, counted)


def require_territories(session: Session, codes: Sequence[str], *, name: str = "audience") -> Atlas:
    """The atlas with these codes, or Invalid naming those that nobody knows and what a code looks like."""
    known = atlas(session, codes)
    unknown = [code for code in codes if code not in known]
    if unknown:
        raise Invalid(
            _(
                "Unknown territory: {codes}. Codes look like FR, R-53, A-14, D-35 or C-35238; "
                "“relais territory find” finds them.",
                codes=", ".join(unknown),
            ),
            field=name,
        )
    return known


# --- What a post is made of ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Whole:
    """A post with everything that belongs to it, as read together."""

    post: Post
    audience: list[str]
    destinations: list[PostDestination]
    accounts: Mapping[int, Account]
    pictures: list[PostMedia] = field(default_factory=list)

    @property
    def content(self) -> str:
        """The fingerprint of what people typed."""
        post = self.post
        return fingerprint(
            {
                "kind": post.kind,
                "text": post.text,
                "link": post.link,
                "event": post.event,
                "when": [post.wall_time, post.zone, post.fold],
                "useless_after": post.useless_after.isoformat(),
                "audience": sorted(self.audience),
                "accounts": sorted((one.account_id, one.text, one.accepts_unlimited) for one in self.destinations),
                "pictures": [(one.media_id, one.alt) for one in self.pictures],
            }
        )


def whole(session: Session, post: Post) -> Whole:
    """Read what belongs to a post."""
    [parts] = wholes(session, [post])
    return parts


def wholes(session: Session, several: Sequence[Post]) -> list[Whole]:
    """Read what belongs to several posts, together."""
    ids = [post.id for post in several]
    audiences = _by_post(session.exec(select(PostAudience).where(col(PostAudience.post_id).in_(ids))))
    destinations = _by_post(
        session.exec(
            select(PostDestination)
            .where(col(PostDestination.post_id).in_(ids))
            .order_by(col(PostDestination.account_id))
        )
    )
    chosen = {one.account_id for some in destinations.values() for one in some}
    accounts = session.exec(select(Account).where(col(Account.id).in_(chosen)))
    known = {account.id: account for account in accounts if account.id is not None}
    pictured = _by_post(
        session.exec(select(PostMedia).where(col(PostMedia.post_id).in_(ids)).order_by(col(PostMedia.position)))
    )
    return [
        Whole(
            post=post,
            audience=sorted(one.territory_code for one in audiences.get(post.id, [])),
            destinations=destinations.get(post.id, []),
            accounts={one.account_id: known[one.account_id] for one in destinations.get(post.id, [])},
            pictures=pictured.get(post.id, []),
        )
        for post in several
    ]


Part = TypeVar("Part", PostAudience, PostDestination, PostMedia)


def _by_post(parts: Iterable[Part]) -> dict[int | None, list[Part]]:
    told: dict[int | None, list[Part]] = {}
    for part in parts:
        told.setdefault(part.post_id, []).append(part)
    return told


def pictures(session: Session, parts: Sequence[PostMedia]) -> tuple[Picture, ...]:
    """The pictures of a post as a channel publishes them, bytes and all."""
    found = {
        media.id: media
        for media in session.exec(select(Media).where(col(Media.id).in_([part.media_id for part in parts])))
    }
    return tuple(Picture(found[part.media_id].data, found[part.media_id].mime, part.alt) for part in parts)


def _measured(session: Session, several: Sequence[Whole]) -> list[tuple[Picture, ...]]:
    """The pictures of posts as rules look at them: kind and size, without the bytes."""
    wanted = {part.media_id for parts in several for part in parts.pictures}
    query = select(Media.id, Media.mime, Media.size).where(col(Media.id).in_(wanted))
    found = {number: (mime, size) for number, mime, size in session.exec(query)} if wanted else {}
    return [
        tuple(Picture(b"", found[part.media_id][0], part.alt, size=found[part.media_id][1]) for part in parts.pictures)
        for parts in several
    ]


# --- The plan -----------------------------------------------------------------------------------------


def plan(session: Session, post: Post, *, terms: Terms, rules: Mapping[Network, Rules], at: datetime) -> list[Planned]:
    """Every delivery that this post would become now, with what stands in its way."""
    [planned] = plans(session, [post], terms=terms, rules=rules, at=at)
    return planned


def plans(
    session: Session, several: Sequence[Post], *, terms: Terms, rules: Mapping[Network, Rules], at: datetime
) -> list[list[Planned]]:
    """The same for several posts, in their order; what they share is read once."""
    return plans_of(session, wholes(session, several), terms=terms, rules=rules, at=at)


def plans_of(
    session: Session, whole_ones: Sequence[Whole], *, terms: Terms, rules: Mapping[Network, Rules], at: datetime
) -> list[list[Planned]]:
    """The same for posts that need not be stored: nothing is read of them but what they hold."""
    codes = {code for parts in whole_ones for code in parts.audience}
    codes |= {account.territory_code for parts in whole_ones for account in parts.accounts.values()}
    compiled = _Gates(session, atlas(session, codes), terms)
    images = _measured(session, whole_ones)
    planned = [
        [
            one
            for destination in parts.destinations
            for one in _planned_on(parts, destination, compiled, rules=rules, images=pictures)
        ]
        for parts, pictures in zip(whole_ones, images, strict=True)
    ]
    said = _said_around(session, [one for some in planned for one in some])
    windows = agreeing.policies(session).quiet_windows
    return [
        [
            _with_end(
                _with_quiet(
                    _with_warnings(one, parts.post.id, said.get(one.account.id, [])), windows, compiled.territories
                )
            )
            for one in some
        ]
        for parts, some in zip(whole_ones, planned, strict=True)
    ]


class _Gates:
    """Gates that several plans share: each is compiled once for an account."""

    def __init__(self, session: Session, territories: Atlas, terms: Terms) -> None:
        self.session = session
        self.territories = territories
        self.terms = terms
        self._known: dict[tuple[int | None, frozenset[str]], tuple[Gate, list[str]]] = {}

    def gate(self, limit: frozenset[str], account: Account) -> tuple[Gate, list[str]]:
        """The gate of an account for a land, and why it cannot be made."""
        key = account.id, limit
        if key not in self._known:
            self._known[key] = compile_gate(
                self.session, limit, account, territories=self.territories, terms=self.terms
            )
        return self._known[key]


def _planned_on(
    parts: Whole,
    destination: PostDestination,
    compiled: _Gates,
    *,
    rules: Mapping[Network, Rules],
    images: tuple[Picture, ...],
) -> list[Planned]:
    """What a post becomes on one account, without what the account says besides."""
    post, account, territories = parts.post, parts.accounts[destination.account_id], compiled.territories
    pieces = _pieces(
        territories,
        parts.audience,
        account,
        origin=post.territory_code,
        accepts_unlimited=destination.accepts_unlimited,
    )
    names = _names(pieces, territories)
    due = [_due(post, territories, piece) for piece in pieces]
    steps = _apart([moment for moment, _problem in due], compiled.terms.sibling_gap)
    return [
        _planned(
            parts,
            destination,
            piece,
            name=name,
            siblings=len(pieces),
            due_at=moment + step,
            hindrance=problem,
            compiled=compiled,
            rules=rules[Network(account.network)],
            images=images,
        )
        for piece, name, (moment, problem), step in zip(pieces, names, due, steps, strict=True)
    ]


@dataclass(frozen=True)
class _Piece:
    """One part of a zone that becomes one delivery; `limit` None: no gate."""

    limit: frozenset[str] | None
    territory_code: str
    """The territory that its figures count for."""
    provenance: Provenance
    land: frozenset[str]
    """What it is meant for: its name and its local time are those of this land."""
    unlimited: bool = False
    problem: str | None = None


def _pieces(
    territories: Atlas, audience: Sequence[str], account: Account, *, origin: str, accepts_unlimited: bool
) -> list[_Piece]:
    """The zone of an account, cut as its network needs it (architecture: targeting)."""
    own = account.territory_code
    zone = territories.intersection(audience, own)
    network = Network(account.network)
    if not zone:
        problem = _(
            "{account} speaks for {territory}, and nothing of the audience lies there. Leave this account out.",
            account=account.name,
            territory=territories.name(own),
        )
        return [_Piece(None, own, Provenance.OWN_PAGE, frozenset({own}), problem=problem)]
    equal = territories.same(zone, own)
    if network is Network.X:
        refused = not equal and not accepts_unlimited
        problem = _(
            "{account} cannot limit a post to a territory: everybody would see it. "
            "Leave this account out, or accept that it is not limited.",
            account=account.name,
        )
        return [
            _Piece(
                None,
                origin,
                Provenance.ORIGIN,
                zone,
                unlimited=not equal,
                problem=problem if refused else None,
            )
        ]
    if network is Network.PORTAL:
        limit = None if equal else zone
        return [_Piece(limit, territories.common(zone), Provenance.PORTAL, zone)]
    if equal:
        provenance = Provenance.NATIONAL if own == COUNTRY else Provenance.OWN_PAGE
        return [_Piece(None, own, provenance, zone)]
    wide = territories.nodes[own].level in {Level.COUNTRY, Level.REGION}
    cut = [territories.intersection(zone, academie) for academie in territories.academies_of(zone)]
    provenance = Provenance.GATED if wide else Provenance.OWN_PAGE
    return [_Piece(limit, territories.common(limit), provenance, limit) for limit in cut]


def local_zones(territories: Atlas, audience: Sequence[str], accounts: Iterable[Account]) -> set[str]:
    """Every zone in which « local time » would be read; before an account is chosen, those of the audience."""
    zones = {
        territories.zone(territories.common(piece.land))
        for account in accounts
        if territories.intersection(audience, account.territory_code)
        for piece in _pieces(territories, audience, account, origin=COUNTRY, accepts_unlimited=True)
    }
    return zones or {territories.zone(code) for code in [*audience, *territories.academies_of(audience)]}


def _zone(post: Post, territories: Atlas, piece: _Piece) -> str:
    return territories.zone(territories.common(piece.land)) if post.zone == LOCAL else post.zone


def _due(post: Post, territories: Atlas, piece: _Piece) -> tuple[datetime, str | None]:
    """When a piece is meant to go out, and why that hour cannot be told."""
    fold = Fold(post.fold) if post.fold else None
    try:
        return instant(datetime.fromisoformat(post.wall_time), _zone(post, territories, piece), fold), None
    except Invalid as error:
        return post.first_due_at, str(error)


def _apart(due: Sequence[datetime], gap: timedelta) -> list[timedelta]:
    """How much later than meant each goes out, so that siblings keep their distance whatever their zones are."""
    steps = [timedelta(0)] * len(due)
    free: datetime | None = None
    for place in sorted(range(len(due)), key=due.__getitem__):
        moment = due[place] if free is None else max(due[place], free)
        steps[place] = moment - due[place]
        free = moment + gap
    return steps


def _planned(
    parts: Whole,
    destination: PostDestination,
    piece: _Piece,
    *,
    name: str,
    siblings: int,
    due_at: datetime,
    hindrance: str | None,
    compiled: _Gates,
    rules: Rules,
    images: tuple[Picture, ...],
) -> Planned:
    post, account = parts.post, parts.accounts[destination.account_id]
    territories, terms = compiled.territories, compiled.terms
    assert account.id is not None
    problems = [problem for problem in (piece.problem, hindrance) if problem]
    gate: Gate | None = None
    if piece.limit is not None:
        gate, gate_problems = compiled.gate(piece.limit, account)
        problems += gate_problems
    key = mark(post.seed, account.id, gate.key if gate else gates.OPEN)
    link = f"{terms.link_base}{key}" if post.link and terms.link_base else post.link
    text, text_problems = _words(
        destination.text or post.text, piece, name=name, siblings=siblings, territories=territories
    )
    problems += text_problems
    if link and not rules.keeps_link_apart:
        text = f"{text} {link}"
    zone = _zone(post, territories, piece)
    wall = due_at.astimezone(zone_info(zone)).replace(tzinfo=None)
    if due_at >= post.useless_after:
        problems.append(_("The post would be useless before it goes out. Choose an earlier time, or a later end."))
    message = Message(
        text=text, key=key, link=link, pictures=images, targeting=targeting(gate.stored()) if gate else None
    )
    problems += [network_problem(account.name, problem) for problem in rules.problems(message)]
    return Planned(
        account=account,
        territory_code=piece.territory_code,
        territory_name=name if piece.limit else territories.name(piece.territory_code),
        gate=gate,
        unlimited=piece.unlimited,
        provenance=piece.provenance,
        text=text,
        link=link,
        wall_time=wall.isoformat(timespec="minutes"),
        zone=zone,
        due_at=due_at,
        useless_after=post.useless_after,
        key=key,
        cost=rules.cost(message),
        problems=tuple(problems),
    )


def _names(pieces: Sequence[_Piece], territories: Atlas) -> list[str]:
    """How each piece is called in a text; namesakes are told apart, or their texts would be the same."""
    names = [_name(piece.land, territories) for piece in pieces]
    return [
        name if names.count(name) == 1 else f"{name} ({_holder(piece.land, territories)})"
        for piece, name in zip(pieces, names, strict=True)
    ]


def _name(land: frozenset[str], territories: Atlas) -> str:
    """A land by its one territory, or a few by name, else by what holds them all."""
    if len(land) <= 3:
        return ", ".join(sorted(territories.name(code) for code in land))
    return territories.name(territories.common(land))


def _holder(land: frozenset[str], territories: Atlas) -> str:
    """What tells a land from its namesakes: a commune's département, else the académie."""
    whole = territories.common(land)
    if territories.nodes[whole].level is Level.COMMUNE:
        return territories.name(territories.parent(whole) or COUNTRY)
    return ", ".join(territories.name(code) for code in territories.academies_of(land))


def _words(text: str, piece: _Piece, *, name: str, siblings: int, territories: Atlas) -> tuple[str, list[str]]:
    """The final text of a piece, and why it cannot be made."""
    asked = variables_in(text)
    if siblings > 1 and "territoire" not in asked:
        # A network takes siblings of the same words for repeats and refuses them.
        text, asked = "{territoire}\u00a0: " + text, asked | {"territoire"}
    academies = territories.academies_of(piece.land)
    values = {"territoire": name}
    problems = []
    if len(academies) == 1:
        values["academie"] = territories.name(academies[0])
    elif "academie" in asked:
        problems.append(
            _(
                "{{academie}} cannot be filled for {territory}, which holds several. Use {{territoire}}, or write it.",
                territory=values["territoire"],
            )
        )
    return fill(text, values), problems


@dataclass(frozen=True)
class _Said:
    """What an account says at a moment, as it compares."""

    post_id: int
    due_at: datetime
    text: str


def _said_around(session: Session, planned: Sequence[Planned]) -> dict[int | None, list[_Said]]:
    """What the accounts of these deliveries say within a day of any of them, by account, in order of time."""
    if not planned:
        return {}
    moments = [one.due_at for one in planned]
    near = (
        select(Delivery.account_id, Delivery.post_id, Delivery.due_at, Delivery.text)
        .where(
            col(Delivery.account_id).in_({one.account.id for one in planned}),
            col(Delivery.state).not_in([DeliveryState.CANCELLED, DeliveryState.FAILED]),
            col(Delivery.due_at).between(min(moments) - REPEAT_WINDOW, max(moments) + REPEAT_WINDOW),
        )
        .order_by(col(Delivery.due_at), col(Delivery.id))
    )
    said: dict[int | None, list[_Said]] = {}
    for account_id, post_id, due_at, text in session.exec(near):
        said.setdefault(account_id, []).append(_Said(post_id, due_at, normalised(text, mask_links=True)))
    return said


def _with_warnings(planned: Planned, post_id: int | None, said: Sequence[_Said]) -> Planned:
    """The same, with the warning that the account says the same words within a day."""
    mine = normalised(planned.text, mask_links=True)
    begin = bisect_left(said, planned.due_at - REPEAT_WINDOW, key=lambda one: one.due_at)
    for other in said[begin:]:
        if other.due_at > planned.due_at + REPEAT_WINDOW:
            break
        if other.post_id != post_id and other.text == mine:
            warning = _(
                "{account} says the same words within 24 hours (post {post}).",
                account=planned.account.name,
                post=other.post_id,
            )
            return replace(planned, warnings=(warning,))
    return planned


def _with_quiet(planned: Planned, windows: Sequence[QuietWindow], territories: Atlas) -> Planned:
    """The same, with the warning that it is agreed to be quiet there and then."""
    land = planned.gate.territories if planned.gate else [planned.territory_code]
    quiet = quiet_at(windows, land, planned.due_at, territories) if windows else None
    if quiet is None:
        return planned
    warning = _(
        "{account}: {moment} falls into the quiet time “{name}” of {territory}.",
        account=planned.account.name,
        moment=_moment(quiet.wall),
        name=quiet.window,
        territory=territories.name(quiet.territory_code),
    )
    if quiet.free is not None:
        warning += " " + _("It is free again from {moment}.", moment=_moment(quiet.free))
    return replace(planned, warnings=(*planned.warnings, warning))


def _with_end(planned: Planned) -> Planned:
    """The same, with the warning that the access of its account ends before it is due."""
    ends = planned.account.token_expires_at
    if ends is None or planned.due_at < ends:
        return planned
    warning = _(
        "The access of {account} ends on {day}, before this post is due. Have it renewed in time, or the post waits.",
        account=planned.account.name,
        day=ends.strftime("%d/%m/%Y"),
    )
    return replace(planned, warnings=(*planned.warnings, warning))


def _moment(wall: datetime) -> str:
    return _("{day} at {hour}", day=wall.strftime("%d/%m/%Y"), hour=wall.strftime("%H:%M"))


# --- Gates ----------------------------------------------------------------------------------------------


def compile_gate(
    session: Session, limit: frozenset[str], account: Account, *, territories: Atlas, terms: Terms
) -> tuple[Gate, list[str]]:
    """The gate for a set of territories on an account's network, and why it cannot be made; never a wider one."""
    codes = tuple(sorted(limit))
    if Network(account.network) is Network.PORTAL:
        return Gate(codes, precision=Precision(100.0, 0.0)), []
    rows: list[GeoKey] = []
    missing: list[str] = []
    for code in codes:
        found = _reviewed(session, account, code, territories)
        rows += found
        if not found:
            missing.append(code)
    if missing:
        names = ", ".join(territories.name(code) for code in missing)
        return Gate(codes), [
            _(
                "{network} has no reviewed key for {territories}, so the post cannot be limited there. Choose a whole "
                "académie that has keys, leave {account} out, or have keys imported and reviewed.",
                network=_(NETWORK_NAMES[account.network]),
                territories=names,
                account=account.name,
            )
        ]
    problems = _key_problems(rows, account, terms)
    keys = {kind.value: tuple(sorted({row.key for row in rows if row.kind is kind})) for kind in KeyKind}
    gate = Gate(
        codes,
        {kind: values for kind, values in keys.items() if values},
        _precision(session, codes, rows),
        invented=any(row.source == gates.SANDBOX_SOURCE for row in rows),
    )
    return gate, problems


def _reviewed(session: Session, account: Account, code: str, territories: Atlas) -> list[GeoKey]:
    """The reviewed keys of a territory, else those of all its parts together; none when a part has none.

    Those of a région that is one académie are that académie's.
    """
    above = territories.parent(code)
    names = [code, above] if above and territories.same([code], above) else [code]
    query = select(GeoKey).where(
        GeoKey.network == account.network, col(GeoKey.territory_code).in_(names), col(GeoKey.reviewed_at).is_not(None)
    )
    found = list(session.exec(query))
    own = [row for row in found if row.territory_code == code] or found
    if own or territories.nodes[code].level in {Level.DEPARTEMENT, Level.COMMUNE}:
        return own
    parts = [_reviewed(session, account, child, territories) for child in sorted(territories.children(code))]
    return [row for part in parts for row in part] if parts and all(parts) else []


def _key_problems(rows: Sequence[GeoKey], account: Account, terms: Terms) -> list[str]:
    problems = []
    if account.network.value not in terms.sandboxed and any(row.source == gates.SANDBOX_SOURCE for row in rows):
        problems.append(
            _(
                "The keys for {account} are invented ones, good for the sandbox only. Import and review real ones.",
                account=account.name,
            )
        )
    limits = {KeyKind.COUNTRY: MAX_COUNTRIES, KeyKind.CITY: terms.max_cities, KeyKind.ZIP: terms.max_zips}
    for kind, most in limits.items():
        number = len({row.key for row in rows if row.kind is kind})
        if number > most:
            problems.append(
                _(
                    "This limit needs {number} keys of kind {kind}; the network takes {most}. Choose wider ones.",
                    number=number,
                    kind=kind.value,
                    most=most,
                )
            )
    return problems


def _precision(session: Session, codes: Sequence[str], rows: Sequence[GeoKey]) -> Precision:
    """How exact the keys are, by the populations of the communes they reach."""
    reached = {code for row in rows for code in (row.covers or [row.territory_code])}
    land = atlas(session, [*codes, *reached])
    reached &= set(land.nodes)
    both = {code for own in codes for code in land.intersection(reached, own)}
    return Precision.of(zone=land.population(codes), reached=land.population(reached), both=land.population(both))


def targeting(stored_gate: Mapping[str, Any] | None) -> Targeting | None:
    """A frozen gate as a channel takes it; None when the network is not asked to limit anything."""
    keys = (stored_gate or {}).get("keys") or {}
    if not keys:
        return None
    return Targeting(
        countries=tuple(keys.get("country", ())),
        regions=tuple(keys.get("region", ())),
        cities=tuple(keys.get("city", ())),
        zips=tuple(keys.get("zip", ())),
    )


# --- Accounts for an audience -----------------------------------------------------------------------------


def proposed_accounts(session: Session, audience: Sequence[str], territories: Atlas) -> list[Account]:
    """The accounts that an audience suggests: the portal, each touched académie's page, the national page for France.

    X is never proposed, since it cannot limit a post.
    """
    land = territories.simplify(audience)
    proposed = []
    for account in session.exec(select(Account).order_by(col(Account.id))):
        network, own = Network(account.network), account.territory_code
        national = network is Network.FACEBOOK and own == COUNTRY and land == {COUNTRY}
        local = network is Network.FACEBOOK and own != COUNTRY and bool(territories.intersection(land, own))
        if network is Network.PORTAL or national or (local and land != {COUNTRY}):
            proposed.append(account)
    return proposed
