"""Tokenizers, encoders, autoencoders and denoisers of a few thousand parameters, built in code: nothing is downloaded."""

import torch
from diffusers import UNet2DConditionModel
from transformers import (
    CLIPImageProcessor,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
    Qwen2Tokenizer,
    Qwen3Config,
    Qwen3Model,
    T5Config,
    T5EncoderModel,
    T5Tokenizer,
)

from examples.diffusers.tiny import (  # noqa: F401 - the families are built with these, too
    LETTERS,
    WIDTH,
    clip,
    clip_config,
    clip_tokenizer,
    clip_with_projection,
    unet,
    vae,
    xl_unet,
)
from tests.integrations.diffusers import tiny  # noqa: F401 - one thread for torch


def t5_tokenizer(model_max_length: int = 16) -> T5Tokenizer:
    words = ["<pad>", "</s>", "<unk>", "▁", *LETTERS]
    return T5Tokenizer(vocab=[(word, 0.0) for word in words], extra_ids=0, model_max_length=model_max_length)


def qwen_tokenizer() -> Qwen2Tokenizer:
    vocabulary = {word: index for index, word in enumerate(["<|endoftext|>", "Ġ", "Ċ", *LETTERS])}
    tokenizer = Qwen2Tokenizer(vocab=vocabulary, merges=[], model_max_length=64)
    tokenizer.chat_template = "{% for message in messages %}{{ message['content'] }}{% endfor %}"
    return tokenizer


def clip_vision() -> CLIPVisionModelWithProjection:
    config = CLIPVisionConfig(
        hidden_size=WIDTH,
        intermediate_size=WIDTH,
        image_size=16,
        patch_size=8,
        num_attention_heads=2,
        num_hidden_layers=1,
        projection_dim=WIDTH,
    )
    return CLIPVisionModelWithProjection(config).eval()


def clip_image_processor() -> CLIPImageProcessor:
    return CLIPImageProcessor(crop_size={"height": 16, "width": 16}, size={"shortest_edge": 16})


def t5(width: int = WIDTH) -> T5EncoderModel:
    config = T5Config(vocab_size=120, d_model=width, d_ff=WIDTH, d_kv=4, num_heads=2, num_layers=1)
    return T5EncoderModel(config).eval()


def qwen() -> Qwen3Model:
    config = Qwen3Config(
        vocab_size=120,
        hidden_size=WIDTH,
        intermediate_size=WIDTH,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        head_dim=8,
        max_position_embeddings=128,
    )
    return Qwen3Model(config).eval()


def pixel_unet() -> UNet2DConditionModel:
    """DeepFloyd's: no latent, and a variance beside the noise."""
    return unet(
        in_channels=3,
        out_channels=6,
        down_block_types=("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"),
        mid_block_type="UNetMidBlock2DSimpleCrossAttn",
        up_block_types=("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"),
        cross_attention_dim=32,
        encoder_hid_dim=WIDTH,
        addition_embed_type="text",
        addition_embed_type_num_heads=2,
        cross_attention_norm="group_norm",
        resnet_time_scale_shift="scale_shift",
        act_fn="gelu",
    )


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
