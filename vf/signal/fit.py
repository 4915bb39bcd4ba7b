"""The one training loop."""

import math
from pathlib import Path

import torch
from accelerate import Accelerator
from diffusers.training_utils import EMAModel
from tqdm.auto import tqdm


def fit(
    model,
    loss,
    steps,
    optimizer,
    *,
    seed,
    scheduler=None,
    ema=0.0,
    clip=1.0,
    checkpoint=None,
    every=200,
    precision="no",
    label="",
):
    """Train a model and return the loss of every step.

    model: nn.Module; what requires gradients is trained. loss: called with a torch.Generator, draws its own batch from it
    and returns a scalar. optimizer, scheduler: torch's, over the model's trained parameters; the scheduler steps each
    step. ema: decay of an exponential moving average; if positive its weights are left in the model at the end.
    clip: largest norm of the gradient. checkpoint: a folder; every `every` steps the state is saved there and a later
    call with the same folder goes on from it. precision: "no", or "bf16" for mixed precision, which needs no loss scaling.

    Generator and global seed are set from (seed, step) at each step, so the batch of a step does not depend on how the
    run got there: a resumed run ends with the same weights, bit for bit.
    Raises ValueError for another precision, RuntimeError when the loss is not finite, before it can reach a checkpoint.
    """
    if precision not in ("no", "bf16"):
        raise ValueError(f"precision {precision!r}; wanted 'no' or 'bf16'")
    accelerator = Accelerator()  # its own mixed precision is one for the whole process, and parts here differ
    device, wrapped_optimizer = accelerator.device, accelerator.prepare(optimizer)
    model.to(device).train()
    trained = [p for p in model.parameters() if p.requires_grad]
    average = EMAModel(trained, decay=ema, use_ema_warmup=True, power=0.75) if ema else None
    state = Path(checkpoint) / "state.pt" if checkpoint else None
    history = []
    if state and state.exists():
        saved = torch.load(state, map_location=device, weights_only=True)
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        if scheduler:
            scheduler.load_state_dict(saved["scheduler"])
        if average:
            average.load_state_dict(saved["average"])
        history = saved["history"]

    progress = tqdm(range(len(history), steps), initial=len(history), total=steps, desc=label, mininterval=2.0)
    for step in progress:
        torch.manual_seed(seed * 1_000_003 + step)
        generator = torch.Generator().manual_seed(seed * 1_000_003 + step)
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
            value = loss(generator)
        if not torch.isfinite(value):
            raise RuntimeError(f"{label or 'training'}: loss is {value.item()} at step {step}; lower the learning rate")
        accelerator.backward(value)
        if clip:
            accelerator.clip_grad_norm_(trained, clip)
        wrapped_optimizer.step()
        wrapped_optimizer.zero_grad()
        if scheduler:
            scheduler.step()
        if average:
            average.step(trained)
        history.append(value.item())
        if step % 20 == 0:
            progress.set_postfix(loss=f"{sum(history[-20:]) / len(history[-20:]):.4f}")
        if state and (step + 1) % every == 0 and step + 1 < steps:
            _save(state, model, optimizer, scheduler, average, history)
    if average:
        average.copy_to(trained)
    model.eval()
    return history


def device():
    """Where networks run: accelerate's choice, a GPU where there is one."""
    return Accelerator().device


def one_cycle(optimizer, steps, warmup=0.1):
    """A schedule that raises the rate over the first share `warmup` of the steps and lowers it to zero along a cosine."""
    rise = max(1, round(warmup * steps))

    def factor(step):
        if step < rise:
            return (step + 1) / rise
        return 0.5 + 0.5 * math.cos(math.pi * min(1.0, (step - rise) / max(1, steps - rise)))

    return torch.optim.lr_scheduler.LambdaLR(optimizer, factor)


def _save(state, model, optimizer, scheduler, average, history):
    state.parent.mkdir(parents=True, exist_ok=True)
    partial = state.with_suffix(".partial")
    torch.save(
        {
            "model": model.state_dict(),
            "optimizer": optimizer.state_dict(),
            "scheduler": scheduler.state_dict() if scheduler else None,
            "average": average.state_dict() if average else None,
            "history": history,
        },
        partial,
    )
    partial.replace(state)  # a run killed while it writes leaves the previous checkpoint whole
