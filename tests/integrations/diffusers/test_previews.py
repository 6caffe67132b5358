"""Previews of latents: every layout, and the user's bits as without them."""

import io
import itertools
import warnings

import numpy as np
import pytest
import torch
from PIL import Image

from lytrace import semconv
from lytrace.testing import capture
from lytrace_integrations._device import NoDevice, SimulatedDevice
from lytrace_integrations.diffusers import _previews, _projection
from lytrace_integrations.diffusers._latent_space import LatentSpace, latent_space
from lytrace_integrations.diffusers._previews import Previews
from tests.integrations.diffusers.test_bad_input import generation
from tests.integrations.diffusers.test_matrix import CASES, bits

pytestmark = [
    pytest.mark.model,
    pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning"),
]

NO_PREVIEW = {"stable-audio", "longcat-audio", "kandinsky-combined"}


@pytest.fixture(autouse=True)
def _nothing_learned(monkeypatch):
    monkeypatch.setattr(_projection, "learned", _projection.Learned())


def pictures(captured):
    """(index, picture) of each preview that was stored."""
    events = [e for e in captured.events(semconv.EVENT_ARTIFACT) if e[semconv.ARTIFACT_ROLE] == semconv.ROLE_PREVIEW]
    stored = [(e[semconv.ARTIFACT_INDEX], captured.artifacts[e[semconv.ARTIFACT_ID].removeprefix("sha256:")]) for e in events]
    return [(index, Image.open(io.BytesIO(content)).convert("RGB")) for index, content in stored]


@pytest.mark.parametrize("name", CASES)
def test_every_family_shows_its_latents_and_gives_the_same_bits(name):
    case = CASES[name]
    pipe = case.pipeline()
    plain = bits(case.call(pipe))
    random = torch.get_rng_state()
    with capture(instrument=["diffusers"], previews=1) as captured:
        assert bits(case.call(pipe)) == plain
        assert (torch.get_rng_state() == random).all()
        outer, *_ = sorted((s for s in captured.spans if s.kind == semconv.KIND_GENERATION), key=lambda span: span.start_ns)
        shown = pictures(captured)
    if name in NO_PREVIEW:
        assert semconv.DIFFUSION_PREVIEW_STEPS not in outer.attributes
        return
    batch = max(case.images, 1)
    assert outer.attributes[semconv.DIFFUSION_PREVIEW_STEPS] == [step for step in range(case.steps[0]) for _ in range(batch)]
    assert outer.attributes[semconv.DIFFUSION_PREVIEW_IMAGES] == list(range(batch)) * case.steps[0]
    assert [index for index, _ in shown] == list(range(batch * case.steps[0]))
    assert {picture.size for _, picture in shown} == {(2, 2) if name.startswith("wan") else (8, 8)}


def test_every_kth_step_and_the_last():
    case = CASES["sd15"]
    with capture(instrument=["diffusers"], previews=3) as captured:
        case.build().__call__("a", num_inference_steps=8, height=16, width=16)
        assert generation(captured).attributes[semconv.DIFFUSION_PREVIEW_STEPS] == [2, 5, 7]


@pytest.mark.parametrize("settings", [{}, {"previews": 0}, {"previews": 1, "capture": False}])
def test_off_by_default_and_without_pictures(settings):
    case = CASES["sd15"]
    with capture(instrument=["diffusers"], **settings) as captured:
        case.call(case.pipeline())
        assert semconv.DIFFUSION_PREVIEW_STEPS not in generation(captured).attributes
        assert pictures(captured) == []


def test_without_latent_statistics():
    case = CASES["sd15"]
    with capture(instrument=["diffusers"], previews=1, latents=False) as captured:
        case.call(case.pipeline())
        assert generation(captured).attributes[semconv.DIFFUSION_PREVIEW_STEPS] == [0, 1, 2]
        assert semconv.DIFFUSION_LATENT_MEASURED_COUNT not in generation(captured).attributes


def test_a_call_that_failed_shows_how_far_it_came():
    case = CASES["sd15"]
    pipe = case.pipeline()

    def stop(pipe, step, timestep, kwargs):
        if step == 1:
            raise ZeroDivisionError
        return kwargs

    with capture(instrument=["diffusers"], previews=1) as captured:
        with pytest.raises(ZeroDivisionError):
            case.call(pipe, callback_on_step_end=stop)
        assert generation(captured).attributes[semconv.DIFFUSION_PREVIEW_STEPS] == [0, 1]
        assert len(pictures(captured)) == 2


def test_a_callback_may_change_the_latents_that_were_taken():
    case = CASES["sd15"]
    pipe = case.pipeline()

    def wipe(pipe, step, timestep, kwargs):
        kwargs["latents"].zero_()
        return kwargs

    with capture(instrument=["diffusers"], previews=1) as captured:
        case.call(pipe, callback_on_step_end=wipe)
        assert all(len(picture.getcolors()) > 1 for _, picture in pictures(captured))


def test_latents_that_are_no_numbers_are_shown_all_the_same():
    case = CASES["sd15"]
    pipe = case.pipeline()
    forward = pipe.unet.forward
    pipe.unet.forward = lambda *args, **kwargs: (forward(*args, **kwargs)[0] * float("nan"),)
    with capture(instrument=["diffusers"], previews=1) as captured, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # diffusers casts NaN to a picture and says so
        case.call(pipe)
        assert len(pictures(captured)) == 3


@pytest.mark.parametrize(
    ("channels", "size", "shape", "picture"),
    [
        (4, None, (2, 4, 6, 10), (2, 4, 6, 10)),
        (4, None, (1, 4, 3, 6, 10), (1, 4, 6, 10)),  # (batch, channels, frames, …)
        (4, None, (1, 3, 4, 6, 10), (1, 4, 6, 10)),  # (batch, frames, channels, …)
        (4, None, (1, 4, 4, 6, 10), (1, 4, 6, 10)),
        (16, (128, 256), (2, 8 * 16, 64), (2, 16, 16, 32)),  # Flux
        (16, None, (1, 64, 64), (1, 16, 16, 16)),  # Flux without a size: a square
        (16, None, (1, 65, 64), None),
        (8, (64, 96), (1, 3 * 8 * 12, 8), (1, 8, 8, 12)),  # LTX: three frames
        (8, (64, 96), (1, 50, 7), None),
        (None, None, (1, 64, 64), None),
        (4, None, (1, 16), None),
    ],
)
def test_layouts(channels, size, shape, picture):
    space = LatentSpace("space", channels, (8,), size)
    found = space.picture(torch.zeros(shape))
    assert (None if found is None else tuple(found.shape)) == picture


def test_flux_is_unpacked_as_flux_does():
    from diffusers import FluxPipeline

    latent = torch.randn(2, 16, 8, 12, generator=torch.Generator().manual_seed(0))
    packed = FluxPipeline._pack_latents(latent, 2, 16, 8, 12)
    assert torch.equal(LatentSpace("flux", 16, (8,), (64, 96)).picture(packed), latent)


def test_ltx_shows_its_first_frame():
    from diffusers import LTXPipeline

    latent = torch.randn(1, 8, 3, 4, 6, generator=torch.Generator().manual_seed(0))
    packed = LTXPipeline._pack_latents(latent, 1, 1)
    assert torch.equal(LatentSpace("ltx", 8, (32,), (128, 192)).picture(packed), latent[:, :, 0])


def test_pixels_are_shown_as_they_are():
    space = latent_space(object(), {})
    previews = Previews(1, space, NoDevice())
    previews.observe(0, torch.tensor([-1.0, 0.0, 1.0]).reshape(1, 3, 1, 1).expand(1, 3, 8, 8), 0)
    previews.observe(1, torch.zeros(1, 77, 8, 8), 0)
    (preview,) = previews.pictures()
    assert preview.rgb[0, 0].tolist() == [0, 128, 255]


def test_colours_are_learned_from_the_picture_that_came_of_it():
    """A decoder that is linear is found exactly, and serves a later call that ends without a picture."""
    random = np.random.default_rng(0)
    decoder = random.normal(size=(4, 3)) * 0.1
    space = LatentSpace("linear", 4, (8,), None)

    def latent():
        return random.normal(size=(1, 4, 16, 16)).astype(np.float32)

    first = latent()
    rgb = ((first[0].transpose(1, 2, 0) @ decoder + 0.5).clip(0, 1) * 255).round().astype(np.uint8)
    previews = Previews(1, space, NoDevice())
    previews.observe(0, torch.from_numpy(first), 0)
    previews.read([Image.fromarray(rgb).resize((128, 128), Image.Resampling.NEAREST)])
    (preview,) = previews.pictures()
    assert np.abs(preview.rgb.astype(int) - rgb).max() <= 6

    second = latent()
    later = Previews(1, space, NoDevice())
    later.observe(0, torch.from_numpy(second), None)
    (preview,) = later.pictures()
    expected = ((second[0].transpose(1, 2, 0) @ decoder + 0.5).clip(0, 1) * 255).round()
    assert np.abs(preview.rgb - expected).max() <= 10


def test_nothing_is_learned_from_a_picture_that_is_blacked_out():
    previews = Previews(1, LatentSpace("blocked", 4, (8,), None), NoDevice())
    previews.observe(0, torch.randn(2, 4, 8, 8), 0)
    previews.read([Image.new("RGB", (64, 64))] * 2)
    assert len(previews.pictures()) == 2
    assert _projection.learned.map_of("blocked", 4) is None
    previews.read([Image.new("RGB", (64, 64)), Image.effect_noise((64, 64), 90)])
    previews.pictures()
    assert _projection.learned.map_of("blocked", 4) is not None


def test_without_any_picture_shapes_are_right():
    latent = torch.zeros(1, 16, 16, 16)
    latent[:, :, 4:12, 4:12] = torch.randn(16, generator=torch.Generator().manual_seed(0))[:, None, None]
    previews = Previews(1, LatentSpace("unknown", 16, (8,), None), NoDevice())
    previews.observe(0, latent, 0)
    (preview,) = previews.pictures()
    inside, outside = preview.rgb[4:12, 4:12].reshape(-1, 3), preview.rgb[:4].reshape(-1, 3)
    assert (inside == inside[0]).all()
    assert np.abs(inside[0].astype(int) - outside[0]).max() > 40


def test_a_loud_latent_is_turned_down():
    """Euler's latents begin fourteen times as loud as they end."""
    latent = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(0))
    previews = Previews(1, LatentSpace("loud", 4, (8,), None), NoDevice())
    previews.observe(0, 14 * latent, 1)
    previews.observe(1, latent, 0)
    first, last = previews.pictures()
    assert np.abs(first.rgb.astype(int) - last.rgb).max() <= 1


def test_a_thousand_steps_leave_a_bounded_number():
    previews = Previews(1, LatentSpace("long", 4, (8,), None), NoDevice())
    for step in range(1000):
        previews.observe(step, torch.zeros(1, 4, 8, 8), 999 - step)
    steps = [preview.step for preview in previews.pictures()]
    assert 32 <= len(steps) <= 65
    assert {after - before for before, after in itertools.pairwise(steps[:-1])} == {16}


@pytest.fixture
def on_device(monkeypatch):
    monkeypatch.setattr(_previews, "_lies_on_host", lambda latent: False)
    monkeypatch.setattr(_previews, "_free", {})
    return SimulatedDevice()


def test_a_device_copies_behind_the_step_and_the_memory_is_used_again(on_device):
    space, latent = LatentSpace("device", 4, (8,), None), torch.randn(1, 4, 8, 8)
    for _ in range(2):
        previews = Previews(1, space, on_device)
        previews.observe(0, latent, 1)
        previews.observe(1, latent, 0)
        previews.settle(passed=True)
        assert len(previews.pictures()) == 2
    assert {shape: len(free) for shape, free in _previews._free.items()} == {(1, 4, 8, 8): 2}


def test_what_a_device_never_passed_is_let_go_of(on_device):
    previews = Previews(1, LatentSpace("device", 4, (8,), None), on_device)
    previews.observe(0, torch.randn(1, 4, 8, 8), 0)
    previews.settle(passed=False)
    assert previews.pictures() == []
    assert _previews._free == {}


def test_nothing_is_copied_while_a_graph_is_captured(on_device):
    on_device.is_capturing = True
    previews = Previews(1, LatentSpace("device", 4, (8,), None), on_device)
    previews.observe(0, torch.randn(1, 4, 8, 8), 0)
    assert previews.pictures() == []
