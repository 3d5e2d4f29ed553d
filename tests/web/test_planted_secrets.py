"""Planted secrets are found nowhere, with every logger at DEBUG: no log, output, row, page, metric or error file."""

from __future__ import annotations

import importlib
import io
import json
import logging
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import httpx
import pyotp
import pytest
from sqlalchemy import Engine, inspect, text

from channels import ChannelError
from channels.sandbox import faults
from channels.sandbox.faults import Fault
from channels.sandbox.server import Sandbox
from hub import commands, logs
from hub.database import DatabaseTrouble, build_engine, require_current, writing
from hub.domain.account import Account, AccountNetwork, AccountState
from hub.mail import Mail, NotSent
from hub.metrics import registry_for
from hub.secrets import write_new_key
from hub.services import connecting, resolving
from hub.settings import read_settings
from hub.web.app import create_app
from hub.wiring import Hub, wire
from schedules import runner
from schedules.asking import ask as ask_network
from schedules.engine import Engine as Publisher
from tests.post_office import PostOffice, open_office
from tests.schedules.conftest import DUE, Room, wall
from tests.stage import PASSWORD, Stage, build_stage, serving
from tests.web.conftest import Browser
from tests.web.test_accounts_pages import Dialog

APP_SECRET = "0b5e55ed0b5e55ed0b5e55ed0b5e55ed"
SMTP_PASSWORD = "post/office+word"
DATABASE_PASSWORD = "data base/word"
METRICS_TOKEN = "watchers-token-5d1e"
NEW_PASSWORD = "lampe herbe canal sept"
WRONG_PASSWORD = "theirs at another place"
PASTED = "EAAUpastedbysomebodybymistake"

LIBRARIES = (
    "apscheduler.schedulers.background", "facebook", "httpcore", "httpx", "oauthlib.oauth1.rfc5849", "procrastinate",
    "psycopg", "psycopg.pq", "python_multipart.multipart", "requests", "requests_oauthlib", "sqlalchemy", "tweepy",
    "urllib3.connectionpool", "uvicorn",
)  # fmt: skip
"""What we speak through: each is loaded, so that its loggers are there."""


class Everything(logging.Handler):
    """Keeps each record in every form that a handler could see of it."""

    def __init__(self) -> None:
        super().__init__(level=0)
        self.told: list[str] = []
        self.names: set[str] = set()
        self._lock = threading.Lock()

    def emit(self, record: logging.LogRecord) -> None:
        pieces = [f"{record.name} {logging.Formatter().format(record)}", repr(vars(record))]
        if record.exc_info and record.exc_info[1]:
            pieces.append(repr(record.exc_info[1]))
        with self._lock:
            self.told += pieces
            self.names.add(record.name)


@dataclass
class Planted:
    """What was done, what must not be found, and where it is looked for."""

    secrets: dict[str, str] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)


@pytest.fixture
def listening() -> Iterator[Everything]:
    """Every logger at DEBUG, those of libraries and those of later too."""
    for name in LIBRARIES:
        importlib.import_module(name)
    root = logging.getLogger()
    loggers = [root, *(one for one in logging.root.manager.loggerDict.values() if isinstance(one, logging.Logger))]
    before = [(one, one.level, one.propagate, list(one.handlers), list(one.filters)) for one in loggers]
    make, hook = logging.getLogRecordFactory(), threading.excepthook
    everything, written = Everything(), io.StringIO()
    logs.set_up("json", stream=written)
    for shown in root.handlers:
        for one in list(shown.filters):
            shown.removeFilter(one)
    root.addHandler(everything)
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
        logger.propagate = True
        # What masks or silences single loggers is put aside: what holds for all of them must do alone.
        logger.filters[:] = []
    yield everything
    everything.told.append(written.getvalue())
    logging.setLogRecordFactory(make)
    threading.excepthook = hook
    for logger, level, propagate, handlers, filters in before:
        logger.setLevel(level)
        logger.propagate = propagate
        logger.handlers[:], logger.filters[:] = handlers, filters


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Our own Facebook and X, and a person with a page."""
    with Sandbox() as running:
        running.graph.tokens.create_app("900", APP_SECRET, require_proof=True)
        running.graph.tokens.create_user("77", "Camille Exemple")
        yield running


@pytest.fixture
def office() -> Iterator[PostOffice]:
    """A mail server that repeats what it was sent when it refuses it."""
    with open_office(PostOffice(known=("relais", SMTP_PASSWORD))) as open_one:
        open_one.answers["AUTH"] = f"535 no: {SMTP_PASSWORD}".encode()
        yield open_one


@pytest.fixture
def stage(engine: Engine, tmp_path: Path, sandbox: Sandbox, office: PostOffice) -> Stage:
    """A hub with a secret in every place that takes one."""
    given: dict[str, Any] = {
        "facebook_api_url": sandbox.url, "x_api_url": sandbox.url, "facebook_app_id": "900",
        "facebook_app_secret": APP_SECRET, "metrics_token": METRICS_TOKEN, "read_timeout": 1, "call_deadline": 5,
        "smtp_url": f"smtp://relais:{quote(SMTP_PASSWORD, safe='')}@127.0.0.1:{office.port}",
    }  # fmt: skip
    read_settings(home=tmp_path, **given)  # as every process begins
    stage = build_stage(engine, tmp_path, **given)
    sandbox.clock.set(stage.clock())
    write_new_key(stage.hub.settings.key_file)
    stage.hub = replace(wire(stage.hub.settings, now=stage.clock, engine=engine), jitter=lambda: 1.0)
    return stage


def seal(stage: Stage, sandbox: Sandbox, planted: Planted) -> None:
    """Keys that open the sandbox, for a page and for X."""
    page = sandbox.graph.create_page("1002", "Page rennes", followers=6000)
    made = sandbox.x.create_account("seconde_chance", name="Ma seconde chance", credits_left="50")
    keys = {name: made[name] for name in connecting.SECRET_NAMES[AccountNetwork.X]}
    with writing(stage.hub.engine) as session:
        for name, secret in (("rennes", {"token": page}), ("x", keys)):
            connecting.renew_secret(
                session, stage.hub.vault, stage.accounts[name], secret, by="operator", at=stage.clock()
            )
        on_x = session.get(Account, stage.accounts["x"])
        assert on_x is not None
        on_x.remote_id, on_x.handle = made["id"], "seconde_chance"
    planted.secrets |= {"page token": page} | {f"x {name}": value for name, value in keys.items()}


# --- What is done -----------------------------------------------------------------------------------------


def publish(stage: Stage, sandbox: Sandbox, engine: Publisher) -> None:
    """Publish, read back, count, take down; with every kind of answer."""
    room = Room(stage, stage.clock, engine)
    faulty = [
        faults.named("hang_up_after"), faults.named("html_502_after"), faults.named("broken"), faults.named("redirect"),
        faults.named("reset_before"), Fault("answer", status=400, body=_echo("OAuthException", 190)),
        Fault("answer", status=401, body=json.dumps({"title": "Unauthorized", "detail": "token"})),
    ]  # fmt: skip
    for number, fault in enumerate([None, *faulty]):
        room.clock.at = max(room.clock(), DUE.replace(day=3 + number) - timedelta(hours=2))
        made = room.approve(
            f"Portes ouvertes {number}", when=wall(3 + number, 18), accounts=("facebook:A-14", "x:FR"),
            audience=("A-14",), accepts_unlimited=True,
        )  # fmt: skip
        if fault:
            sandbox.faults.add(*(replace(fault, method="POST", path=r"/feed$|/2/tweets$") for _ in range(2)))
        for moment in (DUE.replace(day=3 + number), DUE.replace(day=3 + number) + timedelta(minutes=12)):
            sandbox.clock.set(moment)
            room.run_at(moment)
        free(stage)
        if number == 0:
            sandbox.clock.set(room.clock() + timedelta(hours=1))
            room.run_after(hours=1)
            with writing(stage.hub.engine) as session:
                for one in made:
                    resolving.request_removal(
                        session, one, by=stage.people["coordinator"], at=room.clock(), reason="Erreur"
                    )
            room.run_after(minutes=1)


def _echo(kind: str, code: int) -> str:
    """A refusal that repeats the token, as networks do."""
    return json.dumps({"error": {"message": "Malformed access token", "type": kind, "code": code, "fbtrace_id": "A"}})


def free(stage: Stage) -> None:
    """Let every account be called again."""
    with writing(stage.hub.engine) as session:
        for number in stage.accounts.values():
            account = connecting.get_account(session, number)
            account.state, account.not_before, account.blocked_until = AccountState.ACTIVE, None, None
            session.add(account)


def fail(hub: Hub, stage: Stage, planted: Planted) -> None:
    """Networks that cannot be reached, and errors that hold a token in their words."""
    gone = wire(
        hub.settings.model_copy(update={"facebook_api_url": "http://127.0.0.1:9", "x_api_url": "http://127.0.0.1:9"}),
        now=stage.clock, engine=hub.engine,
    )  # fmt: skip
    told = []
    for name in ("rennes", "x"):
        account = connecting.check_account(gone, stage.accounts[name], by="operator")
        told.append(f"{account.findings}")

        def break_the_contract(channel: Any, name: str = name) -> None:
            token = planted.secrets["page token" if name == "rennes" else "x access_token"]
            raise RuntimeError(f"Max retries exceeded with url: /me?access_token={token}")

        told.append(str(ask_network(hub, account, break_the_contract).answer))
    for list_pages in (gone.facebook_pages, gone.facebook_pages_of_any):
        with pytest.raises(ChannelError) as failed:
            list_pages(PASTED)
        told.append(f"{failed.value!r}")
    with pytest.raises(NotSent) as not_sent:
        hub.mailer.send(Mail("camille@example.org", "Camille", "Bonjour", "Bonjour", stage.clock()))
    address = f"postgresql+psycopg://relais:{quote(DATABASE_PASSWORD)}@127.0.0.1:9/relais"
    read_settings(database_url=address)
    away = build_engine(address)
    with pytest.raises(DatabaseTrouble) as trouble:
        require_current(away)
    away.dispose()
    planted.places["errors"] = "\n".join([*told, str(not_sent.value), str(trouble.value)])


@contextmanager
def browsing(url: str, stage: Stage, who: str | None = None) -> Iterator[Browser]:
    """A browser that is closed again."""
    browser = Browser(url, stage, who)
    with browser.client:
        yield browser


def sign_in(url: str, stage: Stage, planted: Planted) -> list[str]:
    """Links, passwords, a second factor, a private calendar, the API."""
    with browsing(url, stage) as browser, browsing(url, stage, "administrator") as keeper:
        return signed_in(url, browser, keeper, stage, planted)


def signed_in(url: str, browser: Browser, keeper: Browser, stage: Stage, planted: Planted) -> list[str]:
    """The same, with two browsers open."""
    person = f"/equipe/personnes/{stage.people['coordinator'].id}"
    link = re.search(r'id="link" readonly value="([^"]+)"', keeper.post(f"{person}/lien").text)
    assert link is not None
    secrets = {"reset link": urlsplit(link[1]).path.rpartition("/")[2], "session": keeper.client.cookies["relais"]}
    wrong = browser.post("/equipe/connexion", {"email": "coordinator@example.org", "password": WRONG_PASSWORD})
    assert wrong.status_code == 401
    secrets["visitor"] = browser.client.cookies["relais-visiteur"]
    secrets["form token"] = browser.token
    assert browser.post(urlsplit(link[1]).path, {"password": NEW_PASSWORD, "again": NEW_PASSWORD}).status_code == 200
    secrets["new session"] = browser.client.cookies["relais"]
    own = "/equipe/moi/second-facteur"
    browser.post(f"{own}/debut")
    totp = re.search(r"secret=([A-Z2-7]+)", browser.get(f"{own}/appareil").text)
    assert totp is not None
    secrets["totp"] = totp[1]
    browser.post(f"{own}/appareil", {"code": pyotp.TOTP(totp[1]).at(stage.clock())})
    calendar = re.search(r"/equipe/calendrier/([^/\"]+)\.ics", browser.post("/equipe/calendrier/lien").text)
    assert calendar is not None
    secrets["calendar link"] = calendar[1]
    browser.get(f"/equipe/calendrier/{calendar[1]}.ics")
    token = stage.tokens["animator"]
    secrets["api token"] = token
    pages = [
        httpx.get(f"{url}/api/v1/me", headers={"Authorization": f"Bearer {token}"}, trust_env=False).text,
        httpx.get(f"{url}/api/v1/me?token={token}", trust_env=False).text,
        httpx.get(f"{url}/nowhere?access_token={PASTED}", trust_env=False).text,
        wrong.text,
    ]
    login = {"email": "animator@example.org", "password": PASSWORD}
    answer = httpx.post(f"{url}/api/v1/login", json=login, trust_env=False)
    secrets["made token"] = answer.json()["token"]
    planted.secrets |= secrets
    return pages


def connect(url: str, stage: Stage, sandbox: Sandbox, planted: Planted) -> list[str]:
    """The way to Facebook and back, pasted tokens, keys of X, checks."""
    with browsing(url, stage, "deputy") as browser:
        return connected(Dialog(browser, sandbox), stage, sandbox, planted)


def connected(dialog: Dialog, stage: Stage, sandbox: Sandbox, planted: Planted) -> list[str]:
    """The same, with a browser open."""
    back = dialog.answer(dialog.leave())
    query = dict(parse_qsl(urlsplit(back).query))
    planted.secrets |= {"oauth code": query["code"], "oauth state": query["state"]}
    pages = [dialog.browser.get(back).text]
    pages.append(dialog.browser.get(f"/equipe/comptes/facebook/retour?code={query['code']}&state=wrong").text)
    pages.append(dialog.browser.post("/equipe/comptes/nouveau/facebook", {"token": PASTED}).text)
    for name in ("rennes", "x"):
        pages.append(dialog.browser.post(f"/equipe/comptes/{stage.accounts[name]}/verification").text)
    planted.secrets |= {f"token of {one['kind']}": one["token"] for one in sandbox.shelf.all("fb_token")}
    return pages


def break_down(hub: Hub, stage: Stage, planted: Planted, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A bug in a page and one in a command, each with a token in its hands."""
    token = planted.secrets["page token"]

    def broken() -> Any:
        raise RuntimeError(f"GET /me?access_token={token} by {token}")

    with serving(create_app(replace(hub, now=broken))) as url:
        page = httpx.get(f"{url}/api/v1/territories?query=x", trust_env=False)
        headers = {"Authorization": f"Bearer {stage.tokens['animator']}"}
        page = httpx.get(f"{url}/api/v1/me", headers=headers, trust_env=False)
    assert page.status_code == 500
    monkeypatch.setenv("RELAIS_HOME", str(hub.settings.home))
    try:
        broken()
    except RuntimeError as error:
        commands._report_bug(error)
    return [page.text]


@pytest.fixture
def planted(
    listening: Everything, stage: Stage, sandbox: Sandbox, capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch, hub_file: Path,
) -> Planted:  # fmt: skip
    """A day in which every secret is used and everything goes wrong once."""
    planted = Planted(
        {
            "app secret": APP_SECRET, "smtp password": SMTP_PASSWORD, "quoted": quote(SMTP_PASSWORD, safe=""),
            "database password": DATABASE_PASSWORD, "quoted database password": quote(DATABASE_PASSWORD),
            "metrics token": METRICS_TOKEN, "pasted": PASTED, "password": PASSWORD, "new password": NEW_PASSWORD,
            "wrong password": WRONG_PASSWORD, "fernet key": stage.hub.settings.key_file.read_text().strip(),
        }
    )  # fmt: skip
    hub = stage.hub
    engine = runner.build(hub)
    seal(stage, sandbox, planted)
    registry = registry_for(hub, tally=engine.worker.tally, beat=engine.pulse)
    with serving(create_app(hub, pulse=engine.pulse, registry=registry)) as url:
        pages = sign_in(url, stage, planted) + connect(url, stage, sandbox, planted)
        fail(hub, stage, planted)
        publish(stage, sandbox, engine)
        for token in (METRICS_TOKEN, planted.secrets["page token"]):
            headers = {"Authorization": f"Bearer {token}"}
            pages.append(httpx.get(f"{url}/metrics", headers=headers, trust_env=False).text)
        pages.append(httpx.get(f"{url}/healthz", trust_env=False).text)
    engine.stop()
    pages += break_down(hub, stage, planted, monkeypatch)
    out = capfd.readouterr()
    planted.names = listening.names
    planted.places |= {
        "log": "\n".join(listening.told),
        "output": out.out + out.err,
        "pages": "\n".join(pages),
        "relais-error.log": (hub.settings.home / "relais-error.log").read_text(),
        "rows": "\n".join(rows(hub.engine)),
        "file": b"".join(one.read_bytes() for one in hub_file.parent.glob(f"{hub_file.name}*")).decode("latin-1"),
    }
    return planted


def rows(engine: Engine) -> Iterator[str]:
    """Whatever the database holds of what happened."""
    with engine.connect() as connection:
        for table in set(inspect(engine).get_table_names()) - {"territory", "territory_code", "postcode"}:
            yield from (str(tuple(row)) for row in connection.execute(text(f'SELECT * FROM "{table}"')))


# --- Where they are looked for ----------------------------------------------------------------------------

SHOWN = {("pages", name) for name in ("form token",)}
"""What a page is there to show."""


def test_planted_secrets_are_found_nowhere_although_every_library_says_all_it_can(planted: Planted) -> None:
    found = {
        (place, name)
        for place, told in planted.places.items()
        for name, secret in planted.secrets.items()
        if secret in told
    }

    log, spoke = planted.places["log"], {name.partition(".")[0] for name in planted.names}
    assert len(planted.secrets) >= 25
    assert spoke >= {"relais", "urllib3", "sqlalchemy", "tweepy", "oauthlib", "requests_oauthlib", "httpx", "httpcore"}
    assert [
        task for task in ("dispatch", "reconcile", "collect", "remove", "check") if f"task={task} " not in log
    ] == []
    assert "Max retries exceeded with url: /me?access_token=***" in log
    assert [word for word in ("outcome=bug", "outcome=contract-broken", "outcome=ok") if word not in log] == []
    assert "RuntimeError: GET /me?access_token=*** by ***" in planted.places["relais-error.log"]
    assert "relais_attempts_total" in planted.places["pages"]
    assert found - SHOWN == set()
