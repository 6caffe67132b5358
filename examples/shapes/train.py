"""Trains the shapes model from nothing: first the autoencoder, then the denoiser together with its text encoder.

Run from the repository root, for instance `python -m examples.shapes.train --minutes 60 --threads 1 --out model`.
A checkpoint is written every ten minutes, and a run whose checkpoint exists goes on from it.
"""

from __future__ import annotations

import argparse
import copy
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from string import ascii_lowercase
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor
from torch.nn.functional import max_pool2d, pad

from examples.shapes import networks, scenes
from examples.shapes.tokenizer import MAX_TOKENS, UNTRAINED_WORDS, build_tokenizer

CHECKPOINT = "checkpoint.pt"
EMA_DECAY = 0.998
HUE_WEIGHT = 3.0
OBJECT_WEIGHT = 4.0
EDGE_WEIGHT = 2.0
CELL_WEIGHT = 3.0


@dataclass
class Stage:
    """How long one of the two stages trains: until `minutes` have passed or `steps` are done, whichever comes first."""

    name: str
    minutes: float
    steps: int
    batch: int
    peak_rate: float
    step: int = 0
    elapsed_s: float = 0.0

    @property
    def progress(self) -> float:
        """The share of the stage that is done, in [0, 1]."""
        return min(1.0, max(self.elapsed_s / (60.0 * self.minutes), self.step / self.steps))

    @property
    def rate(self) -> float:
        """The learning rate: a short warm-up, then half a cosine down to a hundredth of the peak."""
        warmth = min(1.0, (self.step + 1) / 100)
        return self.peak_rate * warmth * (0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * self.progress)))


@dataclass
class Settings:
    """What a run is made of; all of it comes from the command line."""

    out: Path
    work: Path
    seed: int
    device: torch.device
    images: int
    save_every_s: float
    autoencoder: Stage
    denoiser: Stage


@dataclass
class Lessons:
    """The denoiser's data set: scenes, their latents (n, 8, 8, 8) and which cells hold an object (n, 1, 8, 8)."""

    scenes: Sequence[scenes.Scene]
    latents: Tensor
    cells: Tensor


@dataclass
class Run:
    """The networks under training and where they stand."""

    settings: Settings
    autoencoder: AutoencoderKL = field(init=False)
    last_save: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        torch.manual_seed(self.settings.seed)
        self.tokenizer = build_tokenizer()
        device = self.settings.device
        self.autoencoder = networks.build_autoencoder().to(device)
        self.text_encoder = networks.build_text_encoder(self.tokenizer).to(device)
        self.denoiser = networks.build_denoiser().to(device)
        self.noise_levels = networks.build_scheduler().alphas_cumprod.to(device)
        self.ema = copy.deepcopy(self._conditional()).requires_grad_(False)
        self.optimizers = {
            "autoencoder": torch.optim.AdamW(self.autoencoder.parameters(), weight_decay=0.0),
            "denoiser": torch.optim.AdamW(self._conditional().parameters(), betas=(0.9, 0.99), weight_decay=0.01),
        }

    def _conditional(self) -> torch.nn.ModuleList:
        return torch.nn.ModuleList([self.denoiser, self.text_encoder])

    def update_ema(self) -> None:
        """Moves the averaged weights towards the current ones, faster in the first steps."""
        step = self.settings.denoiser.step
        decay = min(EMA_DECAY, (1 + step) / (10 + step))
        for kept, new in zip(self.ema.parameters(), self._conditional().parameters(), strict=True):
            kept.lerp_(new.detach(), 1.0 - decay)

    def stages(self) -> tuple[Stage, Stage]:
        """Both stages, in their order."""
        return self.settings.autoencoder, self.settings.denoiser

    def save(self) -> None:
        """Writes the checkpoint and, once the denoiser has begun, the model directory with the averaged weights."""
        self.settings.work.mkdir(parents=True, exist_ok=True)
        path = self.settings.work / CHECKPOINT
        partial = path.with_suffix(".partial")
        torch.save(self._state(), partial)
        partial.replace(path)
        if self.settings.denoiser.step:
            denoiser, text_encoder = self.ema
            networks.save_pipeline(self.settings.out, self.autoencoder, denoiser, text_encoder, self.tokenizer)
        self.last_save = time.monotonic()

    def resume(self) -> bool:
        """Goes back to the checkpoint if there is one; says whether there was."""
        path = self.settings.work / CHECKPOINT
        if not path.exists():
            return False
        state = torch.load(path, map_location=self.settings.device, weights_only=True)
        self.autoencoder.load_state_dict(state["autoencoder"])
        self.autoencoder.register_to_config(scaling_factor=state["scaling_factor"])
        self._conditional().load_state_dict(state["conditional"])
        self.ema.load_state_dict(state["ema"])
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])
        for stage, (step, elapsed_s) in zip(self.stages(), state["stages"], strict=True):
            stage.step, stage.elapsed_s = step, elapsed_s
        return True

    def _state(self) -> dict[str, Any]:
        return {
            "autoencoder": self.autoencoder.state_dict(),
            "scaling_factor": self.autoencoder.config.scaling_factor,
            "conditional": self._conditional().state_dict(),
            "ema": self.ema.state_dict(),
            "optimizers": {name: optimizer.state_dict() for name, optimizer in self.optimizers.items()},
            "stages": [(stage.step, stage.elapsed_s) for stage in self.stages()],
        }


def train(settings: Settings) -> None:
    """Trains both stages and leaves the model in `settings.out`; a finished run does nothing."""
    run = Run(settings)
    print("resumed" if run.resume() else "started", [(s.name, s.step) for s in run.stages()], flush=True)
    if settings.autoencoder.progress < 1.0:
        _train_stage(run, settings.autoencoder, lambda rng: autoencoder_loss(run.autoencoder, _pictures(rng, settings)))
    if settings.denoiser.progress < 1.0:
        drawn = _training_scenes(settings)
        lessons = Lessons(drawn, _latents(run, drawn), _cells(run, drawn))
        _train_stage(run, settings.denoiser, lambda rng: _denoiser_loss(run, rng, lessons), run.update_ema)


def _train_stage(run: Run, stage: Stage, loss_of: Any, after_step: Any = lambda: None) -> None:
    """Steps until the stage is over; each has its own generator, so that a resumed run draws what it would have."""
    optimizer = run.optimizers[stage.name]
    recent: list[float] = []
    while stage.progress < 1.0:
        began = time.monotonic()
        rng = np.random.default_rng((run.settings.seed, len(stage.name), stage.step))
        torch.manual_seed(int(rng.integers(2**31)))
        loss = loss_of(rng)
        optimizer.zero_grad()
        loss.backward()
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        for group in optimizer.param_groups:
            group["lr"] = stage.rate
        optimizer.step()
        stage.step += 1
        after_step()
        stage.elapsed_s += time.monotonic() - began
        recent = [*recent[-99:], float(loss.detach())]
        if stage.step % 50 == 0:
            _report(stage, recent)
        if time.monotonic() - run.last_save > run.settings.save_every_s:
            run.save()
    _report(stage, recent)
    if stage.name == "autoencoder":
        networks.whiten_latents(run.autoencoder, _latents(run, _training_scenes(run.settings)[:1024]))
    run.save()


def _report(stage: Stage, losses: Sequence[float]) -> None:
    mean = sum(losses) / max(1, len(losses))
    print(f"{stage.name} step {stage.step} {stage.elapsed_s:.0f} s loss {mean:.4f} rate {stage.rate:.2e}", flush=True)


def autoencoder_loss(autoencoder: AutoencoderKL, pictures: Tensor) -> Tensor:
    """Squared and absolute error, weighted towards objects and edges, and a very small pull of the latents to N(0, 1).

    `pictures` has the shape (n, 3, 64, 64) with values in [-1, 1]. The squared part weighs most: with absolute error
    alone the objects are long ignored, as the median pixel is background. Errors of hue count more than those of
    brightness, or else every object is long gray.
    """
    with torch.autocast(pictures.device.type, dtype=torch.bfloat16):
        posterior = autoencoder.encode(pictures).latent_dist
        restored = autoencoder.decode(posterior.sample()).sample
    error = restored.float() - pictures
    brightness = error.mean(dim=1, keepdim=True)
    squared = brightness.square() + HUE_WEIGHT * (error - brightness).square()
    weight = 1.0 + OBJECT_WEIGHT * _on_object(pictures) + EDGE_WEIGHT * _on_edge(pictures)
    return (weight * (2.0 * squared + 0.2 * error.abs())).mean() + 1e-6 * posterior.kl().float().mean()


def _on_object(pictures: Tensor) -> Tensor:
    """Where a picture differs from its corner, which always is background; (n, 1, 64, 64), boolean."""
    return (pictures - pictures[:, :, :1, :1]).abs().amax(dim=1, keepdim=True) > 0.05


def _on_edge(pictures: Tensor) -> Tensor:
    """Where a pixel differs from the one on the right or the one below; (n, 1, 64, 64), boolean."""
    across = pad(pictures[..., :, 1:] - pictures[..., :, :-1], (0, 1, 0, 0))
    down = pad(pictures[..., 1:, :] - pictures[..., :-1, :], (0, 0, 0, 1))
    return torch.maximum(across.abs(), down.abs()).amax(dim=1, keepdim=True) > 0.05


def _pictures(rng: np.random.Generator, settings: Settings) -> Tensor:
    return _as_tensor([scenes.sample_scene(rng) for _ in range(settings.autoencoder.batch)], settings.device)


def _as_tensor(drawn: Sequence[scenes.Scene], device: torch.device) -> Tensor:
    pixels = torch.from_numpy(np.stack([scene.pixels() for scene in drawn]))
    return pixels.to(device).permute(0, 3, 1, 2).float() / 127.5 - 1.0


def _training_scenes(settings: Settings) -> list[scenes.Scene]:
    rng = np.random.default_rng((settings.seed, 1))
    return [scenes.sample_scene(rng) for _ in range(settings.images)]


def _latents(run: Run, drawn: Sequence[scenes.Scene]) -> Tensor:
    """Mean latents of the scenes as the autoencoder makes them, shape (n, 8, 8, 8)."""
    parts = [_as_tensor(drawn[i : i + 64], run.settings.device) for i in range(0, len(drawn), 64)]
    with torch.no_grad():
        return torch.cat([run.autoencoder.encode(part).latent_dist.mode() for part in parts])


def _cells(run: Run, drawn: Sequence[scenes.Scene]) -> Tensor:
    parts = [_as_tensor(drawn[i : i + 64], run.settings.device) for i in range(0, len(drawn), 64)]
    return torch.cat([object_cells(part) for part in parts])


def object_cells(pictures: Tensor) -> Tensor:
    """Which latent cells hold a part of an object, shape (n, 1, 8, 8), as 0.0 or 1.0."""
    return max_pool2d(_on_object(pictures).float(), pictures.shape[-1] // networks.LATENT_SIZE)


def _denoiser_loss(run: Run, rng: np.random.Generator, lessons: Lessons) -> Tensor:
    """Squared error of the predicted velocity, weighted towards the cells that hold an object.

    Source: Salimans and Ho 2022, "Progressive Distillation for Fast Sampling of Diffusion Models", appendix D.
    """
    batch, noise_levels = run.settings.denoiser.batch, run.noise_levels
    chosen = rng.integers(len(lessons.scenes), size=batch)
    index = torch.from_numpy(chosen).to(run.settings.device)
    clean = lessons.latents[index]
    noise = torch.from_numpy(rng.standard_normal(clean.shape, np.float32)).to(clean.device)
    # One timestep in each of `batch` equal spans: every batch sees the whole range of noise.
    spread = (np.arange(batch) + rng.uniform(size=batch)) / batch
    timesteps = torch.from_numpy((spread * len(noise_levels)).astype(np.int64)).to(clean.device)
    level = noise_levels[timesteps].view(-1, 1, 1, 1)
    noisy = level.sqrt() * clean + (1.0 - level).sqrt() * noise
    velocity = level.sqrt() * noise - (1.0 - level).sqrt() * clean
    states = _text_states(run, [training_caption(rng, lessons.scenes[i]) for i in chosen])
    error = (run.denoiser(noisy, timesteps, states).sample - velocity).square()
    return (error * (1.0 + CELL_WEIGHT * lessons.cells[index])).mean()


def training_caption(rng: np.random.Generator, scene: scenes.Scene) -> str:
    """A caption of the scene; one in ten is dropped for guidance, one in ten holds a nonsense word to be ignored."""
    draw = rng.uniform()
    if draw < 0.1:
        return ""
    words = scenes.sample_caption(rng, scene).split()
    if draw < 0.2:
        words.insert(int(rng.integers(len(words) + 1)), _nonsense(rng))
    return " ".join(words)


def _nonsense(rng: np.random.Generator) -> str:
    """Two to seven random letters that by chance spell no negation."""
    while True:
        word = "".join(rng.choice(list(ascii_lowercase), size=int(rng.integers(2, 8))))
        if word not in UNTRAINED_WORDS:
            return word


def _text_states(run: Run, captions: list[str]) -> Tensor:
    tokens = run.tokenizer(
        captions, padding="max_length", max_length=MAX_TOKENS, truncation=True, return_tensors="pt"
    ).input_ids.to(run.settings.device)
    states: Tensor = run.text_encoder(tokens).last_hidden_state
    return states


def parse(arguments: Sequence[str] | None = None) -> Settings:
    """Settings from command line arguments."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of the finished model")
    parser.add_argument("--work", type=Path, help="folder of the checkpoint (default: OUT with .work added)")
    parser.add_argument("--minutes", type=float, default=60.0, help="training time in all")
    parser.add_argument("--autoencoder-minutes", type=float, help="its share of them (default: a quarter)")
    parser.add_argument("--autoencoder-steps", type=int, default=10**9)
    parser.add_argument("--denoiser-steps", type=int, default=10**9)
    parser.add_argument("--batch", type=int, default=32, help="batch of the denoiser; the autoencoder takes half")
    parser.add_argument("--images", type=int, default=24_000, help="scenes in the denoiser's data set")
    parser.add_argument("--save-minutes", type=float, default=10.0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)
    first = given.autoencoder_minutes or given.minutes / 4
    second = given.minutes - first
    return Settings(
        out=given.out,
        work=given.work or given.out.with_suffix(".work"),
        seed=given.seed,
        device=torch.device(given.device),
        images=given.images,
        save_every_s=60.0 * given.save_minutes,
        autoencoder=Stage("autoencoder", first, given.autoencoder_steps, max(1, given.batch // 2), 2e-3),
        denoiser=Stage("denoiser", second, given.denoiser_steps, given.batch, 1e-3),
    )


if __name__ == "__main__":
    train(parse())
