"""Posts: their road, what their fingerprint covers, variables, and who may see, change and approve."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.domain.clock import Fold
from hub.domain.delivery import Delivery, DeliveryState
from hub.domain.errors import WrongState
from hub.domain.person import Actor, HeldRole, RoleKind
from hub.domain.post import (
    Kind,
    Post,
    PostDestination,
    PostMedia,
    PostState,
    Progress,
    can_approve,
    can_change,
    can_see,
    fill,
    fingerprint,
    progress,
    unknown_variables,
    variables_in,
)
from hub.services.geotargeting import Whole
from tests.domain.land import ATLAS

NOON = datetime(2026, 11, 2, 11, tzinfo=UTC)


def a_post(**columns: Any) -> Post:
    """A post of which only what matters is told."""
    return Post(**columns)


def a_delivery(state: str) -> Delivery:
    """A delivery that stands there."""
    columns: dict[str, Any] = {"state": DeliveryState(state)}
    return Delivery(**columns)


# --- The road -----------------------------------------------------------------------------------------------

ALLOWED = {
    "draft": "submitted withdrawn",
    "submitted": "draft returned approved expired withdrawn",
    "returned": "draft submitted withdrawn",
    "approved": "draft withdrawn archived",
    "expired": "draft withdrawn archived",
    "withdrawn": "draft archived",
    "archived": "",
}
STEPS = [(here, there, there in ALLOWED[here].split()) for here, there in product(ALLOWED, repeat=2)]


@pytest.mark.parametrize(("here", "there"), [(here, there) for here, there, allowed in STEPS if allowed])
def test_a_post_takes_each_step_of_its_road(here, there):
    post = a_post(state=PostState(here))

    post.move(PostState(there))

    assert post.state == there


@pytest.mark.parametrize(("here", "there"), [(here, there) for here, there, allowed in STEPS if not allowed])
def test_a_post_takes_no_other_step(here, there):
    post = a_post(state=PostState(here))

    with pytest.raises(WrongState):
        post.move(PostState(there))

    assert post.state == here


def test_a_step_that_cannot_be_taken_is_refused_in_words():
    with pytest.raises(WrongState) as refused:
        a_post(state=PostState.SUBMITTED).move(PostState.ARCHIVED)

    assert str(refused.value) == "This post is to approve, so it cannot become archived."


def test_a_step_that_was_taken_already_is_said_to_be_so():
    with pytest.raises(WrongState) as refused:
        a_post(state=PostState.SUBMITTED).move(PostState.SUBMITTED)

    assert str(refused.value) == "This post is already in the state “to approve”."


def test_the_table_of_steps_names_every_state():
    assert set(ALLOWED) == set(PostState)


# --- The fingerprint ----------------------------------------------------------------------------------------


def whole(**changed: Any) -> Whole:
    """A post with all its parts; `audience`, `destinations` and `pictures` may be changed as well as columns."""
    columns: dict[str, Any] = {
        "id": 1,
        "kind": Kind.EVENT,
        "text": "Portes ouvertes",
        "link": "https://example.org",
        "event": {"timings": [{"begin": "2027-01-30T09:00:00"}]},
        "wall_time": "2026-12-01T18:00",
        "zone": "local",
        "fold": None,
        "first_due_at": NOON,
        "useless_after": NOON,
        "author_id": 1,
        "changed_by_id": 1,
        "seed": "5eed",
        "territory_code": "A-14",
        "created_at": NOON,
        "changed_at": NOON,
    }
    parts: dict[str, Any] = {
        "audience": ["D-22", "D-35"],
        "destinations": [PostDestination(post_id=1, account_id=3), PostDestination(post_id=1, account_id=2)],
        "pictures": [PostMedia(post_id=1, position=0, media_id="a" * 64, alt="Un atelier")],
    }
    parts |= {name: changed.pop(name) for name in list(changed) if name in parts}
    return Whole(post=a_post(**columns | changed), accounts={}, **parts)


@pytest.mark.parametrize(
    "changed",
    [
        {"kind": Kind.NEWS},
        {"text": "Portes ouvertes!"},
        {"link": None},
        {"event": None},
        {"event": {"timings": [{"begin": "2027-01-30T10:00:00"}]}},
        {"wall_time": "2026-12-01T18:01"},
        {"zone": "Europe/Paris"},
        {"fold": Fold.LATER},
        {"useless_after": NOON.replace(hour=12)},
        {"audience": ["D-22"]},
        {"destinations": [PostDestination(post_id=1, account_id=3)]},
        {
            "destinations": [
                PostDestination(post_id=1, account_id=3, text="Pour vous"),
                PostDestination(post_id=1, account_id=2),
            ]
        },
        {
            "destinations": [
                PostDestination(post_id=1, account_id=3, accepts_unlimited=True),
                PostDestination(post_id=1, account_id=2),
            ]
        },
        {"pictures": []},
        {"pictures": [PostMedia(post_id=1, position=0, media_id="b" * 64, alt="Un atelier")]},
        {"pictures": [PostMedia(post_id=1, position=0, media_id="a" * 64, alt="Une cour")]},
    ],
    ids=lambda changed: " ".join(changed),
)
def test_a_change_of_anything_that_is_said_changes_the_fingerprint(changed):
    assert whole(**changed).content != whole().content


@pytest.mark.parametrize(
    "changed",
    [
        {"state": PostState.APPROVED},
        {"version": 7},
        {"changed_at": NOON.replace(hour=12)},
        {"submitted_at": NOON},
        {"return_reason": "Trop long"},
        {"audience": ["D-35", "D-22"]},
        {"destinations": [PostDestination(post_id=1, account_id=2), PostDestination(post_id=1, account_id=3)]},
    ],
    ids=lambda changed: " ".join(changed),
)
def test_what_is_not_said_leaves_the_fingerprint_alone(changed):
    assert whole(**changed).content == whole().content


def test_a_fingerprint_does_not_depend_on_the_order_of_fields():
    assert fingerprint({"a": 1, "b": [2, "é"]}) == fingerprint({"b": [2, "é"], "a": 1})
    assert fingerprint(["a", "b"]) != fingerprint(["b", "a"])


# --- Variables ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "unknown", "known"),
    [
        ("Bonjour", [], set()),
        ("En {territoire}, académie de {academie}", [], {"territoire", "academie"}),
        ("{ville} et {age}, {ville}", ["age", "ville"], set()),
        ("{Territoire} { territoire } {}", ["", " territoire ", "Territoire"], set()),
        ("{{territoire}}", [], {"territoire"}),
        ("une { seule", [], set()),
    ],
)
def test_variables_are_told_from_mistypings(text, unknown, known):
    assert unknown_variables(text) == unknown
    assert variables_in(text) == known


def test_variables_are_filled_and_everything_else_stays():
    assert fill("{territoire} {ville} {", {"territoire": "Rennes"}) == "Rennes {ville} {"


@given(st.text(), st.text())
def test_filling_a_text_without_variables_changes_nothing(before, after):
    text = before.replace("{", "(") + after.replace("}", ")")

    assert fill(text, {"territoire": "Rennes", "academie": "Rennes"}) == text


# --- How far it has come ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("states", "told"),
    [
        ([], None),
        (["cancelled"], None),
        (["waiting", "waiting"], Progress.SCHEDULED),
        (["failed", "waiting"], Progress.SCHEDULED),
        (["unknown"], Progress.SCHEDULED),
        (["sent", "waiting"], Progress.PARTLY_PUBLISHED),
        (["sent", "failed"], Progress.PARTLY_PUBLISHED),
        (["sent", "cancelled"], Progress.PUBLISHED),
        (["sent", "removed"], Progress.PUBLISHED),
        (["failed", "failed"], Progress.FAILED),
    ],
)
def test_progress_is_told_from_deliveries(states, told):
    assert progress([a_delivery(state) for state in states]) == told


# --- Who may ------------------------------------------------------------------------------------------------

AUTHOR = 1

MAY = [
    # role, where it is held, audience, sees, changes, approves
    ("animator", "A-14", "A-14", True, True, False),
    ("animator", "A-14", "D-35", True, True, False),
    ("animator", "D-35", "A-14", True, False, False),
    ("animator", "A-14", "FR", True, False, False),
    ("animator", "A-40", "A-14", False, False, False),
    ("coordinator", "FR", "A-14", True, True, True),
    ("coordinator", "A-14", "A-14", True, True, True),
    ("coordinator", "R-53", "A-14", True, True, True),
    ("coordinator", "A-14", "FR", True, False, False),
    ("coordinator", "A-40", "A-14", False, False, False),
    ("analyst", "FR", "A-14", True, False, False),
    ("analyst", "A-40", "A-14", False, False, False),
    ("administrator", "FR", "A-14", True, False, False),
    (None, "", "A-14", False, False, False),
]


def person(role: str | None, territory: str) -> Actor:
    """Somebody with one role, or none."""
    roles = (HeldRole(RoleKind(role), territory),) if role else ()
    return Actor(2, "ana@example.org", "Ana", roles)


@pytest.mark.parametrize(("role", "territory", "audience", "sees", "changes", "approves"), MAY)
def test_who_may_see_change_and_approve_the_post_of_somebody_else(role, territory, audience, sees, changes, approves):
    ana = person(role, territory)

    told = [can_see(ana, ATLAS, [audience]), can_change(ana, ATLAS, [audience], author_id=AUTHOR)]

    assert [*told, can_approve(ana, ATLAS, [audience], writers={AUTHOR})] == [sees, changes, approves]


@pytest.mark.parametrize(
    ("role", "territory", "sees", "changes"),
    [
        ("coordinator", "FR", True, True),
        ("animator", "A-14", True, True),
        ("animator", "D-35", True, True),
        ("analyst", "A-14", True, False),
        ("animator", "A-40", False, False),
        (None, "", False, False),
    ],
)
def test_its_author_sees_and_changes_a_post_while_they_write_there_but_never_approves_it(
    role, territory, sees, changes
):
    ana = replace(person(role, territory), id=AUTHOR)

    told = [can_see(ana, ATLAS, ["A-14"]), can_change(ana, ATLAS, ["A-14"], author_id=AUTHOR)]

    assert [*told, can_approve(ana, ATLAS, ["A-14"], writers={AUTHOR})] == [sees, changes, False]


def test_a_role_for_a_part_of_the_audience_approves_nothing_until_the_parts_make_the_whole():
    half = person("coordinator", "D-22")
    both = replace(half, roles=(*half.roles, HeldRole(RoleKind.COORDINATOR, "D-35")))

    assert can_approve(half, ATLAS, ["A-14"], writers={AUTHOR}) is False
    assert can_approve(both, ATLAS, ["A-14"], writers={AUTHOR}) is True
