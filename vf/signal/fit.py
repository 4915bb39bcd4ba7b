"""The one training loop, and the options that every training shares."""

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
    """How a network is trained; the `train:` blocks of params.yaml have these keys.

    steps: updates in all. batch: items of one update. lr: the largest rate. schedule: how the rate moves, after it has risen
    over the share `warmup` of the steps: "cosine" falls to 0; "step" halves every `halve_every` steps, without warm-up (the
    authors'); "hold" stays and falls to 0 along a line over the last share `fall`. betas, weight_decay: AdamW's. clip:
    largest norm of the gradient. ema: decay of an average of the weights, which is what is left in the model; 0 for none.
    precision: "no", or "bf16" for mixed precision, which needs no loss scaling. seed: of all that is drawn.
    checkpoint: folder of the training's state, saved every `every` steps; a later call with the same folder goes on from it.
    until: step at which to stop and save, to be gone on from later; the end without.
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

    def __post_init__(self):
        if self.precision not in ("no", "bf16"):
            raise ValueError(f"precision {self.precision!r}; wanted 'no' or 'bf16'")
        if self.schedule not in SCHEDULES:
            raise ValueError(f"schedule {self.schedule!r}; wanted one of {', '.join(SCHEDULES)}")

    def rate(self, step: int) -> float:
        """Share of the largest rate at a step."""
        if self.schedule == "step":
            return 0.5 ** (step // self.halve_every)
        rise = max(1, round(self.warmup * self.steps)) if self.warmup else 0
        if step < rise:
            return (step + 1) / rise
        if self.schedule == "hold":
            return min(1.0, max(0.0, (self.steps - step) / max(1.0, self.fall * self.steps)))
        return 0.5 + 0.5 * math.cos(math.pi * min(1.0, (step - rise) / max(1, self.steps - rise)))

    def optimizer(self, parameters: Iterable) -> torch.optim.AdamW:
        """AdamW over parameters, or groups of them with rates of their own."""
        return torch.optim.AdamW(parameters, lr=self.lr, betas=tuple(self.betas), weight_decay=self.weight_decay)


def fit(
    model: torch.nn.Module, loss: Callable, training: Training, parameters: Iterable | None = None, label: str = ""
) -> list:
    """Train a model and return the loss of every step so far.

    loss: called with a torch.Generator, draws its own batch from it and returns a scalar. parameters: what the optimizer
    moves, or groups with rates of their own; all of the model that requires gradients without. label: of the progress bar.

    Generator and global seed are set from (seed, step) at each step, so the batch of a step does not depend on how the
    run got there: a resumed run ends with the same weights, bit for bit.
    Raises RuntimeError when the loss is not finite, before it can reach a checkpoint.
    """
    accelerator = Accelerator()  # its own mixed precision is one for the whole process, and parts here differ
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
    """All that a training goes on from: weights, optimizer, schedule, the average of the weights, and the losses so far."""

    def __init__(self, training, model, optimizer, trained):
        self.model, self.optimizer, self.trained = model, optimizer, trained
        self.scheduler = LambdaLR(optimizer, lambda step: training.rate(step))
        self.average = EMAModel(trained, decay=training.ema, use_ema_warmup=True, power=0.75) if training.ema else None
        self.path = Path(training.checkpoint) / "state.pt" if training.checkpoint else None
        self.history = []

    def advance(self, loss):
        """After a step of the optimizer."""
        self.scheduler.step()
        if self.average:
            self.average.step(self.trained)
        self.history.append(loss)

    def load(self, device):
        """Go on from what was saved, if anything was."""
        if not self.path or not self.path.exists():
            return
        saved = torch.load(self.path, map_location=device, weights_only=True)
        self.model.load_state_dict(saved["model"])
        self.optimizer.load_state_dict(saved["optimizer"])
        self.scheduler.load_state_dict(saved["scheduler"])
        if self.average:
            self.average.load_state_dict(saved["average"])
        self.history += saved["history"]

    def save(self):
        """Write it, where there is a folder for it."""
        if not self.path:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_suffix(".partial")
        values = {name: getattr(self, name) for name in ("model", "optimizer", "scheduler", "average")}
        saved = {name: value.state_dict() if value else None for name, value in values.items()}
        torch.save({**saved, "history": self.history}, partial)
        partial.replace(self.path)  # a run killed while it writes leaves the previous checkpoint whole


def device() -> torch.device:
    """Where networks run: accelerate's choice, a GPU where there is one."""
    return Accelerator().device
