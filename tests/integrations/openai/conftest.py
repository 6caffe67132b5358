"""openai recorded in memory, and clients of a real server on 127.0.0.1."""

import openai
import pytest

from lytrace.testing import capture
from tests.integrations.openai.server import Server


@pytest.fixture
def captured():
    with capture(instrument=["openai"]) as captured:
        yield captured


@pytest.fixture
def serve():
    """``serve(reply, ...)`` starts a server; the clients' base URL is its ``.url + "/v1"``."""
    servers = []

    def start(*replies):
        server = Server(*replies)
        servers.append(server)
        return server.__enter__()

    yield start
    for server in servers:
        server.__exit__()


@pytest.fixture
def client():
    """``client(server, **options)``: a synchronous client."""
    made = []

    def make(server, **options):
        one = openai.OpenAI(**{"base_url": f"{server.url}/v1", "api_key": "sk-secret", "max_retries": 0} | options)
        made.append(one)
        return one

    yield make
    for one in made:
        one.close()


@pytest.fixture
async def async_client():
    """``async_client(server, **options)``: an asynchronous client."""
    made = []

    def make(server, **options):
        one = openai.AsyncOpenAI(**{"base_url": f"{server.url}/v1", "api_key": "sk-secret", "max_retries": 0} | options)
        made.append(one)
        return one

    yield make
    for one in made:
        await one.close()
