"""A collector that forwards, started on the targets that a test names."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import orjson
import pytest

from lytrace_collector.server import running
from lytrace_collector.settings import CollectorSettings
from tests.collector.forward.receivers import GrpcReceiver, Receiver, grpc_receiver, http_receiver
from tests.collector.support import Api
from tests.faults.support import wait_until


class Forwarding(Api):
    """A collector with targets."""

    def target(self, name: str = "one") -> dict[str, Any]:
        return next(target for target in self.get("/api/v1/forward")["targets"] if target["name"] == name)

    def spans(self, name: str = "one") -> dict[str, Any]:
        return self.target(name)["signals"]["spans"]

    def scores(self, name: str = "one") -> dict[str, Any]:
        return self.target(name)["signals"]["scores"]

    def settled(self, name: str = "one") -> bool:
        """Wait until nothing waits for a target any more."""
        return wait_until(lambda: not any(signal["waiting"] for signal in self.target(name)["signals"].values()))


@pytest.fixture
def forwarding(settings: CollectorSettings):
    """``with forwarding({"url": ...}, ...) as api``: a collector on the home of the test, as often as it is started."""

    @contextmanager
    def start(*targets: dict[str, Any], **changes: Any) -> Iterator[Forwarding]:
        named = [{"name": "one", **target} for target in targets]
        changed = settings.model_copy(update={"forward": orjson.dumps(named).decode(), **changes})
        with running(changed) as url, httpx.Client(base_url=url, timeout=30) as http:
            yield Forwarding(http)

    return start


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with http_receiver() as found:
        yield found


@pytest.fixture
def grpc_target() -> Iterator[GrpcReceiver]:
    with grpc_receiver() as found:
        yield found
