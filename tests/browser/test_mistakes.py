"""A form sent with nothing or nonsense in it says so beside each field, and keeps what was typed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import pytest
from playwright.sync_api import Page

from tests.browser import axe
from tests.browser.looking import ask
from tests.browser.world import World


@dataclass(frozen=True)
class Mistake:
    """A form, what is typed into it, and which fields must complain."""

    address: str
    who: str | None
    button: str
    typed: Mapping[str, str] = field(default_factory=dict)
    wrong: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.address


MISTAKES: Final = (
    Mistake("/equipe/connexion", None, "main form button", {"email": "nobody@example.org", "password": "no"}),
    Mistake("/equipe/mot-de-passe", None, "main form button", {"email": "no address"}, ("email",)),
    Mistake(
        "/equipe/bienvenue/{invitation}",
        None,
        "main form button",
        {"password": "court", "again": "court"},
        ("password",),
    ),
    Mistake("/equipe/connexion/code", "deputy", "main form button.main", {"code": "12"}, ("code",)),
    Mistake(
        "/equipe/publications/nouvelle?genre=event",
        "animator",
        "#compose .bar button[value=submit]",
        {"text": "", "link": "pas une adresse", "date": "", "venue": "Salle des fêtes"},
        ("text", "link", "date"),
    ),
    Mistake("/equipe/publications/{submitted}", "animator", "form[action$='/retirer'] button", {}, ("reason",)),
    Mistake("/equipe/validation/{submitted}", "coordinator", "form[action$='/retour'] button", {}, ("reason",)),
    Mistake("/equipe/comptes/{account}", "administrator", "form[action$='/pause'] button", {}, ("reason",)),
    Mistake("/equipe/comptes/{x}/jeton", "administrator", "main form button.main", {}, ("consumer_key",)),
    Mistake("/equipe/comptes/nouveau/facebook", "administrator", "main form button.main", {}, ("token",)),
    Mistake(
        "/equipe/personnes/nouvelle", "administrator", "main form button.main", {"email": "non", "name": ""}, ("email",)
    ),
    Mistake("/equipe/calendrier/deplacer/{approved}", "animator", "main form button.main", {"date": ""}, ("date",)),
)


@pytest.mark.parametrize("one", MISTAKES, ids=str)
def test_each_mistake_is_told_beside_its_field(look: Callable[..., Page], world: World, one: Mistake) -> None:
    page = look(one.who, bypass_csp=True)
    page.goto(one.address.format(**world.names))
    page.evaluate("() => { for (const form of document.forms) form.noValidate = true; }")
    ask(page, "unfold")
    for name, text in one.typed.items():
        page.locator(f"main [name='{name}']").first.fill(text)

    with page.expect_navigation() as answered:
        page.locator(one.button).first.click()

    assert answered.value.status in {401, 422}
    complaining = {name for name in one.wrong if page.locator(f"main [name='{name}'][aria-invalid=true]").count()}
    assert complaining == set(one.wrong)
    assert page.locator("#problems, .notice.bad[role=alert]").count() >= 1
    assert ask(page, "untied") == []
    kept = {name: text for name, text in one.typed.items() if name not in {"password", "again", "code"}}
    assert {name: page.locator(f"main [name='{name}']").first.input_value() for name in kept} == kept
    assert axe.violations(page) == []
