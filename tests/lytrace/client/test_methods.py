"""What both clients have in common: every method, with the same arguments and documentation, and their types."""

import inspect
import subprocess
import sys

import pytest

import lytrace
from lytrace.client import _route


def described(client_class):
    members = inspect.getmembers_static(client_class, lambda member: isinstance(member, _route._Described))
    return dict(members)


def test_both_clients_have_the_same_methods():
    assert described(lytrace.Client) == described(lytrace.AsyncClient)
    assert len(described(lytrace.Client)) >= 15

    def public(kind):
        return {name for name in dir(kind) if not name.startswith("_")}

    assert public(lytrace.Client) == public(lytrace.AsyncClient)


@pytest.mark.parametrize("name", described(lytrace.Client))
def test_every_method_explains_itself(name):
    method = getattr(lytrace.Client, name)
    assert method.__doc__.partition("\n")[0].endswith(".")
    signature = inspect.signature(getattr(lytrace.Client("http://127.0.0.1:9"), name))
    assert "self" not in signature.parameters
    assert not any(hidden in str(signature) for hidden in ("Generator", "Paging", "Streamed"))


def test_help_shows_what_is_answered():
    client = lytrace.Client("http://127.0.0.1:9")
    assert str(inspect.signature(client.info)) == "() -> lytrace.models._base.Info"
    assert "Iterator[lytrace.models._traces.Trace]" in str(inspect.signature(client.traces))
    assert lytrace.Client.info.__name__ == "info"


TYPED = """
from collections.abc import Coroutine, Iterator
from typing import Any, assert_type
import lytrace
from lytrace.client import AsyncListing, Listing
from lytrace.models import Info, Score, ScoreIn, Trace

def blocking(client: lytrace.Client, scores: list[ScoreIn]) -> None:
    assert_type(client.info(), Info)
    assert_type(client.traces("a", limit=3), Listing[Trace])
    assert_type(client.add_scores(scores), list[Score])
    client.traces(bad=1)  # type: ignore[call-arg]
    client.trace()  # type: ignore[call-arg]
    with lytrace.Client("http://x") as same:
        assert_type(same, lytrace.Client)

async def awaited(client: lytrace.AsyncClient) -> None:
    waiting: Coroutine[Any, Any, Info] = client.info()
    assert_type(await waiting, Info)
    assert_type(await client.info(), Info)
    assert_type(client.traces(), AsyncListing[Trace])
    async for trace in client.traces("a"):
        assert_type(trace, Trace)
    await client.trace(1)  # type: ignore[arg-type]
"""


def test_type_checkers_know_every_method(tmp_path):
    """mypy --strict over a user's program; an ignore that is not needed is an error as well."""
    (tmp_path / "program.py").write_text(TYPED)
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--cache-dir", str(tmp_path / "cache")]
    done = subprocess.run([*command, "program.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
