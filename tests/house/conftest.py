"""What the tests of the house know beside the tests: one marker."""

from __future__ import annotations

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Say what `slow` means."""
    config.addinivalue_line("markers", "slow: builds or installs something; left out by `make check`")
