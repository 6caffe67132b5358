"""Where a prompt is found, and in which order."""

import json

import pytest

from lytrace import semconv
from lytrace_collector.prompts import RAW, TEXT_LIMIT, find_prompt
from tests.collector.support import messages

GEN_AI_PROMPT, INPUT_VALUE, TRACELOOP, CAPTURED = semconv.FOREIGN_PROMPT_ATTRIBUTES


@pytest.mark.parametrize(
    ("attributes", "text", "rank"),
    [
        ({semconv.GEN_AI_INPUT_MESSAGES: messages("a red circle")}, "a red circle", 0),
        ({semconv.GEN_AI_INPUT_MESSAGES: "a red circle"}, "a red circle", 0),
        ({semconv.GEN_AI_INPUT_MESSAGES: [{"kvlistValue": {"role": "user", "content": "a dog"}}]}, "a dog", 0),
        ({GEN_AI_PROMPT: "a cat"}, "a cat", 1),
        ({INPUT_VALUE: json.dumps({"messages": [{"role": "user", "content": "a hat"}]})}, "a hat", 2),
        ({INPUT_VALUE: json.dumps([{"role": "user", "content": [{"type": "text", "text": "a hen"}]}])}, "a hen", 2),
        ({TRACELOOP: json.dumps({"inputs": {"prompt": "a fox"}})}, "a fox", 3),
        ({CAPTURED: json.dumps({"prompt": "a bee", "steps": 20})}, "a bee", 4),
        ({CAPTURED: json.dumps({"prompt": ["a bee", "an ant"]})}, "a bee\nan ant", 4),
        ({CAPTURED: json.dumps({"count": 3})}, '{"count": 3}', RAW),
        ({CAPTURED: json.dumps({"prompt": "worse"}), GEN_AI_PROMPT: "better"}, "better", 1),
        ({INPUT_VALUE: '{"count": 3}', CAPTURED: json.dumps({"prompt": "found"})}, "found", 4),
    ],
)
def test_the_prompt_of_a_span(attributes, text, rank):
    prompt = find_prompt(attributes)
    assert prompt is not None
    assert (prompt.text, prompt.rank) == (text, rank)


@pytest.mark.parametrize(
    "attributes", [{}, {CAPTURED: "{}"}, {CAPTURED: "[]"}, {semconv.GEN_AI_INPUT_MESSAGES: ""}, {INPUT_VALUE: 5}]
)
def test_no_prompt(attributes):
    assert find_prompt(attributes) is None


def test_system_and_picture_parts_are_no_prompt():
    sent = [
        {"role": "system", "parts": [{"type": "text", "content": "You draw."}]},
        {"role": "user", "parts": [{"type": "uri", "uri": "x"}, {"type": "text", "content": "this, in blue"}]},
    ]
    prompt = find_prompt({semconv.GEN_AI_INPUT_MESSAGES: json.dumps(sent)})
    assert prompt is not None
    assert prompt.text == "this, in blue"


def test_each_image_of_a_batch_has_its_own_prompt():
    prompt = find_prompt({semconv.GEN_AI_INPUT_MESSAGES: messages("one", "two")})
    assert prompt is not None
    assert [prompt.of_image(index, 4) for index in range(4)] == ["one", "one", "two", "two"]
    assert prompt.of_image(0, 3) == "one\ntwo"


def test_a_long_prompt_is_cut_visibly():
    prompt = find_prompt({GEN_AI_PROMPT: "x" * (TEXT_LIMIT + 1)})
    assert prompt is not None
    assert len(prompt.text) == TEXT_LIMIT
    assert prompt.text.endswith("…")
