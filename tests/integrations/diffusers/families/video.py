"""Video and audio."""

from typing import Any

import diffusers
from transformers import UMT5Config, UMT5EncoderModel

from tests.integrations.diffusers import tiny
from tests.integrations.diffusers.families import parts
from tests.integrations.diffusers.families.case import Case
from tests.integrations.diffusers.families.images import SIZE, flow

VIDEO_STAGES = ("text_encode", "denoise", "vae_decode", "postprocess")


def animatediff() -> Any:
    return diffusers.AnimateDiffPipeline(
        vae=parts.vae(),
        text_encoder=parts.clip(),
        tokenizer=parts.clip_tokenizer(),
        unet=parts.unet(
            block_out_channels=(8, 8),
            down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
            up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        ),
        motion_adapter=diffusers.MotionAdapter(
            block_out_channels=(8, 8),
            motion_layers_per_block=1,
            motion_norm_num_groups=2,
            motion_num_attention_heads=2,
        ),
        scheduler=tiny.scheduler(diffusers.DDIMScheduler),
    )


def wan(two_transformers: bool) -> Any:
    def transformer() -> Any:
        return diffusers.WanTransformer3DModel(
            patch_size=(1, 2, 2),
            num_attention_heads=2,
            attention_head_dim=12,
            in_channels=4,
            out_channels=4,
            text_dim=parts.WIDTH,
            freq_dim=32,
            ffn_dim=16,
            num_layers=1,
            cross_attn_norm=True,
            rope_max_seq_len=32,
        ).eval()

    vae = diffusers.AutoencoderKLWan(
        base_dim=3,
        z_dim=4,
        dim_mult=[1, 1, 1, 1],
        num_res_blocks=1,
        temperal_downsample=[False, True, True],
        latents_mean=[0.0] * 4,
        latents_std=[1.0] * 4,
    )
    return diffusers.WanPipeline(
        tokenizer=parts.t5_tokenizer(),
        text_encoder=parts.t5(),
        transformer=transformer(),
        transformer_2=transformer() if two_transformers else None,
        vae=vae.eval(),
        scheduler=diffusers.UniPCMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0),
        boundary_ratio=0.875 if two_transformers else None,
    )


def ltx() -> Any:
    vae = diffusers.AutoencoderKLLTXVideo(
        latent_channels=8,
        block_out_channels=(8, 8, 8, 8),
        decoder_block_out_channels=(8, 8, 8, 8),
        layers_per_block=(1, 1, 1, 1, 1),
        decoder_layers_per_block=(1, 1, 1, 1, 1),
        spatio_temporal_scaling=(True, True, False, False),
        decoder_spatio_temporal_scaling=(True, True, False, False),
        decoder_inject_noise=(False,) * 5,
        upsample_residual=(False,) * 4,
        upsample_factor=(1,) * 4,
        patch_size=1,
        patch_size_t=1,
    )
    return diffusers.LTXPipeline(
        transformer=diffusers.LTXVideoTransformer3DModel(
            in_channels=8,
            out_channels=8,
            num_attention_heads=2,
            attention_head_dim=8,
            cross_attention_dim=16,
            num_layers=1,
            caption_channels=parts.WIDTH,
        ).eval(),
        vae=vae.eval(),
        scheduler=flow(),
        text_encoder=parts.t5(),
        tokenizer=parts.t5_tokenizer(),
    )


def stable_audio() -> Any:
    """Its scheduler needs torchsde, which is not installed: an Euler scheduler takes its place."""
    from diffusers.pipelines.stable_audio import StableAudioProjectionModel

    return diffusers.StableAudioPipeline(
        transformer=diffusers.StableAudioDiTModel(
            sample_size=4,
            in_channels=3,
            num_layers=1,
            attention_head_dim=4,
            num_key_value_attention_heads=2,
            out_channels=3,
            cross_attention_dim=4,
            time_proj_dim=8,
            global_states_input_dim=8,
            cross_attention_input_dim=4,
        ).eval(),
        scheduler=diffusers.EDMDPMSolverMultistepScheduler(prediction_type="v_prediction"),
        vae=diffusers.AutoencoderOobleck(
            encoder_hidden_size=6,
            downsampling_ratios=[1, 2],
            decoder_channels=3,
            decoder_input_channels=3,
            audio_channels=2,
            channel_multiples=[2, 4],
            sampling_rate=4,
        ).eval(),
        text_encoder=parts.t5(),
        tokenizer=parts.t5_tokenizer(),
        projection_model=StableAudioProjectionModel(
            text_encoder_dim=parts.WIDTH, conditioning_dim=4, min_value=0, max_value=32
        ).eval(),
    )


def longcat_audio() -> Any:
    config = UMT5Config(d_model=32, num_layers=1, num_heads=2, d_ff=32, vocab_size=120)
    return diffusers.LongCatAudioDiTPipeline(
        vae=diffusers.LongCatAudioDiTVae(
            in_channels=1, channels=16, c_mults=[1, 2], strides=[2], latent_dim=8, encoder_latent_dim=16, downsampling_ratio=2
        ).eval(),
        text_encoder=UMT5EncoderModel(config).eval(),
        tokenizer=parts.t5_tokenizer(),
        transformer=diffusers.LongCatAudioDiTTransformer(
            dit_dim=32, dit_depth=1, dit_heads=2, dit_text_dim=32, latent_dim=8, text_conv=False
        ).eval(),
    )


CASES = {
    "animatediff": Case(animatediff, {"num_inference_steps": 2, "num_frames": 3, **SIZE}, (2,), VIDEO_STAGES),
    "wan-2.1": Case(
        lambda: wan(two_transformers=False),
        {"num_inference_steps": 2, "num_frames": 5, "max_sequence_length": 16, **SIZE},
        (2,),
        VIDEO_STAGES,
    ),
    "wan-2.2": Case(
        lambda: wan(two_transformers=True),
        {"num_inference_steps": 4, "num_frames": 5, "max_sequence_length": 16, **SIZE},
        (4,),
        VIDEO_STAGES,
    ),
    "ltx": Case(
        ltx,
        {"num_inference_steps": 2, "num_frames": 9, "max_sequence_length": 16, "height": 32, "width": 32},
        (2,),
        VIDEO_STAGES,
    ),
    "stable-audio": Case(
        stable_audio, {"num_inference_steps": 3}, (3,), ("text_encode", "denoise", "vae_decode"), images=0, callback=False
    ),
    "longcat-audio": Case(
        longcat_audio,
        {"num_inference_steps": 3, "audio_duration_s": 0.1, "output_type": "pt"},
        (3,),
        ("text_encode", "denoise", "vae_decode"),
        images=0,
    ),
}
