"""Writing, changing, submitting and withdrawing posts."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from pydantic import Field, StringConstraints, field_validator
from sqlmodel import Session, col, delete, select

from channels import Network, Rules
from hub.domain import post as posts
from hub.domain.account import Account
from hub.domain.audit import note
from hub.domain.clock import LOCAL, Fold, instant, zone_info
from hub.domain.delivery import Delivery, DeliveryState
from hub.domain.errors import FieldProblem, Invalid, NotAllowed, NotFound, WrongState
from hub.domain.event import Event, Timed, Typed
from hub.domain.person import WRITERS, Actor, Person, Role, RoleKind
from hub.domain.post import (
    Approval,
    Kind,
    Media,
    Post,
    PostAudience,
    PostDestination,
    PostMedia,
    PostState,
    PostVersion,
)
from hub.domain.territory import Atlas
from hub.language import _
from hub.services import geotargeting, listing
from hub.services.geotargeting import Planned, Terms
from hub.services.listing import Wanted

LONGEST_TEXT: Final = 63_206
"""Longest text of any network here (Facebook's)."""

FURTHEST: Final = timedelta(days=2 * 365)
"""A date further away is taken for a typing mistake."""


class PictureOf(Typed):
    """A picture of a post: the id of an uploaded one, and words for those who cannot see it."""

    id: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    alt: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)]


class Draft(Typed):
    """A post as people type it; `accounts` None: those that the audience suggests."""

    kind: Kind = Kind.NEWS
    text: Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_TEXT)]
    variants: dict[str, Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_TEXT)]] = Field(default={})
    """Own words by account (as accounts are named below)."""
    link: Annotated[str, StringConstraints(strip_whitespace=True, max_length=2000)] | None = None
    pictures: list[PictureOf] = Field(default=[], max_length=posts.MAX_PICTURES)
    event: Event | None = None
    when: Timed
    """Wall time in `zone`."""
    zone: str = LOCAL
    """IANA zone, or `local`: the local time of each territory."""
    fold: Fold | None = None
    useless_after: Timed | None = None
    """Wall time in the same zone; default: the end of the event's last date, else one day after `when`."""
    audience: list[Annotated[str, StringConstraints(strip_whitespace=True, max_length=8)]] | None = Field(
        default=None, max_length=500
    )
    """Territory codes; default: the author's territory."""
    accounts: list[Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)]] | None = Field(
        default=None, max_length=100
    )
    """Ids, names or `network:territory`."""
    accepts_unlimited: bool = False
    """For networks that cannot limit a post: it may be seen by everybody."""

    @field_validator("text", "variants")
    @classmethod
    def _readable(cls, value: Any) -> Any:
        for text in value.values() if isinstance(value, dict) else [value]:
            if not text.strip():
                raise ValueError(_("Write a text."))
        return value

    @field_validator("link")
    @classmethod
    def _web_address(cls, value: str | None) -> str | None:
        if not value:
            return None
        try:
            parts = urlsplit(value)
            good = parts.scheme in {"http", "https"} and "." in (parts.hostname or "") and " " not in value
        except ValueError:
            good = False
        if not good:
            raise ValueError(
                _("“{link}” is not a web address. It should look like https://example.org/page.", link=value)
            )
        return value

    @field_validator("when", "useless_after")
    @classmethod
    def _wall(cls, value: datetime | None) -> datetime | None:
        if value is not None and value.tzinfo is not None:
            raise ValueError(_("Write the time without an offset, and the zone beside it."))
        if value is not None and not 1900 <= value.year <= 2200:
            # Far beyond any post, and near the ends of the calendar no zone can be applied.
            raise ValueError(_("Check the year: {year} is not meant.", year=value.year))
        return value.replace(second=0, microsecond=0) if value else None


# --- Reading ------------------------------------------------------------------------------------------


def get_post(session: Session, post_id: int, *, by: Actor, lock: bool = False) -> Post:
    """The post, or NotFound when it is not there or not for this person."""
    query = select(Post).where(Post.id == post_id)
    if lock:  # what another transaction changed meanwhile is read again
        query = query.with_for_update().execution_options(populate_existing=True)
    post = session.exec(query).one_or_none()
    if post is not None:
        codes = audience_of(session, post)
        known = geotargeting.atlas(session, [*codes, *by.territories()])
        if posts.can_see(by, known, codes):
            return post
    raise NotFound(_("There is no post {number} that you may see.", number=post_id))


def audience_of(session: Session, post: Post) -> list[str]:
    """The territories that a post is meant for."""
    return list(session.exec(select(PostAudience.territory_code).where(PostAudience.post_id == post.id)))


def list_posts(
    session: Session,
    *,
    by: Actor,
    states: Iterable[PostState] = (),
    mine: bool = False,
    limit: int = 50,
    before: int | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[Post]:
    """Posts that this person may see, newest first; `before` is the id to go on from, `since`, `until` bound when."""
    wanted = Wanted(states=list(states), author_id=by.id if mine else None, since=since, until=until)
    return listing.list_posts(session, wanted, by=by, limit=limit, before=before)


def visible(session: Session, post_ids: Collection[int], *, by: Actor) -> frozenset[int]:
    """Those of several posts that this person may see, found together."""
    audiences = audiences_of(session, post_ids)
    codes = {code for some in audiences.values() for code in some}
    known = geotargeting.atlas(session, [*codes, *by.territories()])
    return frozenset(post_id for post_id, audience in audiences.items() if posts.can_see(by, known, audience))


def typed_of(session: Session, post: Post) -> Draft:
    """The post as it was typed, so that it can be changed and handed in again; accounts by number."""
    parts = geotargeting.whole(session, post)
    return Draft(
        kind=post.kind,
        text=post.text,
        variants={str(one.account_id): one.text for one in parts.destinations if one.text},
        link=post.link,
        pictures=[PictureOf(id=one.media_id, alt=one.alt) for one in parts.pictures],
        event=Event.model_validate(post.event) if post.event else None,
        when=datetime.fromisoformat(post.wall_time),
        zone=post.zone,
        fold=Fold(post.fold) if post.fold else None,
        useless_after=_typed_end(session, post, parts),
        audience=parts.audience,
        accounts=[str(one.account_id) for one in parts.destinations],
        accepts_unlimited=any(one.accepts_unlimited for one in parts.destinations),
    )


def _typed_end(session: Session, post: Post, parts: geotargeting.Whole) -> datetime | None:
    """The wall time after which a post is useless, as typed; None where it is what would be taken anyway."""
    zones = ends = {post.zone}
    if post.zone == LOCAL:
        own = [account.territory_code for account in parts.accounts.values()]
        known = geotargeting.atlas(session, [*parts.audience, *own])
        zones = geotargeting.local_zones(known, parts.audience, parts.accounts.values())
        ends = _end_zones(zones, parts.audience, known)
    wall, fold = datetime.fromisoformat(post.wall_time), Fold(post.fold) if post.fold else None
    event = Event.model_validate(post.event) if post.event else None
    usual = event.last_day_ends_at() if event else max(instant(wall, zone, fold) for zone in zones) + timedelta(days=1)
    if post.useless_after == usual:
        return None
    # It was read in each zone, and the last instant kept: that of the zone whose clocks are furthest behind.
    return min(post.useless_after.astimezone(zone_info(zone)).replace(tzinfo=None) for zone in ends)


def audiences_of(session: Session, post_ids: Collection[int]) -> dict[int, list[str]]:
    """The territories of several posts, by post."""
    told: dict[int, list[str]] = {}
    query = select(PostAudience.post_id, PostAudience.territory_code).where(col(PostAudience.post_id).in_(post_ids))
    for post_id, code in session.exec(query):
        told.setdefault(post_id, []).append(code)
    return told


# --- Writing ------------------------------------------------------------------------------------------


def require_writer(by: Actor) -> None:
    """Raise NotAllowed unless this person writes posts."""
    if not by.territories(WRITERS):
        raise NotAllowed(_("Only animators and coordinators write posts. Ask an administrator for that role."))


def draft(
    session: Session, typed: Draft, *, by: Actor, at: datetime, terms: Terms, rules: Mapping[Network, Rules]
) -> Post:
    """Write a new post."""
    require_writer(by)
    usual = by.territories(WRITERS)[0]
    checked = _checked(session, typed, by=by, at=at, usual=usual)
    post = Post(
        **checked.columns,
        author_id=by.id,
        changed_by_id=by.id,
        seed=secrets.token_hex(16),
        territory_code=usual,
        created_at=at,
        changed_at=at,
    )
    session.add(post)
    session.flush()
    _keep_parts(session, post, checked)
    _keep_version(session, post, typed, by=by, at=at)
    note(session, "post.draft", f"post:{post.id}", by=by, at=at, after=_audited(post, checked))
    return post


def change(
    session: Session, post_id: int, typed: Draft, *, version: int | None = None, by: Actor, at: datetime
) -> Post:
    """Change a post until its first delivery is claimed; an approval is voided by it.

    `version` is the one that the person saw: when somebody changed the post meanwhile, WrongState.
    """
    post = _changeable(session, post_id, by=by)
    if version is not None and version != post.version:
        raise WrongState(
            _(
                "Somebody else changed this post while you were writing (it is version {now}, you saw {seen}). "
                "Look at it again.",
                now=post.version,
                seen=version,
            )
        )
    checked = _checked(session, typed, by=by, at=at, usual=post.territory_code)
    before = _audited(post, None)
    if post.state is not PostState.DRAFT:
        if post.state is PostState.APPROVED:
            void_approval(session, post, at=at)
        post.move(PostState.DRAFT)
    for name, value in checked.columns.items():
        setattr(post, name, value)
    post.version += 1
    post.changed_at = at
    post.changed_by_id = by.id
    for table in (PostAudience, PostDestination, PostMedia):
        session.exec(delete(table).where(col(table.post_id) == post.id))
    _keep_parts(session, post, checked)
    _keep_version(session, post, typed, by=by, at=at)
    note(session, "post.change", f"post:{post.id}", by=by, at=at, before=before, after=_audited(post, checked))
    return post


def _changeable(session: Session, post_id: int, *, by: Actor) -> Post:
    post = get_post(session, post_id, by=by, lock=True)
    _lock_deliveries(session, post)
    require_changeable(session, post, by=by)
    return post


def _lock_deliveries(session: Session, post: Post) -> None:
    """Nobody claims or sends any delivery of a post while it changes; always after the post itself, in one order."""
    query = select(Delivery).where(Delivery.post_id == post.id).order_by(col(Delivery.id))
    session.exec(query.with_for_update(key_share=True).execution_options(populate_existing=True)).all()


def require_changeable(session: Session, post: Post, *, by: Actor) -> None:
    """Raise NotAllowed when it is not this person's to change, WrongState once it has begun to go out."""
    codes = audience_of(session, post)
    known = geotargeting.atlas(session, [*codes, *by.territories()])
    if not posts.can_change(by, known, codes, author_id=post.author_id):
        raise NotAllowed(_("Only its author, or somebody with a role for its whole audience, may change this post."))
    if post.state is PostState.ARCHIVED or _gone_out(session, post):
        raise WrongState(_("This post has begun to go out, so it cannot change any more. Make a copy of it instead."))


def can_still_change(session: Session, post: Post, *, by: Actor) -> bool:
    """Whether this person may change the post as it stands now."""
    codes = audience_of(session, post)
    known = geotargeting.atlas(session, [*codes, *by.territories()])
    allowed = posts.can_change(by, known, codes, author_id=post.author_id)
    return allowed and post.state is not PostState.ARCHIVED and not _gone_out(session, post)


def _gone_out(session: Session, post: Post) -> bool:
    quiet = [DeliveryState.WAITING, DeliveryState.CANCELLED]
    query = select(Delivery.id).where(
        Delivery.post_id == post.id, col(Delivery.state).not_in(quiet) | (Delivery.attempts > 0)
    )
    return session.exec(query.limit(1)).first() is not None


def void_approval(session: Session, post: Post, *, at: datetime) -> None:
    """Take back a post's approval and every delivery of it that nobody has claimed."""
    for approval in session.exec(
        select(Approval).where(Approval.post_id == post.id, col(Approval.voided_at).is_(None))
    ):
        approval.voided_at = at
    waiting = select(Delivery).where(Delivery.post_id == post.id, Delivery.state == DeliveryState.WAITING)
    for delivery in session.exec(waiting):
        delivery.state = DeliveryState.CANCELLED
        delivery.reason = _("The approval was taken back.")
        delivery.epoch += 1
    session.flush()


# --- Submitting and withdrawing -------------------------------------------------------------------------


def submit(
    session: Session,
    post_id: int,
    *,
    by: Actor,
    at: datetime,
    terms: Terms,
    rules: Mapping[Network, Rules],
    confirm_repeats: bool = False,
) -> Post:
    """Hand a post to the coordinators; Invalid with everything that stands in its way."""
    post = _changeable(session, post_id, by=by)
    problems = _hindrances(session, post, at=at, terms=terms, rules=rules, confirm_repeats=confirm_repeats)
    problems += _nobody_can_approve(session, post)
    if problems:
        raise Invalid(problems)
    post.move(PostState.SUBMITTED)
    post.submitted_at = at
    post.return_reason = None
    note(session, "post.submit", f"post:{post.id}", by=by, at=at, after={"state": post.state})
    return post


def _hindrances(
    session: Session,
    post: Post,
    *,
    at: datetime,
    terms: Terms,
    rules: Mapping[Network, Rules],
    confirm_repeats: bool,
) -> list[FieldProblem]:
    planned = geotargeting.plan(session, post, terms=terms, rules=rules, at=at)
    problems = [FieldProblem("accounts", text) for one in planned for text in one.problems]
    if not planned:
        problems.append(FieldProblem("accounts", _("Choose at least one account to publish on.")))
    if post.first_due_at <= at:
        problems.append(FieldProblem("when", _("The time to publish has passed. Choose a later one.")))
    if not confirm_repeats:
        problems += [
            FieldProblem("accounts", warning + " " + _("Change the post, or confirm that you mean it."))
            for one in planned
            for warning in one.warnings
        ]
    return list(dict.fromkeys(problems))


def _nobody_can_approve(session: Session, post: Post) -> list[FieldProblem]:
    codes = audience_of(session, post)
    coordinators = session.exec(
        select(Role)
        .join(Person, col(Person.id) == col(Role.person_id))
        .where(
            Role.kind == RoleKind.COORDINATOR,
            col(Role.person_id).not_in(post.writers),
            col(Person.disabled_at).is_(None),
        )
    ).all()
    known = geotargeting.atlas(session, [*codes, *(role.territory_code for role in coordinators)])
    held: dict[int, list[str]] = {}
    for role in coordinators:
        held.setdefault(role.person_id, []).append(role.territory_code)
    if any(known.covers(some, codes) for some in held.values()):
        return []
    return [
        FieldProblem(
            "audience",
            _(
                "Nobody can approve this post: no coordinator other than who wrote it covers {territories}. "
                "Ask an administrator to give somebody that role.",
                territories=", ".join(sorted(known.name(code) for code in codes)),
            ),
        )
    ]


def withdraw(session: Session, post_id: int, *, by: Actor, at: datetime, reason: str = "") -> Post:
    """Take a post back: what waits is cancelled; what is going out right now is told once it is known."""
    post = get_post(session, post_id, by=by, lock=True)
    _lock_deliveries(session, post)
    codes = audience_of(session, post)
    known = geotargeting.atlas(session, [*codes, *by.territories()])
    if not posts.can_change(by, known, codes, author_id=post.author_id):
        raise NotAllowed(_("Only its author, or somebody with a role for its whole audience, may withdraw this post."))
    before = {"state": post.state}
    post.move(PostState.WITHDRAWN)
    void_approval(session, post, at=at)
    under_way = [DeliveryState.CLAIMED, DeliveryState.SENDING, DeliveryState.UNKNOWN]
    for delivery in session.exec(
        select(Delivery).where(Delivery.post_id == post.id, col(Delivery.state).in_(under_way))
    ):
        delivery.withdrawn = True
    note(session, "post.withdraw", f"post:{post.id}", by=by, at=at, before=before, after={"reason": reason})
    return post


def preview(
    session: Session, post_id: int, *, by: Actor, at: datetime, terms: Terms, rules: Mapping[Network, Rules]
) -> list[Planned]:
    """Every delivery that the post would become now, with its final words and what stands in its way."""
    return geotargeting.plan(session, get_post(session, post_id, by=by), terms=terms, rules=rules, at=at)


def preview_typed(
    session: Session,
    typed: Draft,
    *,
    by: Actor,
    at: datetime,
    terms: Terms,
    rules: Mapping[Network, Rules],
    post: Post | None = None,
) -> list[Planned]:
    """The same for what is being typed, without writing anything; `post`: the one that it would change.

    Invalid with every problem when it could not be kept like this.
    """
    require_writer(by)
    whole = _imagined(session, typed, by=by, at=at, post=post)
    [planned] = geotargeting.plans_of(session, [whole], terms=terms, rules=rules, at=at)
    return planned


def would_change(session: Session, post: Post, typed: Draft, *, by: Actor, at: datetime) -> bool:
    """Whether what is typed says anything else than the post; Invalid as when it was saved."""
    return _imagined(session, typed, by=by, at=at, post=post).content != geotargeting.whole(session, post).content


def _imagined(session: Session, typed: Draft, *, by: Actor, at: datetime, post: Post | None) -> geotargeting.Whole:
    """What is typed as a post that nobody stores."""
    usual = post.territory_code if post else by.territories(WRITERS)[0]
    checked = _checked(session, typed, by=by, at=at, usual=usual)
    accounts = session.exec(
        select(Account).where(col(Account.id).in_([one.account_id for one in checked.destinations]))
    )
    return geotargeting.Whole(
        post=Post(
            **checked.columns,
            id=post.id if post else None,
            author_id=post.author_id if post else by.id,
            changed_by_id=by.id,
            seed=post.seed if post else "",
            territory_code=usual,
            created_at=at,
            changed_at=at,
        ),
        audience=checked.audience,
        destinations=sorted(checked.destinations, key=lambda one: one.account_id),
        accounts={account.id: account for account in accounts if account.id is not None},
        pictures=[
            PostMedia(post_id=0, position=position, media_id=picture.id, alt=picture.alt)
            for position, picture in enumerate(checked.pictures)
        ],
    )


# --- Checking what was typed ------------------------------------------------------------------------------


class _Checked:
    """A draft whose every word was understood: columns of the post, and its parts."""

    def __init__(self) -> None:
        self.columns: dict[str, Any] = {}
        self.audience: list[str] = []
        self.destinations: list[PostDestination] = []
        self.pictures: list[PictureOf] = []


def _checked(session: Session, typed: Draft, *, by: Actor, at: datetime, usual: str) -> _Checked:
    """Everything typed, checked together so that all problems are told at once.

    `usual` is the audience of who names none: the territory that writes.
    """
    problems: list[FieldProblem] = []
    checked = _Checked()
    audience = typed.audience or [usual]
    known = geotargeting.atlas(session, [*audience, usual, *by.territories()])
    try:
        geotargeting.require_territories(session, audience)
    except Invalid as error:
        problems += error.problems
    checked.audience = sorted(known.simplify([code for code in audience if code in known] or [usual]))
    problems += _foreign_audience(by, known, checked.audience)
    for name, text in [("text", typed.text), *((f"variants.{key}", one) for key, one in typed.variants.items())]:
        problems += [
            FieldProblem(
                name,
                _(
                    "Unknown variable {{{variable}}}. You may write {{academie}} and {{territoire}}.",
                    variable=variable,
                ),
            )
            for variable in posts.unknown_variables(text)
        ]
    checked.destinations, more = _destinations(session, typed, by=by, audience=checked.audience, known=known)
    problems += more
    problems += _missing_pictures(session, typed)
    checked.pictures = typed.pictures
    try:
        checked.columns = _columns(typed, checked.audience, checked.destinations, session, known, at=at)
    except Invalid as error:
        problems += error.problems
    if problems:
        raise Invalid(problems)
    return checked


def _foreign_audience(by: Actor, known: Atlas, audience: Sequence[str]) -> list[FieldProblem]:
    """An animator may write for territories beyond their own only where they touch them; others are not theirs."""
    if by.meets(known, audience, WRITERS):
        return []
    names = ", ".join(known.name(code) for code in audience)
    own = ", ".join(known.name(code) for code in by.territories(WRITERS))
    return [
        FieldProblem(
            "audience", _("Your role is for {own}; this post is for {others} only.", own=own or "—", others=names)
        )
    ]


def _destinations(
    session: Session, typed: Draft, *, by: Actor, audience: Sequence[str], known: Atlas
) -> tuple[list[PostDestination], list[FieldProblem]]:
    from hub.services import connecting

    problems: list[FieldProblem] = []
    chosen: dict[int, Account] = {}
    if typed.accounts is None:
        proposed = geotargeting.proposed_accounts(session, audience, known)
        chosen = {account.id: account for account in proposed if account.id and connecting.can_see(by, known, account)}
    for reference in typed.accounts or ():
        try:
            account = connecting.find_account(session, reference, by=by)
        except (Invalid, NotFound) as error:
            problems.append(FieldProblem("accounts", str(error)))
        else:
            assert account.id is not None
            chosen[account.id] = account
    own_words: dict[int, str] = {}
    for reference, text in typed.variants.items():
        try:
            account = connecting.find_account(session, reference, by=by)
        except (Invalid, NotFound) as error:
            problems.append(FieldProblem(f"variants.{reference}", str(error)))
            continue
        if account.id not in chosen:
            message = _("There is a text for {account}, but it is not among the accounts.", account=account.name)
            problems.append(FieldProblem(f"variants.{reference}", message))
        else:
            own_words[account.id] = text
    destinations = [
        PostDestination(
            post_id=0,
            account_id=account_id,
            text=own_words.get(account_id),
            accepts_unlimited=typed.accepts_unlimited and Network(account.network) is Network.X,
        )
        for account_id, account in chosen.items()
    ]
    return destinations, problems


def _missing_pictures(session: Session, typed: Draft) -> list[FieldProblem]:
    wanted = [picture.id for picture in typed.pictures]
    known = set(session.exec(select(Media.id).where(col(Media.id).in_(wanted)))) if wanted else set()
    missing = _("This picture is not here any more. Upload it again.")
    return [
        FieldProblem(f"pictures.{number}.id", missing)
        for number, picture in enumerate(typed.pictures)
        if picture.id not in known
    ]


def _columns(
    typed: Draft,
    audience: Sequence[str],
    destinations: Sequence[PostDestination],
    session: Session,
    known: Atlas,
    *,
    at: datetime,
) -> dict[str, Any]:
    """The columns of the post; Invalid for a time that is missing, doubled, past or far away."""
    if typed.zone != LOCAL:
        zone_info(typed.zone)
    zones = _zones(typed, audience, destinations, session, known)
    due = [instant(typed.when, zone, typed.fold) for zone in sorted(zones)]
    if min(due) <= at:
        moment = typed.when.strftime("%d/%m/%Y %H:%M")
        raise Invalid(_("{moment} has passed. Choose a later time.", moment=moment), field="when")
    if max(due) - at > FURTHEST:
        raise Invalid(_("That is more than two years away. Check the year."), field="when")
    ends = _end_zones(zones, audience, known) if typed.zone == LOCAL else zones
    useless_after = _useless_after(typed, ends, due)
    if useless_after <= max(due):
        raise Invalid(
            _("The post would be useless before it goes out. Choose an earlier time, or a later end."),
            field="useless_after" if typed.useless_after else "when",
        )
    return {
        "kind": typed.kind,
        "text": typed.text,
        "link": typed.link,
        "event": typed.event.model_dump(mode="json", exclude_none=True) if typed.event else None,
        "wall_time": typed.when.isoformat(timespec="minutes"),
        "zone": typed.zone,
        "fold": typed.fold,
        "first_due_at": min(due),
        "useless_after": useless_after,
    }


def _zones(
    typed: Draft,
    audience: Sequence[str],
    destinations: Sequence[PostDestination],
    session: Session,
    known: Atlas,
) -> set[str]:
    """Every zone in which the wall time will be read."""
    if typed.zone != LOCAL:
        return {typed.zone}
    accounts = select(Account).where(col(Account.id).in_([one.account_id for one in destinations]))
    return geotargeting.local_zones(known, audience, session.exec(accounts).all())


def _end_zones(zones: set[str], audience: Sequence[str], known: Atlas) -> set[str]:
    """The zones in which an end is read: of all that go out, and of all that it is meant for."""
    return zones | {known.zone(code) for code in [*audience, *known.academies_of(audience)]}


def _useless_after(typed: Draft, zones: set[str], due: Sequence[datetime]) -> datetime:
    if typed.useless_after:
        return max(typed.useless_after.replace(tzinfo=zone_info(zone)).astimezone(UTC) for zone in zones)
    if typed.event:
        return typed.event.last_day_ends_at()
    return max(due) + timedelta(days=1)


def _keep_parts(session: Session, post: Post, checked: _Checked) -> None:
    assert post.id is not None
    for code in checked.audience:
        session.add(PostAudience(post_id=post.id, territory_code=code))
    for destination in checked.destinations:
        destination.post_id = post.id
        session.add(destination)
    for position, picture in enumerate(checked.pictures):
        session.add(PostMedia(post_id=post.id, position=position, media_id=picture.id, alt=picture.alt))
    session.flush()


def _keep_version(session: Session, post: Post, typed: Draft, *, by: Actor, at: datetime) -> None:
    """Keep what this version says, with audience and accounts as they were understood."""
    assert post.id is not None
    parts = geotargeting.whole(session, post)
    accounts = [str(one.account_id) for one in parts.destinations]
    variants = {str(one.account_id): one.text for one in parts.destinations if one.text}
    understood = typed.model_copy(update={"audience": parts.audience, "accounts": accounts, "variants": variants})
    content = understood.model_dump(mode="json")
    session.add(PostVersion(post_id=post.id, version=post.version, by_id=by.id, at=at, content=content))
    session.flush()


def last_writer(session: Session, post: Post) -> str:
    """The name of whoever changed the post last."""
    person = session.get(Person, post.changed_by_id)
    return person.name if person else ""


def find_version(session: Session, post: Post, version: int | None) -> PostVersion | None:
    """What the post said at that version, where it was kept."""
    return None if version is None else session.get(PostVersion, (post.id, version))


def _audited(post: Post, checked: _Checked | None) -> dict[str, Any]:
    told: dict[str, Any] = {
        "state": post.state,
        "version": post.version,
        "text": post.text,
        "link": post.link,
        "when": f"{post.wall_time} {post.zone}",
    }
    if checked:
        told["audience"] = checked.audience
        told["accounts"] = sorted(one.account_id for one in checked.destinations)
    return told
