"""Every class of transformers that generates: each is wrapped, looks as before, and is given back whole.

In a process of its own: it imports all of transformers' models.
"""

import json
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.model

SCRIPT = """
import importlib, inspect, json, pkgutil, time, warnings
warnings.simplefilter("ignore")
import transformers
transformers.logging.set_verbosity_error()
import transformers.models
from lytrace_integrations.transformers import TransformersInstrumentor

def modules():
    for family in pkgutil.iter_modules(transformers.models.__path__):
        package = importlib.import_module("transformers.models." + family.name)
        for leaf in pkgutil.iter_modules(getattr(package, "__path__", [])):
            if leaf.name.startswith(("modeling_", "generation_", "processing_", "tokenization_", "image_processing_")):
                try:
                    yield importlib.import_module(package.__name__ + "." + leaf.name)
                except Exception:
                    pass  # one that needs a library which is not installed

EARLY = bool(__import__("os").environ.get("EARLY"))
instrumentor = TransformersInstrumentor()
if EARLY:
    instrumentor.instrument()
loaded = list(modules())
import transformers.pipelines
from transformers import BatchEncoding, BatchFeature, GenerationMixin, Pipeline, PreTrainedModel, ProcessorMixin
from transformers import PreTrainedTokenizerBase
from transformers.generation import LogitsProcessorList, StoppingCriteriaList
from transformers.generation.streamers import BaseStreamer
from transformers.image_processing_base import ImageProcessingMixin

def below(base):
    found, waiting = [], [base]
    while waiting:
        cls = waiting.pop()
        if cls not in found:
            found.append(cls)
            waiting.extend(cls.__subclasses__())
    return found

generating = set(below(PreTrainedModel)) | set(below(GenerationMixin))
generating |= {base for cls in generating for base in cls.__mro__}
groups = {
    "generate": (generating, "generate"),
    "decode_image_tokens": ({cls for cls in generating if hasattr(cls, "generate")}, "decode_image_tokens"),
    "processors": (below(ProcessorMixin), "__call__"),
    "tokenizers": (below(PreTrainedTokenizerBase), "__call__"),
    "templates": (below(ProcessorMixin) + below(PreTrainedTokenizerBase), "apply_chat_template"),
    "fetch_images": (below(ImageProcessingMixin), "fetch_images"),
    "postprocess": (below(ImageProcessingMixin), "postprocess"),
    "streamers": (below(BaseStreamer), "__init__"),
    "pipelines": (below(Pipeline), "forward"),
    "logits": ([LogitsProcessorList], "__call__"),
    "stopping": ([StoppingCriteriaList], "__call__"),
    "to": ([BatchEncoding, BatchFeature], "to"),
}
own = {kind: [cls for cls in classes if inspect.isfunction(vars(cls).get(name))] for kind, (classes, name) in groups.items()}
reachable = [cls for cls in below(PreTrainedModel) if hasattr(cls, "generate")]
everything = {cls for classes, _ in groups.values() for cls in classes} - {object}
if EARLY:
    wrapped = {k: sum(hasattr(vars(cls)[groups[k][1]], "__lytrace__") for cls in classes) for k, classes in own.items()}
    print(json.dumps({"own": {k: len(v) for k, v in own.items()}, "wrapped": wrapped}))
    raise SystemExit
signatures = {(kind, cls): inspect.signature(vars(cls)[groups[kind][1]]) for kind, classes in own.items() for cls in classes}
before = {cls: dict(vars(cls)) for cls in everything}
start = time.perf_counter()
instrumentor.instrument()
instrument_s = time.perf_counter() - start
wrapped = {k: sum(hasattr(vars(cls)[groups[k][1]], "__lytrace__") for cls in classes) for k, classes in own.items()}
unwrapped = [cls.__name__ for cls in reachable if not hasattr(cls.generate, "__lytrace__")]
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
    "reachable": len(reachable), "unwrapped": unwrapped, "patches": patches, "instrument_s": instrument_s, "undo_s": undo_s}))
"""


def census(**more):
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", **more}
    answer = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, env=environment, check=True)
    return json.loads(answer.stdout.splitlines()[-1])


def test_every_class_is_wrapped_and_given_back():
    found = census()
    assert found["wrapped"] == found["own"]
    assert found["unwrapped"] == []
    assert found["changed"] == []
    assert found["left"] == []
    assert found["reachable"] >= 340
    assert found["own"]["generate"] >= 45
    assert found["own"]["processors"] >= 80
    assert found["own"]["decode_image_tokens"] >= 2
    assert found["own"]["postprocess"] >= 2
    assert found["patches"] < 1000


def test_what_is_imported_later_is_wrapped_as_it_is_defined():
    found = census(EARLY="1")
    assert found["wrapped"] == found["own"]
    assert found["own"]["generate"] >= 45
