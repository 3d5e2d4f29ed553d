"""The story of a post, in words."""

from __future__ import annotations

from hub.database import reading, writing
from hub.domain.delivery import Action, DeliveryState
from hub.services import approving, cataloguing, resolving, telling
from hub.services.telling import Event
from tests.services.counting import CLICKS, PEOPLE, published, read
from tests.services.desk import Desk
from tests.services.test_reading_together import statements


def story(desk: Desk, post_id: int) -> list[Event]:
    """Everything that happened to a post, oldest first."""
    with reading(desk.stage.hub.engine) as session:
        return telling.story(session, desk.post(post_id))[::-1]


def lines(desk: Desk, post_id: int) -> list[str]:
    """The story as sentences."""
    return [f"{one.who} {one.what}" + (f": {one.detail}" if one.detail else "") for one in story(desk, post_id)]


def test_a_post_is_written_approved_published_and_counted(desk: Desk):
    post_id = desk.approved()
    desk.stage.clock.forward(days=8, hours=7)
    desk.stage.run_due()
    [delivery] = desk.deliveries(post_id)
    read(desk, delivery, **{PEOPLE: 1240, CLICKS: 3})

    told = story(desk, post_id)

    assert lines(desk, post_id) == [
        "Animator wrote it",
        "Animator handed it in for approval",
        "Coordinator approved it",
        "Relais published it on Page rennes",
        "Relais read the figures of Page rennes: 1\u202f240\u00a0people, 3\u00a0clicks",
    ]
    assert [one.link for one in told if one.mood == "published"] == [delivery.url]


def test_held_destinations_and_reasons_are_told(desk: Desk):
    post_id = desk.submitted(accounts=["facebook:A-14", "portal:FR"])
    page = str(desk.stage.accounts["rennes"])
    desk.approve(post_id, hold={page: "Après les vacances"})
    returned = desk.submitted(text="Autre")
    with writing(desk.stage.hub.engine) as session:
        approving.give_back(session, returned, by=desk.who("coordinator"), at=desk.now, reason="Le jour est faux")

    assert lines(desk, post_id)[-1] == "Coordinator approved it: Some destinations are held: Après les vacances"
    assert lines(desk, returned)[-1] == "Coordinator returned it: Le jour est faux"


def test_what_a_person_decides_and_takes_down_is_told_once(desk: Desk):
    [delivery] = published(desk)
    assert delivery.id is not None
    with writing(desk.stage.hub.engine) as session:
        resolving.request_removal(session, delivery.id, by=desk.who("animator"), at=desk.now, reason="Annulé")
    late = desk.approved(text="Autre")
    [second] = desk.deliveries(late)
    assert second.id is not None
    desk.move(second.id, state=DeliveryState.REVIEW)
    with writing(desk.stage.hub.engine) as session:
        resolving.resolve(
            session,
            second.id,
            Action.GIVE_UP,
            by=desk.who("animator"),
            at=desk.now,
            patience=desk.stage.hub.patience,
            reason="Trop tard",
        )

    assert lines(desk, delivery.post_id)[-1] == "Animator asked to take it down from Page rennes: Annulé"
    assert lines(desk, late)[-1] == "Animator gave up Page rennes: Trop tard"


def test_siblings_on_one_account_are_told_apart(desk: Desk):
    desk.keys("A-32", "4971")
    post_id = desk.approved("deputy", audience=["A-14", "A-32"], accounts=["facebook:FR"])

    with reading(desk.stage.hub.engine) as session:
        names = telling.destination_names(session, desk.deliveries(post_id))

    assert sorted(names.values()) == ["Page national (Guadeloupe)", "Page national (Rennes)"]


def test_a_long_story_asks_as_little_as_a_short_one(desk: Desk):
    post_id = desk.approved(accounts=["facebook:A-14", "portal:FR"])
    for turn in range(20):
        desk.change(post_id, text=f"Version {turn}")
    engine = desk.stage.hub.engine

    with reading(engine) as session, statements(engine) as asked:
        told = telling.story(session, desk.post(post_id))

    assert len(told) == 23
    assert len(asked) <= 9


def test_of_a_metric_that_was_replaced_only_the_newer_one_is_told(desk: Desk):
    [delivery] = published(desk)
    read(desk, delivery, post_media_view=200, newer_views=150, some_new_metric=7)
    rows = [
        ";".join(cataloguing.COLUMNS) + "\n",
        "facebook;post;post_media_view;;views;yes;yes;2010-01-01;2026-06-01;;Affichages;Shown\n",
        "facebook;post;newer_views;;views;yes;yes;2026-06-01;;post_media_view;Affichages;Shown\n",
    ]
    with writing(desk.stage.hub.engine) as session:
        cataloguing.bring_in(session, rows, at=desk.now)
        figures = telling.figures_of(session, [delivery.id or 0])

    assert telling.figures_told(figures[delivery.id or 0]) == "150\u00a0views"
