"""Reading what was recorded of a call."""

import io
import json

from PIL import Image

from examples.shapes.oracle import agreement, read_scene
from lytrace import semconv


def inputs(span):
    """The input messages: (role, parts)."""
    return [(message["role"], message["parts"]) for message in json.loads(span.attributes[semconv.GEN_AI_INPUT_MESSAGES])]


def outputs(span):
    """The output messages."""
    return json.loads(span.attributes[semconv.GEN_AI_OUTPUT_MESSAGES])


def shows(captured, artifact_id, prompt):
    """Whether the recorded picture shows what the prompt asks for."""
    image = Image.open(io.BytesIO(captured.artifacts[artifact_id.removeprefix("sha256:")]))
    return agreement(prompt, read_scene(image)) == 1.0


def usage(span):
    """Token counts by the last words of their names."""
    prefix = "gen_ai.usage."
    return {name.removeprefix(prefix): value for name, value in span.attributes.items() if name.startswith(prefix)}
