"""A post as fields of a page and back: nothing is lost, and each problem stands at its own field."""

from __future__ import annotations

from datetime import datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.domain.clock import Fold
from hub.domain.errors import Invalid
from hub.domain.event import Ages, Attendance, Event, Impairment, Registration, Timing
from hub.domain.post import Kind
from hub.services.drafting import Draft, PictureOf
from hub.web.forms import Form, filled
from hub.web.staff import draft_form

FIRST = datetime.fromisoformat("2026-01-01")
DAYS = st.datetimes(FIRST, FIRST + timedelta(days=1500))
MINUTES = DAYS.map(lambda moment: moment.replace(second=0, microsecond=0))
LINES = st.text(st.characters(codec="utf-8", exclude_characters="\x00\r"), min_size=1, max_size=40).filter(str.strip)
WORDS = LINES.map(str.strip)
CODES = st.lists(st.sampled_from(["FR", "R-53", "A-14", "D-35", "C-35238"]), min_size=1, max_size=5, unique=True)
LINKS = st.sampled_from(["https://example.org/", "http://example.org/page?a=1#b"])


@st.composite
def _timing(draw: st.DrawFn) -> Timing:
    begin = draw(DAYS)
    return Timing(begin=begin, end=begin + draw(st.timedeltas(timedelta(seconds=1), timedelta(days=3))))


REGISTRATIONS = st.builds(Registration, link=LINKS, phone=st.none() | WORDS, email=st.none() | st.just("a@b.example"))
AGES = st.integers(0, 60).flatmap(lambda low: st.builds(Ages, min=st.just(low), max=st.none() | st.integers(low, 120)))
EVENTS = st.builds(
    Event,
    timings=st.lists(_timing(), min_size=1, max_size=12),
    zone=st.sampled_from(["Europe/Paris", "America/Cayenne"]),
    attendance=st.sampled_from(Attendance),
    venue=WORDS,
    address=st.none() | WORDS,
    commune=st.none() | st.just("35238"),
    online=LINKS,
    registration=st.none() | REGISTRATIONS,
    ages=st.none() | AGES,
    accessibility=st.lists(st.sampled_from(Impairment), max_size=3),
    conditions=st.none() | WORDS,
)


@st.composite
def _drafts(draw: st.DrawFn) -> Draft:
    accounts = draw(st.none() | st.lists(st.integers(1, 20).map(str), max_size=4, unique=True))
    speaking = ["3", "5"] if accounts is None else accounts
    own_words = st.dictionaries(st.sampled_from(speaking), LINES, max_size=3) if speaking else st.just({})
    return Draft(
        kind=draw(st.sampled_from(Kind)),
        text=draw(LINES),
        variants=draw(own_words),
        link=draw(st.none() | LINKS),
        pictures=draw(
            st.lists(st.builds(PictureOf, id=st.from_regex(r"\A[0-9a-f]{64}\Z"), alt=WORDS), max_size=4),
        ),
        event=draw(st.none() | EVENTS),
        when=draw(MINUTES),
        zone=draw(st.sampled_from(["local", "Europe/Paris", "Pacific/Noumea"])),
        fold=draw(st.none() | st.sampled_from(Fold)),
        useless_after=draw(st.none() | MINUTES),
        audience=draw(CODES),
        accounts=accounts,
        accepts_unlimited=draw(st.booleans()),
    )


@given(draft=_drafts())
def test_a_draft_survives_the_page(draft: Draft):
    fields = draft_form.written(draft)

    again = draft_form.read(draft_form.tidied(filled(fields)))

    assert again == draft
    assert draft_form.written(again) == fields


def a_form(*more: tuple[str, str], **changed: str) -> Form:
    """A good form for Rennes, with some fields changed (`_` for `-`) and some more."""
    usual = {"kind": "news", "text": "Bonjour", "date": "2026-11-10", "time": "18:00", "zone": "local"}
    usual |= {name.replace("_", "-"): value for name, value in changed.items()}
    return draft_form.tidied(filled([*usual.items(), ("audience", "A-14"), *more]))


def an_event(*more: tuple[str, str], **changed: str) -> Form:
    """The same for an event with one date."""
    usual = {"kind": "event", "timing-0-date": "2026-11-12", "timing-0-from": "14:00", "timing-0-to": "17:00"}
    usual |= {"venue": "CFA", "attendance": "on_site"} | {name.replace("_", "-"): one for name, one in changed.items()}
    return a_form(*more, **usual)


def refused(form: Form) -> list[tuple[str, str]]:
    """Field and sentence of everything that is wrong."""
    with pytest.raises(Invalid) as error:
        draft_form.read(form)
    return [(one.field, one.message) for one in error.value.problems]


ALT = "Say in a few words what the picture shows."
LINK = "This is not a web address. It should look like https://example.org/page."


@pytest.mark.parametrize(
    ("form", "problems"),
    [
        (a_form(kind=""), [("kind", "Choose what it is about.")]),
        (a_form(text=" \n "), [("text", "Write a text.")]),
        (a_form(date=""), [("date", "Choose the day on which it goes out.")]),
        (a_form(time=""), [("date", "Choose the time at which it goes out.")]),
        (a_form(date="demain"), [("date", "Write a date and time, such as 2026-12-01T18:00.")]),
        (a_form(until_date="2026-12-01"), [("until-date", "Give both day and time, or neither.")]),
        (a_form(picture_0_id="a" * 64, picture_0_alt=""), [("picture-0-alt", ALT)]),
        (an_event(timing_0_from=""), [("timing-0-from", "Say at what time it begins.")]),
        (an_event(timing_0_to=""), [("timing-0-to", "Say at what time it ends.")]),
        (an_event(timing_0_to="13:00"), [("timing-0-to", "An event must end after it begins.")]),
        (an_event(registration_link="ici"), [("registration-link", LINK)]),
        (an_event(ages_min="25", ages_max="16"), [("ages-max", "The highest age is below the lowest one.")]),
        (an_event(ages_min="seize"), [("ages-min", "This must be a whole number.")]),
        (an_event(attendance="online"), [("online", "An online event needs its link.")]),
        (
            an_event(venue="", address="3 rue"),
            [("venue", "Say where the event takes place: a commune or a venue, or make it online.")],
        ),
    ],
)
def test_each_problem_stands_at_the_field_where_it_was_typed(form: Form, problems: list[tuple[str, str]]):
    assert refused(form) == problems


def test_all_problems_are_told_at_once():
    told = refused(draft_form.tidied(filled({"kind": "event", "venue": "CFA", "link": "ici"})))

    assert [field for field, _message in told] == ["text", "audience", "date", "timing-0-date", "link"]


def test_an_empty_row_between_two_dates_moves_no_problem():
    more = {"timing-1-date": "", "timing-2-date": "2026-11-14", "timing-2-from": "9:99", "timing-2-to": "12:00"}

    assert [field for field, _message in refused(an_event(*more.items()))] == ["timing-1-from"]


def test_the_second_picture_is_named_by_its_row():
    more = {"picture-0-id": "a" * 64, "picture-0-alt": "Une façade", "picture-4-id": "b" * 64, "picture-4-alt": ""}

    assert refused(a_form(*more.items())) == [("picture-1-alt", ALT)]


def test_line_ends_and_spaces_of_a_text_are_kept():
    assert draft_form.read(a_form(text="  Un\n\nDeux \n")).text == "  Un\n\nDeux \n"


def test_accounts_follow_the_audience_until_somebody_changes_them():
    proposed = [("proposed", "3"), ("proposed", "4")]

    left = draft_form.read(a_form(("account", "4"), ("account", "3"), *proposed))
    fewer = draft_form.read(a_form(("account", "4"), *proposed))
    none = draft_form.read(a_form(*proposed))

    assert (left.accounts, fewer.accounts, none.accounts) == (None, ["4"], [])


def test_own_words_of_an_account_that_is_not_chosen_are_not_taken():
    draft = draft_form.read(a_form(("account", "4"), ("variant-3", "Ailleurs"), ("variant-4", "Ici")))

    assert draft.variants == {"4": "Ici"}


def test_dates_typed_for_a_kind_that_has_none_wait_on_the_page_only():
    assert draft_form.read(an_event(kind="advice")).event is None
    assert draft_form.read(an_event(("with-event", "1"), kind="advice")).event is not None


def test_an_event_of_which_nothing_was_said_has_no_details():
    assert draft_form.read(a_form(kind="event", attendance="on_site", event_zone="Europe/Paris")).event is None


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("when", "date"),
        ("fold", "fold"),
        ("useless_after", "until-date"),
        ("accounts", "account"),
        ("audience.3", "audience"),
        ("variants.7", "variant-7"),
        ("pictures.1.id", "picture-1-id"),
        ("event.timings.2.begin", "timing-2-from"),
        ("event.registration.email", "registration-email"),
        ("event.online", "online"),
        ("", ""),
    ],
)
def test_what_services_say_finds_its_field(path: str, field: str):
    assert draft_form.place(path, Form()) == field


def test_hours_are_written_as_browsers_read_them():
    moments = [datetime.combine(FIRST, time(8, 5)), datetime.combine(FIRST, time(8, 5, 30))]

    assert [draft_form.hour(moment) for moment in moments] == ["08:05", "08:05:30"]
