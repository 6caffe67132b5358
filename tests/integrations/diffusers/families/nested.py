"""Pipelines that call other pipelines."""

from typing import Any

import diffusers
import torch

from tests.integrations.diffusers import tiny
from tests.integrations.diffusers.families import parts
from tests.integrations.diffusers.families.case import Case


def kandinsky_combined() -> Any:
    unet = parts.unet(
        out_channels=8,
        addition_embed_type="image",
        down_block_types=("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"),
        mid_block_type="UNetMidBlock2DSimpleCrossAttn",
        up_block_types=("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"),
        encoder_hid_dim=parts.WIDTH,
        encoder_hid_dim_type="image_proj",
        cross_attention_dim=16,
        resnet_time_scale_shift="scale_shift",
    )
    movq = diffusers.VQModel(
        block_out_channels=(32, 32),
        down_block_types=("DownEncoderBlock2D", "AttnDownEncoderBlock2D"),
        up_block_types=("AttnUpDecoderBlock2D", "UpDecoderBlock2D"),
        latent_channels=4,
        layers_per_block=1,
        norm_num_groups=4,
        norm_type="spatial",
        num_vq_embeddings=12,
        vq_embed_dim=4,
    )
    prior = diffusers.PriorTransformer(
        num_attention_heads=2, attention_head_dim=8, embedding_dim=parts.WIDTH, num_layers=1, num_embeddings=77
    )
    prior.clip_std = torch.nn.Parameter(torch.ones(prior.clip_std.shape))
    return diffusers.KandinskyV22CombinedPipeline(
        unet=unet,
        scheduler=tiny.scheduler(diffusers.DDIMScheduler),
        movq=movq.eval(),
        prior_prior=prior.eval(),
        prior_image_encoder=parts.clip_vision(),
        prior_text_encoder=parts.clip_with_projection(),
        prior_tokenizer=parts.clip_tokenizer(77),
        prior_scheduler=diffusers.UnCLIPScheduler(
            variance_type="fixed_small_log", prediction_type="sample", clip_sample_range=10.0
        ),
        prior_image_processor=parts.clip_image_processor(),
    )


CASES = {
    "kandinsky-combined": Case(
        kandinsky_combined,
        {"num_inference_steps": 3, "prior_num_inference_steps": 2, "height": 16, "width": 16},
        (0, 2, 3),
        (),
    ),
}
