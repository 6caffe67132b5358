"""A real collector on a free port, for each test its own."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from lytrace_collector.server import running
from lytrace_collector.settings import CollectorSettings
from tests.collector.support import Api


@pytest.fixture
def settings(tmp_path: Path) -> CollectorSettings:
    return CollectorSettings(home=tmp_path / "home", port=0, token=None, drain_interval_s=0.02)


@pytest.fixture
def api(settings: CollectorSettings) -> Iterator[Api]:
    with running(settings) as url, httpx.Client(base_url=url) as http:
        yield Api(http)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """One collector for the tests of a module that leave nothing behind."""
    settings = CollectorSettings(home=tmp_path_factory.mktemp("shared"), port=0, token=None)
    with running(settings) as url, httpx.Client(base_url=url) as http:
        yield Api(http)
