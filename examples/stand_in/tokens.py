"""Token counts as the real APIs give them: words stand for text tokens, images cost what their size and quality say."""

import re

from PIL import Image

GEMINI_IMAGE_INPUT = 258
"""Tokens of one image in a Gemini prompt. Source: https://ai.google.dev/gemini-api/docs/tokens (tiles of 768 pixels)."""

GEMINI_IMAGE_OUTPUT = 1290
"""Tokens of one generated image of up to 1024 pixels. Source: https://ai.google.dev/gemini-api/docs/image-generation."""

GEMINI_VIDEO_PER_SECOND = 263

_SQUARE = {"low": 272, "medium": 1056, "high": 4160}
"""Output tokens of gpt-image at 1024x1024. Source: https://platform.openai.com/docs/guides/image-generation."""


def text_tokens(text: str) -> int:
    """Words and marks of the text, at least one."""
    return max(1, len(re.findall(r"\w+|[^\w\s]", text)))


def openai_image_output(width: int, height: int, quality: str) -> int:
    """Output tokens of one image, by area and quality; "auto" counts as medium."""
    return max(1, round(_SQUARE.get(quality, _SQUARE["medium"]) * width * height / 1024**2))


def openai_image_input(image: Image.Image) -> int:
    """Tokens of one image in a prompt: 85 and 170 a tile of 512 pixels."""
    tiles = -(-image.width // 512) * -(-image.height // 512)
    return 85 + 170 * tiles
