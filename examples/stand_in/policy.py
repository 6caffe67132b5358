"""What the stand-in refuses to draw, so that refusals can be tested: prompts with one of a few words."""

import re

BLOCKED_WORDS = ("gore", "nudity", "weapon")
"""Words that make a prompt one that is refused."""


def blocked_word(prompt: str) -> str | None:
    """The first blocked word of the prompt."""
    words = re.findall(r"[a-z]+", prompt.lower())
    return next((word for word in words if word in BLOCKED_WORDS), None)
