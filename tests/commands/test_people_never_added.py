"""People are never added up: every way out of the house is read, and tells at least the highest figure and no sum."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from itertools import combinations
from pathlib import Path
from typing import Final

import httpx
import pytest
from sqlalchemy import Engine

from hub.database import reading
from hub.services import reporting
from hub.services.reporting import By
from hub.web.app import create_app
from tests.commands.conftest import Relais
from tests.services.counting import PEOPLE, published, read
from tests.services.desk import Desk
from tests.services.taking import written
from tests.stage import Stage, build_stage, serving
from tests.web.conftest import Browser

OWN: Final = (71_993, 60_107, 50_021)
"""People of three posts on the page of Rennes; no sum of several is a number that stands anywhere else."""

SIBLINGS: Final = (41_017, 30_011)
"""People of one post of the national page, in Rennes and in Guadeloupe."""

SUMS: Final = {
    sum(some) for number in range(2, 6) for some in combinations((*OWN, *SIBLINGS), number)
}  # fmt: skip

FIRST, LAST = date(2026, 11, 1), date(2026, 11, 30)
DAYS: Final = f"from={FIRST}&to={LAST}"
ORDERS: Final = {By.TERRITORY: "territoire", By.ACCOUNT: "compte", By.POST: "publication", By.KIND: "type"}


@pytest.fixture
def stage(engine: Engine, tmp_path: Path) -> Stage:
    return build_stage(engine, tmp_path)


@pytest.fixture
def desk(stage: Stage) -> Desk:
    """Several posts that went out on one page, and one with siblings: all were read, and looked at days later."""
    desk = Desk(stage, stage.hub.terms)
    desk.keys("A-32", "GP")
    for kind, number in zip(("event", "event", "advice"), OWN, strict=True):
        [delivery] = published(desk, text=f"Bonjour {kind} {number % 7}", kind=kind)
        read(desk, delivery, **{PEOPLE: number})
    siblings = published(desk, text="Partout", audience=["A-14", "A-32"], accounts=["facebook:FR"])
    for delivery, number in zip(siblings, SIBLINGS, strict=True):
        read(desk, delivery, **{PEOPLE: number})
    stage.clock.forward(days=10)
    return desk


@pytest.fixture
def url(desk: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """The address of a served hub, in which commands are an analyst's."""
    monkeypatch.setenv("RELAIS_CONFIG", str(tmp_path / "config"))
    monkeypatch.setenv("RELAIS_TOKEN", desk.stage.tokens["analyst"])
    with serving(create_app(desk.stage.hub)) as url:
        monkeypatch.setenv("RELAIS_URL", url)
        yield url


def numbers(text: str) -> set[int]:
    """Every whole number of a text, whatever stands between its thousands."""
    together = re.sub(r"(?<=\d)(?:[,\u00a0\u202f]|&nbsp;|&#8239;)(?=\d{3}(?!\d))", "", text)
    return {int(digits) for digits in re.findall(r"(?<!\d)\d{1,12}(?!\d)", together)}


def require_no_sum(told: str) -> set[int]:
    """The numbers of a text, none of which is a sum of people."""
    found = numbers(told)
    assert found & SUMS == set()
    return found


def test_the_numbers_of_a_text_are_found_however_they_are_written():
    assert numbers("1,234 and 71\u202f993 or 71&nbsp;993; 12 34,5") == {1234, 71_993, 12, 34, 5}
    assert sum(OWN[:2]) in SUMS
    assert not SUMS & {*OWN, *SIBLINGS}


# --- Every way out --------------------------------------------------------------------------------------------

Outputs = dict[str, str]
"""What each way out of the house says, by its name."""


def of_services(desk: Desk) -> Outputs:
    """Reports and the export as services make them."""
    by = desk.who("analyst")
    with reading(desk.stage.hub.engine) as session:
        told = {
            f"report by {order}": str(reporting.report(session, by=by, first=FIRST, last=LAST, order=order).plain())
            for order in By
        }
        whole = reporting.told(session, reporting.Frame(FIRST, LAST), by=by)
        days = reporting.over_time(session, reporting.Frame(FIRST, LAST), reporting.Span.DAY, by=by)
    export = written(desk, separator=";")
    return {**told, "in one": str(whole), "by day": str(days), "export": export}


def of_the_api(desk: Desk, url: str) -> Outputs:
    """What programs get."""
    headers = {"Authorization": f"Bearer {desk.stage.tokens['analyst']}"}
    paths = [
        *(f"/reach/report?by={order}&{DAYS}" for order in By),
        f"/reach/report?territory=A-14&{DAYS}",
        f"/reach/export?format=csv&{DAYS}",
        f"/reach/print?{DAYS}",
        f"/reach/print?territory=A-14&{DAYS}",
        *(f"/posts/{number}" for number in range(1, 5)),
        *(f"/deliveries/{number}" for number in range(1, 6)),
        "/deliveries",
        f"/calendar?{DAYS}",
    ]
    with httpx.Client(base_url=f"{url}/api/v1", headers=headers, trust_env=False) as client:
        return {path: _well(client.get(path)).text for path in paths}


def of_the_pages(desk: Desk, url: str) -> Outputs:
    """What people see."""
    paths = [
        *(f"/equipe/portee?par={order}" for order in ORDERS.values()),
        "/equipe/portee/export",
        "/equipe/portee/rapport",
        "/equipe/portee/rapport?territoire=A-14",
        "/equipe",
        "/equipe/publications",
        *(f"/equipe/publications/{number}" for number in range(1, 5)),
        "/equipe/calendrier",
        "/equipe/couverture",
        "/equipe/couverture/A-14",
        f"/equipe/comptes/{desk.stage.accounts['rennes']}",
    ]
    browser = Browser(url, desk.stage, "coordinator")
    try:
        return {path: _well(browser.get(path)).text for path in paths}
    finally:
        browser.client.close()


def of_commands(relais: Relais) -> Outputs:
    """What the command line says."""
    days = ("--from", str(FIRST), "--to", str(LAST))
    typed = [
        *(("reach", "report", "--by", order.value, *days) for order in By),
        ("reach", "report", "--json", *days),
        ("reach", "export", "-o", "reach.csv", *days),
        ("reach", "print", "-o", "paper.html", *days),
        ("post", "show", "4"),
        ("delivery", "show", "1"),
    ]
    told = {}
    for words in typed:
        ran = relais(*words)
        assert ran.code == 0, ran.err
        told[" ".join(words)] = ran.out
    return told | {name: Path(name).read_text(encoding="utf-8") for name in ("reach.csv", "paper.html")}


def _well(answer: httpx.Response) -> httpx.Response:
    assert answer.status_code == 200, (answer.url, answer.text)
    return answer


def test_no_way_out_tells_a_sum_of_people(
    desk: Desk, url: str, relais: Relais, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)

    outputs = {**of_services(desk), **of_the_api(desk, url), **of_the_pages(desk, url), **of_commands(relais)}

    told = {name: require_no_sum(text) for name, text in outputs.items()}
    reports = [name for name in told if "report" in name or "portee?" in name or name in {"in one", "by day"}]
    assert len(reports) == 20
    assert [name for name in reports if OWN[0] not in told[name]] == []
    exports = ["export", f"/reach/export?format=csv&{DAYS}", "/equipe/portee/export", "reach.csv"]
    papers = [name for name in told if "print?" in name or "rapport" in name or name == "paper.html"]
    assert len(papers) == 5
    assert [name for name in papers if OWN[0] not in told[name]] == []
    assert [name for name in exports if not told[name] >= {*OWN, *SIBLINGS}] == []


def test_of_siblings_the_highest_is_told_as_a_lower_bound(desk: Desk):
    with reading(desk.stage.hub.engine) as session:
        by = desk.who("analyst")
        [row] = [
            row
            for row in reporting.report(session, by=by, first=FIRST, last=LAST, order=By.POST).rows
            if row.key == "4"
        ]

    assert (row.value, row.how.value) == (SIBLINGS[0], "at least")
