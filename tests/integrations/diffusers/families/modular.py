"""Modular pipelines: blocks in place of a pipeline's class."""

from typing import Any

import diffusers

from tests.integrations.diffusers import tiny
from tests.integrations.diffusers.families import parts
from tests.integrations.diffusers.families.case import Case, picture
from tests.integrations.diffusers.families.images import SIZE, flux_parts


def modular_xl() -> Any:
    from diffusers.modular_pipelines import StableDiffusionXLAutoBlocks

    pipe = StableDiffusionXLAutoBlocks().init_pipeline()
    pipe.update_components(
        vae=parts.vae(),
        text_encoder=parts.clip(),
        tokenizer=parts.clip_tokenizer(),
        text_encoder_2=parts.clip_with_projection(),
        tokenizer_2=parts.clip_tokenizer(),
        unet=parts.xl_unet(6, 2 * parts.WIDTH),
        scheduler=tiny.scheduler(diffusers.EulerDiscreteScheduler),
    )
    return pipe


def modular_flux() -> Any:
    from diffusers.modular_pipelines import FluxAutoBlocks

    pipe = FluxAutoBlocks().init_pipeline()
    pipe.update_components(**flux_parts())
    return pipe


CASES = {
    "modular-sdxl": Case(modular_xl, {"num_inference_steps": 3, "output": "images", **SIZE}, (3,), callback=False),
    "modular-sdxl-img2img": Case(
        modular_xl,
        {"image": picture(), "strength": 0.5, "num_inference_steps": 4, "output": "images", **SIZE},
        (2,),
        ("text_encode", "image_encode", "denoise", "vae_decode", "postprocess"),
        callback=False,
    ),
    "modular-flux": Case(
        modular_flux,
        {"num_inference_steps": 2, "max_sequence_length": 16, "output": ["images"], **SIZE},
        (2,),
        callback=False,
    ),
}
