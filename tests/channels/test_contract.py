"""One contract, asked of every channel."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta

import pytest

from channels.base import (
    Asked,
    AskedOfPage,
    Deadline,
    Light,
    Message,
    Receipt,
    Refused,
    Targeting,
    Uncertain,
    UnitKind,
    Unreachable,
)
from tests.channels.facebook_stage import NOON
from tests.channels.factories import FACTORIES, OVER_A_NETWORK, WITH_DRAFTS, Play

HELLO = Message("Portes ouvertes au lycée de Rennes", key="k7")
AFTER = timedelta(minutes=1)


@pytest.fixture(params=FACTORIES)
def play(request: pytest.FixtureRequest) -> Iterator[Play]:
    with FACTORIES[request.param]() as one:
        yield one


def publish(play: Play, message: Message) -> Receipt:
    return play.channel.publish(play.channel.prepare(message), Deadline.after(5))


def test_a_message_is_shown_once(play: Play) -> None:
    receipt = publish(play, HELLO)

    assert play.shown() == [HELLO.text]
    assert receipt.remote_id


def test_preparing_shows_nothing_and_may_be_repeated(play: Play) -> None:
    play.channel.prepare(HELLO)
    play.channel.prepare(HELLO)

    assert play.shown() == []


def test_nothing_is_shown_once_the_deadline_has_passed(play: Play) -> None:
    prepared = play.channel.prepare(HELLO)

    with pytest.raises(Unreachable):
        play.channel.publish(prepared, Deadline.after(-1))

    assert play.shown() == []


def test_a_post_is_found_again(play: Play) -> None:
    before = play.now()
    receipt = publish(play, HELLO)

    found = play.channel.find(HELLO, before)

    assert [one.remote_id for one in found] == [receipt.remote_id]


def test_another_message_is_not_found(play: Play) -> None:
    before = play.now()
    publish(play, HELLO)

    assert play.channel.find(replace(HELLO, text="Forum des métiers", key="k8"), before) == []


@pytest.mark.parametrize("play", OVER_A_NETWORK, indirect=True)
def test_a_post_is_not_found_after_its_time(play: Play) -> None:
    publish(play, HELLO)
    play.pass_time(timedelta(hours=1))

    assert play.channel.find(HELLO, play.now()) == []


@pytest.mark.parametrize("play", OVER_A_NETWORK, indirect=True)
def test_a_lost_answer_is_uncertain_and_the_post_is_found(play: Play) -> None:
    before = play.now()
    prepared = play.channel.prepare(HELLO)
    play.lose_next_answer()

    with pytest.raises(Uncertain):
        play.channel.publish(prepared, Deadline.after(5))

    message = replace(HELLO, draft_id=prepared.draft_id)
    assert len(play.channel.find(message, before)) == 1
    assert play.shown() == [HELLO.text]


@pytest.mark.parametrize("play", OVER_A_NETWORK, indirect=True)
def test_without_a_connection_nothing_was_sent(play: Play) -> None:
    prepared = play.channel.prepare(HELLO)
    play.unplug()

    with pytest.raises(Unreachable) as caught:
        play.channel.publish(prepared, Deadline.after(5))

    assert play.shown() == []
    assert not [secret for secret in play.secrets if secret in str(caught.value)]


def test_a_removed_post_is_neither_shown_nor_found(play: Play) -> None:
    before = play.now()
    receipt = publish(play, HELLO)

    play.channel.remove(receipt)

    assert play.shown() == []
    assert play.channel.find(HELLO, before) == []


def test_removing_again_is_no_error(play: Play) -> None:
    receipt = publish(play, HELLO)

    play.channel.remove(receipt)
    play.channel.remove(receipt)

    assert play.shown() == []


def test_what_the_rules_refuse_is_never_shown(play: Play) -> None:
    empty = replace(HELLO, text=" ")

    with pytest.raises(Refused):
        publish(play, empty)

    assert play.channel.rules.problems(empty)
    assert play.shown() == []


def test_the_rules_take_what_is_published(play: Play) -> None:
    assert play.channel.rules.problems(HELLO) == []
    assert 0 < play.channel.rules.length(HELLO.text) <= play.channel.rules.max_length
    assert play.channel.rules.cost(HELLO) >= 0


def test_a_limit_is_kept_or_refused(play: Play) -> None:
    gated = replace(HELLO, targeting=Targeting(regions=("3001",)))

    if play.channel.rules.can_gate:
        publish(play, gated)
        assert play.shown() == [HELLO.text]
    else:
        with pytest.raises(Refused):
            publish(play, gated)
        assert play.shown() == []


@pytest.mark.parametrize("play", WITH_DRAFTS, indirect=True)
def test_a_second_try_goes_on_with_the_draft_of_the_first(play: Play) -> None:
    gated = replace(HELLO, targeting=Targeting(regions=("3001",)))
    first = play.channel.prepare(gated)

    second = play.channel.prepare(replace(gated, draft_id=first.draft_id))
    one = play.channel.publish(first, Deadline.after(5))
    other = play.channel.publish(second, Deadline.after(5))

    assert second.draft_id == first.draft_id == one.remote_id == other.remote_id
    assert play.shown() == [HELLO.text]


def test_figures_say_a_number_or_why_there_is_none(play: Play) -> None:
    receipt = publish(play, HELLO)
    play.pass_time(timedelta(days=1))

    figures = play.channel.figures([receipt], play.asked).by_post[receipt.remote_id]

    assert figures
    assert [figure for figure in figures if (figure.value is None) != (figure.missing is not None)] == []


def test_figures_are_those_that_were_asked_for_and_no_others(play: Play) -> None:
    receipt = publish(play, HELLO)
    play.pass_time(timedelta(days=1))

    one = play.channel.figures([receipt], play.asked[:1]).by_post[receipt.remote_id]

    assert [(figure.metric, figure.unit) for figure in one] == [(play.asked[0].name, play.asked[0].unit)]


def test_a_figure_that_the_network_does_not_know_is_missing_and_the_others_stay(play: Play) -> None:
    receipt = publish(play, HELLO)
    play.pass_time(timedelta(days=1))
    unknown = Asked("never_heard_of", UnitKind.PEOPLE)

    figures = play.channel.figures([receipt], [unknown, *play.asked]).by_post[receipt.remote_id]

    assert (figures[0].value, bool(figures[0].missing)) == (None, True)
    assert figures[1:] == play.channel.figures([receipt], play.asked).by_post[receipt.remote_id]


def test_figures_of_no_post_are_none(play: Play) -> None:
    assert play.channel.figures([], play.asked).by_post == {}


def test_figures_of_a_page_are_told_for_every_day_or_said_to_be_missing(play: Play) -> None:
    publish(play, HELLO)
    play.pass_time(timedelta(days=4))
    until = play.now().date() - timedelta(days=1)
    days = [until - timedelta(days=2), until - timedelta(days=1), until]

    told = play.channel.page_figures(play.asked_of_page, days[0], until)

    wanted = {(one.name, one.period, day) for one in play.asked_of_page for day in days_of(one, days, play)}
    assert {(figure.metric, figure.period, figure.day) for figure in told} == wanted
    assert [figure for figure in told if (figure.value is None) != (figure.missing is not None)] == []


def days_of(asked: AskedOfPage, days: list[date], play: Play) -> list[date]:
    """The days that a figure of a page is told for: those asked for, or today."""
    return [play.now().date()] if asked.period == "moment" else days


def test_of_a_page_of_which_nothing_is_asked_nothing_is_told(play: Play) -> None:
    assert play.channel.page_figures([], NOON.date(), NOON.date()) == []


def test_while_there_is_room_nobody_is_asked_to_wait(play: Play) -> None:
    publish(play, HELLO)

    assert play.channel.pace.wait_until is None


def test_a_check_says_that_all_is_well(play: Play) -> None:
    health = play.channel.check()

    assert health.light is Light.GREEN
    assert health.remote_id


def test_no_secret_is_in_what_a_channel_shows_of_itself(play: Play) -> None:
    shown = repr(play.channel) + str(play.channel)

    assert [secret for secret in play.secrets if secret in shown] == []
