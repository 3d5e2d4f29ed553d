"""What people type, against a Relais that is served for real."""

from __future__ import annotations

import csv
import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from PIL import Image
from sqlalchemy import Engine
from sqlmodel import select

from hub.commands import client
from hub.commands.people import postfile
from hub.database import reading, writing
from hub.domain.audit import AuditEntry
from hub.domain.delivery import WHY_NONE, Delivery, DeliveryState
from hub.domain.errors import Invalid
from hub.services.drafting import Draft
from hub.web.app import create_app
from tests.commands.conftest import Ran, Relais
from tests.stage import PASSWORD, Stage, build_stage, serving


@pytest.fixture
def stage(engine: Engine, tmp_path: Path) -> Stage:
    return build_stage(engine, tmp_path)


@pytest.fixture
def url(stage: Stage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """The address of a served hub; commands run in a folder of their own."""
    folder = tmp_path / "folder"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("RELAIS_CONFIG", str(tmp_path / "config"))
    with serving(create_app(stage.hub)) as url:
        monkeypatch.setenv("RELAIS_URL", url)
        yield url


class As:
    """Type commands as somebody."""

    def __init__(self, relais: Relais, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
        self._relais, self._stage, self._monkeypatch = relais, stage, monkeypatch

    def __call__(self, who: str, *arguments: str) -> Ran:
        self._monkeypatch.setenv("RELAIS_TOKEN", self._stage.tokens[who])
        return self._relais(*arguments)

    def data(self, who: str, *arguments: str) -> Any:
        """What the command prints for programs; it must go well."""
        ran = self(who, *arguments, "--json")
        assert ran.code == 0, ran.err
        return json.loads(ran.out)


@pytest.fixture
def typing(relais: Relais, stage: Stage, url: str, monkeypatch: pytest.MonkeyPatch) -> As:
    return As(relais, stage, monkeypatch)


A_POST = (
    "post", "draft", "--kind", "event", "--text", "Portes ouvertes au CFA", "--when", "2026-11-10 18:00",
    "--territory", "D-35", "--account", "facebook:A-14", "--account", "portal:FR",
)  # fmt: skip


def written_files() -> list[Path]:
    return sorted(Path().glob("relais-brouillon-*.toml"))


# --- Logging in ---------------------------------------------------------------------------------------


def test_login_keeps_a_token_that_only_its_owner_reads(relais, url, tmp_path, monkeypatch):
    password = tmp_path / "password"
    password.write_text(PASSWORD + "\n")

    ran = relais("login", "animator@example.org", "--url", url, "--password-file", str(password))

    file = tmp_path / "config" / "login.json"
    assert ran.code == 0, ran.err
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert json.loads(file.read_text())["url"] == url
    who = json.loads(relais("whoami", "--json").out)
    assert (who["email"], who["url"]) == ("animator@example.org", url)
    assert PASSWORD not in file.read_text()


def test_a_kept_token_is_shown_to_no_other_relais(relais, url, monkeypatch):
    client.keep_login(url, "relais_secret")
    monkeypatch.setenv("RELAIS_URL", "https://elsewhere.example.org")

    assert client.logged_in() is None
    assert relais("whoami").code == 3


def test_logout_revokes_the_token_and_forgets_it(relais, stage, url, tmp_path):
    client.keep_login(url, stage.tokens["animator"])

    assert relais("logout").code == 0

    assert not (tmp_path / "config" / "login.json").exists()
    client.keep_login(url, stage.tokens["animator"])
    assert relais("whoami").code == 3


def test_a_wrong_password_is_said_to_be_so(relais, url, tmp_path):
    password = tmp_path / "password"
    password.write_text("guess")

    ran = relais("login", "animator@example.org", "--password-file", str(password))

    assert ran.code == 3
    assert ran.err.startswith("Wrong e-mail address or password.")


def test_without_login_commands_say_what_to_do(relais, url):
    ran = relais("post", "list")

    assert (ran.code, ran.err) == (3, "Nobody is logged in here. Run “relais login” first.\n")


def test_a_password_is_never_sent_in_the_open(relais, url):
    ran = relais("login", "animator@example.org", "--url", "http://relais.example.org")

    assert (ran.code, "https" in ran.err) == (2, True)


def test_a_relais_that_is_down_is_said_to_be_so(relais, stage, url, monkeypatch):
    monkeypatch.setenv("RELAIS_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("RELAIS_TOKEN", stage.tokens["animator"])

    ran = relais("post", "list")

    assert ran.code == 1
    assert ran.err.startswith("No Relais answers at http://127.0.0.1:9.")
    assert ran.err.count("\n") == 1


def test_another_site_at_the_address_is_said_to_be_one(relais, url, monkeypatch):
    other = FastAPI()
    other.add_api_route("/{path:path}", lambda path: HTMLResponse("<h1>Hello</h1>"))
    with serving(other) as elsewhere:
        monkeypatch.setenv("RELAIS_URL", elsewhere)
        monkeypatch.setenv("RELAIS_TOKEN", "relais_x")
        ran = relais("whoami")

    assert ran.code == 1
    assert "does not speak like Relais" in ran.err


def test_territories_are_found_through_the_api_when_logged_in(typing: As):
    [rennes, *_others] = typing.data("animator", "territory", "find", "Rennes")

    assert list(rennes) == [
        "insee", "name", "postcodes", "departement", "academie_code", "academie", "lat", "lon", "code",
    ]  # fmt: skip
    assert (rennes["insee"], rennes["academie_code"]) == ("35238", "14")


# --- Writing ------------------------------------------------------------------------------------------


def test_a_post_is_drafted_with_options_and_shown(typing: As):
    post = typing.data("animator", *A_POST, "--link", "https://example.org", "--variant", "facebook:A-14=Chez nous")

    shown = typing("animator", "post", "show", str(post["id"]))
    assert post["draft"]["when"] == "2026-11-10T18:00:00"
    assert list(post["draft"]["variants"].values()) == ["Chez nous"]
    assert "Portes ouvertes au CFA" in shown.out
    assert "10/11/2026 18:00" in shown.out
    assert "edit, submit, withdraw" in shown.out


def test_a_post_is_drafted_from_a_file_with_pictures_beside_it(typing: As):
    folder = Path("posts")
    folder.mkdir()
    Image.new("RGB", (8, 8)).save(folder / "atelier.png")
    (folder / "post.toml").write_text(
        'text = "Venez"\nwhen = 2026-11-10T18:00:00\naudience = ["D-35"]\naccounts = ["portal:FR"]\n'
        '[[pictures]]\npath = "atelier.png"\nalt = "L\'atelier"\n'
        '[event]\nvenue = "CFA"\ntimings = [{begin = 2026-11-12T09:00:00, end = 2026-11-12T17:00:00}]\n',
        encoding="utf-8-sig",
    )

    post = typing.data("animator", "post", "draft", "--from", "posts/post.toml")

    [picture] = post["draft"]["pictures"]
    assert picture["alt"] == "L'atelier"
    assert post["draft"]["event"]["venue"] == "CFA"
    assert written_files() == []


def test_pictures_are_given_as_options_too(typing: As):
    Image.new("RGB", (8, 8)).save("atelier.png")

    post = typing.data("animator", *A_POST, "--image", "atelier.png=Deux = trois")

    assert [picture["alt"] for picture in post["draft"]["pictures"]] == ["Deux = trois"]


def test_every_problem_is_told_and_nothing_typed_is_lost(typing: As):
    refused = typing("animator", *A_POST[:-2], "--account", "facebook:A-99", "--text", "Bonjour {ville}")

    [file] = written_files()
    assert refused.code == 2
    assert [line.split(":")[0] for line in refused.err.splitlines()][:2] == ["text", "accounts"]
    assert str(file) in refused.err
    kept = postfile.read_file(str(file))
    assert (kept["text"], kept["when"], kept["audience"]) == ("Bonjour {ville}", "2026-11-10T18:00", ["D-35"])
    repaired = typing("animator", "post", "draft", "--from", str(file), "--text", "Bonjour", "--account", "portal:FR")
    assert repaired.code == 0, repaired.err


def test_what_was_typed_is_kept_when_relais_is_down_too(typing: As, monkeypatch):
    monkeypatch.setenv("RELAIS_URL", "http://127.0.0.1:9")

    ran = typing("animator", *A_POST)

    [file] = written_files()
    assert ran.code == 1
    assert postfile.read_file(str(file))["text"] == "Portes ouvertes au CFA"


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--when", "demain", "when: “demain” is not a date and time."),
        ("--when", "2026-02-30 10:00", "when: “2026-02-30 10:00” is not a date and time."),
        ("--when", "2020-01-01 10:00", "when: 01/01/2020 10:00 has passed."),
        ("--when", "9999-12-31 10:00", "when: Check the year"),
        ("--zone", "Mars/Olympus", "zone: Unknown time zone “Mars/Olympus”."),
        ("--kind", "party", "kind: Choose one of"),
        ("--image", "nothing.png=Rien", "pictures.0: nothing.png: nothing.png cannot be read"),
        ("--image", "nothing.png", "--image: --image is written like"),
        ("--variant", "Chez nous", "--variant: --variant is written like"),
        ("--text", "x\udcff", "The text holds characters that no network can show."),
    ],
)
def test_bad_options_are_one_clear_sentence(typing: As, option, value, said):
    ran = typing("animator", *A_POST, option, value)

    assert ran.code == 2
    assert ran.err.startswith(said)
    assert len(written_files()) == 1


def test_a_missing_hour_is_refused_and_a_doubled_one_asked_about(typing: As):
    missing = typing("animator", *A_POST, "--when", "2027-03-28 02:30")
    doubled = typing("animator", *A_POST, "--when", "2027-10-31 02:30")
    chosen = typing("animator", *A_POST, "--when", "2027-10-31 02:30", "--fold", "later")

    assert [missing.code, doubled.code, chosen.code] == [2, 2, 0]
    assert missing.err.startswith("when:")
    assert doubled.err.startswith("fold:")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'texte = "x"', "texte: A post has no “texte”. Did you mean text?"),
        ('text = "été"'.encode("latin-1"), "post.toml is not written in UTF-8."),
        (b"text = ", "post.toml is not valid TOML"),
        (b'pictures = ["a.png"]', "pictures: Write pictures as"),
        (b'[[pictures]]\nfile = "a.png"', "pictures.0.file: A post has no “file”."),
    ],
)
def test_a_file_that_cannot_be_taken_says_why(typing: As, content, said):
    Path("post.toml").write_bytes(content)

    ran = typing("animator", "post", "draft", "--from", "post.toml")

    assert ran.code == 2
    assert said.split(": ", 1)[-1] in ran.err


@pytest.mark.parametrize("when", ["01/12/2026 18:00", "2026-12-01 18:00", "2026-12-01T18:00:00"])
def test_a_date_in_a_file_is_written_as_people_write_dates(when, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("post.toml").write_text(f'text = "Venez"\nwhen = "{when}"\n')

    assert postfile.read_file("post.toml")["when"] == "2026-12-01T18:00"


@pytest.mark.parametrize("when", ["2026-11-25", '"2026-11-25"'])
@pytest.mark.parametrize("name", ["when", "useless_after"])
def test_a_day_without_a_time_is_not_taken_for_midnight(typing: As, name, when):
    Path("post.toml").write_text(f'text = "Venez"\n{name} = {when}\n')

    ran = typing("animator", "post", "draft", "--from", "post.toml")

    assert (ran.code, ran.err) == (
        2,
        "“2026-11-25” is not a date and time. Write it like 2026-12-01 18:00 or 01/12/2026 18:00.\n",
    )


def test_a_file_that_is_not_there_says_so(typing: As):
    ran = typing("animator", "post", "draft", "--from", "nowhere.toml")

    assert (ran.code, ran.err) == (2, "nowhere.toml cannot be read: No such file or directory.\n")


def test_the_names_of_a_post_file_are_those_of_the_api():
    assert set(postfile.FIELDS) == set(Draft.model_fields)


def test_a_post_file_that_was_written_reads_back_the_same(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    typed = {
        "text": 'Guillemets " et \\ et\nlignes \t\x7f été 🎓',
        "variants": {"facebook:A-14": "Chez = nous"},
        "pictures": [{"path": "a.png", "alt": "x"}],
        "accepts_unlimited": True,
        "audience": ["A-14"],
    }

    file = postfile.save(typed | {"link": None})

    assert file is not None
    assert postfile.read_file(str(file)) == typed


def test_a_copy_begins_with_the_words_of_an_earlier_post(typing: As):
    first = typing.data(
        "animator", *A_POST, "--link", "https://example.org", "--variant", "portal:FR=Sur le portail",
        "--useless-after", "2026-11-10 20:00",
    )  # fmt: skip

    second = typing.data("colleague", "post", "draft", "--like", str(first["id"]), "--when", "2026-11-20 18:00",
                         "--variant", "facebook:A-14=Chez nous")  # fmt: skip

    assert second["id"] != first["id"]
    assert second["author"] != first["author"]
    assert second["draft"] == first["draft"] | {
        "when": "2026-11-20T18:00:00",
        "useless_after": None,
        "variants": second["draft"]["variants"],
    }
    assert sorted(second["draft"]["variants"].values()) == ["Chez nous", "Sur le portail"]
    assert set(second["draft"]["variants"]) == set(first["draft"]["accounts"])


def test_a_copy_of_what_has_passed_wants_a_time_of_its_own(typing: As, stage: Stage):
    number = str(typing.data("animator", *A_POST)["id"])
    stage.clock.forward(days=30)

    passed = typing("animator", "post", "draft", "--like", number, "--text", "Encore")
    unseen = typing("stranger", "post", "draft", "--like", number, "--text", "Encore")

    assert (passed.code, passed.err.splitlines()[0]) == (2, "when: 10/11/2026 18:00 has passed. Choose a later time.")
    assert unseen.code == 4
    assert len(written_files()) == 2


def test_a_link_that_stands_in_the_words_is_shown_once(typing: As):
    number = str(typing.data("animator", *A_POST, "--link", "https://example.org/cfa", "--account", "x:FR",
                             "--accept-unlimited")["id"])  # fmt: skip

    preview = typing.data("animator", "post", "preview", number)
    shown = typing("animator", "post", "preview", number).out

    for one in preview["deliveries"]:
        assert shown.count(f"| {one['link']}\n") == int(one["link"] not in one["text"])
    assert {one["network"] for one in preview["deliveries"] if one["link"] in one["text"]} == {"x"}


def test_edit_changes_only_what_is_given(typing: As):
    post = typing.data("animator", *A_POST, "--link", "https://example.org", "--variant", "portal:FR=Sur le portail")

    changed = typing.data("animator", "post", "edit", str(post["id"]), "--text", "Autre chose", "--link", "")
    unworded = typing.data("animator", "post", "edit", str(post["id"]), "--variant", "portal:FR=")

    expected = post["draft"] | {"text": "Autre chose", "link": None}
    assert changed["draft"] == expected
    assert unworded["draft"] == expected | {"variants": {}}
    assert unworded["version"] == 3


def test_a_conflict_says_so_and_keeps_what_was_typed(typing: As):
    post = typing.data("animator", *A_POST)
    typing.data("colleague", "post", "edit", str(post["id"]), "--text", "Du collègue")

    ran = typing("animator", "post", "edit", str(post["id"]), "--text", "De moi", "--version", "1")

    [file] = written_files()
    assert ran.code == 5
    assert ran.err.startswith("Somebody else changed this post")
    assert postfile.read_file(str(file)) == {"text": "De moi"}
    assert typing.data("animator", "post", "show", str(post["id"]))["draft"]["text"] == "Du collègue"


# --- From draft to report -----------------------------------------------------------------------------


def test_the_whole_road_is_walked_from_the_command_line(typing: As, stage: Stage):
    number = str(typing.data("animator", *A_POST)["id"])
    preview = typing("animator", "post", "preview", number)
    typing("animator", "post", "submit", number)
    fingerprint = typing.data("coordinator", "post", "preview", number)["fingerprint"]
    approved = typing("coordinator", "approve", number, "--fingerprint", fingerprint)
    stage.clock.at = stage.clock.at.replace(day=10, hour=17, minute=1)
    stage.run_due()
    deliveries = typing.data("animator", "delivery", "list", "--post", number)
    story = typing("animator", "delivery", "show", str(deliveries[0]["id"]))
    report = typing("analyst", "reach", "report", "--from", "2026-11-01", "--to", "2026-11-30")
    export = typing("analyst", "reach", "export", "-o", "reach.csv", "--from", "2026-11-01", "--to", "2026-11-30")

    assert "D-35 (100.0 % of its people, 0.0 % of others)" in preview.out
    assert "10/11/2026 18:00 Europe/Paris" in preview.out
    assert approved.code == 0, approved.err
    assert [one["state"] for one in deliveries] == ["sent", "sent"]
    assert "publish (publishing)" in story.out
    assert "10/11/2026 18:01:00 Europe/Paris" in story.out
    assert "A-14" in report.out
    assert "—" in report.out
    assert export.out == "reach.csv: 3 rows.\n"
    with Path("reach.csv").open(encoding="utf-8", newline="") as file:
        told = {(row["network"], row["metric"]): row["value"] for row in csv.DictReader(file)}
    assert told == {("facebook", ""): "", ("portal", "portal_clicks"): "0", ("portal", "portal_views"): "0"}
    assert list(Path().iterdir()) == [Path("reach.csv")]


def test_a_coordinator_holds_a_destination_and_returns_a_post(typing: As):
    first, second = (str(typing.data("animator", *A_POST, "--text", text)["id"]) for text in ("Un", "Deux"))
    for number in (first, second):
        typing("animator", "post", "submit", number)
    portal = next(
        one["destination"]
        for one in typing.data("coordinator", "post", "preview", first)["deliveries"]
        if one["network"] == "portal"
    )

    held = typing.data("coordinator", "approve", first, "--hold", "portal:FR=Pas encore")
    typing("coordinator", "return", second, "--reason", "Une date manque.")

    assert [one["network"] for one in held["deliveries"]] == ["facebook"]
    assert f"Held: {portal} (Pas encore)" in typing("animator", "post", "show", first).out
    assert "Returned: Une date manque." in typing("animator", "post", "show", second).out
    assert typing("animator", "approve", first).code == 3


def test_lists_and_calendar_show_only_what_one_may_see(typing: As):
    number = str(typing.data("animator", *A_POST)["id"])
    typing("animator", "post", "submit", number)

    assert "Portes ouvertes" in typing("colleague", "post", "list").out
    assert "Portes ouvertes" in typing("colleague", "calendar").out
    assert "10/11/2026 18:00 Europe/Paris" in typing("colleague", "calendar").out
    assert typing("stranger", "post", "list").out == "No post yet. “relais post draft” writes one.\n"
    assert typing("stranger", "calendar").out == "Nothing is planned in these days.\n"
    assert typing("stranger", "post", "show", number).code == 4
    assert typing("colleague", "calendar", "--from", "soon").code == 2


def test_a_person_decides_about_a_late_delivery(typing: As, stage: Stage):
    number = str(typing.data("animator", *A_POST)["id"])
    typing("animator", "post", "submit", number)
    typing("coordinator", "approve", number)
    stage.clock.forward(days=9)
    stage.run_due()
    first, second = (str(one["id"]) for one in typing.data("animator", "delivery", "list", "--state", "review"))

    assert typing("stranger", "delivery", "resolve", first, "give-up").code == 4
    assert typing("animator", "delivery", "resolve", first, "eat").code == 2
    assert typing.data("animator", "delivery", "resolve", first, "give-up")["state"] == "cancelled"
    found = typing.data("animator", "delivery", "resolve", second, "found", "--remote-id", "42")
    assert found["state"] == "sent"
    assert typing("animator", "delivery", "remove", second, "--reason", "Date fausse").code == 0
    assert typing("animator", "delivery", "remove", second, "--reason", "Date fausse").code == 5


@pytest.fixture
def two(typing: As) -> tuple[int, int]:
    """Two deliveries of one post."""
    number = str(typing.data("animator", *A_POST)["id"])
    typing("animator", "post", "submit", number)
    typing("coordinator", "approve", number)
    first, second = (one["id"] for one in typing.data("animator", "delivery", "list"))
    return first, second


def put(stage: Stage, delivery_id: int, state: DeliveryState, **columns: Any) -> None:
    """As if a delivery had come to stand there."""
    with writing(stage.hub.engine) as session:
        delivery = session.get(Delivery, delivery_id)
        assert delivery is not None
        delivery.state = state
        for name, value in columns.items():
            setattr(delivery, name, value)


def ask_api(url: str, stage: Stage, method: str, path: str, **body: Any) -> httpx.Response:
    """The same through the API, as the animator."""
    headers = {"Authorization": f"Bearer {stage.tokens['animator']}", "Accept-Language": "en"}
    return httpx.request(method, f"{url}/api/v1/deliveries/{path}", headers=headers, json=body or None)


ALLOWED = {
    DeliveryState.REVIEW: ["found", "send", "give-up"],
    DeliveryState.FAILED: ["send", "give-up"],
    DeliveryState.SENT: ["remove"],
}
"""What may be done in each state; in all others nothing."""


@pytest.mark.parametrize("state", list(DeliveryState))
def test_the_command_line_and_the_api_offer_and_refuse_the_same_in_the_same_words(
    typing: As, stage: Stage, url: str, two: tuple[int, int], state: DeliveryState
):
    put(stage, two[0], state)
    allowed = ALLOWED.get(state, [])

    offered = typing.data("animator", "delivery", "show", str(two[0]))["actions"]
    refused = [action for action in ("found", "send", "give-up") if action not in allowed]
    typed = [typing("animator", "delivery", "resolve", str(two[0]), action) for action in refused]
    asked = [ask_api(url, stage, "POST", f"{two[0]}/resolve", action=action) for action in refused]

    assert offered == allowed
    assert ask_api(url, stage, "GET", str(two[0])).json()["actions"] == allowed
    assert [(ran.code, ran.err.strip()) for ran in typed] == [(5, answer.json()["detail"]) for answer in asked]
    assert [answer.status_code for answer in asked] == [409] * len(refused)
    named = f"Possible: {', '.join(allowed)}." if allowed else WHY_NONE[state]
    for action, ran in zip(refused, typed, strict=True):
        assert ran.err.strip() == f"“{action}” is not possible for this delivery now. {named}"


@pytest.mark.parametrize(
    ("action", "more", "state", "outcome", "detail"),
    [
        ("found", {"remote_id": "https://www.facebook.com/1002/posts/7"}, "sent", "ok", "Animator found it."),
        ("send", {}, "waiting", "not-sent", "Animator had it sent (again)."),
        ("give-up", {}, "cancelled", "not-sent", "Animator gave it up."),
    ],
)
def test_each_decision_is_kept_as_a_try_of_a_person_and_in_the_audit_by_either_way(
    typing: As, stage: Stage, url: str, two: tuple[int, int], action: str, more: dict[str, str], state: str,
    outcome: str, detail: str,
):  # fmt: skip
    for one in two:
        put(stage, one, DeliveryState.REVIEW)
    options = [part for name, value in more.items() for part in (f"--{name.replace('_', '-')}", value)]

    by_command = typing.data(
        "animator", "delivery", "resolve", str(two[0]), action, "--reason", "Vu sur la page", *options
    )
    by_api = ask_api(url, stage, "POST", f"{two[1]}/resolve", action=action, reason="Vu sur la page", **more).json()

    for told in (by_command, by_api):
        [attempt] = told["attempts"]
        assert told["state"] == state
        assert (attempt["kind"], attempt["outcome"], attempt["detail"]) == ("person", outcome, detail)
    with reading(stage.hub.engine) as session:
        entries = session.exec(select(AuditEntry).where(AuditEntry.action == "delivery.resolve")).all()
    assert [(one.by_name, one.after["action"], one.after["reason"]) for one in entries if one.after] == [
        ("Animator", action, "Vu sur la page")
    ] * 2


@pytest.mark.parametrize("action", ["eat", "remove", ""])
def test_a_word_that_is_no_decision_is_refused_with_those_that_are(
    typing: As, stage: Stage, url: str, two: tuple[int, int], action: str
):
    put(stage, two[0], DeliveryState.SENT)

    typed = typing("animator", "delivery", "resolve", str(two[0]), action)
    asked = ask_api(url, stage, "POST", f"{two[0]}/resolve", action=action)

    assert (typed.code, asked.status_code) == (2, 422)
    [problem] = asked.json()["problems"]
    assert problem == {"field": "action", "message": "Choose one of: 'found', 'send' or 'give-up'."}
    assert problem["message"] in typed.err


def test_an_export_goes_to_standard_output_or_whole_into_a_file(typing: As):
    typing("analyst", "reach", "export", "-o", "kept.csv")
    before = Path("kept.csv").read_bytes()

    refused = typing("analyst", "reach", "export", "-o", "kept.csv", "--from", "2026-02-30")
    nowhere = typing("analyst", "reach", "export", "-o", "no/such/folder.csv")

    assert (refused.code, nowhere.code) == (2, 2)
    assert Path("kept.csv").read_bytes() == before
    assert list(Path().iterdir()) == [Path("kept.csv")]


def test_an_export_to_standard_output_is_nothing_but_rows(typing: As):
    ran = typing("analyst", "reach", "export", "-o", "-")

    assert ran.out.startswith('"day","territory"')
    assert (ran.code, ran.err, list(Path().iterdir())) == (0, "", [])


def test_wrong_sides_of_a_pair_are_refused():
    with pytest.raises(Invalid):
        postfile.split("=reason", option="--hold", example="3=…")
