"""What the tests of transformers share: a tiny model, its tokenizer, what is recorded."""

import pytest

from lytrace import testing
from tests.integrations.transformers import tiny


@pytest.fixture(scope="module")
def model():
    return tiny.llama()


@pytest.fixture(scope="module")
def tokenizer():
    return tiny.tokenizer()


@pytest.fixture
def captured():
    with testing.capture(instrument=["transformers"]) as recorded:
        yield recorded
