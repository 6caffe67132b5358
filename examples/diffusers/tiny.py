"""Tiny pipelines with random weights, built from configurations in code: real classes, milliseconds a step, nothing downloaded.

What they draw is noise. They let the examples run on any machine in seconds.
"""

from typing import Any

import diffusers
import torch
from diffusers import AutoencoderKL, ControlNetModel, DDIMScheduler, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

WIDTH = 16
"""Hidden size of every text encoder here."""
LETTERS = [chr(code) for code in range(33, 127)]


def clip_tokenizer(model_max_length: int = 77) -> CLIPTokenizer:
    """A tokenizer that knows single characters."""
    words = ["<|startoftext|>", "<|endoftext|>", *LETTERS, *(letter + "</w>" for letter in LETTERS)]
    vocabulary = {word: index for index, word in enumerate(words)}
    return CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=model_max_length)


def clip_config(**changes: Any) -> CLIPTextConfig:
    """A text encoder's configuration."""
    settings = {
        "hidden_size": WIDTH,
        "intermediate_size": WIDTH,
        "num_attention_heads": 2,
        "num_hidden_layers": 2,
        "vocab_size": 200,
        "max_position_embeddings": 77,
        "bos_token_id": 0,
        "eos_token_id": 1,
        "pad_token_id": 1,
        "projection_dim": WIDTH,
    }
    return CLIPTextConfig(**settings | changes)


def clip() -> CLIPTextModel:
    """Stable Diffusion's text encoder."""
    return CLIPTextModel(clip_config()).eval()


def clip_with_projection() -> CLIPTextModelWithProjection:
    """SDXL's second text encoder."""
    return CLIPTextModelWithProjection(clip_config()).eval()


def vae(latent_channels: int = 4, **changes: Any) -> AutoencoderKL:
    """Two blocks: a latent of half the image's side."""
    settings = {
        "block_out_channels": (4, 8),
        "down_block_types": ("DownEncoderBlock2D",) * 2,
        "up_block_types": ("UpDecoderBlock2D",) * 2,
        "latent_channels": latent_channels,
        "norm_num_groups": 2,
    }
    return AutoencoderKL(**settings | changes).eval()


def unet(**changes: Any) -> UNet2DConditionModel:
    """Stable Diffusion's denoiser."""
    settings = {
        "block_out_channels": (4, 8),
        "layers_per_block": 1,
        "sample_size": 8,
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
        "cross_attention_dim": WIDTH,
        "attention_head_dim": 4,
        "norm_num_groups": 2,
    }
    return UNet2DConditionModel(**settings | changes).eval()


def xl_unet(time_ids: int, cross_attention_dim: int) -> UNet2DConditionModel:
    """SDXL's, whose base takes six time ids and two encoders, whose refiner five and one."""
    return unet(
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        transformer_layers_per_block=1,
        projection_class_embeddings_input_dim=time_ids * 8 + WIDTH,
        cross_attention_dim=cross_attention_dim,
    )


def controlnet() -> ControlNetModel:
    """A ControlNet for :func:`unet`."""
    return ControlNetModel(
        block_out_channels=(4, 8),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        cross_attention_dim=WIDTH,
        attention_head_dim=4,
        norm_num_groups=2,
        conditioning_embedding_out_channels=(4, 8),
    ).eval()


def scheduler(cls: type = DDIMScheduler, **changes: Any) -> Any:
    """A scheduler with the settings that Stable Diffusion uses."""
    settings = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "steps_offset": 1, **changes}
    if cls is DDIMScheduler:
        settings |= {"clip_sample": False, "set_alpha_to_one": False}
    return cls(**settings)


def stable_diffusion(cls: str = "StableDiffusionPipeline", scheduler_class: str = "DDIMScheduler", **changes: Any) -> Any:
    """Stable Diffusion 1.5 or one of its relatives, for images of 16×16 pixels."""
    settings = {
        "vae": vae(),
        "text_encoder": clip(),
        "tokenizer": clip_tokenizer(),
        "unet": unet(),
        "scheduler": scheduler(getattr(diffusers, scheduler_class)),
        "safety_checker": None,
        "feature_extractor": None,
        "requires_safety_checker": False,
    }
    return getattr(diffusers, cls)(**settings | changes)


def sdxl(cls: str = "StableDiffusionXLPipeline", scheduler_class: str = "EulerDiscreteScheduler", **changes: Any) -> Any:
    """SDXL or one of its relatives."""
    settings = {
        "vae": vae(),
        "text_encoder": clip(),
        "tokenizer": clip_tokenizer(),
        "text_encoder_2": clip_with_projection(),
        "tokenizer_2": clip_tokenizer(),
        "unet": xl_unet(6, 2 * WIDTH),
        "scheduler": scheduler(getattr(diffusers, scheduler_class)),
        "add_watermarker": False,
    }
    return getattr(diffusers, cls)(**settings | changes)


def sdxl_refiner(**changes: Any) -> Any:
    """SDXL's refiner: one text encoder, and an aesthetic score among the conditions."""
    settings = {"text_encoder": None, "tokenizer": None, "unet": xl_unet(5, WIDTH), "requires_aesthetics_score": True}
    return sdxl("StableDiffusionXLImg2ImgPipeline", **settings | changes)


def seeded(build: Any, *args: Any, **changes: Any) -> Any:
    """What ``build`` makes, with the same weights every time and without a progress bar."""
    torch.manual_seed(0)
    pipe = build(*args, **changes)
    pipe.set_progress_bar_config(disable=True)
    return pipe
