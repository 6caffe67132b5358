"""The word-level tokenizer of the shapes model, in the format of CLIP's, built from the captions' vocabulary."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from itertools import pairwise
from pathlib import Path

from tokenizers.pre_tokenizers import ByteLevel
from transformers import CLIPTokenizer

from examples.shapes import scenes

MAX_TOKENS = 32
"""Length of a tokenized prompt, start and end tokens included."""

UNTRAINED_WORDS = ("no", "not", "without")
"""Words with a token of their own that no training caption holds: their embeddings stay as they were initialised."""

_WORD_END = "</w>"
_SPECIAL = ("<|startoftext|>", "<|endoftext|>")


def build_tokenizer() -> CLIPTokenizer:
    """A tokenizer that has one token for each known word and spells every other word in short pieces, down to bytes."""
    merges = _merges([*scenes.vocabulary(), *UNTRAINED_WORDS])
    alphabet = sorted(ByteLevel.alphabet())
    pieces = [*_SPECIAL, *alphabet, *(letter + _WORD_END for letter in alphabet), *("".join(pair) for pair in merges)]
    with tempfile.TemporaryDirectory() as folder:
        vocab_file, merges_file = Path(folder) / "vocab.json", Path(folder) / "merges.txt"
        vocab_file.write_text(json.dumps({piece: i for i, piece in enumerate(pieces)}), encoding="utf-8")
        lines = ["#version: 0.2", *(" ".join(pair) for pair in merges), ""]
        merges_file.write_text("\n".join(lines), encoding="utf-8")
        return CLIPTokenizer(str(vocab_file), str(merges_file), model_max_length=MAX_TOKENS)


def _merges(words: list[str]) -> list[tuple[str, str]]:
    """Byte-pair merges, the most frequent pair first, until every word is one piece; ties go by the alphabet.

    Source: Sennrich et al. 2016, "Neural Machine Translation of Rare Words with Subword Units", algorithm 1.
    """
    spelled = [[*word[:-1], word[-1] + _WORD_END] for word in words]
    merges: list[tuple[str, str]] = []
    while counts := Counter(pair for pieces in spelled for pair in pairwise(pieces)):
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        merges.append(best)
        spelled = [_merged(pieces, best) for pieces in spelled]
    return merges


def _merged(pieces: list[str], pair: tuple[str, str]) -> list[str]:
    result: list[str] = []
    for piece in pieces:
        if result and (result[-1], piece) == pair:
            result[-1] += piece
        else:
            result.append(piece)
    return result
