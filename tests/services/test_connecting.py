"""Accounts are connected, checked, rested and resumed; what a check found is said in words."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from string import Formatter

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import Engine
from sqlmodel import col, select

import channels
from channels import Channel, Finding, Health, Light, Throttled, Unauthorized, Unreachable
from channels.memory import MemoryChannel
from channels.x import CHECK_CODES
from hub.database import reading, writing
from hub.domain.account import Account, AccountNetwork, AccountState
from hub.domain.audit import CLOCK, OPERATOR, AuditEntry
from hub.domain.delivery import Delivery, DeliveryState, Provenance
from hub.domain.errors import Invalid, NotAllowed, NotFound, WrongState
from hub.domain.person import Actor, HeldRole, Person, RoleKind
from hub.domain.post import Approval, Kind, Post
from hub.secrets import KeyTrouble, Vault
from hub.services import connecting
from hub.services.findings import SENTENCES
from tests.beside import dump, tell

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
FACEBOOK, X, PORTAL = AccountNetwork.FACEBOOK, AccountNetwork.X, AccountNetwork.PORTAL
FOUR = {
    "consumer_key": "planted-ck",
    "consumer_secret": "planted-cs",
    "access_token": "42-planted-at",
    "access_token_secret": "planted-ats",
}


class Says(MemoryChannel):
    """A network that says of the account what a test wants."""

    health: Health = Health((Finding(Light.GREEN, "ok"),))

    def check(self) -> Health:
        super().check()
        return self.health


@dataclass
class Stage:
    """What a check needs of the hub, with one channel for all accounts."""

    engine: Engine
    channel: Says = field(default_factory=Says)
    time: datetime = NOON

    @property
    def now(self) -> Callable[[], datetime]:
        return lambda: self.time

    @property
    def channel_for(self) -> Callable[[Account], Channel]:
        return lambda account: self.channel

    def check(self, number: int, health: Health | None = None) -> Account:
        if health is not None:
            self.channel.health = health
        return connecting.check_account(self, number, by=OPERATOR)


@pytest.fixture
def vault() -> Vault:
    return Vault([Fernet.generate_key().decode()])


@pytest.fixture
def stage(engine: Engine) -> Stage:
    return Stage(engine)


def add(engine, vault, **more) -> int:
    given = {
        "network": FACEBOOK,
        "name": "Académie de Rennes",
        "remote_id": "111",
        "handle": None,
        "territory_code": "A-14",
        "secret": {"token": "planted-page-token"},
        "options": {},
        "by": OPERATOR,
        "at": NOON,
        **more,
    }
    with writing(engine) as session:
        account = connecting.add_account(session, vault, **given)
        assert account.id is not None
        return account.id


def account(engine, number: int) -> Account:
    with reading(engine) as session:
        found = connecting.get_account(session, number)
        session.expunge(found)
        return found


def change(engine, activity, number: int, **more):
    with writing(engine) as session:
        return activity(session, number, at=NOON, **more)


def entries(engine, number: int) -> list[tuple[str, str]]:
    with reading(engine) as session:
        rows = session.exec(
            select(AuditEntry).where(AuditEntry.thing == f"account:{number}").order_by(col(AuditEntry.id))
        )
        return [(row.action, row.by_name) for row in rows]


def someone(kind: RoleKind, code: str) -> Actor:
    return Actor(0, "ana@example.org", "Ana", (HeldRole(kind, code),))


def red(code: str, **details: str) -> Health:
    return Health((Finding(Light.RED, code, details),))


GREEN = Health((Finding(Light.GREEN, "ok"),), expires_at=NOON + timedelta(days=60))


# --- Adding -------------------------------------------------------------------------------------------------


def test_an_account_is_kept_with_its_keys_sealed_for_it_alone(engine, vault):
    first = add(engine, vault)
    second = add(engine, vault, remote_id="112", name="Académie de Bordeaux", territory_code="A-04")

    sealed = account(engine, first).secret
    assert sealed is not None
    assert vault.open(first, sealed) == {"token": "planted-page-token"}
    with pytest.raises(KeyTrouble):
        vault.open(second, sealed)
    assert entries(engine, first) == [("account.add", OPERATOR)]


def test_a_dump_of_the_database_holds_no_planted_secret(engine, vault):
    add(engine, vault)
    number = add(engine, vault, network=X, name="X", remote_id="42", handle="ij_bretagne", secret=FOUR)
    with writing(engine) as session:
        connecting.renew_secret(session, vault, number, FOUR, by=OPERATOR, at=NOON)

    lines = dump(engine)

    assert any("ij_bretagne" in line for line in lines)
    assert [line for line in lines if "planted" in line] == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": " "}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"remote_id": "abc"}, "remote_id"),
        ({"remote_id": ""}, "remote_id"),
        ({"secret": {}}, "secret"),
        ({"secret": {"token": " "}}, "secret"),
        ({"secret": {"token": "a b"}}, "secret"),
        ({"secret": {"token": "planted"}}, "secret"),
        ({"secret": {"token": "é"}}, "secret"),
        ({"secret": {"token": "planted-token", "more": "planted-more"}}, "secret"),
        ({"territory_code": "C-35238"}, "territory"),
        ({"network": X, "secret": FOUR, "handle": None}, "handle"),
        ({"network": X, "secret": FOUR, "handle": "not a handle"}, "handle"),
        ({"network": X, "secret": {"consumer_key": "x"}, "handle": "x"}, "secret"),
        ({"network": PORTAL, "remote_id": "other", "secret": {}, "territory_code": "FR"}, "network"),
        ({"network": PORTAL, "remote_id": "other", "secret": {}}, "territory"),
    ],
)
def test_an_account_that_cannot_be_is_refused_at_its_field(engine, vault, changes, field):
    with pytest.raises(Invalid) as refused:
        add(engine, vault, **changes)

    assert {problem.field for problem in refused.value.problems} == {field}
    assert "planted" not in str(refused.value)


def test_an_unknown_territory_is_not_found(engine, vault):
    with pytest.raises(NotFound):
        add(engine, vault, territory_code="A-99")


def test_the_same_page_is_not_added_twice(engine, vault):
    number = add(engine, vault)

    with pytest.raises(Invalid, match=str(number)):
        add(engine, vault, name="Again", territory_code="A-04")


def test_a_portal_that_is_missing_is_made_without_any_key(engine):
    with writing(engine) as session:
        session.delete(connecting.find_account(session, "portal:FR"))

    number = add(engine, None, network=PORTAL, name="Portail", remote_id="portal", territory_code="FR", secret={})

    assert account(engine, number).secret is None


def test_an_account_that_is_not_there_is_not_found(engine, stage):
    with pytest.raises(NotFound):
        stage.check(999)


def test_new_keys_replace_the_old_ones(engine, vault):
    number = add(engine, vault)

    with writing(engine) as session:
        connecting.renew_secret(session, vault, number, {"token": "a-newer-token"}, by=OPERATOR, at=NOON)
    with writing(engine) as session, pytest.raises(Invalid):
        connecting.renew_secret(session, vault, number, {}, by=OPERATOR, at=NOON)

    assert vault.open(number, account(engine, number).secret or "") == {"token": "a-newer-token"}
    assert entries(engine, number)[-1] == ("account.renew", OPERATOR)


@pytest.mark.parametrize(
    ("kind", "held", "may"),
    [
        (RoleKind.COORDINATOR, "FR", True),
        (RoleKind.ADMINISTRATOR, "A-14", True),
        (RoleKind.COORDINATOR, "D-35", False),
        (RoleKind.ANIMATOR, "A-14", False),
        (RoleKind.ANALYST, "FR", False),
        (RoleKind.ADMINISTRATOR, "A-04", False),
    ],
)
def test_accounts_are_added_by_those_who_manage_the_whole_territory(engine, vault, kind, held, may):
    with writing(engine) as session:
        person = Person(email="ana@example.org", name="Ana", created_at=NOON)
        session.add(person)
        session.flush()
        assert person.id is not None
        actor = Actor(person.id, person.email, person.name, (HeldRole(kind, held),))

    if may:
        assert account(engine, add(engine, vault, by=actor)).territory_code == "A-14"
    else:
        with pytest.raises(NotAllowed):
            add(engine, vault, by=actor)


@pytest.mark.parametrize("activity", [connecting.pause, connecting.resume])
def test_an_account_is_stopped_and_resumed_only_by_those_who_manage_it(engine, vault, activity):
    number = add(engine, vault)

    with pytest.raises(NotAllowed):
        change(engine, activity, number, by=someone(RoleKind.ANIMATOR, "A-14"), reason="x")
    with pytest.raises(NotFound):
        change(engine, activity, number, by=someone(RoleKind.COORDINATOR, "A-04"), reason="x")

    assert entries(engine, number) == [("account.add", OPERATOR)]


def test_an_account_is_checked_only_by_those_who_manage_it(engine, vault, stage):
    number = add(engine, vault)

    with pytest.raises(NotFound):
        connecting.check_account(stage, number, by=someone(RoleKind.COORDINATOR, "A-04"))
    with pytest.raises(NotAllowed):
        connecting.check_account(stage, number, by=someone(RoleKind.ANIMATOR, "A-14"))

    assert stage.channel.calls == []


# --- Finding ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "reference",
    ["Académie de Rennes", "académie de rennes", "academie de rennes", "facebook:A-14", "Facebook:a-14", "{number}"],
)
def test_an_account_is_meant_by_number_name_or_territory(engine, vault, reference):
    number = add(engine, vault)
    add(engine, vault, remote_id="112", name="Académie de Bordeaux", territory_code="A-04")

    with reading(engine) as session:
        assert connecting.find_account(session, reference.format(number=number)).id == number


def test_several_accounts_of_one_territory_are_told_apart_by_number(engine, vault):
    numbers = [add(engine, vault), add(engine, vault, remote_id="112", name="Rennes, bis")]

    with reading(engine) as session, pytest.raises(Invalid) as refused:
        connecting.find_account(session, "facebook:A-14")

    assert [f"{number} =" in str(refused.value) for number in numbers] == [True, True]


def test_a_mistyped_account_is_answered_with_the_nearest_one(engine, vault):
    add(engine, vault)

    with reading(engine) as session:
        with pytest.raises(NotFound, match="Académie de Rennes"):
            connecting.find_account(session, "Academie de Renne")
        with pytest.raises(NotFound, match="account list"):
            connecting.find_account(session, "zzz")


def test_people_find_and_list_only_the_accounts_that_they_may_see(engine, vault):
    rennes = add(engine, vault)
    bordeaux = add(engine, vault, remote_id="112", name="Académie de Bordeaux", territory_code="A-04")
    animator = someone(RoleKind.ANIMATOR, "A-14")

    with reading(engine) as session:
        seen = {one.id for one in connecting.list_accounts(session, animator)}
        everything = {one.id for one in connecting.list_accounts(session)}
        with pytest.raises(NotFound) as refused:
            connecting.find_account(session, "Académie de Bordeau", animator)
        with pytest.raises(NotFound):
            connecting.find_account(session, str(bordeaux), animator)

    assert everything - seen == {bordeaux}
    assert rennes in seen
    assert "Bordeaux" not in str(refused.value)


# --- Stopping and resuming ----------------------------------------------------------------------------------


def test_an_account_is_paused_with_a_reason_and_resumed(engine, vault):
    number = add(engine, vault)

    change(engine, connecting.pause, number, by=OPERATOR, reason=" grève ")
    paused = account(engine, number)
    released = change(engine, connecting.resume, number, by=OPERATOR, reason="finie")

    assert (paused.state, paused.state_reason) == (AccountState.PAUSED, "grève")
    assert account(engine, number).state is AccountState.ACTIVE
    assert account(engine, number).state_reason is None
    assert released == connecting.Released(0, 0)
    assert entries(engine, number)[1:] == [("account.pause", OPERATOR), ("account.resume", OPERATOR)]


def test_pausing_needs_a_reason_and_an_account_that_goes_on(engine, vault):
    number = add(engine, vault)

    with pytest.raises(Invalid):
        change(engine, connecting.pause, number, by=OPERATOR, reason=" ")
    with pytest.raises(WrongState):
        change(engine, connecting.resume, number, by=OPERATOR)
    change(engine, connecting.pause, number, by=OPERATOR, reason="x")
    with pytest.raises(WrongState):
        change(engine, connecting.pause, number, by=OPERATOR, reason="x")


def test_a_refused_account_rests_once_however_often_it_is_refused(engine, vault):
    number = add(engine, vault)

    news = [change(engine, connecting.rest, number, reason="token expired") for _ in range(5)]

    assert news == [True, False, False, False, False]
    assert account(engine, number).state is AccountState.RESTING
    assert entries(engine, number)[1:] == [("account.rest", CLOCK)]


def test_a_resting_account_goes_on_only_after_a_check_and_a_persons_word(engine, vault, stage):
    number = add(engine, vault)
    stage.check(number, GREEN)
    change(engine, connecting.rest, number, reason="token expired")

    with pytest.raises(WrongState):
        change(engine, connecting.resume, number, by=OPERATOR)
    stage.check(number, red("token_expired"))
    with pytest.raises(WrongState):
        change(engine, connecting.resume, number, by=OPERATOR)
    with pytest.raises(WrongState):
        change(engine, connecting.pause, number, by=OPERATOR, reason="x")
    assert stage.check(number, GREEN).state is AccountState.RESTING
    change(engine, connecting.resume, number, by=OPERATOR)

    assert account(engine, number).state is AccountState.ACTIVE


@pytest.mark.parametrize("error", [Unreachable("no way"), Throttled("later"), None])
def test_a_network_that_does_not_answer_does_not_clear_a_red_light(engine, vault, stage, error):
    number = add(engine, vault)
    change(engine, connecting.rest, number, reason="token expired")
    if error is not None:
        stage.channel.fail_next(error, call="check")

    assert stage.check(number, Health((Finding(Light.AMBER, "throttled"),))).light == "red"
    with pytest.raises(WrongState):
        change(engine, connecting.resume, number, by=OPERATOR)


def test_an_account_that_people_paused_does_not_rest_or_block_on_top(engine, vault):
    number = add(engine, vault)
    change(engine, connecting.pause, number, by=OPERATOR, reason="x")

    assert not change(engine, connecting.rest, number, reason="refused")
    assert not change(engine, connecting.block, number, reason="spam", until=NOON + timedelta(hours=6))
    assert account(engine, number).state is AccountState.PAUSED


def test_a_block_lasts_until_its_end_and_a_longer_one_extends_it_silently(engine, vault):
    number = add(engine, vault)

    news = [
        change(engine, connecting.block, number, reason="spam", until=NOON + timedelta(hours=hours))
        for hours in (6, 8, 7)
    ]

    blocked = account(engine, number)
    assert news == [True, False, False]
    assert blocked.blocked_until == NOON + timedelta(hours=8)
    assert [blocked.may_call(NOON + timedelta(hours=hours)) for hours in (7, 8)] == [False, True]
    assert entries(engine, number)[1:] == [("account.block", CLOCK)]


def test_a_new_block_after_the_end_of_an_earlier_one_is_news_again(engine, vault):
    number = add(engine, vault)
    change(engine, connecting.block, number, reason="spam", until=NOON)

    assert change(engine, connecting.block, number, reason="spam", until=NOON + timedelta(hours=6))


def test_resuming_says_how_many_deliveries_it_releases(engine, vault):
    number = add(engine, vault)
    plan(engine, number, NOON - timedelta(minutes=5), NOON, NOON + timedelta(days=1))
    change(engine, connecting.pause, number, by=OPERATOR, reason="x")

    assert change(engine, connecting.resume, number, by=OPERATOR) == connecting.Released(waiting=3, due=2)


def plan(engine, number: int, *due: datetime) -> None:
    """Waiting deliveries of an account, due at these moments, and one that is sent already."""
    with writing(engine) as session:
        author = Person(email="author@example.org", name="Author", created_at=NOON)
        session.add(author)
        session.flush()
        assert author.id is not None
        for place, moment in enumerate([*due, NOON]):
            post = Post(kind=Kind.NEWS, text="x", wall_time="2026-11-02T12:00", zone="local", first_due_at=moment,
                        useless_after=moment + timedelta(days=1), author_id=author.id,
                        changed_by_id=author.id, seed="5eed", territory_code="A-14",
                        created_at=NOON, changed_at=NOON)  # fmt: skip
            session.add(post)
            session.flush()
            assert post.id is not None
            approval = Approval(post_id=post.id, by_id=author.id, at=NOON, content="x", fingerprint="x")
            session.add(approval)
            session.flush()
            assert approval.id is not None
            state = DeliveryState.SENT if place == len(due) else DeliveryState.WAITING
            session.add(
                Delivery(
                    post_id=post.id,
                    account_id=number,
                    approval_id=approval.id,
                    key=f"k{place}",
                    gate_key="open",
                    territory_code="A-14",
                    provenance=Provenance.OWN_PAGE,
                    text="x",
                    text_key="x",
                    wall_time="2026-11-02T12:00",
                    zone="Europe/Paris",
                    due_at=moment,
                    ready_at=moment,
                    useless_after=moment + timedelta(days=1),
                    state=state,
                )
            )


# --- Checking -----------------------------------------------------------------------------------------------


def test_a_check_is_kept_with_its_findings_light_moment_name_and_end_of_the_token(engine, vault, stage):
    number = add(engine, vault)
    ends = NOON + timedelta(days=3)

    stage.check(
        number,
        Health(
            (Finding(Light.GREEN, "permissions_not_checked"), Finding(Light.AMBER, "token_expires_soon", {"on": "x"})),
            name="IJ Rennes",
            expires_at=ends,
        ),
    )

    kept = account(engine, number)
    assert (kept.light, kept.checked_at, kept.name, kept.token_expires_at) == ("amber", NOON, "IJ Rennes", ends)
    assert [finding["code"] for finding in kept.findings] == ["permissions_not_checked", "token_expires_soon"]
    assert stage.channel.closed
    assert [action for action, _by in entries(engine, number)] == ["account.add", "account.rename", "account.check"]


def test_only_a_change_of_light_is_audited(engine, vault, stage):
    number = add(engine, vault)

    for health in (GREEN, GREEN, red("token_expired"), GREEN):
        stage.check(number, health)

    assert [action for action, _by in entries(engine, number)].count("account.check") == 3


@pytest.mark.parametrize("code", ["wrong_page", "wrong_account"])
def test_an_account_does_not_take_the_name_of_a_stranger(engine, vault, stage, code):
    number = add(engine, vault)

    stage.check(number, Health((Finding(Light.RED, code),), name="Somebody else"))

    assert account(engine, number).name == "Académie de Rennes"


def test_a_check_that_fails_is_told_and_changes_neither_state_nor_the_end_of_the_token(engine, vault, stage):
    number = add(engine, vault)
    stage.check(number, GREEN)
    stage.channel.fail_next(Unreachable("name not found"), call="check")

    kept = stage.check(number)

    assert (kept.light, kept.state, kept.token_expires_at) == ("amber", AccountState.ACTIVE, GREEN.expires_at)
    assert [(finding["code"], finding["light"]) for finding in kept.findings] == [("unreachable", "amber")]
    assert "name not found" in connecting.sentences(kept)[0]


def test_even_a_check_that_breaks_its_promise_closes_its_channel(engine, vault, stage):
    number = add(engine, vault)
    stage.channel.fail_next(Unauthorized("no"), call="check")

    stage.check(number)

    assert stage.channel.closed


def test_no_transaction_is_open_while_the_network_is_asked(engine, vault, stage):
    number = add(engine, vault)
    wrote = []

    class Curious(Says):
        def check(self) -> Health:
            tell(engine, "UPDATE account SET handle = 'meanwhile' WHERE id = :number", number=number)
            wrote.append(True)
            return GREEN

    stage.channel = Curious()
    stage.check(number)

    assert wrote == [True]
    assert account(engine, number).handle == "meanwhile"


# --- In words -----------------------------------------------------------------------------------------------


def codes_in_channels() -> set[str]:
    """Every code that a check may answer, as it is written in the channels' own files."""
    found = set(CHECK_CODES.values()) | {"credits_used_up", "keys_refused"}
    for file in Path(channels.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Finding":
                found |= {
                    leaf.value
                    for argument in node.args[1:2]
                    for leaf in ast.walk(argument)
                    if isinstance(leaf, ast.Constant) and isinstance(leaf.value, str) and leaf.value
                }
                if len(node.args) > 1 and isinstance(node.args[1], ast.Name):
                    # A code taken from a variable (`for name, code in …`): every literal beside it counts.
                    found |= {"token_expires_soon", "data_access_ends_soon"}
    return found


def test_every_code_of_every_channel_has_a_sentence_and_no_sentence_is_idle():
    assert codes_in_channels() == set(SENTENCES)


def test_every_sentence_is_explained_in_the_docs():
    page = (Path(__file__).parents[2] / "docs" / "connecting.md").read_text(encoding="utf-8")

    assert {code for code in SENTENCES if f"`{code}`" not in page} == set()


@pytest.mark.parametrize("code", sorted(SENTENCES))
def test_a_sentence_tells_its_details_and_holds_even_without_them(code):
    names = {name for _text, name, _form, _kind in Formatter().parse(SENTENCES[code]) if name}
    details = {name: f"<{name}>" for name in names}

    told = connecting.sentence(Finding(Light.RED, code, details))

    assert all(value in told for value in details.values())
    assert connecting.sentence(Finding(Light.RED, code)).count("?") == len(names)


def test_the_networks_own_words_are_told_but_not_at_length():
    told = connecting.sentence(Finding(Light.RED, "check_refused", {"message": "word " * 500}))

    assert "word word" in told
    assert len(told) < 400


def test_an_unknown_code_is_shown_as_it_is():
    assert connecting.sentence(Finding(Light.RED, "brand_new")) == "brand_new"


def test_the_worst_finding_is_told_first(engine, vault, stage):
    number = add(engine, vault)
    findings = (Finding(Light.GREEN, "ok"), Finding(Light.RED, "read_only"), Finding(Light.AMBER, "throttled"))

    kept = stage.check(number, Health(findings))

    assert connecting.sentences(kept) == [
        connecting.sentence(finding) for finding in (findings[1], findings[2], findings[0])
    ]


@pytest.mark.parametrize("state", list(AccountState))
def test_where_an_account_stands_is_told_with_its_reason(state):
    page = Account(network=FACEBOOK, name="P", remote_id="1", territory_code="A-14", created_at=NOON, state=state,
                   state_reason="because", blocked_until=NOON)  # fmt: skip

    assert ("because" in connecting.standing(page)) == (state is not AccountState.ACTIVE)


@pytest.mark.parametrize("light", ["green", "amber", "red", None])
def test_a_light_has_a_name_even_before_the_first_check(light):
    page = Account(network=FACEBOOK, name="P", remote_id="1", territory_code="A-14", created_at=NOON, light=light)

    assert connecting.light_name(page) == (light or "unknown")


def test_an_account_told_to_programs_holds_no_key(engine, vault, stage):
    number = add(engine, vault)

    told = connecting.told(stage.check(number, GREEN))

    assert told["territory"] == "A-14"
    assert told["findings"][0]["sentence"] == connecting.sentence(Finding(Light.GREEN, "ok"))
    assert "secret" not in told
    assert "planted" not in str(told)
