"""A score, its identity, and its encodings."""

import pytest

from lytrace import semconv
from lytrace.scores import Score, score_id

TRACE, SPAN = "a" * 32, "b" * 16


def test_the_identity_is_who_says_what_about_which_target():
    ids = {
        score_id(TRACE, "", None, "a"),
        score_id(TRACE, SPAN, None, "a"),
        score_id(TRACE, SPAN, 0, "a"),
        score_id(TRACE, SPAN, 1, "a"),
        score_id(TRACE, SPAN, 0, "b"),
        score_id(TRACE, SPAN, 0, "a", "e"),
        score_id(TRACE, SPAN, 0, "a", "", "e"),
    }
    assert len(ids) == 7


def test_the_identity_never_changes():
    assert score_id(TRACE, SPAN, 0, "aesthetic", "clip 1", "me") == "515f662e-fd5d-59c3-9af2-78eb542114e7"


@pytest.mark.parametrize(
    "score",
    [
        Score(TRACE, "a", 0.5),
        Score(TRACE, "a", 0.0, span_id=SPAN),
        Score(TRACE, "a", span_id=SPAN, evaluator="ev"),
        Score(TRACE, "a", label="good", span_id=SPAN, image_index=0),
        Score(
            TRACE,
            "a",
            1.0,
            label="l",
            span_id=SPAN,
            image_index=3,
            explanation="e",
            annotator_kind="llm",
            evaluator="ev",
            identifier="i",
            min=0,
            max=1,
            higher_is_better=False,
        ),
    ],
)
def test_there_and_back_as_a_log_record(score):
    attributes = score.to_log_attributes()
    assert attributes[semconv.EVALUATION_ID] == score.id
    assert None not in attributes.values()
    again = Score.from_log_attributes(
        attributes, trace_id=score.trace_id, span_id=score.span_id, time_unix_nano=score.time_unix_nano
    )
    assert again == score


def test_a_record_of_another_sdk_judges_its_span():
    attributes = {semconv.EVALUATION_NAME: "a", semconv.EVALUATION_VALUE: 1}
    score = Score.from_log_attributes(attributes, trace_id=TRACE, span_id=SPAN, time_unix_nano=5)
    assert (score.scope, score.span_id, score.value, score.time_unix_nano) == ("span", SPAN, 1.0, 5)


@pytest.mark.parametrize("attributes", [{}, {semconv.EVALUATION_NAME: "a"}, {semconv.EVALUATION_VALUE: 1}])
def test_a_record_that_is_no_score(attributes):
    with pytest.raises(ValueError, match="needs a trace, a name"):
        Score.from_log_attributes(attributes, trace_id=TRACE, span_id=SPAN, time_unix_nano=5)


def test_carrier_attributes():
    assert Score(TRACE, "a", 0.5, explanation="e").to_carrier_attributes() == {
        "openinference.span.kind": "EVALUATOR",
        "evaluations.0.evaluation.name": "a",
        "evaluations.0.evaluation.score": 0.5,
        "evaluations.0.evaluation.explanation": "e",
        "evaluations.0.evaluation.annotator_kind": "CODE",
    }
