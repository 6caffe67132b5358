"""``models/{model}:predict``: Imagen's generate_images and edit_image.

Source: https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/imagen-api.
"""

from typing import Any

from PIL import Image
from starlette.responses import Response

from examples.stand_in import painter
from examples.stand_in.gemini import dimensions
from examples.stand_in.policy import blocked_word
from examples.stand_in.wire import ApiError, Call, as_json, encoded, image_from


async def predict(call: Call) -> Response:
    """Draws ``sampleCount`` images, or changes the raw reference image inside the mask."""
    await call.stumble()
    instances = call.body.get("instances") or []
    if not instances or not instances[0].get("prompt"):
        raise ApiError(400, "INVALID_ARGUMENT", "A prompt is missing.")
    options = call.body.get("parameters") or {}
    prompt = instances[0]["prompt"]
    if "refuse" in call.faults or blocked_word(prompt):
        reason = "The prompt goes against the stand-in's policy. Support code: 58061214"
        return as_json(call, {"predictions": [{"raiFilteredReason": reason}] if options.get("includeRaiReason") else []})
    references = _references(instances[0].get("referenceImages") or [])
    count = int(options.get("sampleCount") or 1)
    return as_json(call, {"predictions": [_prediction(call, prompt, options, references, i) for i in range(count)]})


def _references(given: list[dict[str, Any]]) -> dict[str, Image.Image]:
    """Reference type → picture, the first of each type."""
    found: dict[str, Image.Image] = {}
    for reference in given:
        data = (reference.get("referenceImage") or {}).get("bytesBase64Encoded")
        if data:
            found.setdefault(reference.get("referenceType", ""), image_from(data.translate(str.maketrans("-_", "+/"))))
    return found


def _prediction(
    call: Call, prompt: str, options: dict[str, Any], references: dict[str, Image.Image], index: int
) -> dict[str, Any]:
    wish = f"{prompt}, no {options['negativePrompt']}" if options.get("negativePrompt") else prompt
    seed = painter.seed_of(prompt, index, options.get("seed"))
    raw = references.get("REFERENCE_TYPE_RAW")
    scene = painter.scene_for(wish, seed) if raw is None else painter.edited(painter.scene_of(raw), wish, seed)
    image = painter.paint(scene, *dimensions(options.get("aspectRatio")))
    mask = references.get("REFERENCE_TYPE_MASK")
    if raw is not None and mask is not None:
        image = Image.composite(image, raw.convert("RGB").resize(image.size), mask.convert("L").resize(image.size))
    kind = (options.get("outputOptions") or {}).get("mimeType") or "image/png"
    made = {"mimeType": kind, "bytesBase64Encoded": encoded(image, call.faults, kind.removeprefix("image/"))}
    return made | ({"prompt": scene.caption()} if options.get("enhancePrompt") else {})
