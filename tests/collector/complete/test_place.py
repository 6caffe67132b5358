"""What is being written at the cursor, wherever it stands."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lytrace_collector.complete.place import place_at

CURSOR = "|"


def shown(marked: str) -> str:
    """The place as ``kind field [replaced] typed``."""
    at = marked.index(CURSOR)
    text = marked.replace(CURSOR, "", 1)
    place = place_at(text, at)
    return f"{place.kind} {place.field}[{text[place.start : place.end]}] {place.typed}"


@pytest.mark.parametrize(
    ("marked", "expected"),
    [
        ("|", "term [] "),
        ("mo|", "term [mo] mo"),
        ("m|odel", "term [model] m"),
        ("model:|", "value model[] "),
        ("model:fl|ux AND x", "value model[flux] fl"),
        ("red bicycle st|", "term [st] st"),
        ("-mo|", "term [mo] mo"),
        ("NOT sta|", "term [sta] sta"),
        ("duration:>|", "value duration[] "),
        ("duration:>=2|s", "value duration[2s] 2"),
        ("tag.project:po|", "value tag.project[po] po"),
        ('model:"black for|', 'value model["black for] black for'),
        ('model:"black for|est" AND x', 'value model["black forest"] black for'),
        (r'model:"a\"b|', r'value model["a\"b] a"b'),
        ('"red bi|', "text [] "),
        ('"red bicycle" mo|', "term [mo] mo"),
        ('model:"a:b" st|', "term [st] st"),
        ("(mod|", "term [mod] mod"),
        ("model:(a OR b|)", "value model[b] b"),
        ('model:(a OR "b c|', 'value model["b c] b c'),
        ("(model:a OR (sta|", "term [sta] sta"),
        ("model:(a) sta|", "term [sta] sta"),
        ("start:[now-2h TO no|", "text [] "),
        ("start:[now-2h TO now] mo|", "term [mo] mo"),
        (")))mo|", "term [mo] mo"),
        ("a:b:c|", "value a[b:c] b:c"),
        (":|", "term [:] :"),
    ],
)
def test_places(marked: str, expected: str):
    assert shown(marked) == expected


def test_a_term_knows_whether_one_is_before_it():
    assert place_at("mo", 2).is_first
    assert not place_at("a mo", 4).is_first
    assert not place_at('"a" mo', 6).is_first
    assert place_at("(mo", 3).is_first


@given(st.text(alphabet='ab:"()[]{}<>=+-! \\AND\n\t é𝄞', max_size=40), st.integers(-5, 60))
def test_any_text_has_a_place_within_it(text: str, at: int):
    place = place_at(text, at)
    assert 0 <= place.start <= place.end <= len(text)
