"""The demo's other half: the real SDKs of OpenAI and Google, against the stand-in server, which draws by parsing the prompt."""

import base64
import contextlib
import io
import logging
import warnings
from collections.abc import Callable, Iterator
from typing import Any

from PIL import Image

import lytrace
from examples.stand_in import serve

OPENAI_IMAGE, OPENAI_CHAT, GEMINI_IMAGE = "stand-in-gpt-image", "stand-in-chat", "stand-in-gemini-image"
PRICES = {
    "prices": [
        {"model": model, "source": "invented for the demo: the stand-in is free", "usd_per_million_tokens": kinds}
        for model, kinds in (
            (OPENAI_IMAGE, {"text_input": 5.0, "image_input": 10.0, "image_output": 40.0, "text_output": 0.0}),
            (OPENAI_CHAT, {"input": 1.25, "output": 10.0}),
            (GEMINI_IMAGE, {"input": 0.3, "image_output": 30.0, "text_output": 2.5}),
        )
    ]
}
"""Prices in the orders of magnitude that such models have, so that the demo has costs to show."""

Judge = Callable[[str, Image.Image], None]
"""Scores the image that was just made against its prompt."""


class Apis:
    """Five ways to use an image API, each a traced function."""

    def __init__(self, openai_client: Any, google_client: Any, judge: Judge) -> None:
        self._openai = openai_client
        self._google = google_client
        self._judge = judge

    @lytrace.trace
    def openai_image(self, prompt: str) -> Image.Image:
        """An image by OpenAI's images endpoint."""
        made = self._openai.images.generate(model=OPENAI_IMAGE, prompt=prompt, size="512x512", quality="low")
        image = Image.open(io.BytesIO(base64.b64decode(made.data[0].b64_json)))
        self._judge(prompt, image)
        return image

    @lytrace.trace
    def gemini_image(self, prompt: str) -> Image.Image:
        """An image by Gemini."""
        made = self._google.models.generate_content(model=GEMINI_IMAGE, contents=prompt)
        image = _first_image(made)
        self._judge(prompt, image)
        return image

    @lytrace.trace
    def gemini_edit(self, image: Image.Image, instruction: str) -> Image.Image:
        """A picture changed by a word, in a stream."""
        changed = image
        for chunk in self._google.models.generate_content_stream(model=GEMINI_IMAGE, contents=[instruction, image]):
            changed = _first_image(chunk) or changed
        return changed

    @lytrace.trace
    def openai_caption(self, image: Image.Image) -> str:
        """What a picture shows, in words that come one by one."""
        out = io.BytesIO()
        image.save(out, "PNG")
        url = f"data:image/png;base64,{base64.b64encode(out.getvalue()).decode()}"
        parts = [{"type": "text", "text": "What does this picture show?"}, {"type": "image_url", "image_url": {"url": url}}]
        chunks = self._openai.chat.completions.create(
            model=OPENAI_CHAT,
            messages=[{"role": "user", "content": parts}],
            stream=True,
            stream_options={"include_usage": True},
        )
        return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)

    @lytrace.trace
    def gemini_refusal(self, prompt: str) -> str:
        """A prompt that the policy refuses: no exception, and no image."""
        made = self._google.models.generate_content(model=GEMINI_IMAGE, contents=prompt)
        return str(made.candidates[0].finish_reason.value)


@contextlib.contextmanager
def connected(judge: Judge) -> Iterator[Apis]:
    """The two SDKs' clients, connected to a stand-in on a thread of this program."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # google-genai's own
        import openai
        from google import genai
    logging.getLogger("google_genai").setLevel(logging.ERROR)  # its advice on how to read an answer
    with (
        serve() as stand_in,
        openai.OpenAI(base_url=stand_in.openai_base_url, api_key="stand-in") as openai_client,
        genai.Client(api_key="stand-in", http_options={"base_url": stand_in.url}) as google_client,
    ):
        yield Apis(openai_client, google_client, judge)


def _first_image(answer: Any) -> Any:
    """The first picture of a Gemini answer; None where there is none."""
    parts = answer.candidates[0].content.parts or []
    data = next((part.inline_data.data for part in parts if part.inline_data), None)
    return None if data is None else Image.open(io.BytesIO(data))
