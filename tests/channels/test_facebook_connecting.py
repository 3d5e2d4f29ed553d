"""A person consents in the dialog, and pages come of it; a pasted token tells whose it is."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest

from channels.base import ChannelError, Refused, Unauthorized, Unreachable
from channels.facebook import UserToken, dialog_address, exchange_code, list_pages, page_of
from channels.facebook_connecting import SCOPES, challenge_of
from channels.sandbox import faults
from tests.channels.facebook_stage import PAGE_ID, SECRET, PageStage, on_page

BACK = "http://127.0.0.1:8000/equipe/comptes/facebook/retour"
VERIFIER = "a-verifier-that-is-long-enough-for-its-purpose"


@pytest.fixture
def page() -> Iterator[PageStage]:
    with on_page() as stage:
        yield stage


def code_for(page: PageStage, verifier: str = VERIFIER) -> str:
    """A code as the dialog would send it."""
    return page.sandbox.graph.dialog.grant(
        app_id="900", user_id="77", redirect_uri=BACK, scopes=SCOPES, challenge=challenge_of(verifier)
    )


def exchanged(page: PageStage, code: str, **changed: str) -> UserToken:
    """The person's token for a code."""
    given = {"app_secret": SECRET, "verifier": VERIFIER, "redirect_uri": BACK, **changed}
    return exchange_code(
        app_id="900",
        code=code,
        base_url=page.sandbox.url,
        app_secret=given["app_secret"],
        verifier=given["verifier"],
        redirect_uri=given["redirect_uri"],
    )


def test_the_challenge_is_that_of_the_standard() -> None:
    # The example of RFC 7636, appendix B.
    assert challenge_of("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk") == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_the_dialog_is_asked_for_the_least_and_never_told_the_verifier() -> None:
    address = dialog_address(app_id="900", redirect_uri=BACK, state="s&t", verifier=VERIFIER)

    parts = urlsplit(address)
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == "https://www.facebook.com/v26.0/dialog/oauth"
    assert parse_qs(parts.query) == {
        "client_id": ["900"],
        "redirect_uri": [BACK],
        "state": ["s&t"],
        "response_type": ["code"],
        "scope": ["pages_show_list,pages_read_engagement,pages_manage_posts,read_insights"],
        "code_challenge": [challenge_of(VERIFIER)],
        "code_challenge_method": ["S256"],
    }
    assert VERIFIER not in address


def test_a_code_leads_to_the_persons_pages(page: PageStage) -> None:
    person = exchanged(page, code_for(page))

    assert person.seconds == 7200
    assert [one.id for one in list_pages(user_token=person.token, base_url=page.sandbox.url)] == [PAGE_ID]


def test_neither_code_nor_verifier_nor_secret_is_told_by_a_refusal(page: PageStage) -> None:
    code = code_for(page, "another verifier altogether")

    with pytest.raises(ChannelError) as refused:
        exchanged(page, code)

    assert isinstance(refused.value, Refused)
    assert [text for text in (code, VERIFIER, SECRET) if text in f"{refused.value!r}{refused.value}"] == []


def test_a_used_code_is_refused_and_an_empty_answer_connects_nobody(page: PageStage) -> None:
    code = code_for(page)
    exchanged(page, code)
    with pytest.raises(Refused):
        exchanged(page, code)

    page.sandbox.faults.add(faults.answer({"token_type": "bearer"}, status=200))
    with pytest.raises(Unreachable):
        exchanged(page, code_for(page))


def test_a_pasted_token_tells_whether_it_is_a_pages_or_a_persons(page: PageStage) -> None:
    person = page.sandbox.graph.tokens.create_user("77")

    own = page_of(token=page.token, app_secret=SECRET, base_url=page.sandbox.url)

    assert own is not None
    assert (own.id, own.name, own.token) == (PAGE_ID, "Académie de Rennes", page.token)
    assert page_of(token=person, base_url=page.sandbox.url) is None


def test_an_invented_token_and_a_strange_answer_are_told_apart(page: PageStage) -> None:
    with pytest.raises(Unauthorized):
        page_of(token="invented-token", base_url=page.sandbox.url)

    page.sandbox.faults.add(faults.graph_error(100, message="Something else is not as it must be"))
    with pytest.raises(Refused):
        page_of(token=page.token, base_url=page.sandbox.url)

    page.sandbox.faults.add(faults.answer({"name": "no number"}, status=200))
    with pytest.raises(Unreachable):
        page_of(token=page.token, base_url=page.sandbox.url)
