"""Where a pipeline runs and in what precision, by one of its weights."""

import pytest
import torch

from lytrace_integrations.diffusers._placement import placement

pytestmark = pytest.mark.model


def test_placement_follows_the_weights():
    model = torch.nn.Linear(2, 2)
    assert placement(object(), {"unet": model}) == (torch.device("cpu"), "float32")
    model.to(torch.bfloat16)
    assert placement(object(), {"unet": model}) == (torch.device("cpu"), "bfloat16")
    model.weight = torch.nn.Parameter(torch.ones(2, 2, dtype=torch.float64))
    assert placement(object(), {"unet": model}) == (torch.device("cpu"), "float64")
    assert placement(object(), {"tokenizer": 3}) == (None, None)


def test_a_quantised_weight_is_not_the_dtype():
    model = torch.nn.Module()
    model.packed = torch.nn.Parameter(torch.ones(2, dtype=torch.uint8), requires_grad=False)
    model.scale = torch.nn.Parameter(torch.ones(2, dtype=torch.float16))
    assert placement(object(), {"transformer": model})[1] == "float16"
