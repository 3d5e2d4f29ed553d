"""What the tests of channels may ask for: a sandbox, and a Facebook page on it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from channels.sandbox.server import Sandbox
from tests.channels.facebook_stage import NOON, PageStage, on_page


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Our own Facebook and X, at noon."""
    with Sandbox() as one:
        one.clock.set(NOON)
        yield one


@pytest.fixture
def page() -> Iterator[PageStage]:
    """A Facebook page on a sandbox of its own, at noon."""
    with on_page() as stage:
        yield stage
