"""A model on a simulated device: the host runs ahead, the stages tell the device's times and memory.

The device is simulated because the machines that run this suite have none; ``benchmarks/gpu.py`` is for real ones.
"""

import gc
import weakref

import pytest
import torch

import lytrace
from lytrace import semconv
from lytrace.testing import capture
from lytrace_integrations._device import DeviceGroup, NoDevice, SimulatedDevice
from lytrace_integrations._places import ready
from lytrace_integrations.transformers import _devices
from tests.integrations.transformers import tiny

pytestmark = pytest.mark.model
TOKEN_NS = 200_000_000


@pytest.fixture
def device(monkeypatch):
    simulated = SimulatedDevice()
    monkeypatch.setattr(_devices, "place", lambda *_: ready(simulated))
    return simulated


@pytest.fixture
def model(device):
    made = tiny.llama()
    forward = made.forward

    def on_device(*args, **kwargs):
        device.run(TOKEN_NS, allocates=1000, frees=900)
        return forward(*args, **kwargs)

    made.forward = on_device
    return made


def ask(model, tokenizer, tokens=4, **more):
    inputs = tokenizer("a red circle", return_tensors="pt")
    return model.generate(**inputs, max_new_tokens=tokens, eos_token_id=95, **more)


def spans(captured):
    (call,) = [span for span in captured.spans if span.kind == semconv.KIND_GENERATION]
    return call, captured.children(call)


def test_stages_last_as_long_as_on_the_device(device, model, tokenizer):
    with capture(instrument=["transformers"]) as captured:
        ask(model, tokenizer)
    call, (prefill, decode) = spans(captured)
    assert decode.end_ns - decode.start_ns == 3 * TOKEN_NS
    assert prefill.attributes[semconv.GPU_TIME] == pytest.approx(TOKEN_NS / 1e9, rel=0.5)
    assert {span.attributes[semconv.CLOCK] for span in (call, prefill, decode)} == {"device"}
    assert call.attributes[semconv.GPU_TIME] >= 4 * TOKEN_NS / 1e9
    assert call.attributes[semconv.GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK] >= TOKEN_NS / 1e9
    assert call.end_ns >= decode.end_ns


def test_memory_of_prefill_and_decode(device, model, tokenizer):
    device.allocated = device.peak = 5000
    with capture(instrument=["transformers"]) as captured:
        ask(model, tokenizer)
    _, (prefill, decode) = spans(captured)
    assert prefill.attributes[semconv.GPU_MEMORY_DELTA] == 100
    assert decode.attributes[semconv.GPU_MEMORY_DELTA] == 300
    assert decode.attributes[semconv.GPU_MEMORY_PEAK] == 6300
    assert decode.attributes[semconv.GPU_MEMORY_PEAK_EXACT] is True
    assert decode.attributes[semconv.GPU_MEMORY_ALLOCATED] == 5400


def test_the_device_is_marked_three_times_however_many_tokens(device, model, tokenizer):
    with capture(instrument=["transformers"]):
        ask(model, tokenizer, tokens=3)
        few = device.marks_made
        ask(model, tokenizer, tokens=40)
    assert few == 3
    assert device.marks_made == 2 * few


def test_a_busy_device_is_asked_later_and_the_answer_is_there(device, model, tokenizer):
    with capture(instrument=["transformers"]) as captured:
        device.hang_back()
        ids = ask(model, tokenizer)
        assert captured.spans == []
        device.finish()
        lytrace.flush(5)
        call, (_, decode) = spans(captured)
    assert decode.end_ns - decode.start_ns == 3 * TOKEN_NS
    assert tokenizer.decode(ids[0, 3:]) in call.attributes[semconv.GEN_AI_OUTPUT_MESSAGES]
    assert call.attributes[semconv.GEN_AI_USAGE_OUTPUT_TOKENS] == 4


def test_a_device_that_never_gets_there_leaves_the_hosts_times(device, model, tokenizer):
    with capture(instrument=["transformers"]) as captured:
        device.hang_back()
        ask(model, tokenizer)
        captured.runtime.waiting.close(0)
        call, (_, decode) = spans(captured)
    assert call.attributes[semconv.CLOCK] == decode.attributes[semconv.CLOCK] == "host"
    assert call.attributes[semconv.CLOCK_REASON] == "not_done"
    assert semconv.GPU_TIME not in call.attributes


def test_an_error_on_a_busy_device_is_recorded_when_it_is_known(device, model, tokenizer):
    def failing(batch, ids):
        if len(ids) == 5:
            raise RuntimeError("enough")
        return list(range(60, 90))

    with capture(instrument=["transformers"]) as captured:
        device.hang_back()
        with pytest.raises(RuntimeError, match="enough"):
            ask(model, tokenizer, prefix_allowed_tokens_fn=failing)
        device.finish()
        lytrace.flush(5)
        call, (_, decode) = spans(captured)
    assert call.status == decode.status == "ERROR"


def test_a_waiting_call_holds_nothing_of_the_users(device):
    model, tokenizer = tiny.llama(), tiny.tokenizer()
    with capture(instrument=["transformers"]) as captured:
        device.hang_back()
        ids = ask(model, tokenizer)
        answer = tokenizer.decode(ids[0, 3:])
        assert captured.spans == []
        watched = [weakref.ref(value) for value in (model, tokenizer, ids)]
        del model, tokenizer, ids
        gc.collect()
        assert [reference() for reference in watched] == [None] * 3
        device.finish()
        lytrace.flush(5)
        call, _ = spans(captured)
    assert answer in call.attributes[semconv.GEN_AI_OUTPUT_MESSAGES]


def test_while_a_graph_is_captured_times_are_the_hosts(device, model, tokenizer):
    device.is_capturing = True
    with capture(instrument=["transformers"]) as captured:
        ask(model, tokenizer)
    call, _ = spans(captured)
    assert call.attributes[semconv.CLOCK] == "host"
    assert call.attributes[semconv.CLOCK_REASON] == semconv.REASON_CAPTURING
    assert device.marks_made == 0


def test_a_model_spread_over_two_devices(monkeypatch):
    first, second = SimulatedDevice(label="simulated:0"), SimulatedDevice(label="simulated:1")
    monkeypatch.setattr(_devices, "device_of", lambda found: second if found.index == 1 else first)
    monkeypatch.setattr(_devices, "several", lambda: True)
    spread = {"model.layers.0": 0, "model.layers.1": 1}
    weight = type("Weight", (), {"device": torch.device("cuda", 0)})()
    model = type("Spread", (), {"hf_device_map": spread})()
    placed = _devices.place(model, weight)
    assert isinstance(placed, DeviceGroup)
    assert [member.label for member in placed.members] == ["simulated:0", "simulated:1"]


def test_a_model_on_the_host_asks_no_device(monkeypatch):
    monkeypatch.setattr(_devices, "device_of", lambda _: pytest.fail("asked"))
    model = tiny.llama()
    assert _devices.place(model, next(model.parameters())) is _devices.place(model, None)
    assert isinstance(_devices.place(model, None), NoDevice)


def test_a_price_for_the_gpus_hour(device, model, tokenizer):
    with capture(instrument=["transformers"], gpu_hour_usd=36.0) as captured:
        ask(model, tokenizer)
    call, _ = spans(captured)
    assert call.attributes[semconv.COST_USD] == pytest.approx(call.attributes[semconv.GPU_TIME] / 100)
