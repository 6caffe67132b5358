"""A stand-in for the image APIs of OpenAI and Google: their wire formats, with drawings of shapes in place of a model.

It understands a prompt by parsing it, negation included, and draws what it understood. Nothing here is a model, and every
answer says so: model names, the ``server`` header, response ids, the start page. docs/stand-in.md shows it in use.

Run it with ``python -m examples.stand_in --port 8087``, or inside a program with `serve`.
"""

from examples.stand_in.server import StandIn, serve

__all__ = ["StandIn", "serve"]
