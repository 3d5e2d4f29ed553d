"""The stage, and a desk on it."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.services.desk import Desk
from tests.services.shelf import Shelf
from tests.stage import Stage, build_stage


@pytest.fixture
def stage(engine: Engine, tmp_path: Path) -> Stage:
    """People, accounts, keys, a clock."""
    return build_stage(engine, tmp_path)


@pytest.fixture
def desk(stage: Stage) -> Desk:
    """Somewhere to write."""
    return Desk(stage, stage.hub.terms)


@pytest.fixture
def shelf(stage: Stage) -> Shelf:
    """Places to keep."""
    return Shelf(stage)
