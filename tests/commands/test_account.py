"""`relais account`: real SDKs against our own Facebook and X; keys in by file or standard input, never out again."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from channels.sandbox.server import Sandbox
from hub.secrets import write_new_key
from tests.beside import dump, tell
from tests.commands.conftest import Relais

KEYS = ("consumer_key", "consumer_secret", "access_token", "access_token_secret")
SECRET = "planted-app-secret"

pytestmark = pytest.mark.usefixtures("hub_file")


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Sandbox]:
    """Our own Facebook and X, one app, one person with two pages."""
    write_new_key(tmp_path / "relais.key")
    with Sandbox() as sandbox:
        sandbox.graph.tokens.create_app("900", SECRET)
        sandbox.graph.tokens.create_user("77", token="planted-user-token")
        sandbox.graph.create_page("111", "Académie de Rennes", token="planted-page-token", followers=9000)
        sandbox.graph.create_page("112", "Académie de Bordeaux", followers=9000, tasks=["ANALYZE"])
        for name, value in {
            "FACEBOOK_API_URL": sandbox.url,
            "X_API_URL": sandbox.url,
            "FACEBOOK_APP_ID": "900",
            "FACEBOOK_APP_SECRET": SECRET,
        }.items():
            monkeypatch.setenv(f"RELAIS_{name}", value)
        yield sandbox


@pytest.fixture
def page_token(tmp_path: Path) -> str:
    file = tmp_path / "page-token.txt"
    file.write_text("planted-page-token\n")
    return str(file)


@pytest.fixture
def user_token(tmp_path: Path) -> str:
    file = tmp_path / "user-token.txt"
    file.write_text("planted-user-token\n")
    return str(file)


def add_page(relais: Relais, page_token: str, *more: str) -> dict[str, Any]:
    ran = relais("account", "add", "facebook", "--territory", "a-14", "--page", "111", "--secret-file", page_token,
                 "--json", *more)  # fmt: skip
    assert ran.code == 0, ran.err
    told: dict[str, Any] = json.loads(ran.out)
    return told


def told(relais: Relais, *arguments: str) -> Any:
    return json.loads(relais("account", *arguments, "--json").out)


def stop(engine: Engine, number: int, state: str) -> None:
    """As if Relais had stopped the account itself."""
    statement = "UPDATE account SET state = :state, light = 'red', state_reason = 'token' WHERE id = :number"
    tell(engine, statement, state=state, number=number)


# --- Facebook -----------------------------------------------------------------------------------------------


def test_a_page_is_added_with_its_own_token_and_found_well(relais, sandbox, page_token):
    page = add_page(relais, page_token, "--option", "two_step=true")

    assert (page["network"], page["remote_id"], page["territory"], page["name"], page["light"], page["options"]) == (
        "facebook",
        "111",
        "A-14",
        "Académie de Rennes",
        "green",
        {"two_step": True},
    )
    assert [finding["code"] for finding in page["findings"]] == ["ok"]


def test_a_token_may_come_from_standard_input(relais, sandbox, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("planted-page-token\n"))

    assert relais("account", "add", "facebook", "--territory", "A-14", "--page", "111").code == 0
    assert [one["light"] for one in told(relais, "list") if one["network"] == "facebook"] == ["green"]


def test_a_persons_token_lists_their_pages_to_choose_from(relais, sandbox, user_token):
    asked = ("account", "add", "facebook", "--territory", "A-14", "--user-token", "--secret-file", user_token)

    pages = json.loads(relais(*asked, "--json").out)
    shown = relais(*asked)
    chosen = json.loads(relais(*asked, "--page", "111", "--json").out)
    strange = relais(*asked, "--page", "999")

    assert {(page["id"], page["name"], "CREATE_CONTENT" in page["tasks"]) for page in pages} == {
        ("111", "Académie de Rennes", True),
        ("112", "Académie de Bordeaux", False),
    }
    assert "--page" in shown.err
    assert (chosen["remote_id"], chosen["light"]) == ("111", "green")
    assert strange.code == 4
    assert "111" in strange.err


def test_a_refused_persons_token_is_said_in_words(relais, sandbox, tmp_path):
    file = tmp_path / "wrong.txt"
    file.write_text("planted-wrong-token")

    ran = relais("account", "add", "facebook", "--territory", "A-14", "--user-token", "--secret-file", str(file))

    assert ran.code == 1
    assert len(ran.err.strip().splitlines()) == 1
    assert "planted" not in ran.out + ran.err


def test_a_page_that_cannot_publish_any_more_is_red_until_its_token_is_renewed(relais, sandbox, page_token, tmp_path):
    number = add_page(relais, page_token)["id"]
    sandbox.graph.tokens.end_token("planted-page-token")

    ran = relais("account", "check", "facebook:A-14")
    fresh = tmp_path / "fresh.txt"
    fresh.write_text(sandbox.graph.create_page("111", "Académie de Rennes", followers=9000))
    renewed = relais("account", "add", "facebook", "--page", "111", "--secret-file", str(fresh), "--renew", "--json")

    assert ran.code == 1
    assert "withdrawn" in ran.out
    assert (json.loads(renewed.out)["id"], json.loads(renewed.out)["light"]) == (number, "green")
    assert relais("account", "check", str(number)).code == 0


def test_a_resting_page_goes_on_after_a_green_check_and_a_persons_word(relais, sandbox, page_token, engine):
    number = add_page(relais, page_token)["id"]
    stop(engine, number, "resting")

    too_early = relais("account", "resume", str(number))
    checked = told(relais, "check", str(number))
    resumed = told(relais, "resume", str(number))

    assert too_early.code == 5
    assert (checked["light"], checked["state"]) == ("green", "resting")
    assert resumed == {"id": number, "waiting": 0, "due": 0}
    assert told(relais, "check", str(number))["state"] == "active"


def test_a_network_that_is_down_leaves_the_account_as_it_was(relais, sandbox, page_token, monkeypatch):
    number = add_page(relais, page_token)["id"]
    monkeypatch.setenv("RELAIS_FACEBOOK_API_URL", "http://127.0.0.1:9")

    ran = relais("account", "check", str(number))

    assert ran.code == 0
    assert "did not answer" in ran.out
    assert told(relais, "list")[0]["state"] == "active"


# --- X ------------------------------------------------------------------------------------------------------


def x_keys(sandbox: Sandbox, file: Path, *, as_json: bool) -> dict[str, Any]:
    account: dict[str, Any] = sandbox.x.create_account("ij_bretagne", name="IJ Bretagne")
    keys = {name: account[name] for name in KEYS}
    lines = "".join(f'{name} = "{value}"\n' for name, value in keys.items())
    file.write_text(json.dumps(keys) if as_json else "# four keys\n\n" + lines)
    return account


@pytest.mark.parametrize("as_json", [True, False])
def test_an_x_account_is_added_with_its_four_keys(relais, sandbox, tmp_path, as_json):
    file = tmp_path / "x.txt"
    account = x_keys(sandbox, file, as_json=as_json)

    ran = relais("account", "add", "x", "--territory", "A-14", "--handle", "@ij_bretagne", "--user-id", account["id"],
                 "--secret-file", str(file), "--json")  # fmt: skip

    assert ran.code == 0, ran.err
    added = json.loads(ran.out)
    assert (added["handle"], added["remote_id"], added["light"]) == ("ij_bretagne", account["id"], "green")


def test_the_number_of_an_x_account_is_read_from_its_access_token(relais, sandbox, monkeypatch):
    keys = "consumer_key=aaaaaaaa\nconsumer_secret=bbbbbbbb\naccess_token=4242-cccc\naccess_token_secret=dddddddd\n"
    monkeypatch.setattr(sys, "stdin", io.StringIO(keys))

    ran = relais("account", "add", "x", "--territory", "A-14", "--handle", "ij", "--no-check", "--json")

    assert json.loads(ran.out)["remote_id"] == "4242"


@pytest.mark.parametrize("text", ["planted", "{planted", '{"consumer_key": 7}', '["planted"]', "consumer_key=planted"])
def test_keys_that_cannot_be_read_are_refused_without_being_repeated(relais, sandbox, tmp_path, text):
    file = tmp_path / "x.txt"
    file.write_text(text)

    ran = relais("account", "add", "x", "--territory", "A-14", "--handle", "ij", "--user-id", "1",
                 "--secret-file", str(file))  # fmt: skip

    assert ran.code == 2
    assert "planted" not in ran.out + ran.err
    assert "access_token_secret" in ran.err


# --- All ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("add", "myspace", "--territory", "A-14"), 2),
        (("add", "facebook"), 2),
        (("add", "facebook", "--territory", "A-14", "--secret-file", "{token}"), 2),
        (("add", "facebook", "--territory", "A-99", "--page", "111", "--secret-file", "{token}"), 4),
        (("add", "facebook", "--territory", "A-14", "--page", "x", "--secret-file", "{token}"), 2),
        (("add", "facebook", "--territory", "A-14", "--page", "1", "--secret-file", "none"), 2),
        (("add", "facebook", "--territory", "A-14", "--page", "1", "--secret-file", "{token}", "--option", "x"), 2),
        (("add", "facebook", "--page", "1", "--secret-file", "{token}", "--renew"), 2),
        (("add", "portal"), 2),
        (("add", "portal", "--renew"), 2),
        (("check", "facebook:A-14"), 4),
        (("pause", "Portail"), 2),
        (("pause", "nothing", "--reason", "x"), 4),
        (("resume", "Portail"), 5),
    ],
)
def test_what_cannot_be_done_is_said_with_its_exit_code(relais, sandbox, page_token, arguments, code):
    ran = relais("account", *(argument.format(token=page_token) for argument in arguments))

    assert ran.code == code
    assert ran.err.strip()
    assert ran.out == ""


def test_without_the_app_a_persons_token_cannot_be_exchanged(relais, sandbox, user_token, monkeypatch):
    monkeypatch.delenv("RELAIS_FACEBOOK_APP_ID")

    ran = relais("account", "add", "facebook", "--territory", "A-14", "--user-token", "--secret-file", user_token)

    assert ran.code == 2
    assert "RELAIS_FACEBOOK_APP_ID" in ran.err


def test_without_a_key_no_account_is_kept(relais, sandbox, page_token, tmp_path):
    (tmp_path / "relais.key").unlink()

    ran = relais("account", "add", "facebook", "--territory", "A-14", "--page", "111", "--secret-file", page_token)

    assert ran.code == 1
    assert "relais init" in ran.err
    assert [one["network"] for one in told(relais, "list")] == ["portal"]


def test_a_key_that_was_lost_is_to_be_put_back_not_made_anew(relais, sandbox, page_token, tmp_path):
    number = str(add_page(relais, page_token)["id"])
    (tmp_path / "relais.key").unlink()

    ran = [relais("account", "check", number), relais("serve"), relais("secrets", "rotate"), relais("doctor")]

    assert [one.code for one in ran] == [1, 1, 1, 1]
    for one in ran:
        assert "Put back the relais.key that belongs to this database (or set RELAIS_SECRET_KEYS)" in one.out + one.err
        assert "relais init" not in one.out + one.err


def test_the_portal_has_no_keys_to_renew(relais, sandbox):
    ran = relais("account", "add", "portal", "--renew")

    assert (ran.code, ran.err) == (2, "The portal has no keys to renew.\n")


@pytest.mark.parametrize("more", [("--territory", "A-05"), ("--name", "Rennes"), ("--option", "two_step=true")])
def test_a_renewal_takes_nothing_but_keys(relais, sandbox, page_token, more):
    before = add_page(relais, page_token)

    ran = relais("account", "add", "facebook", "--page", "111", "--secret-file", page_token, "--renew", *more)

    assert ran.code == 2
    assert ran.err.startswith("--renew replaces the keys and nothing else, so nothing was changed.")
    assert [one for one in told(relais, "list") if one["network"] == "facebook"] == [before]


def test_an_account_that_is_red_from_the_start_is_kept_and_exits_1(relais, sandbox, page_token):
    sandbox.graph.tokens.set_scopes("planted-page-token", ["pages_show_list"])
    add = ("account", "add", "facebook", "--territory", "A-14", "--page", "111", "--secret-file", page_token)

    ran = relais(*add)

    assert (ran.code, ran.out.splitlines()[0]) == (1, "Page 111 was added.")
    assert [one["light"] for one in told(relais, "list") if one["network"] == "facebook"] == ["red"]


def test_all_accounts_are_checked_at_once_and_one_red_light_is_enough_for_exit_1(relais, sandbox, page_token):
    add_page(relais, page_token)

    assert relais("account", "check").code == 0
    sandbox.graph.tokens.set_scopes("planted-page-token", ["pages_show_list"])
    assert relais("account", "check").code == 1
    assert {one["network"]: one["light"] for one in told(relais, "check")} == {"facebook": "red", "portal": "green"}


def test_an_account_is_paused_and_resumed_by_name(relais, sandbox):
    assert relais("account", "pause", "portail", "--reason", "travaux").code == 0
    assert told(relais, "list")[0]["reason"] == "travaux"
    assert "paused" in relais("account", "list").out
    assert relais("account", "resume", "Portail", "--reason", "finis").code == 0
    assert told(relais, "list")[0]["state"] == "active"


def test_planted_secrets_are_in_no_output_no_audit_and_no_dump(relais, sandbox, page_token, user_token, engine):
    add = ("account", "add", "facebook", "--territory", "A-14", "--page", "111")
    renew = ("account", "add", "facebook", "--page", "111", "--renew")
    number = str(add_page(relais, page_token)["id"])
    ran = [
        relais(*add, "--secret-file", page_token),
        relais(*renew, "--secret-file", user_token, "--user-token"),
        relais(*renew, "--secret-file", user_token),
        relais("account", "check", number),
        relais("account", "check", number, "--json"),
        relais("account", "list"),
        relais("account", "list", "--json"),
        relais("audit"),
        relais("audit", "--json"),
    ]
    lines = dump(engine)

    assert [one.code for one in ran] == [2, 0, 1, 1, 1, 0, 0, 0, 0]
    assert [one for one in ran if "planted" in one.out + one.err] == []
    assert any("Académie de Rennes" in line for line in lines)
    assert [line for line in lines if "planted" in line] == []


# --- How it is used -----------------------------------------------------------------------------------------


def add_x(relais: Relais, sandbox: Sandbox, tmp_path: Path) -> None:
    account = sandbox.x.create_account("ij_bretagne")
    (tmp_path / "keys.txt").write_text("\n".join(f"{key}={account[key]}" for key in KEYS))
    ran = relais("account", "add", "x", "--territory", "FR", "--handle", "ij_bretagne", "--user-id", account["id"],
                 "--secret-file", str(tmp_path / "keys.txt"))  # fmt: skip
    assert ran.code == 0, ran.err


def test_what_x_still_takes_of_an_account_is_told_and_can_be_chosen(relais, sandbox, tmp_path):
    add_x(relais, sandbox, tmp_path)

    chosen = relais("account", "option", "x:FR", "verified=true", "posts_a_half_hour=20")
    [x] = [one for one in told(relais, "list") if one["network"] == "x"]

    assert (chosen.code, chosen.out) == (0, "ij_bretagne: posts_a_half_hour=20, verified=true\n")
    assert x["rations"] == [{"minutes": 1440, "most": 2400, "used": 0}, {"minutes": 30, "most": 20, "used": 0}]
    assert "Posts left in half an hour: 20 of 20." in relais("account", "check", "x:FR").out
    assert "20" in relais("account", "list").out.splitlines()[-1].split()


def test_a_choice_is_taken_back(relais, sandbox, tmp_path):
    add_x(relais, sandbox, tmp_path)
    relais("account", "option", "x:FR", "verified=true")

    taken = relais("account", "option", "x:FR", "verified=")

    assert (taken.code, taken.out) == (0, "ij_bretagne: nothing chosen\n")
    assert json.loads(relais("account", "option", "x:FR", "verified=true", "--json").out)["options"] == {
        "verified": True
    }


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("two_step=true", "There is no choice two_step on X. There is: verified, posts_a_day, posts_a_half_hour."),
        ("verified=yes", "Write verified=true or verified=false."),
        ("posts_a_day=0", "posts_a_day is a whole number, 1 at least."),
        ("posts_a_day=many", "posts_a_day is a whole number, 1 at least."),
    ],
)
def test_a_choice_that_does_not_exist_is_refused_with_those_that_do(relais, sandbox, tmp_path, typed, sentence):
    add_x(relais, sandbox, tmp_path)

    ran = relais("account", "option", "x:FR", typed)

    assert (ran.code, sentence in ran.err) == (2, True)


def test_what_was_read_for_figures_this_month_is_told(relais, sandbox, tmp_path):
    add_x(relais, sandbox, tmp_path)

    [x] = [one for one in told(relais, "list") if one["network"] == "x"]
    [portal] = [one for one in told(relais, "list") if one["network"] == "portal"]

    assert (x["month_reads"], x["month_reads_usd"]) == (0, "0.000")
    assert "month_reads" not in portal
    assert "0 (0.00 US dollars)" in " ".join(relais("account", "list").out.split())
