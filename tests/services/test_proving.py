"""A second factor: set up with a code, shown once per code, throttled, recovered from, reset, and never told."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier

import pyotp
import pytest
from cryptography.fernet import Fernet
from sqlmodel import col, select

from hub.database import reading, writing
from hub.domain.audit import OPERATOR, AuditEntry
from hub.domain.errors import Busy, Invalid, NotAllowed, WrongState
from hub.domain.person import Actor, RoleKind
from hub.domain.policy import Policies
from hub.domain.sign_in import RecoveryCode, SecondFactor, SignIn
from hub.secrets import KeyTrouble, Vault
from hub.services import connecting, proving, sealing, visiting
from hub.services.proving import Enrolment, Proof, Standing
from tests.services.desk import Desk

REQUIRED = Policies(second_factor=True)


class Doorbell:
    """One person with an authenticator at the door."""

    def __init__(self, desk: Desk, name: str = "coordinator") -> None:
        self.desk = desk
        self.name = name
        self.key = Fernet.generate_key().decode()
        self.vault = Vault([self.key])
        self.secret = ""
        self.codes: list[str] = []

    @property
    def who(self) -> Actor:
        return self.desk.who(self.name)

    def number(self) -> int:
        return self.who.id

    def begin(self) -> Enrolment:
        with writing(self.desk.stage.hub.engine) as session:
            enrolment = proving.begin(session, self.vault, by=self.who, at=self.desk.now)
        self.secret = enrolment.secret
        return enrolment

    def code(self, at: datetime | None = None) -> str:
        return pyotp.TOTP(self.secret).at(at or self.desk.now)

    def confirm(self, code: str | None = None) -> Proof:
        with writing(self.desk.stage.hub.engine) as session:
            proof, codes = proving.confirm(session, self.vault, code or self.code(), by=self.who, at=self.desk.now)
        self.codes = codes
        return proof

    def check(self, code: str | None = None) -> Proof:
        with writing(self.desk.stage.hub.engine) as session:
            return proving.check(session, self.vault, code or self.code(), by=self.who, at=self.desk.now)

    def standing(self) -> Standing:
        with reading(self.desk.stage.hub.engine) as session:
            return proving.standing(session, self.number())

    def noted(self) -> list[str]:
        query = (
            select(AuditEntry.action)
            .where(AuditEntry.thing == f"person:{self.number()}", col(AuditEntry.action).startswith("factor."))
            .order_by(col(AuditEntry.id))
        )
        with reading(self.desk.stage.hub.engine) as session:
            return list(session.exec(query))


@pytest.fixture
def bell(desk: Desk) -> Doorbell:
    """A coordinator who has not begun."""
    return Doorbell(desk)


@pytest.fixture
def ready(bell: Doorbell) -> Doorbell:
    """A coordinator whose authenticator was confirmed a minute ago."""
    bell.begin()
    assert bell.confirm().good
    bell.desk.stage.clock.forward(minutes=1)
    return bell


def wrong(bell: Doorbell) -> str:
    """Six digits that no clock near shows."""
    near = {bell.code(bell.desk.now + timedelta(seconds=30 * step)) for step in range(-2, 3)}
    return next(f"{number:06}" for number in range(10) if f"{number:06}" not in near)


# --- Setting up ---------------------------------------------------------------------------------------------


def test_an_authenticator_counts_only_once_a_code_of_it_was_shown(bell: Doorbell):
    enrolment = bell.begin()

    assert enrolment.address == (
        f"otpauth://totp/Relais:coordinator%40example.org?secret={enrolment.secret}&issuer=Relais"
    )
    assert bell.standing() == Standing(on=False)
    assert bell.confirm().good is True
    assert bell.standing() == Standing(True, bell.desk.now, 10)
    assert bell.noted() == ["factor.begin", "factor.confirm"]


def test_a_wrong_code_confirms_nothing(bell: Doorbell):
    bell.begin()

    assert bell.confirm(wrong(bell)) == Proof(False)
    assert (bell.codes, bell.standing()) == ([], Standing(on=False))


def test_the_pending_secret_is_shown_again_until_it_is_confirmed(bell: Doorbell):
    enrolment = bell.begin()

    with reading(bell.desk.stage.hub.engine) as session:
        assert proving.pending(session, bell.vault, by=bell.who) == enrolment
    bell.confirm()
    with reading(bell.desk.stage.hub.engine) as session:
        assert proving.pending(session, bell.vault, by=bell.who) is None


def test_beginning_again_makes_another_secret_as_long_as_none_is_confirmed(bell: Doorbell):
    first = bell.begin()
    second = bell.begin()

    assert first.secret != second.secret
    assert bell.confirm(pyotp.TOTP(first.secret).at(bell.desk.now)).good is False
    assert bell.confirm().good is True
    with pytest.raises(WrongState):
        bell.begin()
    with pytest.raises(WrongState):
        bell.confirm()


def test_without_a_second_factor_no_code_is_looked_at(bell: Doorbell):
    with pytest.raises(WrongState):
        bell.check("123456")
    bell.begin()
    with pytest.raises(WrongState):
        bell.check()


# --- Showing it ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("seconds", "good"), [(-60, False), (-30, True), (0, True), (30, True), (60, False)])
def test_clocks_may_differ_by_one_step(ready: Doorbell, seconds: int, good: bool):
    ready.desk.stage.clock.forward(minutes=5)

    assert ready.check(ready.code(ready.desk.now + timedelta(seconds=seconds))).good is good


def test_no_code_is_good_twice_not_even_the_one_that_confirmed(bell: Doorbell):
    bell.begin()
    used = bell.code()
    bell.confirm(used)

    assert bell.check(used) == Proof(False)
    bell.desk.stage.clock.forward(seconds=30)
    later = bell.code()
    assert [bell.check(later).good, bell.check(later).good, bell.check(used).good] == [True, False, False]


@pytest.mark.parametrize("kind", ["authenticator", "recovery"])
def test_of_many_who_show_the_same_code_at_once_one_comes_in(ready: Doorbell, kind: str):
    code, together = ready.code() if kind == "authenticator" else ready.codes[0], Barrier(6)

    def knock(_number: int) -> bool:
        together.wait()
        return ready.check(code).good

    with ThreadPoolExecutor(6) as threads:
        good = list(threads.map(knock, range(6)))

    assert good.count(True) == 1


def test_digits_may_be_typed_in_groups_or_wide(ready: Doorbell):
    code = ready.code()
    ready.desk.stage.clock.forward(seconds=30)
    wide = "".join(chr(ord(digit) - ord("0") + ord("０")) for digit in ready.code())

    assert ready.check(f" {code[:3]} {code[3:]} ").good is True
    assert ready.check(wide).good is True


@pytest.mark.parametrize("code", ["", "12345", "1234567", "abcdef", "١٢٣٤٥٦", "\udcff" * 6, "x" * 10_000])
def test_what_is_no_code_is_simply_wrong(ready: Doorbell, code: str):
    assert ready.check(code or " ") == Proof(False)


def test_after_five_wrong_codes_none_is_looked_at_for_a_growing_while(ready: Doorbell):
    clock = ready.desk.stage.clock
    tries = [ready.check(wrong(ready)).wait_until for _number in range(5)]

    assert tries == [None, None, None, None, clock() + timedelta(seconds=30)]
    assert ready.check() == Proof(False, clock() + timedelta(seconds=30))
    clock.forward(seconds=31)
    assert ready.check(wrong(ready)).wait_until == clock() + timedelta(seconds=60)
    clock.forward(seconds=61)
    assert ready.check() == Proof(True)
    assert ready.check(wrong(ready)).wait_until is None
    assert ready.noted().count("factor.throttle") == 1


def test_the_wait_never_grows_past_a_quarter_of_an_hour(ready: Doorbell):
    clock = ready.desk.stage.clock
    for _number in range(20):
        found = ready.check(wrong(ready))
        assert found.wait_until is None or found.wait_until - clock() <= timedelta(minutes=15)
        clock.forward(minutes=16)


def test_a_refusal_is_said_in_words_and_its_try_is_kept(ready: Doorbell):
    hub = ready.desk.stage.hub

    for _number in range(4):
        with pytest.raises(Invalid, match="newest one"):
            proving.require_proof(hub.engine, ready.vault, wrong(ready), by=ready.who, at=hub.now())
    with pytest.raises(Busy, match="30 seconds"):
        proving.require_proof(hub.engine, ready.vault, wrong(ready), by=ready.who, at=hub.now())


# --- Recovery codes -----------------------------------------------------------------------------------------


def test_there_are_ten_recovery_codes_of_sixty_random_bits(ready: Doorbell):
    assert len(set(ready.codes)) == 10
    assert all(len(code.replace("-", "")) == 12 for code in ready.codes)
    assert set("".join(ready.codes)) <= set("0123456789abcdefghjkmnpqrstvwxyz-")


def test_each_recovery_code_opens_once_however_it_is_written(ready: Doorbell):
    first, second = ready.codes[:2]

    assert ready.check(first) == Proof(True, recovered=True, codes_left=9)
    assert ready.check(first) == Proof(False)
    assert ready.check(second.upper().replace("-", " ").replace("0", "O").replace("1", "l")).good is True
    assert ready.noted()[-2:] == ["factor.recover", "factor.recover"]


def test_new_recovery_codes_replace_the_old_ones(ready: Doorbell):
    with writing(ready.desk.stage.hub.engine) as session:
        fresh = proving.renew_codes(session, by=ready.who, at=ready.desk.now)

    assert ready.standing().codes_left == 10
    assert [ready.check(ready.codes[0]).good, ready.check(fresh[0]).good] == [False, True]


def test_a_recovery_code_is_good_for_its_owner_only(ready: Doorbell):
    other = Doorbell(ready.desk, "deputy")
    other.begin()
    other.confirm()

    assert other.check(ready.codes[0]).good is False


def test_without_a_second_factor_there_are_no_recovery_codes_to_renew(bell: Doorbell):
    with writing(bell.desk.stage.hub.engine) as session, pytest.raises(WrongState):
        proving.renew_codes(session, by=bell.who, at=bell.desk.now)


# --- Turning it off -----------------------------------------------------------------------------------------


def test_its_owner_turns_it_off_unless_it_was_agreed_on(ready: Doorbell):
    with writing(ready.desk.stage.hub.engine) as session, pytest.raises(WrongState):
        proving.turn_off(session, policies=REQUIRED, by=ready.who, at=ready.desk.now)
    with writing(ready.desk.stage.hub.engine) as session:
        proving.turn_off(session, policies=Policies(), by=ready.who, at=ready.desk.now)

    assert ready.standing() == Standing(on=False)
    assert ready.noted()[-1] == "factor.off"


def test_another_device_may_take_its_place(ready: Doorbell):
    old = ready.secret
    with writing(ready.desk.stage.hub.engine) as session:
        ready.secret = proving.change_device(session, ready.vault, by=ready.who, at=ready.desk.now).secret

    assert ready.confirm(pyotp.TOTP(old).at(ready.desk.now)).good is False
    assert ready.confirm().good is True


def test_an_administrator_or_an_operator_resets_a_lost_one_and_the_sessions_end(ready: Doorbell):
    engine = ready.desk.stage.hub.engine
    with writing(engine) as session:
        visiting.enter(session, ready.number(), device="Firefox", at=ready.desk.now)

    with writing(engine) as session:
        proving.reset(session, ready.number(), by=ready.desk.who("administrator"), at=ready.desk.now)

    with reading(engine) as session:
        assert session.exec(select(SecondFactor)).all() == []
        assert session.exec(select(RecoveryCode)).all() == []
        assert [one.ended_at for one in session.exec(select(SignIn))] == [ready.desk.now]
    assert ready.noted()[-1] == "factor.reset"
    with writing(engine) as session, pytest.raises(WrongState):
        proving.reset(session, ready.number(), by=OPERATOR, at=ready.desk.now)


@pytest.mark.parametrize("who", ["animator", "deputy", "coordinator", "regional"])
def test_nobody_else_resets_it(ready: Doorbell, who: str):
    ready.desk.join("regional", RoleKind.ADMINISTRATOR, "A-14")

    with writing(ready.desk.stage.hub.engine) as session, pytest.raises(NotAllowed):
        proving.reset(session, ready.number(), by=ready.desk.who(who), at=ready.desk.now)

    assert ready.standing().on is True


def test_administrators_do_not_reset_their_own(desk: Desk):
    bell = Doorbell(desk, "administrator")
    bell.begin()
    bell.confirm()

    with writing(desk.stage.hub.engine) as session, pytest.raises(NotAllowed):
        proving.reset(session, bell.number(), by=bell.who, at=desk.now)


# --- Who must, and what is never told -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("who", "required"), [("animator", False), ("analyst", False), ("coordinator", True), ("administrator", True)]
)
def test_coordinators_and_administrators_must_have_one_where_it_was_agreed_on(desk: Desk, who: str, required: bool):
    assert proving.required_for(desk.who(who), REQUIRED) is required
    assert proving.required_for(desk.who(who), Policies()) is False


def test_neither_the_secret_nor_a_code_is_kept_in_the_open_or_noted(ready: Doorbell):
    ready.check(ready.codes[0])
    with reading(ready.desk.stage.hub.engine) as session:
        kept = [factor.model_dump_json() for factor in session.exec(select(SecondFactor))]
        kept += [code.model_dump_json() for code in session.exec(select(RecoveryCode))]
        kept += [json.dumps(entry.model_dump(mode="json")) for entry in session.exec(select(AuditEntry))]

    assert [secret for secret in [ready.secret, *ready.codes] for row in kept if secret in row] == []


def test_the_secret_of_one_person_does_not_serve_another(ready: Doorbell):
    with writing(ready.desk.stage.hub.engine) as session:
        mine = session.get(SecondFactor, ready.number())
        assert mine is not None
        session.add(
            SecondFactor(
                person_id=ready.desk.who("deputy").id,
                secret=mine.secret,
                created_at=ready.desk.now,
                confirmed_at=ready.desk.now,
            )
        )

    other = Doorbell(ready.desk, "deputy")
    other.vault, other.secret = ready.vault, ready.secret
    with pytest.raises(KeyTrouble, match="somebody else"):
        other.check()


def test_a_new_key_takes_the_second_factors_along(ready: Doorbell):
    fresh = Fernet.generate_key().decode()
    engine = ready.desk.stage.hub.engine
    with writing(engine) as session:
        for account in connecting.list_accounts(session):
            account.secret = None  # those of the stage open nothing
            session.add(account)
        assert sealing.seal_again(session, Vault([fresh, ready.key]), by=OPERATOR, at=ready.desk.now) == 1

    ready.vault = Vault([fresh])
    with reading(engine) as session:
        assert sealing.require_all_open(session, ready.vault) == 1
        assert sealing.anything_sealed(session) is True
    assert ready.check().good is True
