"""Costs: by tokens of each kind, by image, and none at all rather than a wrong one."""

import datetime
import json
from importlib import resources

import pytest

import lytrace
from lytrace import semconv
from lytrace._cost import Prices, of_gpu
from lytrace.errors import ConfigurationError
from lytrace.instrumentation import open_model_call
from lytrace.testing import capture

OWN = {
    "prices": [
        {
            "model": "painter",
            "provider": "acme",
            "hosts": ["api.acme.com"],
            "usd_per_million_tokens": {"text_input": 1, "text_cached_input": 0.5, "image_input": 2, "image_output": 10},
            "usd_per_image": [{"size": "big", "quality": "high", "usd": 0.4}, {"size": "big", "usd": 0.2}],
        },
        {"model": "talker", "usd_per_million_tokens": {"input": 3, "cached_input": 1, "output": 6}},
        {"model": "plain", "usd_per_image": [{"usd": 0.01}]},
    ]
}


def call(model="painter", images=0, **attributes):
    usual = {semconv.GEN_AI_REQUEST_MODEL: model, semconv.GEN_AI_PROVIDER_NAME: "acme", semconv.SERVER_ADDRESS: "api.acme.com"}
    return Prices(OWN).of_call(usual | attributes, images)


def usage(**counts):
    return {getattr(semconv, f"GEN_AI_USAGE_{name.upper()}_TOKENS"): count for name, count in counts.items()}


def test_tokens_by_modality():
    counts = usage(input=1_500_000, image_input=500_000, output=100_000, image_output=100_000)
    assert call(**counts) == pytest.approx(1.0 * 1 + 0.5 * 2 + 0.1 * 10)


def test_tokens_of_one_kind():
    assert call("talker", **usage(input=1_000_000, output=500_000)) == pytest.approx(6.0)
    assert call("talker", **usage(input=1_000_000, cache_read_input=400_000, output=0)) == pytest.approx(0.6 * 3 + 0.4)


@pytest.mark.parametrize(
    "counts",
    [
        usage(input=100, output=10, image_output=10),  # which of the input tokens are the image's?
        usage(input=100, image_input=50, cache_read_input=20, output=10, image_output=10),  # which came from the cache?
        usage(input=100, image_input=50, output=10, image_output=4),  # text that came out has no price
    ],
)
def test_rather_no_cost_than_a_wrong_one(counts):
    assert call(**counts) is None


def test_images_by_size_and_quality():
    assert call(images=2, **{semconv.REQUEST_SIZE: "big", semconv.REQUEST_QUALITY: "high"}) == pytest.approx(0.8)
    assert call(images=2, **{semconv.RESPONSE_SIZE: "big", semconv.REQUEST_QUALITY: "low"}) == pytest.approx(0.4)
    assert call(images=2, **{semconv.REQUEST_SIZE: "small"}) is None
    assert call("plain", images=3) == pytest.approx(0.03)
    assert call("plain", images=0) is None


@pytest.mark.parametrize("model", ["talker", "talker-2026-01-31", "talker-20260131", "talker-001"])
def test_a_version_of_a_model_is_billed_as_the_model(model):
    assert call(model, **usage(input=1_000_000, output=0)) == pytest.approx(3.0)


@pytest.mark.parametrize("model", ["talker-mini", "talker-2026-1", "talk", "Talker", "my-talker"])
def test_another_model_has_no_cost(model):
    assert call(model, **usage(input=1_000_000, output=0)) is None


def test_the_answer_says_which_model_it_was():
    answered = {semconv.GEN_AI_RESPONSE_MODEL: "talker-2026-01-31"}
    assert call("alias", **answered, **usage(input=1_000_000, output=0)) == pytest.approx(3.0)


@pytest.mark.parametrize("other", [{semconv.SERVER_ADDRESS: "gateway.example"}, {semconv.GEN_AI_PROVIDER_NAME: "openai"}])
def test_another_server_or_provider_has_no_cost(other):
    assert call(images=1, **{semconv.REQUEST_SIZE: "big"}, **other) is None


def test_prices_that_come_along_hold_for_the_providers_own_host():
    attributes = {
        semconv.GEN_AI_REQUEST_MODEL: "gpt-image-1-mini",
        semconv.GEN_AI_PROVIDER_NAME: "openai",
        **usage(input=1000, image_input=0, output=1000, image_output=1000),
    }
    assert Prices().of_call({**attributes, semconv.SERVER_ADDRESS: "api.openai.com"}, 1) == pytest.approx(0.002 + 0.008)
    assert Prices().of_call({**attributes, semconv.SERVER_ADDRESS: "127.0.0.1"}, 1) is None


def test_every_price_is_dated_and_sourced():
    entries = json.loads(resources.files("lytrace").joinpath("prices.json").read_text())["prices"]
    assert len(entries) > 5
    for entry in entries:
        assert "https://" in entry["source"]
        assert datetime.date.fromisoformat(entry["read"]) >= datetime.date(2026, 1, 1)
        assert entry["hosts"]
        assert entry["provider"]
    Prices({"prices": entries})  # the same checks as for the user's own


def test_the_users_prices_come_first(tmp_path):
    path = tmp_path / "prices.json"
    path.write_text(json.dumps(OWN))
    with capture(prices=path) as captured:
        made = open_model_call("chat", provider="acme", model="talker")
        made.usage(input_tokens=1_000_000, output_tokens=0)
        made.end()
        unpriced = open_model_call("chat", provider="acme", model="other")
        unpriced.usage(input_tokens=1_000_000, output_tokens=0)
        unpriced.end()
        given = open_model_call("chat", provider="acme", model="talker")
        given.usage(input_tokens=1_000_000, output_tokens=0)
        given.without_cost()
        given.end()
        costs = [span.attributes.get(semconv.COST_USD) for span in captured.spans]
    assert costs == [pytest.approx(3.0), None, None]


@pytest.mark.parametrize(
    "given", [{}, {"prices": [{}]}, {"prices": [{"model": "m", "usd_per_million_tokens": {"colour": 1}}]}, {"prices": 7}]
)
def test_prices_that_cannot_be_read_are_said_at_init(given, tmp_path):
    with pytest.raises(ConfigurationError, match="prices"):
        lytrace.init(home=tmp_path, collector="", instrument=[], prices=given)


def test_a_missing_file_of_prices(tmp_path):
    with pytest.raises(ConfigurationError, match="prices"):
        lytrace.init(home=tmp_path, collector="", instrument=[], prices=tmp_path / "none.json")


def test_an_hour_on_the_gpu():
    assert of_gpu({semconv.GPU_TIME: 1800.0}, 2.0) == pytest.approx(1.0)
    assert of_gpu({semconv.GPU_TIME: 1800.0}, None) is None
    assert of_gpu({}, 2.0) is None
