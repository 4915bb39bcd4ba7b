"""The only training loop, and the options that all trainings share."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate import Accelerator
from diffusers.training_utils import EMAModel
from torch.optim.lr_scheduler import LambdaLR
from tqdm.auto import tqdm

SCHEDULES = ("cosine", "step", "hold")


@dataclass(frozen=True)
class Training:
    """Options of a training; the `train:` blocks of params.yaml have these keys.

    steps: number of updates. batch: items of one update. lr: largest learning rate.
    schedule: learning rate over the steps. "cosine" rises over the share `warmup` of the steps, then falls to 0 as a
        cosine. "hold" rises as well, stays, and falls to 0 along a line over the last share `fall`. "step" halves
        every `halve_every` steps, without warm-up; it is the authors' schedule.
    betas, weight_decay: of AdamW. clip: largest norm of the gradient; 0 for no limit.
    ema: decay of a moving average of the weights, which replaces the weights at the end; 0 for none.
    precision: "no", or "bf16" for mixed precision. bfloat16 needs no loss scaling. seed: of all random draws.
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
    loss: Callable[[torch.Generator], torch.Tensor],
    training: Training,
    parameters: Iterable | None = None,
    label: str = "",
) -> list[float]:
    """Train a model in place and return the loss of every step so far. The model ends in eval mode.

    loss: function of a torch.Generator. It draws its own batch and returns a scalar.
    parameters: parameters to train, or groups with learning rates of their own. None: all that require gradients.
    label: of the progress bar.

    The generator and the global seed are set from (seed, step) before each step. The batch of a step therefore does
    not depend on how the run got there, and a resumed run ends with the same weights, bit for bit.
    Raises RuntimeError when the loss is not finite, before it can reach a checkpoint.
    """
    accelerator = Accelerator()  # without its mixed precision: that is one for the whole process, and trainings differ
    device = accelerator.device
    model.to(device).train()
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = training.optimizer(trained if parameters is None else parameters)
    state = _State(training, model, optimizer, trained)
    state.load(device)
    prepared = accelerator.prepare(optimizer)
    last = min(training.steps, training.until or training.steps)
    history = state.history
    progress = tqdm(range(len(history), last), initial=len(history), total=last, desc=label, mininterval=2.0)
    for step in progress:
        torch.manual_seed(training.seed * 1_000_003 + step)
        generator = torch.Generator().manual_seed(training.seed * 1_000_003 + step)
        with torch.autocast(device.type, torch.bfloat16, enabled=training.precision == "bf16"):
            value = loss(generator)
        if not torch.isfinite(value):
            raise RuntimeError(f"{label or 'training'}: loss is {value.item()} at step {step}; lower the learning rate")
        accelerator.backward(value)
        if training.clip:
            accelerator.clip_grad_norm_(trained, training.clip)
        prepared.step()
        prepared.zero_grad()
        state.advance(value.item())
        if step % 20 == 0:
            progress.set_postfix(loss=f"{sum(history[-20:]) / len(history[-20:]):.4f}")
        if (step + 1) % training.every == 0 and step + 1 < last:
            state.save()
    if last < training.steps:
        state.save()
    if state.average:
        state.average.copy_to(trained)
    model.eval()
    return history


class _State:
    """State to resume a training from: weights, optimizer, schedule, average of the weights, and losses so far."""

    def __init__(
        self, training: Training, model: torch.nn.Module, optimizer: torch.optim.Optimizer, trained: list
    ) -> None:
        self.model = model
        self.optimizer = optimizer
        self.trained = trained
        self.scheduler = LambdaLR(optimizer, lambda step: training.rate(step))
        self.average = None
        if training.ema:
            self.average = EMAModel(trained, decay=training.ema, use_ema_warmup=True, power=0.75, foreach=True)
        self.path = Path(training.checkpoint) / "state.pt" if training.checkpoint else None
        self.history: list[float] = []

    def advance(self, loss: float) -> None:
        """Follow a step of the optimizer: move the schedule and the average, and keep the loss."""
        self.scheduler.step()
        if self.average:
            self.average.step(self.trained)
        self.history.append(loss)

    def load(self, device: torch.device) -> None:
        """Read the saved state, if there is one."""
        if not self.path or not self.path.exists():
            return
        saved = torch.load(self.path, map_location=device, weights_only=True)
        self.model.load_state_dict(saved["model"])
        self.optimizer.load_state_dict(saved["optimizer"])
        self.scheduler.load_state_dict(saved["scheduler"])
        if self.average:
            self.average.load_state_dict(saved["average"])
        self.history += saved["history"]

    def save(self) -> None:
        """Write the state, if a folder was given."""
        if not self.path:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_suffix(".partial")
        values = {name: getattr(self, name) for name in ("model", "optimizer", "scheduler", "average")}
        saved = {name: value.state_dict() if value else None for name, value in values.items()}
        torch.save({**saved, "history": self.history}, partial)
        partial.replace(self.path)  # a run killed while it writes leaves the previous checkpoint whole


def device() -> torch.device:
    """Device that networks run on: accelerate's choice, a GPU where there is one."""
    return Accelerator().device
