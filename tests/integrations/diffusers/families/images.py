"""Text to image, image to image, inpainting and their conditioned relatives."""

from typing import Any

import diffusers
import torch

from examples.diffusers.tiny import controlnet as a_controlnet
from examples.diffusers.tiny import sdxl as xl
from examples.diffusers.tiny import sdxl_refiner as xl_refiner
from examples.diffusers.tiny import stable_diffusion as sd
from tests.integrations.diffusers import tiny
from tests.integrations.diffusers.families import parts
from tests.integrations.diffusers.families.case import Case, picture

SIZE = {"height": 16, "width": 16}


def sd_with_safety_checker() -> Any:
    from diffusers.pipelines.stable_diffusion import StableDiffusionSafetyChecker
    from transformers import CLIPConfig

    vision = {"hidden_size": 16, "intermediate_size": 16, "image_size": 16, "patch_size": 8, "num_attention_heads": 2}
    config = CLIPConfig(
        text_config=parts.clip_config().to_dict(),
        vision_config={**vision, "num_hidden_layers": 1, "projection_dim": 16},
        projection_dim=16,
    )
    return sd(safety_checker=StableDiffusionSafetyChecker(config).eval(), feature_extractor=parts.clip_image_processor())


def pndm() -> Any:
    return sd(scheduler_class="PNDMScheduler")


def controlnet(count: int = 1) -> Any:
    made = a_controlnet() if count == 1 else [a_controlnet() for _ in range(count)]
    return sd("StableDiffusionControlNetPipeline", controlnet=made)


def flow(cls: str = "FlowMatchEulerDiscreteScheduler", **changes: Any) -> Any:
    return getattr(diffusers, cls)(**changes)


def sd3(scheduler: Any = None) -> Any:
    return diffusers.StableDiffusion3Pipeline(
        transformer=diffusers.SD3Transformer2DModel(
            sample_size=8,
            patch_size=1,
            in_channels=4,
            num_layers=1,
            attention_head_dim=8,
            num_attention_heads=2,
            caption_projection_dim=16,
            joint_attention_dim=2 * parts.WIDTH,
            pooled_projection_dim=2 * parts.WIDTH,
            out_channels=4,
        ).eval(),
        scheduler=scheduler or flow(),
        vae=parts.vae(use_quant_conv=False, use_post_quant_conv=False, shift_factor=0.06),
        text_encoder=parts.clip_with_projection(),
        tokenizer=parts.clip_tokenizer(77),
        text_encoder_2=parts.clip_with_projection(),
        tokenizer_2=parts.clip_tokenizer(77),
        text_encoder_3=parts.t5(2 * parts.WIDTH),
        tokenizer_3=parts.t5_tokenizer(),
    )


def flux_parts() -> dict[str, Any]:
    return {
        "scheduler": flow(),
        "vae": parts.vae(1, shift_factor=0.06),
        "text_encoder": parts.clip(),
        "tokenizer": parts.clip_tokenizer(),
        "text_encoder_2": parts.t5(),
        "tokenizer_2": parts.t5_tokenizer(),
        "transformer": diffusers.FluxTransformer2DModel(
            patch_size=1,
            in_channels=4,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=parts.WIDTH,
            pooled_projection_dim=parts.WIDTH,
            axes_dims_rope=[4, 4, 8],
        ).eval(),
    }


def flux() -> Any:
    return diffusers.FluxPipeline(**flux_parts())


def z_image() -> Any:
    transformer = diffusers.ZImageTransformer2DModel(
        all_patch_size=(2,),
        all_f_patch_size=(1,),
        in_channels=4,
        dim=32,
        n_layers=1,
        n_refiner_layers=1,
        n_heads=2,
        n_kv_heads=2,
        cap_feat_dim=parts.WIDTH,
        rope_theta=256.0,
        axes_dims=[8, 4, 4],
        axes_lens=[256, 32, 32],
    ).eval()
    with torch.no_grad():  # made by torch.empty
        transformer.x_pad_token.fill_(1.0)
        transformer.cap_pad_token.fill_(1.0)
    return diffusers.ZImagePipeline(
        transformer=transformer,
        vae=parts.vae(scaling_factor=0.36, shift_factor=0.12),
        scheduler=flow(),
        text_encoder=parts.qwen(),
        tokenizer=parts.qwen_tokenizer(),
    )


def pixart() -> Any:
    return diffusers.PixArtAlphaPipeline(
        transformer=diffusers.PixArtTransformer2DModel(
            sample_size=8,
            num_layers=1,
            patch_size=2,
            attention_head_dim=8,
            num_attention_heads=2,
            caption_channels=parts.WIDTH,
            in_channels=4,
            cross_attention_dim=16,
            out_channels=8,
        ).eval(),
        vae=parts.vae(),
        scheduler=tiny.scheduler(diffusers.DDIMScheduler),
        text_encoder=parts.t5(),
        tokenizer=parts.t5_tokenizer(),
    )


def deepfloyd() -> Any:
    scheduler = diffusers.DDPMScheduler(beta_schedule="squaredcos_cap_v2", thresholding=True, variance_type="learned_range")
    return diffusers.IFPipeline(
        text_encoder=parts.t5(),
        tokenizer=parts.t5_tokenizer(77),
        unet=parts.pixel_unet(),
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        watermarker=None,
        requires_safety_checker=False,
    )


def ddpm() -> Any:
    unet = diffusers.UNet2DModel(
        block_out_channels=(4, 8),
        layers_per_block=1,
        sample_size=8,
        norm_num_groups=2,
        attention_head_dim=4,
        down_block_types=("DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D"),
    )
    return diffusers.DDPMPipeline(unet.eval(), diffusers.DDPMScheduler())


IMG2IMG_STAGES = ("text_encode", "image_encode", "denoise", "vae_decode", "postprocess")
NO_GUIDANCE = {"guidance_scale": 1.0}

CASES = {
    "sd15": Case(sd, {"num_inference_steps": 3, **SIZE}, (3,)),
    "sd15-batch": Case(sd, {"num_inference_steps": 2, "num_images_per_prompt": 2, **SIZE}, (2,), images=2),
    "sd15-safety": Case(
        sd_with_safety_checker,
        {"num_inference_steps": 2, **SIZE},
        (2,),
        ("text_encode", "denoise", "vae_decode", "safety_check", "postprocess"),
    ),
    "sd15-pndm": Case(pndm, {"num_inference_steps": 4, **SIZE}, (13,)),
    "sd15-heun": Case(lambda: sd(scheduler_class="HeunDiscreteScheduler"), {"num_inference_steps": 4, **SIZE}, (7,)),
    "sd15-kdpm2": Case(lambda: sd(scheduler_class="KDPM2DiscreteScheduler"), {"num_inference_steps": 3, **SIZE}, (5,)),
    "sd15-euler": Case(lambda: sd(scheduler_class="EulerDiscreteScheduler"), {"num_inference_steps": 3, **SIZE}, (3,)),
    "sd15-dpm++": Case(lambda: sd(scheduler_class="DPMSolverMultistepScheduler"), {"num_inference_steps": 4, **SIZE}, (4,)),
    "sd15-lcm": Case(lambda: sd(scheduler_class="LCMScheduler"), {"num_inference_steps": 3, **SIZE, **NO_GUIDANCE}, (3,)),
    "img2img": Case(
        lambda: sd("StableDiffusionImg2ImgPipeline"),
        {"image": picture(), "strength": 0.5, "num_inference_steps": 4},
        (2,),
        IMG2IMG_STAGES,
    ),
    "inpaint": Case(
        lambda: sd("StableDiffusionInpaintPipeline"),
        {"image": picture(), "mask_image": picture("white"), "strength": 1.0, "num_inference_steps": 2, **SIZE},
        (2,),
        IMG2IMG_STAGES,
    ),
    "controlnet": Case(controlnet, {"image": picture(), "num_inference_steps": 2}, (2,)),
    "multi-controlnet": Case(
        lambda: controlnet(2), {"image": [picture(), picture("red")], "num_inference_steps": 2, **SIZE}, (2,)
    ),
    "pag": Case(
        lambda: sd("StableDiffusionPAGPipeline", pag_applied_layers=["mid"]),
        {"num_inference_steps": 2, "pag_scale": 2.0, **SIZE},
        (2,),
    ),
    "sdxl": Case(xl, {"num_inference_steps": 3, **SIZE}, (3,)),
    "sdxl-heun": Case(lambda: xl(scheduler_class="HeunDiscreteScheduler"), {"num_inference_steps": 3, **SIZE}, (5,)),
    "sdxl-refiner": Case(xl_refiner, {"image": picture(), "strength": 0.5, "num_inference_steps": 4}, (2,), IMG2IMG_STAGES),
    "sd3": Case(sd3, {"num_inference_steps": 3, "max_sequence_length": 16, **SIZE}, (3,)),
    "sd3-flow-heun": Case(
        lambda: sd3(flow("FlowMatchHeunDiscreteScheduler")),
        {"num_inference_steps": 3, "max_sequence_length": 16, **SIZE},
        (5,),
    ),
    "flux": Case(flux, {"num_inference_steps": 2, "max_sequence_length": 16, **SIZE}, (2,)),
    "flux-true-cfg": Case(
        flux,
        {"num_inference_steps": 2, "max_sequence_length": 16, "true_cfg_scale": 2.0, "negative_prompt": "b", **SIZE},
        (2,),
    ),
    "z-image": Case(z_image, {"num_inference_steps": 3, "max_sequence_length": 16, **SIZE}, (3,)),
    "pixart": Case(
        pixart,
        {"num_inference_steps": 3, "use_resolution_binning": False, "max_sequence_length": 16, **SIZE},
        (3,),
        callback=False,
    ),
    "deepfloyd-if": Case(deepfloyd, {"num_inference_steps": 3}, (3,), ("text_encode", "denoise", "postprocess"), callback=False),
    "ddpm": Case(ddpm, {"num_inference_steps": 3}, (3,), ("denoise", "postprocess"), callback=False, prompt=False),
}
