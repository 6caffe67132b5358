"""Where a call's randomness comes from, and that what is recorded of it is enough to draw the same numbers again."""

import pytest
import torch

from lytrace import semconv
from lytrace.testing import capture
from lytrace_integrations.diffusers import _seeds
from tests.integrations.diffusers import tiny

pytestmark = pytest.mark.model
CPU = torch.device("cpu")


def attributes_of(generator, images=1):
    return _seeds.before({"generator": generator}, CPU, images).attributes()


@pytest.mark.parametrize("known", [True, False], ids=["by counters", "by whole states"])
@pytest.mark.parametrize("drawn", [0, 1, 15, 16, 623, 624, 625, 1248, 5000])
def test_a_generator_is_fresh_until_it_draws(monkeypatch, known, drawn):
    assert _seeds._counters_tell()
    monkeypatch.setattr(_seeds, "_counters_tell", lambda: known)
    for draw in (torch.rand, torch.randn):
        generator = torch.Generator().manual_seed(11)
        if drawn:
            draw(drawn, generator=generator)
        state = generator.get_state()
        assert attributes_of(generator)[semconv.DIFFUSION_GENERATOR_FRESH] == (drawn == 0)
        assert (generator.get_state() == state).all()


def test_one_seed_an_image():
    assert attributes_of(torch.Generator().manual_seed(7), images=4)[semconv.DIFFUSION_SEEDS] == [7] * 4
    generators = [torch.Generator().manual_seed(seed) for seed in (3, 4)]
    found = attributes_of(generators, images=2)
    assert found[semconv.DIFFUSION_SEEDS] == [3, 4]
    assert found[semconv.GEN_AI_REQUEST_SEED] == 3
    assert found[semconv.DIFFUSION_GENERATOR_DEVICES] == ["cpu", "cpu"]
    assert semconv.DIFFUSION_GENERATOR_STATES not in found


def test_a_seed_past_64_bits_of_sign_is_text():
    found = attributes_of(torch.Generator().manual_seed(2**64 - 1))
    assert found[semconv.DIFFUSION_SEEDS] == [str(2**64 - 1)]
    assert found[semconv.GEN_AI_REQUEST_SEED] is None


def test_a_used_generator_draws_the_same_from_its_recorded_state():
    generator = torch.Generator().manual_seed(5)
    torch.rand(1000, generator=generator)
    found = attributes_of(generator)
    expected = torch.rand(3000, generator=generator)
    (state,) = found[semconv.DIFFUSION_GENERATOR_STATES]
    replayed = torch.Generator()
    replayed.set_state(torch.frombuffer(bytearray(_seeds.decoded(state)), dtype=torch.uint8))
    assert (torch.rand(3000, generator=replayed) == expected).all()
    assert len(state) < 6000


def test_a_gpu_generator_is_its_seed_and_offset():
    """A stand-in for a CUDA generator, of which there is none here: the same methods, on the host."""

    class Philox:
        device = torch.device("meta")

        def __init__(self, offset):
            self.offset = offset
            self.device = type("Device", (), {"type": "cuda", "__str__": lambda _: "cuda:0"})()

        def initial_seed(self):
            return 9

        def get_offset(self):
            return self.offset

    assert attributes_of(Philox(0))[semconv.DIFFUSION_GENERATOR_FRESH] is True
    found = attributes_of(Philox(12))
    assert found[semconv.DIFFUSION_GENERATOR_FRESH] is False
    assert found[semconv.DIFFUSION_GENERATOR_STATES] == ["philox:9:12"]


def test_without_a_generator_the_default_ones_state_replays_the_image(tmp_path):
    pipe = tiny.stable_diffusion(tmp_path)

    def paint():
        return pipe("a", num_inference_steps=2, height=16, width=16)

    torch.manual_seed(3)
    torch.rand(7)
    with capture(instrument=["diffusers"]) as captured:
        paint()
        (span,) = [span for span in captured.spans if span.kind == semconv.KIND_GENERATION]
    attributes = span.attributes
    assert attributes[semconv.DIFFUSION_GENERATOR_SOURCE] == "default"
    assert attributes[semconv.DIFFUSION_GENERATOR_FRESH] is False
    assert semconv.DIFFUSION_SEEDS not in attributes
    (state,) = attributes[semconv.DIFFUSION_GENERATOR_STATES]
    torch.default_generator.set_state(torch.frombuffer(bytearray(_seeds.decoded(state)), dtype=torch.uint8))
    with capture(instrument=["diffusers"]) as again:
        paint()
        (replayed,) = [span for span in again.spans if span.kind == semconv.KIND_GENERATION]
    assert replayed.attributes[semconv.IMAGE_HASHES] == attributes[semconv.IMAGE_HASHES]


def test_a_freshly_seeded_default_generator_is_its_seed(tmp_path):
    pipe = tiny.stable_diffusion(tmp_path)
    with capture(instrument=["diffusers"]) as captured:
        torch.manual_seed(3)
        pipe("a", num_inference_steps=1, height=16, width=16)
        (span,) = [span for span in captured.spans if span.kind == semconv.KIND_GENERATION]
    assert span.attributes[semconv.DIFFUSION_SEEDS] == [3]
