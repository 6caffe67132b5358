"""The committed model loads plainly, generates what is asked, and its training resumes."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")
pytestmark = pytest.mark.model

from examples.shapes import MODEL_DIR, train  # noqa: E402
from examples.shapes.evaluate import generate, load_pipeline  # noqa: E402
from examples.shapes.oracle import read_scene  # noqa: E402
from examples.shapes.scenes import sample_scene, vocabulary  # noqa: E402
from examples.shapes.tokenizer import UNTRAINED_WORDS, build_tokenizer  # noqa: E402

CAPTIONS = {
    "a red circle on a white background": ("circle", "red"),
    "a blue square on a white background": ("square", "blue"),
    "a yellow triangle on a black background": ("triangle", "yellow"),
    "a green diamond on a gray background": ("diamond", "green"),
    "a purple circle on a brown background": ("circle", "purple"),
    "a black background with an orange square": ("square", "orange"),
}
MEGABYTE = 1_000_000


def test_directory_holds_at_most_ten_megabytes() -> None:
    assert sum(path.stat().st_size for path in MODEL_DIR.rglob("*") if path.is_file()) <= 10 * MEGABYTE


def test_configs_name_no_folder_of_a_machine() -> None:
    for path in MODEL_DIR.rglob("*.json"):
        assert "_name_or_path" not in path.read_text(encoding="utf-8"), path


def test_plain_load_generates_what_is_asked() -> None:
    pipeline = load_pipeline()
    pictures = generate(pipeline, list(CAPTIONS), steps=20, seed=1)
    assert {image.size for image in pictures} == {(64, 64)}
    right = [read_scene(image).shows(*wanted) for image, wanted in zip(pictures, CAPTIONS.values(), strict=True)]
    assert sum(right) >= len(right) - 1  # a small model may miss one


def test_unknown_and_untrained_words_are_tokenized_and_drawn() -> None:
    pipeline = load_pipeline()
    prompt = "a camel in a desert, without a red circle and with no é中"
    (picture,) = pipeline(prompt, negative_prompt="zebra", num_inference_steps=2).images
    assert picture.size == (64, 64)


def test_tokenizer_has_one_token_for_each_known_word() -> None:
    tokenizer = build_tokenizer()
    for word in [*vocabulary(), *UNTRAINED_WORDS]:
        assert len(tokenizer(word, add_special_tokens=False).input_ids) == 1, word


def test_tokenizer_is_the_committed_one() -> None:
    assert load_pipeline().tokenizer.get_vocab() == build_tokenizer().get_vocab()


def test_training_captions_hold_no_negation() -> None:
    rng = np.random.default_rng(0)
    captions = [train.training_caption(rng, sample_scene(rng)) for _ in range(5000)]
    assert not {word for caption in captions for word in caption.split()} & set(UNTRAINED_WORDS)


def settings_for(folder: Path, *, denoiser_steps: int) -> train.Settings:
    steps = ["--autoencoder-steps", "2", "--denoiser-steps", str(denoiser_steps)]
    small = ["--minutes", "60", "--batch", "4", "--images", "16", "--device", "cpu", "--threads", "1"]
    return train.parse(["--out", str(folder / "model"), "--save-minutes", "0", *steps, *small])


def weights(settings: train.Settings) -> dict[str, object]:
    state = torch.load(settings.work / train.CHECKPOINT, weights_only=True)
    return {name: state[name] for name in ("autoencoder", "conditional", "ema", "scaling_factor")}


def test_training_goes_on_from_its_checkpoint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train.train(settings_for(tmp_path, denoiser_steps=1))
    again = settings_for(tmp_path, denoiser_steps=2)
    train.train(again)
    assert "resumed [('autoencoder', 2), ('denoiser', 1)]" in capsys.readouterr().out
    assert again.denoiser.step == 2
    assert load_pipeline(tmp_path / "model").unet.config.sample_size == 8


def test_interrupted_training_ends_with_the_same_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = settings_for(tmp_path / "whole", denoiser_steps=3)
    parts = settings_for(tmp_path / "parts", denoiser_steps=3)
    train.train(whole)
    with monkeypatch.context() as patched:
        patched.setattr(train.Run, "update_ema", interrupt)
        with pytest.raises(KeyboardInterrupt):
            train.train(parts)
    resumed = settings_for(tmp_path / "parts", denoiser_steps=3)
    train.train(resumed)
    torch.testing.assert_close(weights(resumed), weights(whole), rtol=0.0, atol=0.0)


def interrupt(run: train.Run) -> None:
    raise KeyboardInterrupt
