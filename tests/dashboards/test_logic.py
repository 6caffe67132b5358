"""The dashboard's pure functions, asked in the browser that runs them."""

import json
from typing import Any

import pytest
from playwright.sync_api import Page

pytestmark = pytest.mark.browser


@pytest.fixture
def call(page: Page, studio: str):
    """Calls an exported function of a module of the dashboard."""
    page.goto(f"{studio}/#/unknown")

    def call(module: str, function: str, *arguments: Any) -> Any:
        script = "async ([module, name, given]) => (await import(`/static/lib/${module}.js`))[name](...given)"
        return page.evaluate(script, [module, function, list(arguments)])

    return call


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "0 ms"), (999, "999 ns"), (41_300, "41.3 µs"), (62_041_000, "62.0 ms"), (999_600_000, "1.00 s"),
        (12_340_000_000, "12.3 s"),
        (59_960_000_000, "1m 00s"), (3_725_000_000_000, "1h 02m"), (-1, "–"), (None, "–"), ("7", "–"),
    ],
)  # fmt: skip
def test_durations_read_well(call, ns: Any, text: str) -> None:
    assert call("format", "duration", ns) == text


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.50 KiB"), (9 << 30, "9.00 GiB"), (-(5 << 20), "−5.00 MiB")]
)
def test_sizes_read_well(call, size: int, text: str) -> None:
    assert call("format", "bytes", size) == text


def test_a_new_first_page_joins_the_rows_that_are_there(page: Page, call) -> None:
    script = """async ([rows, cursor, page, pageCursor]) => {
        const { mergeHead } = await import("/static/lib/feed.js");
        const [items, head] = [rows, page].map(text => [...text].map(id => ({ id })));
        const merged = mergeHead(items, cursor, head, pageCursor, row => row.id);
        return [merged.items.map(row => row.id).join(""), merged.cursor, merged.added];
    }"""

    def merge(*arguments: Any) -> list[Any]:
        return page.evaluate(script, list(arguments))

    assert merge("dcba", "a", "fed", "d") == ["fedcba", "a", 2]
    assert merge("dcba", "a", "dc", "c") == ["dcba", "a", 0]
    assert merge("dcba", "a", "eca", "x") == ["eca", "x", 1], "deleted rows are gone"
    assert merge("dcba", "a", "zyx", "x") == ["zyx", "x", 3], "without overlap the list starts anew"
    assert merge("dcba", "a", "d", None) == ["d", None, 0], "the only page is the whole list"


def span(span_id: str, parent: str = "", start: int = 0, lasts: int = 10, **attributes: Any) -> dict[str, Any]:
    times = {"start_time_unix_nano": str(1_000 + start), "duration_ns": lasts}
    status = {"status": {"code": "UNSET", "message": ""}, "pending": False}
    return {"span_id": span_id, "parent_span_id": parent, "name": span_id, "attributes": attributes} | times | status


TREE = """async ([spans]) => {
    const { buildTree, walk } = await import("/static/lib/spans.js");
    const trace = { start_time_unix_nano: "1000", duration_ns: 100, state: "ok" };
    return [...walk(buildTree(trace, spans).roots)].map(node => "-".repeat(node.depth) + node.id);
}"""


def test_every_span_has_a_place_whatever_its_parent(page: Page, call) -> None:
    orphan, circle = [span("a", "missing")], [span("b", "c", 1), span("c", "b", 2), span("d", "c", 3), span("self", "self", 4)]
    assert sorted(page.evaluate(TREE, [orphan + circle])) == sorted(["a", "self", "b", "-c", "--d"])


def test_spans_of_a_sender_whose_clock_is_ahead_begin_at_the_left(page: Page, call) -> None:
    """Such a trace is listed when it came; its spans keep their own times, years later."""
    script = """async ([spans]) => {
        const { buildTree } = await import("/static/lib/spans.js");
        const trace = { start_time_unix_nano: "1000", duration_ns: 100, state: "ok", incomplete: { times: 2 } };
        const { nodes, totalNs } = buildTree(trace, spans);
        return [nodes.map(node => node.startNs), totalNs];
    }"""
    year = 365 * 86_400 * 10**9
    assert page.evaluate(script, [[span("a", start=year), span("b", "a", year + 40)]]) == [[0, 40], 100]


def test_a_deep_tree_needs_no_deep_stack(page: Page, call) -> None:
    script = """async () => {
        const { buildTree, walk } = await import("/static/lib/spans.js");
        const span = number => ({
            span_id: String(number), parent_span_id: number ? String(number - 1) : "", name: "", attributes: {}, status: {},
            start_time_unix_nano: "1000", duration_ns: 1,
        });
        const spans = Array.from({ length: 20000 }, (_, number) => span(number));
        const trace = { start_time_unix_nano: "1000", duration_ns: 1, state: "ok" };
        return [...walk(buildTree(trace, spans).roots)].at(-1).depth;
    }"""
    assert page.evaluate(script) == 19_999


def test_spans_named_after_a_stage_lie_in_the_one_that_holds_their_time(page: Page, call) -> None:
    stage = {"lytrace.span.kind": "stage", "lytrace.stage.name": "denoise"}
    spans = [
        span("generation", **{"lytrace.span.kind": "generation"}, lasts=100),
        span("first", "generation", 10, 20, **stage),
        span("second", "generation", 50, 20, **stage),
        span("inside", "generation", 55, 2, **{"lytrace.enclosing.stage": "denoise"}),
        span("beside", "generation", 80, 2, **{"lytrace.enclosing.stage": "no such stage"}),
    ]
    assert page.evaluate(TREE, [spans]) == ["generation", "-first", "-second", "--inside", "-beside"]


def test_ticks_are_round(call) -> None:
    assert call("ticks", "ticks", 0, 2.3e9, 5) == [0, 500e6, 1000e6, 1500e6, 2000e6]
    assert call("ticks", "ticks", 5, 5, 4) == [5]


@pytest.mark.model
def test_copied_python_draws_from_a_recorded_state(call) -> None:
    import torch

    from lytrace_integrations.diffusers import _seeds

    used = torch.Generator().manual_seed(5)
    torch.rand(100, generator=used)
    attributes = _seeds.before({"generator": used}, torch.device("cpu"), 1).attributes()
    code = call("python", "toPython", {
        "pipeline": "DDPMPipeline", "model": "a/model", "prompts": [], "seeds": [5],
        "generatorStates": [*attributes["diffusion.generator.states"], "zlib:x'); import os; ('"],
    })  # fmt: skip
    assert "import os" not in code
    kept = code[: code.index("pipeline =")].replace("from diffusers import DDPMPipeline\n", "")
    scope: dict[str, Any] = {}
    exec(compile(kept, "copied", "exec"), scope)
    (line,) = [line for line in code.splitlines() if line.startswith("    generator=")]
    restored = eval(line.strip().removeprefix("generator=").removesuffix(","), scope)
    assert (torch.rand(50, generator=restored) == torch.rand(50, generator=used)).all()


def test_what_a_model_answered_is_told_in_rows(call) -> None:
    messages = [{"role": "assistant", "parts": [{"type": "reasoning", "content": "hm"}, {"type": "text", "content": "Here."}]}]
    answered = span(
        "a1",
        **{
            "gen_ai.output.messages": json.dumps(messages),
            "gen_ai.response.finish_reasons": ["STOP", "STOP"],
            "gen_ai.response.time_to_first_chunk": 0.25,
            "gen_ai.usage.input_tokens": 11,
            "gen_ai.usage.text.input_tokens": 11,
            "gen_ai.usage.output_tokens": 1311,
            "gen_ai.usage.image.output_tokens": 1290,
            "gen_ai.usage.text.output_tokens": 5,
            "gen_ai.usage.reasoning.output_tokens": 16,
            "lytrace.cost.usd": 0.0387,
            "lytrace.revised_prompts": json.dumps(["a red circle", "a red circle"]),
        },
    )
    read = call("answer", "readAnswer", answered)
    assert read["text"] == "Here."
    assert read["revisedPrompts"] == ["a red circle"]
    assert dict(read["rows"]) == {
        "Finished": "STOP",
        "First chunk": "250 ms",
        "Tokens in": "11",
        "Tokens out": "1,311 (image 1,290, text 5, reasoning 16)",
        "Cost": "$0.0387",
    }


@pytest.mark.parametrize("hostile", ["not json", "[1, null, {}]", '{"parts": 3}', 7, None])
def test_an_answer_of_any_shape_is_read(call, hostile: Any) -> None:
    strange = {"gen_ai.output.messages": hostile, "lytrace.revised_prompts": hostile, "gen_ai.response.finish_reasons": hostile}
    read = call("answer", "readAnswer", span("a1", **strange))
    assert (read["text"], read["revisedPrompts"]) == ("", [])


def test_one_picture_is_shown_once_though_it_is_stored_as_two_files(page: Page, call) -> None:
    script = """async ([artifacts]) => {
        const { imagesOf } = await import("/static/lib/trace-images.js");
        const node = (id, kind) => [id, { kind, startNs: 0, span: { attributes: {} } }];
        const tree = { byId: new Map([node("g", "generation"), node("f", "function")]) };
        const found = imagesOf({ artifacts, scores: [], trace: {} }, tree);
        return [found.outputs.map(row => row.span_id), found.others.map(row => row.span_id)];
    }"""

    def artifact(span_id: str, role: str, artifact_id: str) -> dict[str, Any]:
        return {"span_id": span_id, "role": role, "index": 0, "artifact_id": artifact_id, "pixel_hash": "px1:1"}

    given = [artifact("f", "output", "b"), artifact("g", "output", "a"), artifact("f", "input", "c"), artifact("g", "input", "d")]
    assert page.evaluate(script, [given]) == [["g"], ["f"]]
