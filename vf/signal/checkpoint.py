"""The state that a training is resumed from, and what tells one network's weights from another's."""

import errno
import hashlib
import os
import pickle
from pathlib import Path
from typing import Any

import torch

# what reading a damaged file raises; a file that cannot be opened is another matter
UNREADABLE = (
    OSError, RuntimeError, ValueError, LookupError, TypeError, AttributeError, EOFError, pickle.UnpicklingError
)  # fmt: skip


class State:
    """Weights, optimizer, schedule, average of the weights, and losses so far, kept in `state.pt` of a folder.

    folder: None keeps nothing. average: EMAModel, or None. trained: the parameters that it averages.
    """

    def __init__(
        self,
        folder: str | Path | None,
        model: torch.nn.Module,
        optimizer: torch.optim.Optimizer,
        scheduler: Any,
        average: Any,
        trained: list[torch.Tensor],
    ):
        self.path = Path(folder) / "state.pt" if folder else None
        self.model = model
        self.optimizer = optimizer
        self.scheduler = scheduler
        self.average = average
        self.trained = trained
        self.history: list[float] = []

    def advance(self, loss: float) -> None:
        """Follow a step of the optimizer: move the schedule and the average, and keep the loss."""
        self.scheduler.step()
        if self.average:
            self.average.step(self.trained)
        self.history.append(loss)

    def load(self, device: torch.device) -> None:
        """Read the saved state, if there is one.

        One that is damaged or of another training is moved to `state.broken`; a line says so, and nothing is loaded.
        """
        if not self.path or not self.path.exists():
            return
        file = self.path.open("rb")
        try:
            with file:
                saved = torch.load(file, map_location=device, weights_only=True)
            self._check(saved)
        except torch.OutOfMemoryError:
            raise
        except UNREADABLE as error:
            self.path.replace(self.path.with_suffix(".broken"))
            reason = str(error).split("\n")[0]
            print(f"{self.path}: cannot be resumed from ({reason}); moved to state.broken, the training begins again")
            return
        self.model.load_state_dict(saved["model"])
        self.optimizer.load_state_dict(saved["optimizer"])
        self.scheduler.load_state_dict(saved["scheduler"])
        if self.average:
            self.average.load_state_dict(saved["average"])
        self.history += saved["history"]

    def _check(self, saved):
        """Raises one of UNREADABLE where a saved state does not fit, before any of it is loaded."""
        _compare("weights", saved["model"], self.model.state_dict())
        trained = [p for group in self.optimizer.param_groups for p in group["params"]]
        groups = saved["optimizer"]["param_groups"]
        if [len(g["params"]) for g in groups] != [len(g["params"]) for g in self.optimizer.param_groups]:
            raise ValueError("the optimizer has other parameters")
        for i, moments in saved["optimizer"]["state"].items():
            _compare("moments of the optimizer", [moments["exp_avg"], moments["exp_avg_sq"]], [trained[i]] * 2)
        if (saved["average"] is None) != (self.average is None):
            raise ValueError("one of the two trainings averages its weights")
        if self.average:
            _compare("averaged weights", saved["average"]["shadow_params"], self.trained)
        if saved["scheduler"]["last_epoch"] != len(saved["history"]):
            raise ValueError(f"{len(saved['history'])} losses of {saved['scheduler']['last_epoch']} steps")

    def save(self) -> None:
        """Write the state, if a folder was given. Raises OSError, which names the file, where it cannot be written."""
        if not self.path:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_suffix(".partial")
        values = {name: getattr(self, name) for name in ("model", "optimizer", "scheduler", "average")}
        saved = {name: value.state_dict() if value else None for name, value in values.items()}
        try:
            torch.save({**saved, "history": self.history}, partial)
            partial.replace(self.path)  # a run killed while it writes leaves the previous checkpoint whole
        except (OSError, RuntimeError) as error:  # the second is torch's for a disk that is full
            partial.unlink(missing_ok=True)
            number = getattr(error, "errno", None) or errno.ENOSPC
            raise OSError(number, os.strerror(number), str(self.path)) from error


def steps_done(folder: str | Path) -> int:
    """Steps of the training whose state a folder holds; 0 where there is none that can be read."""
    path = Path(folder) / "state.pt"
    if not path.exists():
        return 0
    with path.open("rb") as file:
        try:
            return len(torch.load(file, map_location="cpu", weights_only=True)["history"])
        except UNREADABLE:
            return 0


def digest(*modules: torch.nn.Module) -> str:
    """SHA-256 over the weights of torch modules, in order."""
    total = hashlib.sha256()
    for module in modules:
        for name, tensor in sorted(module.state_dict().items()):
            total.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
            total.update(
                tensor.detach().cpu().contiguous().view(torch.uint8).numpy() if tensor.ndim else str(tensor).encode()
            )
    return total.hexdigest()


def _compare(what, saved, wanted):
    """Raises ValueError where tensors, in dicts or lists, differ in name or shape."""
    saved, wanted = (dict(x) if isinstance(x, dict) else dict(enumerate(x)) for x in (saved, wanted))
    shapes, expected = ({name: tuple(x.shape) for name, x in tensors.items()} for tensors in (saved, wanted))
    for name in {**expected, **shapes}:
        if shapes.get(name) != expected.get(name):
            raise ValueError(f"{what}: {name} is {shapes.get(name)}; wanted {expected.get(name)}")
