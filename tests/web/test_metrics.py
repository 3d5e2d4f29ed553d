"""/metrics: there for whoever shows the token, nowhere without one in the settings, and without a word of anybody."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families as families
from sqlalchemy import Engine, text

from channels import Refused, Unauthorized
from hub.database import writing
from hub.metrics import registry_for
from hub.services import connecting, holding
from hub.web.app import create_app
from schedules.engine import Pulse
from tests.schedules.conftest import DUE, Room
from tests.schedules.conftest import room as room
from tests.stage import Stage, build_stage, serving
from tests.web.test_pages_guarded import HEADERS

TOKEN = "metrics-" + "t" * 24
TICKING = Pulse(alive=True, seconds_since_tick=0.4)


def with_token(hub: Any) -> Any:
    return replace(hub, settings=hub.settings.__class__(**hub.settings.model_dump() | {"metrics_token": TOKEN}))


@pytest.fixture
def url(engine: Engine, tmp_path: Path) -> Iterator[str]:
    """A hub that has a token for its metrics."""
    stage = build_stage(engine, tmp_path, metrics_token=TOKEN)
    with serving(create_app(stage.hub, pulse=lambda: TICKING)) as url:
        yield url


def get(url: str, token: str | None = TOKEN, **headers: str) -> httpx.Response:
    shown = {"Authorization": f"Bearer {token}"} if token is not None else {}
    return httpx.get(f"{url}/metrics", headers=shown | headers, trust_env=False)


def samples(told: str) -> dict[str, float]:
    """Name and labels → value."""
    return {
        f"{one.name}{json.dumps(one.labels, sort_keys=True) if one.labels else ''}": one.value
        for family in families(told)
        for one in family.samples
    }


# --- Who may read -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD"])
def test_without_a_token_in_the_settings_there_is_no_such_address(engine: Engine, tmp_path: Path, method: str) -> None:
    stage = build_stage(engine, tmp_path)
    with serving(create_app(stage.hub)) as url:
        answers = [
            httpx.request(method, f"{url}/{name}", headers={"Authorization": f"Bearer {TOKEN}"}, trust_env=False)
            for name in ("metrics", "nowhere")
        ]

    alike = [(one.status_code, one.text, one.headers.get("www-authenticate")) for one in answers]
    assert alike[0] == alike[1]
    assert (alike[0][0], alike[0][2]) == (404, None)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer"},
        {"Authorization": f"Bearer {TOKEN}x"},
        {"Authorization": f"Bearer {TOKEN[:-1]}"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": "Bearer " + "é" * 32},
        {"Cookie": f"relais={TOKEN}"},
    ],
    ids=["nothing", "empty", "longer", "shorter", "another scheme", "no ASCII", "a cookie"],
)
@pytest.mark.parametrize("accept", ["text/html", "application/json"])
def test_whoever_does_not_show_the_token_is_refused_and_told_nothing(
    url: str, headers: dict[str, str], accept: str
) -> None:
    sent = {name: value.encode() for name, value in (headers | {"Accept": accept}).items()}
    answer = httpx.get(f"{url}/metrics", headers=sent, trust_env=False)  # type: ignore[arg-type]

    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert "relais_" not in answer.text
    assert TOKEN not in answer.text


def test_tokens_of_people_open_no_metrics(engine: Engine, tmp_path: Path) -> None:
    stage: Stage = build_stage(engine, tmp_path, metrics_token=TOKEN)
    with serving(create_app(stage.hub)) as url:
        told = {who: get(url, token).status_code for who, token in stage.tokens.items()}

    assert told == dict.fromkeys(stage.tokens, 401)


def test_the_token_opens_nothing_else(url: str) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}

    answers = [httpx.get(f"{url}{path}", headers=headers, trust_env=False) for path in ("/api/v1/me", "/equipe")]

    assert [one.status_code for one in answers] == [401, 303]


def test_the_answer_carries_the_headers_of_every_page_and_is_kept_by_nobody(url: str) -> None:
    answer = get(url)

    assert answer.status_code == 200
    assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
    assert answer.headers["cache-control"] == "no-store"


def test_the_address_is_in_no_document_of_the_api(url: str) -> None:
    assert "metrics" not in httpx.get(f"{url}/api/v1/openapi.json", trust_env=False).text


def test_a_token_that_could_be_guessed_is_refused_without_repeating_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from hub.domain.errors import Invalid
    from hub.settings import read_settings

    monkeypatch.setenv("RELAIS_METRICS_TOKEN", "fifteen-letters")

    with pytest.raises(Invalid) as refused:
        read_settings()

    assert str(refused.value) == "Setting RELAIS_METRICS_TOKEN: give at least 16 characters that nobody guesses."


# --- What is read -----------------------------------------------------------------------------------------


def test_both_forms_of_prometheus_are_spoken(url: str) -> None:
    plain = get(url)
    newer = get(url, Accept="application/openmetrics-text; version=1.0.0")

    assert plain.headers["content-type"].startswith("text/plain")
    assert newer.headers["content-type"].startswith("application/openmetrics-text")
    names = {family.name for family in families(plain.text)}
    assert {"relais_overdue", "relais_deliveries", "relais_hold", "relais_database_up"} <= names
    assert {family.name for family in open_metrics(newer.text)} == names  # type: ignore[no-untyped-call]


def test_a_hub_that_works_shows_what_it_did_and_how_it_stands(room: Room) -> None:
    room.approve_one("Sent")
    room.approve_one("Refused", accounts=("facebook:A-32",), audience=("A-32",), zone="Europe/Paris")
    room.stage.channel("elsewhere").fail_next(Refused("Too long."))
    room.run_at(DUE)
    hub = with_token(room.hub)
    registry = registry_for(hub, tally=room.engine.worker.tally, beat=lambda: TICKING)
    with serving(create_app(hub, registry=registry)) as url:
        told = samples(get(url).text)

    expected = {
        'relais_attempts_total{"kind": "publish", "network": "facebook", "outcome": "ok"}': 1,
        'relais_attempts_total{"kind": "publish", "network": "facebook", "outcome": "content"}': 1,
        'relais_attempts_total{"kind": "publish", "network": "x", "outcome": "ok"}': 0,
        'relais_lateness_seconds_count{"network": "facebook"}': 1,
        'relais_lateness_seconds_bucket{"le": "0.5", "network": "facebook"}': 1,
        "relais_failed_last_day": 1,
        "relais_overdue": 0,
        "relais_hold": 0,
        "relais_clock_alive": 1,
        "relais_tick_age_seconds": 0.4,
        "relais_stands_still": 0,
        "relais_database_up": 1,
        'relais_deliveries{"state": "waiting"}': 0,
        'relais_accounts{"network": "facebook", "state": "active"}': 3,
        'relais_accounts{"network": "facebook", "state": "resting"}': 0,
    }
    assert {name: told.get(name) for name in expected} == expected
    assert told["relais_disk_free_bytes"] > 0


def test_a_hub_that_is_ill_shows_it(room: Room) -> None:
    hub = with_token(room.hub)
    stuck = Pulse(alive=False, seconds_since_tick=None, trouble="record: OperationalError")
    room.hold()
    with serving(create_app(hub, registry=registry_for(hub, beat=lambda: stuck))) as url:
        told = samples(get(url).text)

    assert (told["relais_hold"], told["relais_clock_alive"], told["relais_stands_still"]) == (1, 0, 1)
    assert "relais_tick_age_seconds" not in told


def test_a_database_that_is_away_is_shown_and_hides_nothing_else(room: Room) -> None:
    hub = with_token(room.hub)
    with room.hub.engine.begin() as connection:
        connection.execute(text("ALTER TABLE hold RENAME TO gone"))
    with serving(create_app(hub, registry=registry_for(hub, beat=lambda: TICKING))) as url:
        answer = get(url)

    told = samples(answer.text)
    assert (answer.status_code, told["relais_database_up"], told["relais_clock_alive"]) == (200, 0, 1)
    assert "relais_overdue" not in told


def test_no_word_of_anybody_is_in_it(room: Room) -> None:
    room.approve_one("Un texte à nous")
    room.channel().fail_next(Unauthorized("Words of the network.", code="190"))
    room.run_at(DUE)
    with writing(room.hub.engine) as session:
        connecting.pause(session, room.stage.accounts["x"], by="operator", at=room.clock(), reason="Travaux")
        holding.hold(session, reason="Panne", by="operator", at=room.clock())
    hub = with_token(room.hub)
    registry = registry_for(hub, tally=room.engine.worker.tally, beat=lambda: TICKING)
    with serving(create_app(hub, registry=registry)) as url:
        told = get(url).text

    labels = set(re.findall(r'(\w+)="([^"]*)"', told))
    assert {name for name, _value in labels} == {"account", "network", "state", "outcome", "kind", "le"}
    assert [value for _name, value in labels if not re.fullmatch(r"[a-z-]+|[0-9.e+-]+|\+Inf", value)] == []
    typed = ("Un texte", "Words of", "Travaux", "Panne", "Page rennes", "example.org", TOKEN)
    assert [word for word in typed if word in told] == []


def test_a_process_that_does_not_publish_tells_how_the_hub_stands(url: str) -> None:
    told = samples(get(url).text)

    assert told["relais_database_up"] == 1
    assert [name for name in told if "attempts" in name or "tick" in name] == []
