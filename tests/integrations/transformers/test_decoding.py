"""Where the answer's ids become text: on the worker where that can disturb nobody, else on the user's thread."""

import gc
import json
import threading
import weakref

import pytest
from tokenizers import decoders

from lytrace import semconv
from tests.integrations.transformers import tiny

pytestmark = pytest.mark.model


def answers(captured):
    (call,) = [span for span in captured.spans if span.kind == semconv.KIND_GENERATION]
    return [message["parts"][0]["content"] for message in json.loads(call.attributes[semconv.GEN_AI_OUTPUT_MESSAGES])]


def ask(model, tokenizer, **more):
    return model.generate(**tokenizer("a red circle", return_tensors="pt"), max_new_tokens=3, tokenizer=tokenizer, **more)


@pytest.fixture
def threads(monkeypatch):
    """Of each decoding by the library's own method."""
    seen = []
    fast = type(tiny.tokenizer())
    plain = fast._decode

    def noting(self, *args, **kwargs):
        seen.append(threading.get_ident())
        return plain(self, *args, **kwargs)

    monkeypatch.setattr(fast, "_decode", noting)
    return seen


def test_the_librarys_own_decoding_is_left_to_the_worker(captured, model, threads):
    tokenizer = tiny.tokenizer()
    ids = ask(model, tokenizer)
    assert threading.get_ident() not in threads
    assert answers(captured) == [tokenizer.decode(ids[0, 3:], skip_special_tokens=True)]
    assert len(threads) == 2


def test_a_decoding_of_the_users_own_stays_on_their_thread(captured, model):
    seen = []

    class Shouting(type(tiny.tokenizer())):
        def _decode(self, *args, **kwargs):
            seen.append(threading.get_ident())
            return super()._decode(*args, **kwargs).upper()

    tokenizer = tiny.tokenizer()
    tokenizer.__class__ = Shouting
    ids = ask(model, tokenizer)
    assert answers(captured) == [tokenizer.decode(ids[0, 3:], skip_special_tokens=True)]
    assert set(seen) == {threading.get_ident()}


def test_a_decoder_written_in_python_stays_on_the_users_thread(captured, model):
    seen = []

    class Plus:
        def decode_chain(self, tokens):
            seen.append(threading.get_ident())
            return ["+".join(tokens)]

    tokenizer = tiny.tokenizer()
    tokenizer.backend_tokenizer.decoder = decoders.Decoder.custom(Plus())
    ids = ask(model, tokenizer)
    assert answers(captured) == [tokenizer.decode(ids[0, 3:], skip_special_tokens=True)]
    assert "+" in answers(captured)[0]
    assert set(seen) == {threading.get_ident()}


def test_a_tokenizer_is_held_until_its_answer_is_decoded(captured, model):
    tokenizer = tiny.tokenizer()
    expected = tokenizer.decode(ask(model, tokenizer)[0, 3:], skip_special_tokens=True)
    watched = weakref.ref(tokenizer)
    del tokenizer
    gc.collect()
    assert answers(captured) == [expected]
    gc.collect()
    assert watched() is None
