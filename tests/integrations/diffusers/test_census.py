"""Every class of diffusers: each pipeline, scheduler, model and block is wrapped, looks as before, and is given back whole.

In a process of its own: it imports all of diffusers.
"""

import json
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.model

SCRIPT = """
import inspect, json, time, warnings
warnings.simplefilter("ignore")
import diffusers
from lytrace_integrations.diffusers import DiffusersInstrumentor

def load(module):
    for name in dir(module):
        try:
            getattr(module, name)
        except Exception:
            pass  # a class that needs a library which is not installed

load(diffusers)
from diffusers.modular_pipelines.modular_pipeline import ModularPipeline, ModularPipelineBlocks

def below(base):
    found, waiting = [], [base]
    while waiting:
        cls = waiting.pop()
        if cls not in found:
            found.append(cls)
            waiting.extend(cls.__subclasses__())
    return found

groups = {
    "pipelines": (below(diffusers.DiffusionPipeline), "__call__"),
    "modular": (below(ModularPipeline), "__call__"),
    "blocks": (below(ModularPipelineBlocks), "__call__"),
    "schedulers": (below(diffusers.SchedulerMixin), "step"),
    "autoencoders": (below(diffusers.ModelMixin), "decode"),
}
own = {kind: [cls for cls in classes if inspect.isfunction(vars(cls).get(name))] for kind, (classes, name) in groups.items()}
signatures = {(kind, cls): inspect.signature(vars(cls)[groups[kind][1]]) for kind, classes in own.items() for cls in classes}
everything = {cls for classes, _ in groups.values() for cls in classes}
before = {cls: dict(vars(cls)) for cls in everything}
instrumentor = DiffusersInstrumentor()
start = time.perf_counter()
instrumentor.instrument()
instrument_s = time.perf_counter() - start
wrapped = {k: sum(hasattr(vars(cls)[groups[k][1]], "__lytrace__") for cls in classes) for k, classes in own.items()}
changed = [str(cls) for (kind, cls), s in signatures.items() if inspect.signature(vars(cls)[groups[kind][1]]) != s]
patches = len(instrumentor.patches)
start = time.perf_counter()
instrumentor.uninstrument()
undo_s = time.perf_counter() - start
left = [
    f"{cls}.{name}"
    for cls in everything
    for name, value in vars(cls).items()
    if not name.startswith("_abc") and before[cls].get(name) is not value
]
print(json.dumps({"own": {k: len(v) for k, v in own.items()}, "wrapped": wrapped, "changed": changed, "left": left,
    "patches": patches, "instrument_s": instrument_s, "undo_s": undo_s}))
"""


def test_every_class_is_wrapped_and_given_back():
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    answer = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, env=environment, check=True)
    found = json.loads(answer.stdout.splitlines()[-1])
    assert found["wrapped"] == found["own"]
    assert found["changed"] == []
    assert found["left"] == []
    assert found["own"]["pipelines"] >= 280
    assert found["own"]["schedulers"] >= 45
    assert found["own"]["autoencoders"] >= 35
    assert found["own"]["blocks"] >= 400
    assert found["patches"] < 5000
