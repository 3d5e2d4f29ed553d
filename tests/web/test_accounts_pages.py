"""The pages of accounts: who sees and keeps them, pause and resume, keys, and the way to Facebook and back."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx
import pytest
from sqlalchemy import Engine
from sqlmodel import col, select

from channels.sandbox import faults
from channels.sandbox.server import Sandbox
from hub.database import reading, writing
from hub.domain.account import Account, AccountNetwork, AccountState
from hub.domain.audit import AuditEntry
from hub.domain.consent import Consent
from hub.domain.delivery import Delivery, DeliveryState
from hub.domain.reach import ReadingCost
from hub.secrets import write_new_key
from hub.services import connecting
from hub.wiring import wire
from tests.stage import Stage, build_stage
from tests.web.conftest import Ask, Browser

SECRET = "the-secret-of-the-app"
RENNES = "1002"
LILLE = "2001"
BACK = "/equipe/comptes/facebook/retour"

Browse = Callable[..., Browser]


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Our own Facebook and X, where one person works on the page of Rennes and on one that is not in Relais."""
    with Sandbox() as running:
        running.graph.tokens.create_app("900", SECRET, require_proof=True)
        running.graph.tokens.create_user("77", "Camille Exemple")
        running.graph.create_page(LILLE, "Ma seconde chance · Lille", followers=6000)
        yield running


@pytest.fixture
def stage(engine: Engine, tmp_path: Path, sandbox: Sandbox) -> Stage:
    """The usual stage, with the real channels on the sandbox and real keys for the page of Rennes and X."""
    addresses = {"facebook_api_url": sandbox.url, "x_api_url": sandbox.url}
    stage = build_stage(engine, tmp_path, **addresses, facebook_app_id="900", facebook_app_secret=SECRET)
    sandbox.clock.set(stage.clock())
    write_new_key(stage.hub.settings.key_file)
    wired = wire(stage.hub.settings, now=stage.clock, engine=engine)
    stage.hub = replace(stage.hub, channel_for=wired.channel_for)
    token = sandbox.graph.create_page(RENNES, "Page rennes", followers=6000)
    made = sandbox.x.create_account("seconde_chance", name="Ma seconde chance", credits_left="50")
    with writing(engine) as session:
        _seal(session.get(Account, stage.accounts["rennes"]), stage, {"token": token})
        on_x = session.get(Account, stage.accounts["x"])
        assert on_x is not None
        on_x.remote_id, on_x.handle = made["id"], "seconde_chance"
        _seal(on_x, stage, {name: made[name] for name in connecting.SECRET_NAMES[AccountNetwork.X]})
    return stage


def _seal(account: Account | None, stage: Stage, secret: dict[str, str]) -> None:
    assert account is not None
    assert account.id is not None
    account.secret = stage.hub.vault.seal(account.id, secret)


def known(stage: Stage, name: str) -> Account:
    """An account as it is stored."""
    with reading(stage.hub.engine) as session:
        account = session.get(Account, stage.accounts[name])
        assert account is not None
        session.expunge(account)
        return account


def secret_of(stage: Stage, account: Account) -> dict[str, str]:
    """The keys of an account."""
    return stage.hub.vault.open(account.id or 0, account.secret or "")


def at(stage: Stage, name: str, rest: str = "") -> str:
    """The address of an account's page."""
    return f"/equipe/comptes/{stage.accounts[name]}{rest}"


def change(stage: Stage, name: str, **values: Any) -> None:
    """Have an account be so."""
    with writing(stage.hub.engine) as session:
        account = session.get(Account, stage.accounts[name])
        for field, value in values.items():
            setattr(account, field, value)


def said(answer: httpx.Response) -> list[str]:
    """The messages on a page, without their headings."""
    notices = re.findall(r'<div class="notice[^>]*>(.*?)</div>', answer.text, re.DOTALL)
    return [" ".join(unescape(re.sub(r"<[^>]+>", " ", notice)).split()) for notice in notices]


def heading(answer: httpx.Response) -> str:
    """The page's heading."""
    found = re.search(r"<h1>(.*?)</h1>", answer.text, re.DOTALL)
    return unescape(found[1].strip()) if found else ""


# --- Looking --------------------------------------------------------------------------------------------


def test_each_person_sees_the_accounts_of_their_land(browse: Browse):
    listed = {
        who: sorted(re.findall(r'<a class="title" href="[^"]*">([^<]+)</a>', browse(who).get("/equipe/comptes").text))
        for who in ("animator", "stranger", "analyst", "coordinator")
    }

    everything = ["Page elsewhere", "Page national", "Page rennes", "Page x", "Portail"]
    assert listed == {
        "animator": ["Page national", "Page rennes", "Page x", "Portail"],
        "stranger": ["Page elsewhere", "Page national", "Page x", "Portail"],
        "analyst": everything,
        "coordinator": everything,
    }


def test_accounts_that_need_somebody_stand_first_and_say_so_in_words(browse: Browse, stage: Stage):
    change(stage, "rennes", state=AccountState.RESTING, light="red", state_reason="190/463")

    page = browse("coordinator").get("/equipe/comptes").text

    urgent = page[page.index('id="urgent"') : page.index('id="others"')]
    assert re.findall(r'href="/equipe/comptes/\d+">([^<]+)<', urgent) == ["Page rennes"]
    assert [words for words in ("resting", "Rennes (académie)", "Access: not known") if words not in urgent] == []


def test_whoever_only_looks_sees_no_way_to_change_anything(browse: Browse, stage: Stage):
    change(stage, "rennes", state=AccountState.RESTING, light="red")
    for who in ("animator", "analyst"):
        page = browse(who).get(at(stage, "rennes"))
        main = page.text[page.text.index("<main") : page.text.index("</main>")]
        assert (page.status_code, main.count("<form"), "/jeton" in main, "connexion" in main) == (200, 0, False, False)
        assert "Somebody who looks after this account does this" in main
        assert "/equipe/comptes/nouveau" not in browse(who).get("/equipe/comptes").text


def test_a_foreign_account_is_not_found_and_a_seen_one_not_managed(browse: Browse, stage: Stage):
    stranger, animator = browse("stranger"), browse("animator")
    actions = ("/verification", "/pause", "/reprise", "/jeton")

    assert stranger.get(at(stage, "rennes")).status_code == 404
    assert stranger.get(at(stage, "rennes", "/jeton")).status_code == 404
    assert [stranger.post(at(stage, "rennes", one)).status_code for one in actions] == [404] * 4
    assert animator.get(at(stage, "rennes", "/jeton")).status_code == 403
    assert [animator.post(at(stage, "rennes", one), {"reason": "x"}).status_code for one in actions] == [403] * 4
    assert known(stage, "rennes").state is AccountState.ACTIVE


@pytest.mark.parametrize(
    "path", ["/nouveau", "/nouveau/facebook", "/nouveau/x", "/facebook/connexion", "/facebook/connexion?compte=2"]
)
def test_only_keepers_add_accounts(browse: Browse, path: str):
    for who in ("animator", "analyst"):
        assert browse(who).get(f"/equipe/comptes{path}", follow=False).status_code == 403


def test_an_account_shows_what_it_used_and_what_went_out_of_what_one_may_see(
    browse: Browse, stage: Stage, published: dict[str, Any], ask: Ask
):
    with writing(stage.hub.engine) as session:
        deliveries = session.exec(select(Delivery).where(Delivery.account_id == stage.accounts["rennes"])).all()
        for one in deliveries:
            one.state, one.sent_at = DeliveryState.SENT, stage.clock()

    page = browse("animator").get(at(stage, "rennes")).text

    assert f'href="/equipe/publications/{published["id"]}">Portes ouvertes au CFA' in page
    assert re.search(r"<dt>Posts in November</dt><dd>1</dd>", page)
    assert "published" in page


def test_the_price_of_posts_on_x_is_told_with_where_it_comes_from(browse: Browse, stage: Stage):
    page = browse("coordinator").get(at(stage, "x")).text

    assert "<dt>Price of these posts</dt><dd>0.00 US dollars</dd>" in page
    assert "Counted by Relais, at the prices of its settings" in page


def test_what_reading_figures_cost_is_told_on_the_list_and_on_the_page(browse: Browse, stage: Stage):
    with writing(stage.hub.engine) as session:
        session.add(ReadingCost(account_id=stage.accounts["x"], day=stage.clock().date(), reads=1200, micros=6_000_000))

    page, listed, elsewhere = (
        browse("coordinator").get(path).text for path in (at(stage, "x"), "/equipe/comptes", at(stage, "rennes"))
    )

    assert re.search(r"<dt>Read for figures</dt><dd>1.200</dd>", page)
    assert "<dt>Price of these readings</dt><dd>6.00 US dollars</dd>" in page
    assert re.search(r"<span>1.?200 read for figures · 6.00 US dollars</span>", listed)
    assert "Read for figures" not in elsewhere


def test_what_x_still_takes_of_an_account_is_told_on_its_page_alone(browse: Browse, stage: Stage):
    page, elsewhere = (browse("coordinator").get(at(stage, name)).text for name in ("x", "rennes"))

    assert "<dt>Left in 24 hours</dt><dd>50 of 50</dd>" in page
    assert "<dt>Left in half an hour</dt><dd>50 of 50</dd>" in page
    assert "Left in" not in elsewhere


def test_an_access_that_ends_before_a_planned_post_is_told_on_the_page(
    browse: Browse, stage: Stage, approved: dict[str, Any]
):
    with writing(stage.hub.engine) as session:
        connecting.get_account(session, stage.accounts["rennes"]).token_expires_at = stage.clock() + timedelta(days=1)

    page = browse("coordinator").get(at(stage, "rennes")).text

    assert "Its access ends on 3 November 2026, before the post planned for 10 November 2026." in page


# --- Check, pause, resume -------------------------------------------------------------------------------


def test_a_check_asks_the_network_and_says_what_it_found(browse: Browse, stage: Stage):
    answer = browse("coordinator").post(at(stage, "rennes", "/verification"))

    assert said(answer) == ["Page rennes was checked: all is well."]
    assert known(stage, "rennes").light == "green"
    assert "All is well: Relais may publish here." in unescape(answer.text)
    assert "no end date" in answer.text


def test_a_check_of_an_account_on_x_tells_its_permission(browse: Browse, stage: Stage, sandbox: Sandbox):
    sandbox.clock.set(None)
    answer = browse("coordinator").post(at(stage, "x", "/verification"))

    assert known(stage, "x").light == "green", known(stage, "x").findings
    assert "<dt>Permission to publish</dt><dd>yes</dd>" in answer.text


def test_a_pause_needs_a_reason_and_keeps_nothing_else(browse: Browse, stage: Stage):
    browser = browse("coordinator")

    refused = browser.post(at(stage, "rennes", "/pause"), {"reason": "  "})
    paused = browser.post(at(stage, "rennes", "/pause"), {"reason": "Page <being> moved"})

    assert refused.status_code == 422
    assert "Say why: the next person will want to know." in refused.text
    assert said(paused) == ["Page rennes is paused: its deliveries wait."]
    assert "Page &lt;being&gt; moved" in paused.text
    assert (known(stage, "rennes").state, known(stage, "rennes").state_reason) == (
        AccountState.PAUSED,
        "Page <being> moved",
    )


def test_a_second_pause_is_refused_in_words(browse: Browse, stage: Stage):
    change(stage, "rennes", state=AccountState.PAUSED, state_reason="earlier")

    answer = browse("coordinator").post(at(stage, "rennes", "/pause"), {"reason": "later"})

    assert answer.status_code == 409
    assert "Nothing goes out on Page rennes already: it is paused." in answer.text
    assert known(stage, "rennes").state_reason == "earlier"


def test_resuming_tells_first_what_goes_out_and_what_is_too_late(
    browse: Browse, stage: Stage, approved: dict[str, Any], ask: Ask
):
    change(stage, "rennes", state=AccountState.PAUSED, state_reason="page moved", light="green")
    browser = browse("coordinator")
    waiting = browser.get(at(stage, "rennes")).text
    stage.clock.at = stage.clock.at.replace(day=10, hour=17, minute=1)
    browser = browse("coordinator")
    due = browser.get(at(stage, "rennes")).text
    stage.clock.forward(hours=7)
    browser = browse("coordinator")
    late = browser.get(at(stage, "rennes")).text

    answer = browser.post(at(stage, "rennes", "/reprise"))

    assert "1 delivery waits for it." in waiting
    assert "goes out as soon as" not in waiting
    assert "1 goes out as soon as it is resumed." in due
    assert "1 is too late to go out by itself: a person decides on it." in late
    assert said(answer) == [
        "Page rennes goes on. 1 is too late to go out by itself: decide on it on the page of its post."
    ]
    assert known(stage, "rennes").state is AccountState.ACTIVE


def test_an_account_that_rests_is_not_resumed_before_a_check_is_good(browse: Browse, stage: Stage):
    change(stage, "rennes", state=AccountState.RESTING, light="red", state_reason="190/463")
    browser = browse("coordinator")

    page = browser.get(at(stage, "rennes")).text
    refused = browser.post(at(stage, "rennes", "/reprise"))

    assert "/reprise" not in page
    assert refused.status_code == 409
    assert "no check since then shows that it can publish" in refused.text
    assert known(stage, "rennes").state is AccountState.RESTING


# --- Keys by pasting ------------------------------------------------------------------------------------


def test_a_pasted_token_renews_its_page_be_it_the_pages_or_a_persons(browse: Browse, stage: Stage, sandbox: Sandbox):
    browser = browse("coordinator")
    own = sandbox.graph.create_page(RENNES, "Page rennes", followers=6000)
    person = sandbox.graph.tokens.create_user("77", "Camille Exemple")

    for token in (own, person):
        before = secret_of(stage, known(stage, "rennes"))
        answer = browser.post(at(stage, "rennes", "/jeton"), {"token": f" {token} "})

        assert said(answer) == ["Page rennes has new keys and was checked: it publishes."]
        assert secret_of(stage, known(stage, "rennes")) != before
        assert token not in answer.text


def test_a_wrong_token_is_refused_in_words_and_never_given_back(browse: Browse, stage: Stage, sandbox: Sandbox):
    browser = browse("coordinator")
    lille = sandbox.graph.create_page(LILLE, "Ma seconde chance · Lille")
    before = known(stage, "rennes").secret
    for token, words in (
        ("", "Missing from the keys: token."),
        ("EAAP12", "A key is too short to be a whole one"),
        ("with some spaces in it", "A key holds spaces"),
        ("EAAPinventedtoken", "Facebook did not accept this"),
        (lille, "This token opens Ma seconde chance · Lille, and not Page rennes."),
    ):
        answer = browser.post(at(stage, "rennes", "/jeton"), {"token": token})

        assert (answer.status_code, words in unescape(answer.text)) == (422, True), (token, answer.text)
        assert not token or token not in answer.text
    assert known(stage, "rennes").secret == before


def test_a_silent_facebook_is_told_as_such(browse: Browse, stage: Stage, sandbox: Sandbox):
    sandbox.faults.add(faults.named("html_502", network="facebook"))

    answer = browse("coordinator").post(at(stage, "rennes", "/jeton"), {"token": "EAAPsometoken"})

    assert answer.status_code == 422
    assert "Facebook did not answer" in answer.text


def test_the_four_keys_of_x_are_taken_and_checked(browse: Browse, stage: Stage, sandbox: Sandbox):
    sandbox.clock.set(None)
    keys = secret_of(stage, known(stage, "x"))
    browser = browse("coordinator")

    wrong = browser.post(at(stage, "x", "/jeton"), {**keys, "consumer_key": "", "access_token": "a-b"})
    answer = browser.post(at(stage, "x", "/jeton"), keys)

    assert wrong.status_code == 422
    assert [words for words in ("Paste this key.", "Paste it again") if words not in wrong.text] == []
    assert [key for key in keys.values() if key in wrong.text + answer.text] == []
    assert said(answer) == ["Ma seconde chance has new keys and was checked: it publishes."]


def test_the_portal_has_no_keys_to_give(browse: Browse, stage: Stage):
    browser = browse("coordinator")

    assert "/jeton" not in browser.get(at(stage, "portal")).text
    assert browser.get(at(stage, "portal", "/jeton")).status_code == 409


def test_an_account_on_x_is_added_by_name_of_its_territory(browse: Browse, stage: Stage, sandbox: Sandbox):
    sandbox.clock.set(None)
    made = sandbox.x.create_account("ij_lille", name="IJ Lille", credits_left="50")
    keys = {name: made[name] for name in connecting.SECRET_NAMES[AccountNetwork.X]}
    browser = browse("coordinator")

    refused = browser.post("/equipe/comptes/nouveau/x", {**keys, "handle": "@ij_lille", "territory": "Atlantis"})
    again = browser.post(
        "/equipe/comptes/nouveau/x", {**keys, "handle": "seconde_chance", "territory": "Lille", "number": "abc"}
    )
    added = browser.post(
        "/equipe/comptes/nouveau/x", {**keys, "handle": "@ij_lille", "territory": "lille", "number": made["id"]}
    )
    twice = browser.post(
        "/equipe/comptes/nouveau/x", {**keys, "handle": "ij_lille", "territory": "Lille", "number": made["id"]}
    )

    assert (refused.status_code, again.status_code, added.status_code, twice.status_code) == (422, 422, 200, 422)
    assert "There is no territory “Atlantis” that you may choose." in refused.text
    assert 'value="@ij_lille"' in refused.text
    assert refused.text.count("Paste it again: keys are never shown once more.") == 2 * 4
    assert heading(added) == "IJ Lille"
    assert said(added) == ["IJ Lille was added and checked: it publishes."]
    assert "IJ Lille is here already." in twice.text
    shown = refused.text + again.text + added.text + twice.text
    assert [key for key in keys.values() if key in shown] == []


# --- To Facebook and back -------------------------------------------------------------------------------


class Dialog:
    """The person's browser at Facebook's dialog, from the link in Relais until the return."""

    def __init__(self, browser: Browser, sandbox: Sandbox) -> None:
        self.browser = browser
        self.sandbox = sandbox

    def leave(self, account: int | None = None) -> str:
        """Follow the link; where it leads."""
        query = f"?compte={account}" if account else ""
        answer = self.browser.get(f"/equipe/comptes/facebook/connexion{query}", follow=False)
        assert answer.status_code == 303, answer.text
        return answer.headers["location"]

    def answer(self, there: str, button: str = "yes", *, without: str = "") -> str:
        """Press a button of the dialog; the path and query of the return."""
        page = httpx.get(there, trust_env=False).text
        fields = re.findall(r"<input type='\w+' name='(\w+)' value='([^']*)'", page)
        sent = [(name, unescape(value)) for name, value in fields if (name, value) != ("page", without)]
        body = "&".join(f"{name}={httpx.QueryParams({name: value})[name]}" for name, value in sent)
        action = urlsplit(there)._replace(query="").geturl()
        answer = httpx.post(
            action,
            data=_grouped([*sent, ("answer", button)]),
            trust_env=False,
            follow_redirects=False,
        )
        assert answer.status_code == 303, (answer.text, body)
        back = urlsplit(answer.headers["location"])
        assert f"{back.scheme}://{back.netloc}{back.path}" == f"http://127.0.0.1:8000{BACK}"
        return f"{back.path}?{back.query}"

    def whole(self, account: int | None = None, button: str = "yes", *, without: str = "") -> httpx.Response:
        """There and back."""
        return self.browser.get(self.answer(self.leave(account), button, without=without))


def _grouped(pairs: list[tuple[str, str]]) -> dict[str, list[str]]:
    told: dict[str, list[str]] = {}
    for name, value in pairs:
        told.setdefault(name, []).append(value)
    return told


@pytest.fixture
def dialog(browse: Browse, sandbox: Sandbox) -> Dialog:
    return Dialog(browse("coordinator"), sandbox)


def test_the_way_to_facebook_asks_for_the_least_and_names_the_exact_way_back(dialog: Dialog, sandbox: Sandbox):
    there = urlsplit(dialog.leave())

    asked = {name: values[0] for name, values in parse_qs(there.query).items()}
    assert f"{there.scheme}://{there.netloc}{there.path}" == f"{sandbox.url}/v26.0/dialog/oauth"
    assert asked["redirect_uri"] == f"http://127.0.0.1:8000{BACK}"
    assert asked["scope"] == "pages_show_list,pages_read_engagement,pages_manage_posts,read_insights"
    assert (asked["code_challenge_method"], len(asked["state"]) >= 22) == ("S256", True)


def test_a_way_is_begun_by_a_link_and_never_by_a_form(browse: Browse, stage: Stage):
    browser = browse("coordinator")
    change(stage, "rennes", light="red", findings=[{"light": "red", "code": "token_expired"}])

    pages = [browser.get(path).text for path in (at(stage, "rennes"), "/equipe/comptes/nouveau/facebook")]

    for page in pages:
        assert re.search(r'<a class="button main" href="/equipe/comptes/facebook/connexion[^"]*">', page)
        assert re.search(r'<form[^>]*action="[^"]*facebook/connexion', page) is None


def test_an_expired_token_is_repaired_in_one_go(browse: Browse, stage: Stage, sandbox: Sandbox, dialog: Dialog):
    old = secret_of(stage, known(stage, "rennes"))["token"]
    sandbox.graph.tokens.expire_token(old)
    browser = dialog.browser
    browser.post(at(stage, "rennes", "/verification"))
    change(stage, "rennes", state=AccountState.RESTING, state_reason="190/463")
    trouble = browser.get(at(stage, "rennes")).text

    mended = dialog.whole(stage.accounts["rennes"])
    resumed = browser.post(at(stage, "rennes", "/reprise"))

    assert "The page's token has expired." in unescape(trouble)
    assert f'href="/equipe/comptes/facebook/connexion?compte={stage.accounts["rennes"]}"' in trouble
    assert heading(mended) == "Page rennes"
    assert said(mended) == ["Page rennes has new keys and was checked. Resume it, so that its deliveries go out."]
    assert '<button class="button main">Resume</button>' in mended.text
    assert said(resumed) == ["Page rennes goes on."]
    account = known(stage, "rennes")
    assert (account.state, account.light) == (AccountState.ACTIVE, "green")
    assert secret_of(stage, account)["token"] != old


def test_cancelling_leads_back_kindly_and_changes_nothing(dialog: Dialog, stage: Stage):
    before = known(stage, "rennes")

    for_account = dialog.whole(stage.accounts["rennes"], "no")
    for_pages = dialog.whole(None, "no")

    assert (heading(for_account), heading(for_pages)) == ("Page rennes", "Add Facebook pages")
    assert said(for_account) == said(for_pages) == ["You cancelled on Facebook: nothing was changed."]
    assert known(stage, "rennes") == before


def test_a_forged_missing_or_foreign_state_is_refused_and_asks_facebook_nothing(
    dialog: Dialog, browse: Browse, sandbox: Sandbox, stage: Stage
):
    back = dialog.answer(dialog.leave(stage.accounts["rennes"]))
    given = dict(parse_qsl(urlsplit(back).query))
    asked = len(sandbox.calls)
    before = known(stage, "rennes").secret

    tries = [
        dialog.browser.get(f"{BACK}?code={given['code']}&state=forged"),
        dialog.browser.get(f"{BACK}?code={given['code']}"),
        dialog.browser.get(f"{BACK}?error=access_denied&state=forged"),
        browse("coordinator").get(back),
        browse("administrator").get(back),
    ]

    assert [one.status_code for one in tries] == [404] * 5
    assert {heading(one) for one in tries} == {"Back from Facebook, without a result"}
    assert "does not belong to your session" in tries[0].text
    assert (len(sandbox.calls), known(stage, "rennes").secret) == (asked, before)


def test_a_return_is_good_once(dialog: Dialog, stage: Stage):
    back = dialog.answer(dialog.leave(stage.accounts["rennes"]))

    first, second = dialog.browser.get(back), dialog.browser.get(back)

    assert (first.status_code, second.status_code) == (200, 404)


def test_a_return_after_the_session_ended_leads_to_the_entrance(dialog: Dialog, stage: Stage):
    back = dialog.answer(dialog.leave(stage.accounts["rennes"]))
    dialog.browser.client.cookies.clear()

    answer = dialog.browser.get(back, follow=False)

    assert (answer.status_code, urlsplit(answer.headers["location"]).path) == (303, "/equipe/connexion")


def test_a_replayed_code_with_a_fresh_state_is_refused_by_facebook_in_words(dialog: Dialog, stage: Stage):
    used = dict(parse_qsl(urlsplit(dialog.answer(dialog.leave(stage.accounts["rennes"]))).query))
    dialog.browser.get(f"{BACK}?code={used['code']}&state={used['state']}")
    fresh = parse_qs(urlsplit(dialog.leave(stage.accounts["rennes"])).query)["state"][0]

    answer = dialog.browser.get(f"{BACK}?code={used['code']}&state={fresh}")

    assert answer.status_code == 502
    assert "Facebook did not accept this" in answer.text
    assert used["code"] not in answer.text


def test_a_problem_on_facebooks_side_is_told_without_repeating_it(dialog: Dialog):
    state = parse_qs(urlsplit(dialog.leave()).query)["state"][0]

    answer = dialog.browser.get(f"{BACK}?error=server_error&error_description=<b>something odd</b>&state={state}")

    assert (answer.status_code, "something odd" in answer.text) == (502, False)


def test_several_pages_are_offered_with_the_territory_of_their_name(dialog: Dialog, sandbox: Sandbox, stage: Stage):
    sandbox.graph.create_page("2002", "La seconde chance", followers=6000)
    sandbox.graph.create_page("2003", "Page sans droit", tasks=("ANALYZE",))
    before = known(stage, "rennes").secret

    page = dialog.whole()
    path = urlsplit(str(page.url)).path
    refused = dialog.browser.post(path, {"page": ["2002", LILLE], f"territory-{LILLE}": "Lille (académie)"})
    linked = dialog.browser.post(
        path, {"page": ["2002", LILLE], "territory-2002": "France", f"territory-{LILLE}": "lille"}
    )

    assert heading(page) == "Which page speaks for which territory?"
    assert re.findall(r'name="page" value="(\d+)"( checked)?', page.text) == [
        (RENNES, " checked"),
        (LILLE, " checked"),
        ("2002", ""),
    ]
    assert f'name="territory-{LILLE}" value="Lille (académie)"' in page.text
    assert "Here already, for Rennes (académie): if you tick it, its token is renewed." in page.text
    assert "You may not publish on this page." in page.text
    assert refused.status_code == 422
    assert "Say which territory this page speaks for." in refused.text
    assert 'value="Lille (académie)"' in refused.text
    assert said(linked) == ["2 pages are linked. All were checked and may publish."]
    with reading(stage.hub.engine) as session:
        made = session.exec(select(Account).where(col(Account.remote_id).in_(["2002", LILLE])))
        assert {one.remote_id: one.territory_code for one in made} == {"2002": "FR", LILLE: "A-09"}
        assert session.exec(select(Consent)).all() == []
    assert known(stage, "rennes").secret == before
    assert dialog.browser.get(path).status_code == 404


def test_a_page_that_was_not_ticked_does_not_renew_and_says_how_to_go_on(dialog: Dialog, stage: Stage):
    before = known(stage, "rennes").secret

    answer = dialog.whole(stage.accounts["rennes"], without=RENNES)

    assert heading(answer) == "Which page speaks for which territory?"
    assert "The page of Page rennes is not among those that may be used" in said(answer)[0]
    assert known(stage, "rennes").secret == before


def test_without_any_page_there_is_a_way_on(dialog: Dialog, sandbox: Sandbox):
    sandbox.graph.tokens.create_user("78", "Sacha Exemple")

    answer = dialog.browser.get(dialog.answer(dialog.leave() + "&user=78"))

    assert "No page was granted" in answer.text


def test_pages_that_cannot_be_checked_are_linked_all_the_same_and_said_to_need_care(
    dialog: Dialog, sandbox: Sandbox, stage: Stage
):
    sandbox.graph.create_page("2002", "La seconde chance", followers=6000)
    path = urlsplit(str(dialog.whole().url)).path
    sandbox.faults.add(faults.named("html_502", network="facebook", times=None))
    asked = len(sandbox.calls)

    linked = dialog.browser.post(
        path, {"page": ["2002", LILLE], "territory-2002": "France", f"territory-{LILLE}": "Lille"}
    )

    assert said(linked) == ["2 pages are linked. 2 need care: see below."]
    speakers = {call.query_value("access_token") for call in list(sandbox.calls)[asked:]}
    assert len(speakers - {None}) == 1


def test_granted_pages_of_another_session_are_not_shown(dialog: Dialog, browse: Browse):
    path = urlsplit(str(dialog.whole().url)).path

    for who in ("coordinator", "administrator"):
        other = browse(who)
        assert other.get(path).status_code == 404
        assert other.post(path, {"page": [LILLE], f"territory-{LILLE}": "Lille"}).status_code == 404


def test_a_pasted_persons_token_leads_to_the_same_choice(browse: Browse, sandbox: Sandbox, stage: Stage):
    browser = browse("coordinator")
    token = sandbox.graph.tokens.create_user("77", "Camille Exemple")

    wrong = browser.post("/equipe/comptes/nouveau/facebook", {"token": "EAAUinventedtoken"})
    page = browser.post("/equipe/comptes/nouveau/facebook", {"token": token})
    one = browser.post(urlsplit(str(page.url)).path, {"page": LILLE, f"territory-{LILLE}": "Nord (département)"})

    assert wrong.status_code == 422
    assert "EAAUinventedtoken" not in wrong.text
    assert heading(page) == "Which page speaks for which territory?"
    assert heading(one) == "Ma seconde chance · Lille"
    assert said(one) == ["Ma seconde chance · Lille was checked: all is well."]


def test_without_an_app_the_dialog_is_not_offered(browse: Browse, stage: Stage):
    stage.hub.settings.facebook_app_id = None
    browser = browse("coordinator")

    page = browser.get("/equipe/comptes/nouveau/facebook").text

    assert "Not possible yet" in page
    assert "facebook/connexion" not in page
    assert browser.get("/equipe/comptes/facebook/connexion", follow=False).status_code == 409


def test_a_check_is_told_in_one_line_of_log(browse: Browse, stage: Stage, caplog: pytest.LogCaptureFixture):
    caplog.set_level("INFO", logger="relais.accounts")
    browser, number = browse("coordinator"), stage.accounts["rennes"]

    browser.post(at(stage, "rennes", "/verification"))
    change(stage, "rennes", secret=stage.hub.vault.seal(number, {"token": "EAAUoutdated"}))
    browser.post(at(stage, "rennes", "/verification"))

    lines = [record.getMessage() for record in caplog.records if record.name == "relais.accounts"]
    assert lines == [
        f"task=check account={number} outcome=green findings=ok state=active",
        f"task=check account={number} outcome=red findings=token_invalid state=active",
    ]


def test_no_page_message_log_or_audit_holds_a_secret(
    dialog: Dialog, stage: Stage, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
):
    caplog.set_level("DEBUG")
    browser = dialog.browser
    back = dialog.answer(dialog.leave())
    page = browser.get(back)
    path = urlsplit(str(page.url)).path
    shown = [page.text, browser.get(path).text]
    shown.append(browser.post(path, {"page": [RENNES, LILLE], f"territory-{LILLE}": "Lille"}).text)
    shown += [browser.get(at(stage, name)).text for name in ("rennes", "x")]
    shown.append(browser.get("/equipe/comptes").text)

    with reading(stage.hub.engine) as session:
        entries = session.exec(select(AuditEntry)).all()
        shown += [f"{entry.thing} {entry.before} {entry.after}" for entry in entries]
        accounts = [one for one in session.exec(select(Account)) if one.secret and one.secret != "sealed"]
        secrets = {value for one in accounts for value in secret_of(stage, one).values()}
    secrets |= {thing["token"] for thing in sandbox.shelf.all("fb_token")}
    secrets |= {dict(parse_qsl(urlsplit(back).query))["code"], SECRET}
    everything = "\n".join(shown) + "\n".join(
        record.getMessage() for record in caplog.records if record.name.startswith(("relais", "hub", "channels"))
    )
    assert len(secrets) >= 8
    assert [one for one in secrets if one in everything] == []
