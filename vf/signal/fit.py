"""The only training loop, and the options that all trainings share."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.optim.lr_scheduler import LambdaLR
from tqdm.auto import tqdm

from vf.signal import batches, group, memory
from vf.signal.batches import Part
from vf.signal.checkpoint import State
from vf.signal.group import autocast, device, is_main, leave_to_main, wait  # noqa: F401  for who calls `fit`
from vf.signal.track import Track

SCHEDULES = ("cosine", "step", "hold")


@dataclass(frozen=True)
class Training:
    """Options of a training; the `train:` blocks of params.yaml have these keys.

    steps: number of updates. batch: items of one update, of all processes together. lr: largest learning rate.
    schedule: learning rate over the steps. "cosine" rises over the share `warmup` of the steps, then falls to 0 as a
        cosine. "hold" rises as well, stays, and falls to 0 along a line over the last share `fall`. "step" halves
        every `halve_every` steps, without warm-up; it is the authors' schedule.
    betas, weight_decay: of AdamW. clip: largest norm of the gradient; 0 for no limit.
    ema: decay of a moving average of the weights, which replaces the weights at the end; 0 for none.
    precision: "no", or "bf16" for mixed precision where the device can (`autocast`); it needs no loss scaling.
    seed: of all random draws.
    checkpoint: folder of the training's state, saved every `every` steps. A later call with the same folder resumes.
    until: step at which to stop early and save. A later call resumes there. None: train to the end.
    Raises ValueError for an unknown schedule or precision.
    """

    steps: int
    batch: int = 16
    lr: float = 1e-3
    schedule: str = "cosine"
    warmup: float = 0.1
    halve_every: int = 100
    fall: float = 0.3
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.01
    clip: float = 1.0
    ema: float = 0.0
    precision: str = "no"
    seed: int = 0
    checkpoint: Path | None = None
    every: int = 200
    until: int | None = None

    def __post_init__(self) -> None:
        if self.precision not in ("no", "bf16"):
            raise ValueError(f"precision {self.precision!r}; wanted 'no' or 'bf16'")
        if self.schedule not in SCHEDULES:
            raise ValueError(f"schedule {self.schedule!r}; wanted one of {', '.join(SCHEDULES)}")

    def rate(self, step: int) -> float:
        """Learning rate at a step, as a share of the largest one."""
        if self.schedule == "step":
            return 0.5 ** (step // self.halve_every)
        rise = max(1, round(self.warmup * self.steps)) if self.warmup else 0
        if step < rise:
            return (step + 1) / rise
        if self.schedule == "hold":
            return min(1.0, max(0.0, (self.steps - step) / max(1.0, self.fall * self.steps)))
        return 0.5 + 0.5 * math.cos(math.pi * min(1.0, (step - rise) / max(1, self.steps - rise)))

    def optimizer(self, parameters: Iterable) -> torch.optim.AdamW:
        """AdamW over parameters, or over groups of parameters with learning rates of their own."""
        first, second = self.betas
        return torch.optim.AdamW(
            parameters, lr=self.lr, betas=(first, second), weight_decay=self.weight_decay, fused=True
        )


def fit(
    model: torch.nn.Module,
    loss: Callable[[torch.Generator, Part], torch.Tensor],
    training: Training,
    parameters: Iterable | None = None,
    label: str = "",
    whole: bool = False,
    items: Callable[[torch.Generator], Sequence[int]] | None = None,
) -> list[float]:
    """Train a model in place and return the loss of every step so far. The model ends in eval mode.

    loss: loss(generator, part) draws a whole batch, and returns the mean loss, a scalar, of its part of the rows.
    parameters: parameters to train, or groups with learning rates of their own. None: all that require gradients.
    label: of the progress bar.
    whole: the loss compares a batch's samples with each other, so every process computes it on the whole batch.
    items: items(generator), the indices of the batch that the loss draws, named where its loss is not finite.

    Under `accelerate launch` the processes divide each batch, and each process divides its share by accelerate's
    `gradient_accumulation_steps`; losses and gradients are means over all parts, and the first process alone saves. The
    generator and the global seed are set from (seed, step) before each part. The batch of a step therefore does not
    depend on how the run got there, and a resumed run ends with the same weights, bit for bit.
    Raises RuntimeError when loss or gradient is not finite, before it can reach a checkpoint, and where another process
    has ended; ValueError for a batch that cannot be divided equally, and for FSDP, another precision or whatever else
    accelerate's configuration asks for and this training does not do.
    """
    group.check_precision(training.precision)
    memory.keep_freed()
    first = is_main()
    parts = [Part()] if whole else batches.parts(training.batch, group.passes(), label or "training")
    model.to(device()).train()
    batches.share_weights(model)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = training.optimizer(trained if parameters is None else parameters)
    state = _state(training, model, optimizer, trained)
    _load(state)
    optimizer.zero_grad()  # of a step that was interrupted, in an earlier call
    last = min(training.steps, training.until or training.steps)
    history = state.history
    done = len(history)
    progress = tqdm(range(done, last), initial=done, total=last, desc=label, mininterval=2.0, disable=not first)
    track = Track(label, done, last, training.batch) if first else None
    for step in progress:
        seed = training.seed * 1_000_003 + step
        value = _gradient(model, loss, trained, parts, seed, training.precision)
        norm = torch.nn.utils.clip_grad_norm_(trained, training.clip or math.inf)
        if not (math.isfinite(value) and torch.isfinite(norm)):
            raise RuntimeError(_not_finite(label or "training", step, value, state, items, seed))
        optimizer.step()
        optimizer.zero_grad()
        rate = state.scheduler.get_last_lr()[0]
        state.advance(value)
        if track:
            track.log(step, value, rate)
        if step % 20 == 0:
            progress.set_postfix(loss=f"{sum(history[-20:]) / len(history[-20:]):.4f}")
        if first and (step + 1) % training.every == 0 and step + 1 < last:
            state.save()
    if track:
        track.close()
    if first and done < last:
        state.save()
    wait()
    if state.average:
        state.average.copy_to(trained)
    model.eval()
    return history


def _gradient(model, loss, trained, parts, seed, precision):
    """Set the gradients of a step, means over its parts and over all processes, and return the mean of the loss."""
    values = []
    for part in parts:
        torch.manual_seed(seed)
        generator = torch.Generator().manual_seed(seed)
        with batches.undivided(model, part):
            with autocast(precision, device()):
                value = loss(generator, part)
            (value / len(parts)).backward()
        values.append(value.detach())
    return batches.average_gradients(trained, torch.stack(values).mean()).item()


def _state(training, model, optimizer, trained):
    """The state of a training at its start."""
    average = None
    if training.ema:
        from diffusers.training_utils import EMAModel  # here, as it takes seconds, and who only renders needs none

        average = EMAModel(trained, decay=training.ema, use_ema_warmup=True, power=0.75, foreach=True)
    scheduler = LambdaLR(optimizer, lambda step: training.rate(step))
    return State(training.checkpoint, model, optimizer, scheduler, average, trained)


def _load(state):
    """Read the saved state in every process. Raises RuntimeError where they do not read the same."""
    with group.main_first():  # which moves a damaged one out of the others' sight
        state.load(device())
    done = float(len(state.history))
    if group.average(torch.tensor([done], device=device())).item() != done:
        raise RuntimeError(
            f"process {group.index()} would go on from step {done:.0f}, others from another; "
            "wanted one folder of states that all processes see"
        )


def _not_finite(label, step, loss, state, items, seed):
    """What to say where a loss or gradient is not finite. items, seed: of `fit` and of the step."""
    what = "gradient is not finite" if math.isfinite(loss) else f"loss is {loss}"
    rows = ""
    if items:
        drawn = list(items(torch.Generator().manual_seed(seed)))
        rows = f" (items {', '.join(map(str, drawn[:16]))}{', ...' if len(drawn) > 16 else ''})"
    kept = f"; {state.path} is the last good state" if state.path and state.path.exists() else ""
    return f"{label}: {what} at step {step}{rows}{kept}; lower the learning rate"
