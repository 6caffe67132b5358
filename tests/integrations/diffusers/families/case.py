"""One family of the matrix: how it is built and called, and what must be recorded."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image

TEXT_TO_IMAGE = ("text_encode", "denoise", "vae_decode", "postprocess")
PROMPT = "a red circle"


@dataclass(frozen=True)
class Case:
    """What a pipeline is called with and what the trace must then say.

    Attributes:
        build: makes the pipeline.
        steps: ``diffusion.step.count`` of each generation, the outermost first.
        stages: the outermost generation's stages in their order.
        images: output images recorded on it.
        callback: whether the pipeline has ``callback_on_step_end``, which then counts beside us.
        prompt: whether one was given.
        generator: whether the pipeline takes one.
    """

    build: Callable[[], Any]
    arguments: dict[str, Any]
    steps: tuple[int, ...]
    stages: tuple[str, ...] = TEXT_TO_IMAGE
    images: int = 1
    callback: bool = True
    prompt: bool = True
    generator: bool = True

    def pipeline(self) -> Any:
        torch.manual_seed(0)
        pipe = self.build()
        if hasattr(pipe, "set_progress_bar_config"):
            pipe.set_progress_bar_config(disable=True)
        return pipe

    def call(self, pipe: Any, **more: Any) -> Any:
        given = {"generator": torch.Generator().manual_seed(7)} if self.generator else {}
        if self.prompt:
            given["prompt"] = PROMPT
        torch.manual_seed(1)
        return pipe(**given, **self.arguments, **more)


def picture(color: str = "teal", size: int = 16) -> Image.Image:
    return Image.new("RGB", (size, size), color)
