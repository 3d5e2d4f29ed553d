"""The way to Facebook's dialog and back belongs to one session, is gone once, and holds no secret that can be read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from cryptography.fernet import Fernet
from sqlmodel import col, select

from hub.database import reading, writing
from hub.domain.account import Account, AccountNetwork
from hub.domain.consent import Consent
from hub.domain.errors import Invalid, NotAllowed, NotFound
from hub.domain.sign_in import SignIn
from hub.secrets import Vault
from hub.services import consenting, sealing
from hub.services.consenting import Kept, LostWay, Return, Way
from hub.services.linking import Grant
from tests.services.desk import Desk

PAGES = (Grant("1", "Lille", "planted-token-1", ("CREATE_CONTENT",)), Grant("2", "Lyon", "planted-token-2"))


@dataclass
class Browser:
    """Somebody's browser, signed in."""

    desk: Desk
    vault: Vault
    sign_in_id: int
    who: str

    def begin(self, account: str | None = None) -> Way:
        number = self.desk.stage.accounts[account] if account else None
        with writing(self.desk.stage.hub.engine) as session:
            return consenting.begin(session, self.vault, account_id=number, **self._me())

    def come_back(self, state: str) -> Return:
        with writing(self.desk.stage.hub.engine) as session:
            return consenting.come_back(session, self.vault, state, **self._me())

    def keep(self, consent_id: int) -> None:
        with writing(self.desk.stage.hub.engine) as session:
            consenting.keep(session, self.vault, consent_id, PAGES, by=self.desk.who(self.who), at=self.desk.now)

    def paste(self) -> int:
        with writing(self.desk.stage.hub.engine) as session:
            return consenting.keep_pasted(session, self.vault, PAGES, **self._me())

    def kept(self, consent_id: int) -> Kept:
        with reading(self.desk.stage.hub.engine) as session:
            return consenting.kept(session, self.vault, consent_id, **self._me())

    def _me(self) -> dict[str, Any]:
        return {"sign_in_id": self.sign_in_id, "by": self.desk.who(self.who), "at": self.desk.now}


@pytest.fixture
def vault() -> Vault:
    return Vault([Fernet.generate_key().decode()])


def browser(desk: Desk, vault: Vault, who: str = "coordinator") -> Browser:
    """Sign somebody in."""
    with writing(desk.stage.hub.engine) as session:
        known = session.exec(select(SignIn.id)).all()
        sign_in = SignIn(
            person_id=desk.who(who).id,
            hash=f"cookie {len(known)}",
            created_at=desk.now,
            seen_at=desk.now,
            ends_at=desk.now + timedelta(hours=12),
        )
        session.add(sign_in)
        session.flush()
        assert sign_in.id is not None
        return Browser(desk, vault, sign_in.id, who)


@pytest.fixture
def mine(desk: Desk, vault: Vault) -> Browser:
    return browser(desk, vault)


def test_a_way_leads_there_and_back_once(mine: Browser):
    way = mine.begin("rennes")

    back = mine.come_back(way.state)

    assert (back.verifier, back.account_id) == (way.verifier, mine.desk.stage.accounts["rennes"])
    with pytest.raises(LostWay):
        mine.come_back(way.state)


@pytest.mark.parametrize("state", ["", "invented", "\ud800", "x" * 5000])
def test_a_state_that_nobody_was_given_leads_nowhere(mine: Browser, state: str):
    mine.begin()

    with pytest.raises(LostWay, match="Nothing was changed"):
        mine.come_back(state)


def test_another_session_even_of_the_same_person_does_not_come_back_in_its_place(mine: Browser, desk: Desk, vault):
    way = mine.begin()
    for stranger in (browser(desk, vault), browser(desk, vault, "administrator")):
        with pytest.raises(LostWay):
            stranger.come_back(way.state)

    assert mine.come_back(way.state).verifier == way.verifier


def test_a_way_that_takes_too_long_is_lost_and_swept(mine: Browser, desk: Desk):
    way = mine.begin()
    desk.stage.clock.forward(minutes=15)
    with pytest.raises(LostWay):
        mine.come_back(way.state)

    mine.begin()

    with reading(desk.stage.hub.engine) as session:
        assert len(session.exec(select(Consent)).all()) == 1


def test_two_ways_at_once_do_not_disturb_each_other(mine: Browser):
    first, second = mine.begin("rennes"), mine.begin()

    assert first.state != second.state
    assert mine.come_back(second.state).account_id is None
    assert mine.come_back(first.state).account_id == mine.desk.stage.accounts["rennes"]


def test_granted_pages_wait_for_their_own_session_and_not_for_ever(mine: Browser, desk: Desk, vault: Vault):
    consent_id = mine.come_back(mine.begin().state).consent_id
    with pytest.raises(LostWay):
        mine.kept(consent_id)
    mine.keep(consent_id)

    assert mine.kept(consent_id) == Kept(consent_id, PAGES)
    with pytest.raises(LostWay):
        browser(desk, vault).kept(consent_id)
    desk.stage.clock.forward(minutes=30)
    with pytest.raises(LostWay):
        mine.kept(consent_id)


def test_nobody_else_can_have_pages_kept_in_ones_place(mine: Browser, desk: Desk, vault: Vault):
    consent_id = mine.come_back(mine.begin().state).consent_id

    with pytest.raises(LostWay):
        browser(desk, vault, "administrator").keep(consent_id)


def test_pages_of_a_pasted_token_wait_in_the_same_way_until_they_are_forgotten(mine: Browser, desk: Desk):
    consent_id = mine.paste()
    assert mine.kept(consent_id).grants == PAGES

    with writing(desk.stage.hub.engine) as session:
        consenting.forget(session, consent_id)
        consenting.forget(session, consent_id)

    with pytest.raises(LostWay):
        mine.kept(consent_id)


def test_nothing_that_opens_anything_is_stored_as_it_is(mine: Browser, desk: Desk):
    way = mine.begin()
    mine.paste()

    with reading(desk.stage.hub.engine) as session:
        stored = "".join(f"{one.hash}{one.verifier}{one.pages}" for one in session.exec(select(Consent)))
    assert [text for text in (way.state, way.verifier, "planted") if text in stored] == []
    assert [text for text in (way.state, way.verifier) if text in repr(way)] == []


def test_after_a_change_of_keys_a_way_is_simply_lost(mine: Browser):
    way = mine.begin()
    consent_id = mine.paste()
    mine.vault = Vault([Fernet.generate_key().decode()])

    with pytest.raises(LostWay):
        mine.come_back(way.state)
    with pytest.raises(LostWay):
        mine.kept(consent_id)


def test_nothing_stays_under_an_old_key_when_keys_are_rotated(mine: Browser, desk: Desk):
    mine.paste()
    with writing(desk.stage.hub.engine) as session:
        for account in session.exec(select(Account)):
            account.secret = None

    with writing(desk.stage.hub.engine) as session:
        sealing.seal_again(session, mine.vault, by="operator", at=desk.now)

    with reading(desk.stage.hub.engine) as session:
        assert session.exec(select(Consent)).all() == []


@pytest.mark.parametrize(("who", "account"), [("animator", None), ("analyst", None), ("animator", "rennes")])
def test_only_keepers_of_accounts_begin(desk: Desk, vault: Vault, who: str, account: str | None):
    with pytest.raises(NotAllowed):
        browser(desk, vault, who).begin(account)
    with pytest.raises(NotAllowed):
        browser(desk, vault, who).paste()


def test_a_way_is_begun_for_an_account_on_facebook_only(mine: Browser, desk: Desk):
    with pytest.raises(Invalid):
        mine.begin("x")
    desk.stage.accounts["nobody"] = 999
    with pytest.raises(NotFound):
        mine.begin("nobody")


def test_an_old_session_takes_its_ways_along(mine: Browser, desk: Desk):
    mine.begin()

    with writing(desk.stage.hub.engine) as session:
        session.delete(session.get(SignIn, mine.sign_in_id))

    with reading(desk.stage.hub.engine) as session:
        assert session.exec(select(Consent).order_by(col(Consent.id))).all() == []


def test_the_portal_is_no_way_either(mine: Browser, desk: Desk):
    assert AccountNetwork.PORTAL.value in desk.stage.accounts
    with pytest.raises(Invalid):
        mine.begin("portal")
