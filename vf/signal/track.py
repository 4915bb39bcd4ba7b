"""Where a training reports its progress besides its bar: nowhere, unless the environment variable VF_TRACK says so.

`VF_TRACK=tensorboard` or `VF_TRACK=dvclive` writes files below `runs/track`, `VF_TRACK=tensorboard:FOLDER` elsewhere.
Nothing is sent anywhere. The package of that name has to be installed.
"""

import importlib.util
import os
import time
from pathlib import Path
from typing import Any

from accelerate.tracking import DVCLiveTracker, TensorBoardTracker

EVERY = 20  # steps


class Track:
    """Follows one training. label: its name. done, last: steps at its start and end. batch: samples of a step.

    Raises ValueError for an unknown tracker, and for one that is not installed.
    """

    def __init__(self, label: str, done: int, last: int, batch: int):
        self.done, self.last, self.batch = done, last, batch
        self._begin = time.monotonic()
        self._tracker = _tracker("-".join(label.split()) or "training", done)

    def log(self, step: int, loss: float, rate: float) -> None:
        """Report a step, if it is its turn. rate: learning rate of the step. Times are means since the start."""
        count = step + 1 - self.done
        if self._tracker and (step % EVERY == 0 or step + 1 == self.last):
            seconds = (time.monotonic() - self._begin) / count
            values = {"loss": loss, "learning_rate": rate, "samples_per_second": self.batch / seconds}
            self._tracker.log({**values, "remaining_seconds": (self.last - step - 1) * seconds}, step=step)

    def close(self) -> None:
        """Finish what is written."""
        if self._tracker:
            self._tracker.finish()


def _tracker(name: str, done: int) -> Any:
    """The tracker that VF_TRACK names, started, or None."""
    kind, _, folder = os.environ.get("VF_TRACK", "").partition(":")
    if not kind:
        return None
    if kind not in ("dvclive", "tensorboard"):
        raise ValueError(f"VF_TRACK is {kind!r}; wanted dvclive or tensorboard, perhaps with :FOLDER")
    if importlib.util.find_spec(kind) is None:
        raise ValueError(f"VF_TRACK is {kind!r}, which is not installed; run `pip install {kind}`, or unset VF_TRACK")
    path = Path(folder or "runs/track").absolute()
    path.mkdir(parents=True, exist_ok=True)
    if kind == "dvclive":
        own = {"dir": str(path / name), "resume": done > 0, "save_dvc_exp": False, "dvcyaml": None, "report": None}
        tracker: Any = DVCLiveTracker(name, **own)  # all of it in its folder: neither git nor dvc.yaml is touched
    else:
        tracker = TensorBoardTracker(name, logging_dir=str(path))
    tracker.start()
    return tracker
