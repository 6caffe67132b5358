"""The three networks of the shapes model, small enough to train on one CPU core, and how they are saved."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from diffusers.utils import SAFETENSORS_WEIGHTS_NAME
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from examples.shapes.tokenizer import MAX_TOKENS

LATENT_CHANNELS = 8
LATENT_SIZE = 8
"""Width and height of a latent; one latent cell stands for 8x8 pixels."""

TEXT_WIDTH = 96

FAINT = 0.25
"""Spread of a latent direction below which whitening leaves it small: it holds little but noise."""


def build_autoencoder() -> AutoencoderKL:
    """64x64x3 pixels to 8x8x8 latents and back."""
    autoencoder = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(16, 32, 32, 64),
        layers_per_block=1,
        latent_channels=LATENT_CHANNELS,
        norm_num_groups=8,
        sample_size=64,
        mid_block_add_attention=False,
    )
    with torch.no_grad():  # a posterior that starts narrow: noise of one would drown the first lessons
        autoencoder.quant_conv.weight[LATENT_CHANNELS:] *= 0.1
        autoencoder.quant_conv.bias[LATENT_CHANNELS:] = -6.0
    return autoencoder


def whiten_latents(autoencoder: AutoencoderKL, latents: torch.Tensor) -> None:
    """Changes the autoencoder so that its latents have mean zero and nearly unit covariance over their channels.

    `latents` (n, 8, h, w) are means of its posterior. The change is exact: the 1x1 convolutions on either side of the
    latents take it up. Without it the background has most of the variance, and the denoiser hardly learns the shapes.
    """
    cells = latents.double().permute(0, 2, 3, 1).reshape(-1, LATENT_CHANNELS)
    centre = cells.mean(dim=0)
    values, vectors = torch.linalg.eigh(torch.cov(cells.T))
    spread = (values + FAINT**2).sqrt()
    forward, backward = vectors / spread @ vectors.T, vectors * spread @ vectors.T
    before, after = autoencoder.quant_conv, autoencoder.post_quant_conv
    with torch.no_grad():
        noise = torch.linalg.vecdot(forward.square(), before.bias[LATENT_CHANNELS:].double().exp())
        after.bias += after.weight[:, :, 0, 0] @ centre.to(after.weight)
        after.weight[:, :, 0, 0] = (after.weight[:, :, 0, 0].double() @ backward).to(after.weight)
        mean_weight, mean_bias = before.weight[:LATENT_CHANNELS, :, 0, 0].double(), before.bias[:LATENT_CHANNELS]
        before.weight[:LATENT_CHANNELS, :, 0, 0] = (forward @ mean_weight).to(before.weight)
        before.bias[:LATENT_CHANNELS] = (forward @ (mean_bias.double() - centre)).to(before.weight)
        before.weight[LATENT_CHANNELS:] = 0.0
        before.bias[LATENT_CHANNELS:] = noise.log().to(before.weight)
    autoencoder.register_to_config(scaling_factor=1.0)


def build_denoiser() -> UNet2DConditionModel:
    """The text-conditioned denoiser of 8x8x8 latents."""
    return UNet2DConditionModel(
        sample_size=LATENT_SIZE,
        in_channels=LATENT_CHANNELS,
        out_channels=LATENT_CHANNELS,
        down_block_types=("CrossAttnDownBlock2D",) * 2,
        up_block_types=("CrossAttnUpBlock2D",) * 2,
        block_out_channels=(64, 96),
        layers_per_block=1,
        cross_attention_dim=TEXT_WIDTH,
        attention_head_dim=4,  # diffusers reads this as the number of heads
        norm_num_groups=16,
    )


def build_text_encoder(tokenizer: CLIPTokenizer) -> CLIPTextModel:
    """A two-layer CLIP text encoder for the tokenizer's vocabulary."""
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=TEXT_WIDTH,
        intermediate_size=2 * TEXT_WIDTH,
        projection_dim=TEXT_WIDTH,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=MAX_TOKENS,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return CLIPTextModel(config)


def build_scheduler() -> DDIMScheduler:
    """The noise schedule of training; its last step keeps almost no signal, which plain backgrounds need."""
    return DDIMScheduler(
        num_train_timesteps=1000,
        beta_start=0.00085,
        beta_end=0.02,
        beta_schedule="scaled_linear",
        prediction_type="v_prediction",
        timestep_spacing="trailing",
        clip_sample=False,
        steps_offset=1,  # StableDiffusionPipeline warns about any other value, though trailing spacing ignores it
        set_alpha_to_one=True,
    )


def save_pipeline(
    folder: Path,
    autoencoder: AutoencoderKL,
    denoiser: UNet2DConditionModel,
    text_encoder: CLIPTextModel,
    tokenizer: CLIPTokenizer,
) -> None:
    """Writes a directory that a plain `StableDiffusionPipeline.from_pretrained(folder)` loads.

    The denoiser and the autoencoder are stored as fp16 to stay small. The text encoder stays fp32: transformers 5 loads
    weights in the type they are stored in while diffusers casts to fp32, and the two would not fit together.
    """
    pipeline = StableDiffusionPipeline(
        vae=autoencoder,
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        unet=denoiser,
        scheduler=build_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(folder, safe_serialization=True)
    for part, name in ((denoiser, "unet"), (autoencoder, "vae")):
        _save_half(part, folder / name)
    _drop_machine_paths(folder)


def _save_half(part: torch.nn.Module, folder: Path) -> None:
    """Overwrites the saved weights of one network with fp16 ones; the network itself stays as it is."""
    weights = {name: value.detach().to(torch.float16).contiguous() for name, value in part.state_dict().items()}
    save_file(weights, folder / SAFETENSORS_WEIGHTS_NAME, metadata={"format": "pt"})


def _drop_machine_paths(folder: Path) -> None:
    """Removes `_name_or_path` from every config: it names the machine's own folders."""
    for path in folder.rglob("*.json"):
        content = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(content, dict) and content.pop("_name_or_path", None) is not None:
            path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
