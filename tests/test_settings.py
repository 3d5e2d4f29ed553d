"""Addresses of networks: whole ones, https except on this machine, and a dialog that never leaves the sandbox."""

from __future__ import annotations

import pytest

from hub.domain.errors import Invalid
from hub.settings import read_settings

SANDBOX = "http://127.0.0.1:8001"


@pytest.mark.parametrize(
    ("given", "dialog"),
    [
        ({}, "https://www.facebook.com"),
        ({"facebook_api_url": SANDBOX}, SANDBOX),
        ({"facebook_api_url": SANDBOX, "facebook_dialog_url": "http://127.0.0.1:8002"}, "http://127.0.0.1:8002"),
        ({"facebook_dialog_url": "https://web.facebook.com/"}, "https://web.facebook.com"),
    ],
)
def test_the_dialog_is_where_the_graph_api_is(given: dict[str, str], dialog: str) -> None:
    assert read_settings(**given).facebook_dialog == dialog


@pytest.mark.parametrize("name", ["facebook_api_url", "facebook_dialog_url", "x_api_url", "public_url"])
@pytest.mark.parametrize("address", ["http://example.org", "ftp://127.0.0.1", "example.org", ""])
def test_an_address_that_is_not_whole_or_not_safe_is_refused(name: str, address: str) -> None:
    with pytest.raises(Invalid, match=f"RELAIS_{name.upper()}"):
        read_settings(**{name: address})
