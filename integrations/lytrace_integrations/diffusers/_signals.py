"""The signals of one call, kept as they come: a few tuples a step on the user's thread. The worker makes steps of them.

Only what cannot be asked later is asked at once: the time, the device's mark at a step's boundary, which timestep it was.
"""

import math
import time
from collections.abc import Callable, Hashable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from lytrace import instrumentation
from lytrace_integrations._device import Device, Moment
from lytrace_integrations.diffusers._cadence import StepsLeft
from lytrace_integrations.diffusers._latent_reader import LatentReader
from lytrace_integrations.diffusers._latents import LatentWatch
from lytrace_integrations.diffusers._previews import Previews
from lytrace_integrations.diffusers._steps import Forward, Step, StepMachine

_BEGIN, _END, _SCHEDULER, _TICK = range(4)


class Part(NamedTuple):
    """A component of the pipeline.

    Attributes:
        stage: the stage that a call of it is; None where it may be a step's denoiser.
    """

    name: str
    class_name: str
    stage: str | None


class Signals:
    """What the hooks tell, in order.

    Attributes:
        has_marks: whether the device has a clock or memory of its own; else a boundary is a time of the host.
        latents: statistics of the latents.
        previews: what takes latents to show; None where none are wanted.

    Its methods run at every step: their own ``try`` costs less than a decorator, and tuples less than objects.
    """

    def __init__(self, device: Device, *, latents: bool = False, settings: Mapping[str, Any] = MappingProxyType({})) -> None:
        reads = latents and device.copies_back and not device.capturing()
        reader = LatentReader(device.capturing) if reads else None
        self.latents = LatentWatch(enabled=latents, device=reader)
        first = device.moment()
        self.first = first
        self.has_marks = first.mark is not None or first.memory is not None
        self._boundary: Callable[[], Any] = device.moment if self.has_marks else time.time_ns
        self._log: list[tuple[Any, ...]] = []
        self._ends: list[Moment] = []
        self._settings = settings
        self._timesteps: list[tuple[Any, tuple[Any, Any, Any], Any]] = []
        self._identities: list[Hashable] = []
        self._values: list[tuple[float | None, float | None, float | None]] = []
        self._second_guidance: float | None = None
        self._steps_left: StepsLeft | None = None
        self.previews: Previews | None = None
        self._latents_at: float = 0 if latents else math.inf
        self._look_at = self._latents_at
        self._between_steps = True
        self._needs_tick = True
        self._told = 0
        self._begun: list[Step[Moment]] = []
        self._stepped: list[Step[Moment]] = []
        self._at: Any = 0
        self._machine: StepMachine[Moment] = StepMachine(lambda: _moment(self._at), Moment)

    def begin_forward(self) -> int | None:
        """A model that may be the denoiser is called: when; None where that cannot be recorded."""
        try:
            now = time.time_ns()
            if self._between_steps or (self.has_marks and not self._timesteps):
                self._between_steps, self._needs_tick = False, True
                self._log.append((_BEGIN, self._boundary()))
            else:
                self._log.append((_BEGIN, now))
        except Exception:
            instrumentation.failed("recording a model's call")
            return None
        return now

    def end_forward(self, start_ns: int, part: Part, error: BaseException | None = None) -> None:
        """Its call is over."""
        try:
            self._log.append((_END, part, start_ns, time.time_ns(), type(error).__name__ if error is not None else None))
            if self.has_marks and not self._timesteps:  # until a scheduler steps, it may be a call of its own
                self._ends.append(self._boundary())
        except Exception:
            instrumentation.failed("recording a model's call")

    def scheduler_step(self, scheduler: Any, timestep: Any, start_ns: int, model_output: Any = None, result: Any = None) -> None:
        """A scheduler has stepped.

        A tensor is known by its address and shape, which reads no device memory. It is kept alive until the call is over:
        a recycled address would merge steps.
        """
        try:
            known = scheduler.__dict__
            levels = known.get("timesteps"), known.get("sigmas"), known.get("_step_index")
            self._timesteps.append((timestep, levels, self._settings.get("_guidance_scale")))
            self._log.append((_SCHEDULER, self._boundary(), id(scheduler), start_ns))
            self._between_steps, self._needs_tick = True, False
            if len(self._timesteps) > self._look_at:
                self._observe(scheduler, timestep, model_output, result)
        except Exception:
            instrumentation.failed("recording a scheduler's step")

    def _observe(self, scheduler: Any, timestep: Any, model_output: Any, result: Any) -> None:
        """Look at the latent that a scheduler made, or take it, and decide when to come back."""
        start_ns = time.time_ns()
        if not self.latents.began_ns:
            self.latents.began_ns = self._last_forward_ns()
        number, known = len(self._timesteps) - 1, scheduler.__dict__
        latent = result[0] if type(result) is tuple and result else getattr(result, "prev_sample", None)
        if self._steps_left is None:
            self._steps_left = StepsLeft()
        left = self._steps_left.after(timestep, known.get("timesteps"), known.get("_step_index"))
        if number >= self._latents_at:
            self._latents_at = number + self.latents.observe(number, latent, model_output, left=left, start_ns=start_ns)
        self._look_at = self._latents_at
        if self.previews is not None:
            self._look_at = min(self._look_at, self.previews.observe(number, latent, left))

    def _last_forward_ns(self) -> int:
        """When the model that answered last was called."""
        begun = next((signal[1] for signal in reversed(self._log) if signal[0] == _BEGIN), 0)
        return begun.host_ns if isinstance(begun, Moment) else int(begun)

    def take_previews(self, previews: Previews) -> None:
        """Take latents to show, from the first step on."""
        self.previews = previews
        self._look_at = 0

    def tick(self) -> None:
        """The progress bar moved."""
        try:
            self._log.append((_TICK, self._boundary() if self._needs_tick else 0))
            self._between_steps = True
        except Exception:
            instrumentation.failed("recording a tick")

    @property
    def running(self) -> Step[Moment] | None:
        """The step that has begun last."""
        self._tell()
        return self._machine.last

    @property
    def count(self) -> int:
        """How many steps have begun."""
        self._tell()
        return len(self._machine.steps)

    def moments(self) -> Iterator[Moment]:
        """Every boundary that has a mark of the device."""
        yield from (signal[1] for signal in self._log if isinstance(signal[1], Moment))
        yield from self._ends

    @instrumentation.guarded("reading timesteps")
    def read_timesteps(self) -> None:
        """Each step's timestep, noise level and guidance, where they are on the CPU: nothing waits for a device.

        Lets go of the tensors and of the pipeline's settings.
        """
        self._identify()
        lists: dict[int, Any] = {}
        for timestep, (timesteps, sigmas, index), guidance in self._timesteps:
            address = timestep.data_ptr() if hasattr(timestep, "data_ptr") else None
            value = _by_address(lists, timesteps).get(address) if address is not None else None
            levels = _plain_list(lists, sigmas) if type(index) is int else []
            sigma = levels[index - 1] if 0 < (index or 0) <= len(levels) else None
            self._values.append((_number(timestep) if value is None else value, sigma, _plain(guidance)))
        self._second_guidance = _plain(self._settings.get("_guidance_scale_2"))
        self._settings = MappingProxyType({})
        self._timesteps.clear()
        self._steps_left = None

    def finish(self, error: str | None) -> tuple[list[Step[Moment]], list[Forward]]:
        """The steps and the calls that were part of none; on the worker."""
        self._tell()
        for step, (timestep, sigma, guidance) in zip(self._stepped, self._values, strict=False):
            step.timestep = timestep if step.timestep is None else step.timestep
            step.sigma = sigma if step.sigma is None else step.sigma
            is_second = bool(step.forwards) and step.forwards[-1].component.endswith("_2")  # Wan's low-noise transformer
            step.guidance_scale = self._second_guidance if is_second and self._second_guidance is not None else guidance
        for statistics in self.latents.found:
            self._stepped[statistics.step].latent = statistics
        return self._machine.finish(error)

    def index_of(self, number: int, steps: list[Step[Moment]]) -> int | None:
        """Which of the ``steps`` a scheduler's call belongs to."""
        step = self._stepped[number] if number < len(self._stepped) else None
        return next((index for index, one in enumerate(steps) if one is step), None)

    @instrumentation.guarded("telling timesteps apart")
    def _identify(self) -> None:
        """Which timestep each scheduler step was on; while the tensors are here."""
        self._identities += [_identity(step[0]) for step in self._timesteps[len(self._identities) :]]

    def _tell(self) -> None:
        """Tell the machine what it has not heard yet."""
        if self._timesteps:
            self._identify()
        while self._told < len(self._log):
            signal = self._log[self._told]
            self._told += 1
            self._at = signal[1]
            if signal[0] == _BEGIN:
                self._begun.append(self._machine.forward_begins())
            elif signal[0] == _END:
                self._tell_end(*signal[1:])
            elif signal[0] == _SCHEDULER:
                number = len(self._stepped)
                identity = self._identities[number] if number < len(self._identities) else number
                self._stepped.append(self._machine.scheduler_step(signal[2], identity, signal[3]))
            else:
                self._machine.tick()

    def _tell_end(self, part: Part, start_ns: int, end_ns: int, error: str | None) -> None:
        step, forward = self._begun.pop(), Forward(part.name, part.class_name, start_ns, end_ns)
        if error is None:
            self._machine.forward_ended(step, forward)
        else:
            self._machine.forward_failed(step, forward, error)


class Deaf(Signals):
    """Hears nothing: takes the place of a call's signals once it is over, since a thread of the user's may still run in it."""

    running = None
    count = 0

    def __init__(self) -> None:
        """Holds nothing of any call."""

    def begin_forward(self) -> int | None:
        """Nothing is recorded."""
        return None

    def end_forward(self, start_ns: int, part: Part, error: BaseException | None = None) -> None:
        """Nothing is recorded."""

    def scheduler_step(self, scheduler: Any, timestep: Any, start_ns: int, model_output: Any = None, result: Any = None) -> None:
        """Nothing is recorded."""

    def tick(self) -> None:
        """Nothing is recorded."""


DEAF = Deaf()


def _moment(boundary: Any) -> Moment:
    return boundary if isinstance(boundary, Moment) else Moment(boundary)


def _identity(timestep: Any) -> Hashable:
    """Equal for equal timesteps of one call."""
    address = getattr(timestep, "data_ptr", None)
    if address is not None:
        return address(), timestep.shape
    return timestep if isinstance(timestep, Hashable) else id(timestep)


def _plain_list(known: dict[int, Any], tensor: Any) -> list[float]:
    """A small tensor's values, read once a call; none where it is not on the CPU."""
    found: list[float] | None = known.get(id(tensor))
    if found is None:
        found = [float(value) for value in tensor.tolist()] if getattr(tensor, "is_cpu", False) and tensor.ndim == 1 else []
        known[id(tensor)] = found
    return found


def _by_address(known: dict[int, Any], timesteps: Any) -> dict[int, float]:
    """Timestep by its address in the scheduler's list of them: one reading for all steps."""
    key = -id(timesteps)
    if key not in known:
        values = _plain_list(known, timesteps)
        size = timesteps.element_size() * timesteps.stride(0) if values else 0
        known[key] = {timesteps.data_ptr() + number * size: value for number, value in enumerate(values)}
    found: dict[int, float] = known[key]
    return found


def _plain(value: Any) -> float | None:
    """A number of Python's own; nothing for a tensor, which may lie on a device."""
    return float(value) if type(value) in {int, float} else None


def _number(timestep: Any) -> float | None:
    """A timestep's value; None where reading it would wait for a device."""
    if isinstance(timestep, int | float):
        return float(timestep)
    if not getattr(timestep, "is_cpu", False) or timestep.numel() < 1:
        return None
    return float(timestep.flatten()[0])
