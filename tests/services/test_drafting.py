"""Writing posts: what is refused and how it is told, conflicts, changes, submitting, withdrawing, who may."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError
from sqlmodel import select

from hub.database import reading, writing
from hub.domain.delivery import DeliveryState
from hub.domain.errors import Invalid, NotAllowed, NotFound, WrongState
from hub.domain.person import Person, RoleKind
from hub.domain.post import Approval, Media, Post, PostDestination, PostState
from hub.services import approving, drafting, geotargeting
from hub.services.geotargeting import Planned
from tests.services.desk import Desk, told

PICTURE = "a" * 64


def refused(desk: Desk, by: str = "animator", **typed: Any) -> list[tuple[str, str]]:
    """Field and sentence of everything that stands against such a post."""
    with pytest.raises(Invalid) as error:
        desk.write(by, **typed)
    return told(error)


def mistyped(desk: Desk, **typed: Any) -> list[tuple[str, str]]:
    """Field and sentence of everything that cannot even be read."""
    with pytest.raises(ValidationError) as error:
        desk.typed(**typed)
    return [
        (".".join(str(part) for part in one["loc"]), one["msg"].removeprefix("Value error, "))
        for one in error.value.errors()
    ]


# --- What is typed ------------------------------------------------------------------------------------------


def test_a_post_is_written_as_typed(desk: Desk):
    post = desk.post(desk.write(text="Bonjour {territoire}", link=" https://example.org/cfa ", kind="advice"))

    assert (post.text, post.link, post.kind, post.state) == (
        "Bonjour {territoire}",
        "https://example.org/cfa",
        "advice",
        "draft",
    )
    assert (post.wall_time, post.zone, post.version, post.territory_code) == ("2026-11-10T18:00", "local", 1, "A-14")
    assert post.first_due_at == datetime(2026, 11, 10, 17, tzinfo=UTC)
    assert post.useless_after == post.first_due_at + timedelta(days=1)
    assert post.author_id == desk.who("animator").id


@pytest.mark.parametrize(
    "typed",
    [
        {"text": "Portes ouvertes"},
        {"accounts": ["facebook:A-14", "portal:FR"], "variants": {"portal:FR": "Autres mots"}},
        {"zone": "Europe/Paris", "when": "2027-10-31T02:30", "fold": "later"},
        {"useless_after": "2026-11-20T12:00", "audience": ["A-14", "A-32"], "accounts": ["portal:FR"]},
        {
            "kind": "event",
            "event": {"timings": [{"begin": "2027-01-30T09:00", "end": "2027-01-30T12:00"}], "commune": "35047"},
        },
        {"audience": ["D-35"], "accounts": ["x:FR"], "accepts_unlimited": True},
    ],
    ids=lambda typed: " ".join(typed),
)
def test_a_post_is_given_back_as_typed_so_that_it_can_be_handed_in_again(desk: Desk, typed):
    post_id = desk.write(**typed)
    with reading(desk.stage.hub.engine) as session:
        before = geotargeting.whole(session, desk.post(post_id)).content
        again = drafting.typed_of(session, desk.post(post_id))

    desk.change(post_id, **again.model_dump())

    with reading(desk.stage.hub.engine) as session:
        assert geotargeting.whole(session, desk.post(post_id)).content == before


def test_an_event_is_useful_until_its_last_date_is_over(desk: Desk):
    event = {"timings": [{"begin": "2027-01-30T09:00", "end": "2027-01-30T12:00"}], "venue": "CFA"}

    post = desk.post(desk.write(event=event))

    assert post.useless_after == datetime(2027, 1, 30, 23, tzinfo=UTC)


@pytest.mark.parametrize(
    "link",
    [
        "example.org",
        "ftp://example.org",
        "https://",
        "https://local",
        "javascript:alert(1)",
        "https://a b.org",
        "https://[::1",
    ],
)
def test_what_is_no_web_address_is_refused(desk: Desk, link):
    assert mistyped(desk, link=link) == [
        ("link", f"“{link}” is not a web address. It should look like https://example.org/page.")
    ]


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ({"text": "  "}, ("text", "Write a text.")),
        ({"text": "a\x00b"}, ("text", "The text holds characters that no network can show. Type it anew.")),
        ({"variants": {"portal:FR": " "}}, ("variants", "Write a text.")),
        ({"when": "2026-11-10T18:00+01:00"}, ("when", "Write the time without an offset, and the zone beside it.")),
        ({"when": "9999-12-31T23:59"}, ("when", "Check the year: 9999 is not meant.")),
        ({"txt": "Bonjour"}, ("txt", "Extra inputs are not permitted")),
    ],
)
def test_what_cannot_be_read_is_told_by_its_field(desk: Desk, typed, told):
    assert mistyped(desk, **typed) == [told]


def test_everything_that_cannot_be_read_is_told_at_once(desk: Desk):
    told = mistyped(desk, text=" ", link="example", when="2026-11-10T18:00Z", pictures=[{"id": "x", "alt": " "}])

    assert [where for where, _why in told] == ["text", "link", "pictures.0.id", "pictures.0.alt", "when"]


def test_everything_that_stands_in_the_way_is_told_at_once(desk: Desk):
    problems = refused(
        desk,
        text="Bonjour {ville}",
        audience=["D-999"],
        accounts=["facebook:A-15"],
        variants={"x:FR": "Salut"},
        pictures=[{"id": PICTURE, "alt": "Un atelier"}],
        when="2026-11-01T18:00",
    )

    assert [where for where, _why in problems] == [
        "audience",
        "text",
        "accounts",
        "variants.x:FR",
        "pictures.0.id",
        "when",
    ]


# --- Times --------------------------------------------------------------------------------------------------


def test_a_time_that_has_passed_is_refused(desk: Desk):
    assert refused(desk, when="2026-11-02T12:00") == [("when", "02/11/2026 12:00 has passed. Choose a later time.")]
    assert desk.write(when="2026-11-02T12:01")


def test_a_time_that_has_passed_in_one_territory_is_refused_for_all(desk: Desk):
    """At noon in Paris it is ten in the evening in Nouméa."""
    typed: dict[str, Any] = {"audience": ["A-14", "A-40"], "when": "2026-11-02T21:00"}

    assert refused(desk, "coordinator", accounts=["facebook:FR"], **typed) == [
        ("when", "02/11/2026 21:00 has passed. Choose a later time.")
    ]


def test_a_time_is_only_asked_of_the_territories_that_it_goes_out_in(desk: Desk):
    """Past in Paris, but not in Guadeloupe."""
    post = desk.post(
        desk.write("coordinator", audience=["A-32"], accounts=["facebook:A-32", "portal:FR"], when="2026-11-02T08:00")
    )

    assert post.first_due_at == datetime(2026, 11, 2, 12, tzinfo=UTC)


def test_a_missing_hour_is_refused_with_the_hours_around_it(desk: Desk):
    assert refused(desk, when="2027-03-28T02:30") == [
        (
            "when",
            "28/03/2027 at 02:30 does not exist in Paris: clocks go forward that night. Take 01:30 or 03:30.",
        )
    ]


def test_an_hour_that_is_missing_in_paris_exists_in_guadeloupe(desk: Desk):
    assert desk.write("stranger", when="2027-03-28T02:30", audience=["A-32"], accounts=["facebook:A-32", "portal:FR"])


def test_a_doubled_hour_is_asked_about(desk: Desk):
    problems = refused(desk, when="2027-10-31T02:30")
    earlier = desk.post(desk.write(when="2027-10-31T02:30", fold="earlier"))
    later = desk.post(desk.write(when="2027-10-31T02:30", fold="later"))

    assert problems == [
        (
            "fold",
            "31/10/2027 at 02:30 occurs twice in Paris: clocks go back that night. "
            "Say which one: the earlier or the later.",
        )
    ]
    assert later.first_due_at - earlier.first_due_at == timedelta(hours=1)


def test_a_date_too_far_away_is_taken_for_a_mistake(desk: Desk):
    assert refused(desk, when="2028-11-05T18:00") == [("when", "That is more than two years away. Check the year.")]


def test_an_unknown_zone_is_refused(desk: Desk):
    assert refused(desk, zone="Europe/Rennes") == [
        ("zone", "Unknown time zone “Europe/Rennes”. Use a name such as Europe/Paris, or local.")
    ]


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"useless_after": "2026-11-10T18:00"}, "useless_after"),
        ({"event": {"timings": [{"begin": "2026-11-09T09:00", "end": "2026-11-09T12:00"}], "venue": "CFA"}}, "when"),
    ],
)
def test_a_post_that_would_be_useless_before_it_goes_out_is_refused(desk: Desk, typed, field):
    assert refused(desk, **typed) == [
        (field, "The post would be useless before it goes out. Choose an earlier time, or a later end.")
    ]


# --- Accounts, audience, pictures ---------------------------------------------------------------------------


def test_an_unknown_account_is_refused_with_what_shows_them_all(desk: Desk):
    assert refused(desk, accounts=["Nulle part"]) == [
        ("accounts", "There is no account Nulle part. “relais account list” shows them all.")
    ]


def test_an_account_of_elsewhere_is_not_there_for_an_animator(desk: Desk):
    assert [where for where, _why in refused(desk, accounts=["facebook:A-32"])] == ["accounts"]


def test_words_for_an_account_that_is_not_chosen_are_refused(desk: Desk):
    assert refused(desk, variants={"portal:FR": "Bonjour"}) == [
        ("variants.portal:FR", "There is a text for Portail, but it is not among the accounts.")
    ]


def test_words_for_an_account_that_nobody_knows_are_refused(desk: Desk):
    assert refused(desk, variants={"Nulle part": "Bonjour"}) == [
        ("variants.Nulle part", "There is no account Nulle part. “relais account list” shows them all.")
    ]


def test_an_animator_writes_for_their_own_territory_and_what_holds_it_but_not_for_others(desk: Desk):
    assert refused(desk, audience=["A-32"], accounts=["portal:FR"]) == [
        ("audience", "Your role is for Rennes; this post is for Guadeloupe only.")
    ]
    assert desk.write(audience=["FR"], accounts=["facebook:FR"])


@pytest.mark.parametrize("who", ["analyst", "administrator"])
def test_others_do_not_write(desk: Desk, who):
    with pytest.raises(NotAllowed) as error:
        desk.write(who)

    assert str(error.value) == "Only animators and coordinators write posts. Ask an administrator for that role."


def test_a_picture_that_is_not_there_is_refused(desk: Desk):
    assert refused(desk, pictures=[{"id": PICTURE, "alt": "Un atelier"}]) == [
        ("pictures.0.id", "This picture is not here any more. Upload it again.")
    ]


def test_pictures_are_kept_in_order_with_their_words(desk: Desk):
    with writing(desk.stage.hub.engine) as session:
        for name in ("a", "b"):
            columns: dict[str, Any] = {"mime": "image/png", "width": 1, "height": 1, "size": 1, "created_at": desk.now}
            session.add(Media(id=name * 64, data=name.encode(), **columns))

    post_id = desk.write(pictures=[{"id": "b" * 64, "alt": "Une cour"}, {"id": "a" * 64, "alt": "Un atelier"}])

    with reading(desk.stage.hub.engine) as session:
        parts = geotargeting.whole(session, desk.post(post_id)).pictures
        shown = geotargeting.pictures(session, parts)
    assert [(one.data, one.alt) for one in shown] == [(b"b", "Une cour"), (b"a", "Un atelier")]


# --- Changing -----------------------------------------------------------------------------------------------


def test_a_change_makes_a_new_version_and_replaces_all_parts(desk: Desk):
    post_id = desk.write(audience=["D-35", "D-22"], accounts=["facebook:A-14", "portal:FR"])

    desk.change(post_id, text="Autre chose", audience=["A-14"], accounts=["portal:FR"])

    post = desk.post(post_id)
    assert (post.text, post.version, post.state) == ("Autre chose", 2, "draft")
    with reading(desk.stage.hub.engine) as session:
        parts = geotargeting.whole(session, post)
    assert (parts.audience, [one.name for one in parts.accounts.values()]) == (["A-14"], ["Portail"])
    assert desk.audited(post_id) == [("post.draft", "Animator"), ("post.change", "Animator")]


def test_the_second_of_two_editors_meets_a_conflict_and_loses_nothing(desk: Desk):
    post_id = desk.write()
    desk.change(post_id, "colleague", version=1, text="De ma collègue")

    with pytest.raises(WrongState) as error:
        desk.change(post_id, "animator", version=1, text="De moi")

    assert str(error.value) == (
        "Somebody else changed this post while you were writing (it is version 2, you saw 1). Look at it again."
    )
    assert desk.post(post_id).text == "De ma collègue"


def test_a_change_without_an_audience_keeps_to_the_territory_that_wrote(desk: Desk):
    post_id = desk.write("animator")

    desk.change(post_id, "coordinator", audience=None)

    with reading(desk.stage.hub.engine) as session:
        assert geotargeting.whole(session, desk.post(post_id)).audience == ["A-14"]


def test_a_change_voids_the_approval_and_cancels_what_waits(desk: Desk):
    post_id = desk.approved()

    desk.change(post_id, text="Autre chose")

    [delivery] = desk.deliveries(post_id)
    assert (desk.post(post_id).state, delivery.state, delivery.reason) == (
        "draft",
        "cancelled",
        "The approval was taken back.",
    )
    with reading(desk.stage.hub.engine) as session:
        assert [one.voided_at for one in session.exec(select(Approval))] == [desk.now]


def test_a_post_that_was_changed_may_be_approved_anew(desk: Desk):
    post_id = desk.approved()
    desk.change(post_id, text="Autre chose")
    desk.submit(post_id)

    [delivery] = desk.approve(post_id)

    assert (delivery.text, delivery.state) == ("Autre chose", "waiting")
    assert [one.state for one in desk.deliveries(post_id)] == ["cancelled", "waiting"]


@pytest.mark.parametrize("state", ["claimed", "sending", "unknown", "review", "sent", "failed", "removed"])
def test_a_post_that_has_begun_to_go_out_does_not_change_any_more(desk: Desk, state):
    post_id = desk.approved()
    desk.move(desk.deliveries(post_id)[0].id, state=DeliveryState(state))

    with pytest.raises(WrongState) as error:
        desk.change(post_id, text="Autre chose")

    assert str(error.value) == (
        "This post has begun to go out, so it cannot change any more. Make a copy of it instead."
    )
    assert desk.post(post_id).text == "Portes ouvertes au CFA"


def test_a_delivery_that_was_tried_counts_as_begun_even_while_it_waits_again(desk: Desk):
    post_id = desk.approved()
    desk.move(desk.deliveries(post_id)[0].id, attempts=1)

    with pytest.raises(WrongState):
        desk.change(post_id, text="Autre chose")


def test_a_returned_post_becomes_a_draft_again_when_it_is_changed(desk: Desk):
    post_id = desk.submitted()
    with writing(desk.stage.hub.engine) as session:
        approving.give_back(session, post_id, by=desk.who("coordinator"), at=desk.now, reason="Trop long")

    desk.change(post_id, text="Court")

    assert desk.post(post_id).state == "draft"


# --- Submitting ---------------------------------------------------------------------------------------------


def submit_refused(desk: Desk, post_id: int, by: str = "animator", **rest: Any) -> list[tuple[str, str]]:
    with pytest.raises(Invalid) as error:
        desk.submit(post_id, by, **rest)
    assert desk.post(post_id).state == "draft"
    return told(error)


def test_a_submitted_post_waits_for_a_coordinator(desk: Desk):
    post_id = desk.submitted()

    post = desk.post(post_id)

    assert (post.state, post.submitted_at) == ("submitted", desk.now)
    assert desk.audited(post_id)[-1] == ("post.submit", "Animator")


def test_nothing_is_submitted_without_an_account(desk: Desk):
    assert submit_refused(desk, desk.write(accounts=[])) == [("accounts", "Choose at least one account to publish on.")]


def test_what_would_stand_in_the_way_of_publishing_is_told_at_once(desk: Desk):
    post_id = desk.write("coordinator", audience=["D-35"], accounts=["x:FR", "facebook:A-32"])
    desk.stage.clock.forward(days=20)

    problems = submit_refused(desk, post_id, "coordinator")

    assert sorted(problems) == [
        (
            "accounts",
            "Page elsewhere speaks for Guadeloupe, and nothing of the audience lies there. Leave this account out.",
        ),
        (
            "accounts",
            "Page x cannot limit a post to a territory: everybody would see it. "
            "Leave this account out, or accept that it is not limited.",
        ),
        ("when", "The time to publish has passed. Choose a later one."),
    ]


def test_a_repeat_is_asked_about_and_may_be_confirmed(desk: Desk):
    first = desk.approved()
    post_id = desk.write()

    assert submit_refused(desk, post_id) == [
        (
            "accounts",
            f"Page rennes says the same words within 24 hours (post {first}). "
            "Change the post, or confirm that you mean it.",
        )
    ]
    assert desk.submit(post_id, confirm_repeats=True).state == "submitted"


def test_submitting_says_at_once_when_nobody_can_approve(desk: Desk):
    with writing(desk.stage.hub.engine) as session:
        for name in ("coordinator", "deputy"):
            person = session.get(Person, desk.who(name).id)
            assert person is not None
            person.disabled_at = desk.now
    desk.join("limousine", RoleKind.COORDINATOR, "A-22")

    assert submit_refused(desk, desk.write()) == [
        (
            "audience",
            "Nobody can approve this post: no coordinator other than who wrote it covers Rennes. "
            "Ask an administrator to give somebody that role.",
        )
    ]


def test_an_author_who_is_the_only_coordinator_cannot_approve_either(desk: Desk):
    with writing(desk.stage.hub.engine) as session:
        person = session.get(Person, desk.who("deputy").id)
        assert person is not None
        person.disabled_at = desk.now

    post_id = desk.write("coordinator")

    assert [where for where, _why in submit_refused(desk, post_id, "coordinator")] == ["audience"]


def test_a_coordinator_of_the_academie_is_enough(desk: Desk):
    desk.join("bretonne", RoleKind.COORDINATOR, "R-53")

    assert desk.submitted()


def test_what_is_submitted_is_not_submitted_again(desk: Desk):
    post_id = desk.submitted()

    with pytest.raises(WrongState) as error:
        desk.submit(post_id)

    assert str(error.value) == "This post is already in the state “to approve”."


# --- Withdrawing --------------------------------------------------------------------------------------------


def test_a_withdrawn_post_sends_nothing_that_still_waits(desk: Desk):
    post_id = desk.approved(accounts=["facebook:A-14", "portal:FR"])
    first, second = desk.deliveries(post_id)
    desk.move(first.id, state=DeliveryState.SENDING)

    desk.withdraw(post_id)

    going, waiting = desk.deliveries(post_id)
    assert desk.post(post_id).state == "withdrawn"
    assert (going.state, going.withdrawn) == ("sending", True)
    assert (waiting.state, waiting.withdrawn) == ("cancelled", False)
    assert waiting.epoch == second.epoch + 1
    assert desk.audited(post_id)[-1] == ("post.withdraw", "Animator")


@pytest.mark.parametrize("state", list(PostState))
def test_a_post_is_withdrawn_from_where_its_road_allows(desk: Desk, state):
    post_id = desk.write()
    with writing(desk.stage.hub.engine) as session:
        post = drafting.get_post(session, post_id, by=desk.who("animator"))
        post.state = state

    if state in {PostState.WITHDRAWN, PostState.ARCHIVED}:
        with pytest.raises(WrongState):
            desk.withdraw(post_id)
    else:
        assert desk.withdraw(post_id).state == "withdrawn"


# --- Who sees, who changes ----------------------------------------------------------------------------------

WHO = [
    # who, audience, sees, changes
    ("animator", ["A-14"], True, True),
    ("colleague", ["A-14"], True, True),
    ("colleague", ["D-35"], True, True),
    ("colleague", ["A-14", "A-32"], True, False),
    ("colleague", ["FR"], True, False),
    ("stranger", ["A-14"], False, False),
    ("stranger", ["FR"], True, False),
    ("coordinator", ["A-14"], True, True),
    ("coordinator", ["FR"], True, True),
    ("analyst", ["A-14"], True, False),
    ("administrator", ["A-14"], True, False),
]


@pytest.mark.parametrize(("who", "audience", "sees", "changes"), WHO)
def test_who_sees_and_who_changes_a_post_of_the_animator_of_rennes(desk: Desk, who, audience, sees, changes):
    post_id = desk.write("animator", audience=audience, accounts=["portal:FR"])
    by = desk.who(who)

    with reading(desk.stage.hub.engine) as session:
        listed = [post.id for post in drafting.list_posts(session, by=by)]
    outcome = "changed"
    try:
        desk.change(post_id, who, audience=audience, accounts=["portal:FR"])
    except NotFound:
        outcome = "not found"
    except NotAllowed:
        outcome = "not allowed"

    assert (listed == [post_id]) is sees
    assert outcome == ("changed" if changes else "not allowed" if sees else "not found")


@pytest.mark.parametrize(("who", "refusal"), [("analyst", NotAllowed), ("stranger", NotFound)])
def test_who_may_not_change_a_post_neither_submits_nor_withdraws_it(desk: Desk, who, refusal):
    post_id = desk.write()

    with pytest.raises(refusal):
        desk.submit(post_id, who)
    with pytest.raises(refusal):
        desk.withdraw(post_id, who)

    assert desk.post(post_id).state == "draft"


def test_a_post_that_is_not_there_reads_like_one_of_somebody_else(desk: Desk):
    theirs = desk.write()

    with reading(desk.stage.hub.engine) as session:
        with pytest.raises(NotFound) as absent:
            drafting.get_post(session, 999, by=desk.who("stranger"))
        with pytest.raises(NotFound) as foreign:
            drafting.get_post(session, theirs, by=desk.who("stranger"))

    assert str(absent.value) == "There is no post 999 that you may see."
    assert str(foreign.value) == f"There is no post {theirs} that you may see."


def test_posts_are_listed_newest_first_by_state_and_author_page_by_page(desk: Desk):
    mine = [desk.write("animator") for _ in range(3)]
    hers = desk.submitted("colleague")
    theirs = desk.write("stranger", audience=["A-32"], accounts=["portal:FR"])
    by = desk.who("animator")

    with reading(desk.stage.hub.engine) as session:
        every = [post.id for post in drafting.list_posts(session, by=by)]
        own = [post.id for post in drafting.list_posts(session, by=by, mine=True)]
        waiting = [post.id for post in drafting.list_posts(session, by=by, states=[PostState.SUBMITTED])]
        first = [post.id for post in drafting.list_posts(session, by=by, limit=2)]
        then = [post.id for post in drafting.list_posts(session, by=by, limit=2, before=first[-1])]
        all_of_it = [post.id for post in drafting.list_posts(session, by=desk.who("coordinator"))]

    assert every == [hers, *reversed(mine)]
    assert own == [*reversed(mine)]
    assert waiting == [hers]
    assert (first, then) == (every[:2], every[2:])
    assert all_of_it == [theirs, *every]


def test_the_preview_is_for_those_who_see_the_post(desk: Desk):
    post_id = desk.write()

    with reading(desk.stage.hub.engine) as session:
        shown = drafting.preview(
            session, post_id, by=desk.who("analyst"), at=desk.now, terms=desk.terms, rules=desk.stage.hub.rules
        )
        with pytest.raises(NotFound):
            drafting.preview(
                session, post_id, by=desk.who("stranger"), at=desk.now, terms=desk.terms, rules=desk.stage.hub.rules
            )

    assert [(one.account.name, one.text) for one in shown] == [("Page rennes", "Portes ouvertes au CFA")]


# --- What is not kept yet -----------------------------------------------------------------------------------


def imagined(desk: Desk, by: str = "animator", post_id: int | None = None, **typed: Any) -> list[Planned]:
    """What a post would become that nobody has saved."""
    hub = desk.stage.hub
    with reading(hub.engine) as session:
        post = drafting.get_post(session, post_id, by=desk.who(by)) if post_id else None
        draft = desk.typed(**typed)
        return drafting.preview_typed(
            session, draft, by=desk.who(by), at=desk.now, terms=desk.terms, rules=hub.rules, post=post
        )


def test_what_is_being_typed_is_previewed_like_the_saved_post(desk: Desk):
    typed: dict[str, Any] = {
        "text": "Venez à {territoire}",
        "audience": ["D-35"],
        "accounts": None,
        "link": "https://example.org/cfa",
    }

    seen = imagined(desk, **typed)

    saved = desk.plan(desk.write(**typed))
    assert [replace(one, key="", link="") for one in seen] == [replace(one, key="", link="") for one in saved]
    assert [(one.territory_name, one.text) for one in seen] == [("Ille-et-Vilaine", "Venez à Ille-et-Vilaine")] * 2


def test_a_change_is_previewed_with_the_very_links_of_its_post(desk: Desk):
    post_id = desk.write(link="https://example.org/cfa")

    assert [one.key for one in imagined(desk, post_id=post_id)] == [one.key for one in desk.plan(post_id)]


def test_a_change_is_not_taken_for_a_repeat_of_itself(desk: Desk):
    post_id = desk.approved()

    assert [one.warnings for one in imagined(desk, post_id=post_id)] == [()]
    assert [len(one.warnings) for one in imagined(desk)] == [1]


def test_a_preview_of_what_is_typed_writes_nothing(desk: Desk):
    post_id = desk.write()
    hub = desk.stage.hub

    with writing(hub.engine) as session:
        post = drafting.get_post(session, post_id, by=desk.who("animator"))
        drafting.preview_typed(
            session,
            desk.typed(text="Autrement", accounts=["portal:FR"]),
            by=desk.who("animator"),
            at=desk.now,
            terms=desk.terms,
            rules=hub.rules,
            post=post,
        )

    with reading(hub.engine) as session:
        assert [one.text for one in session.exec(select(Post))] == ["Portes ouvertes au CFA"]
        assert [one.account_id for one in session.exec(select(PostDestination))] == [desk.stage.accounts["rennes"]]


def test_a_preview_tells_every_problem_of_what_is_typed(desk: Desk):
    with pytest.raises(Invalid) as error:
        imagined(desk, text="{ville}", audience=["X-1"], when="2026-01-01T10:00")

    assert [field for field, _message in told(error)] == ["audience", "text", "when"]


def test_who_writes_no_posts_previews_none(desk: Desk):
    with pytest.raises(NotAllowed):
        imagined(desk, "analyst")
