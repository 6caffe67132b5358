"""A call's arguments as plain values: copied where the user may change them, described where they are none."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from lytrace import semconv
from lytrace_integrations.diffusers import _request
from lytrace_integrations.diffusers._pipeline import KnownPipeline
from tests.integrations.diffusers import tiny

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory):
    return KnownPipeline(tiny.stable_diffusion(tmp_path_factory.mktemp("tokenizer")))


def arguments_of(pipeline, **arguments):
    return json.loads(_request.read(pipeline, arguments).details().content[semconv.DIFFUSION_ARGUMENTS])


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (3, 3),
        (True, True),
        (np.float32(0.5), 0.5),
        (np.int64(4), 4),
        ([1, [2.5, "a"]], [1, [2.5, "a"]]),
        ((16, 32), [16, 32]),
        ({"scale": 0.7}, {"scale": 0.7}),
        (torch.ones(2, 3, dtype=torch.float16), "<Tensor 2×3 float16>"),
        (np.ones((2, 3)), "<ndarray 2×3 float64>"),
        (Image.new("RGB", (2, 2)), "<Image>"),
        (len, "<len>"),
        ([torch.ones(1)], ["<Tensor 1 float32>"]),
    ],
)
def test_arguments_in_plain_values(pipeline, value, told):
    assert arguments_of(pipeline, given=value, left=None) == {"given": told}


def test_what_the_user_changes_afterwards_is_as_it_was(pipeline):
    sigmas, prompts = [1.0, 0.5], ["a", "b"]
    request = _request.read(pipeline, {"sigmas": sigmas, "prompt": prompts})
    sigmas.append(0.0)
    prompts.append("c")
    content = request.details().content
    assert json.loads(content[semconv.DIFFUSION_ARGUMENTS]) == {"sigmas": [1.0, 0.5]}
    assert len(json.loads(content[semconv.GEN_AI_INPUT_MESSAGES])) == 2


def test_images_asked_for(pipeline):
    request = _request.read(pipeline, {"prompt": ["a", "b"], "num_images_per_prompt": 3, "generator": torch.Generator()})
    attributes = request.details().attributes
    assert attributes[semconv.GEN_AI_REQUEST_CHOICE_COUNT] == 3
    assert len(attributes[semconv.DIFFUSION_SEEDS]) == 6


def test_settings_that_change_results(pipeline):
    assert _request.read(pipeline, {}).details().attributes[semconv.TORCH_SETTINGS] is None
    torch.use_deterministic_algorithms(True)
    torch.set_float32_matmul_precision("high")
    try:
        found = _request.read(pipeline, {}).details().attributes[semconv.TORCH_SETTINGS]
    finally:
        torch.use_deterministic_algorithms(False)
        torch.set_float32_matmul_precision("highest")
    assert found == ["deterministic_algorithms", "float32_matmul_precision=high"]
