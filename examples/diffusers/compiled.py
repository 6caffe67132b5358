"""``torch.compile``: what the first call pays, and what the later ones take. Recording adds no graph and no break to any.

python -m examples.diffusers.compiled
python -m examples.diffusers.compiled --backend inductor --model stable-diffusion-v1-5/stable-diffusion-v1-5 --steps 30
"""

import torch
from diffusers import DiffusionPipeline

from examples.diffusers import tiny
from examples.diffusers.shown import arguments, print_trace, recording
from lytrace import semconv


def main() -> None:
    """Draw three times with a compiled denoiser."""
    given = arguments(__doc__, backend="inductor, which needs a C++ compiler on a CPU")
    with recording() as captured:
        pipe = DiffusionPipeline.from_pretrained(given.model) if given.model else tiny.seeded(tiny.stable_diffusion)
        pipe.unet = torch.compile(pipe.unet, backend=given.backend or "eager")
        size = None if given.model else 16
        for seed in range(3):
            generator = torch.Generator().manual_seed(seed)
            pipe("a kite", num_inference_steps=given.steps, generator=generator, height=size, width=size)
        print_trace(captured, semconv.DIFFUSION_STEP_COUNT, semconv.COLD_START)
        calls = [span for span in captured.spans if span.kind == semconv.KIND_GENERATION]
        first, *later = [(span.end_ns - span.start_ns) / 1e6 for span in sorted(calls, key=lambda span: span.start_ns)]
        print(f"the first call, which compiles: {first:.0f} ms; later ones: {min(later):.0f} ms")


if __name__ == "__main__":
    main()
