"""What a hand does to a wanted loudness curve, and its way back: drawing, shapes, events, undo."""

from collections.abc import Callable, Sequence

import numpy as np

from vf.foley import curves
from vf.foley.render import VideoFoley
from vf.foley.request import Region

State = tuple[np.ndarray, list[Region]]  # a curve and its regions, as undo keeps them


class Edits:
    """A curve under a hand. `studio.Studio` is one, with a film and its sound beside it.

    maker: VideoFoley, of whose timeline and classes the curve is. wanted: RMS, (n,), one value every 128 samples.
    predicted: the curve that `reset` returns to. regions: kept by undo beside the curve. watchers: functions called
    without arguments after every change. A change replaces `wanted` and `regions`; it never writes into them.
    """

    def __init__(self, maker: VideoFoley):
        self.maker = maker
        self.watchers: list[Callable[[], None]] = []

    def _begin(self, predicted: np.ndarray, wanted: np.ndarray, regions: Sequence[Region] = ()) -> None:
        """Start with a curve and regions. Undo leads from these to the predicted curve, without regions."""
        self.predicted = predicted
        self.wanted = wanted
        self.regions: list[Region] = list(regions)
        self._past: list[State] = [] if wanted is predicted else [(predicted, [])]
        self._future: list[State] = []

    @property
    def rate(self) -> float:
        """Values of the curve a second."""
        return self.maker.timeline.video_rms_rate

    @property
    def seconds(self) -> float:
        """Length of the curve."""
        return len(self.wanted) / self.rate

    @property
    def events(self) -> list[curves.Span]:
        """The wanted curve's events: (start, end) in seconds (see `curves.events`)."""
        return curves.events(self.wanted, self.rate, self.maker.model.classes.floor)

    @property
    def stairs(self) -> np.ndarray:
        """The wanted curve rounded to the classes of Video2RMS, (n,)."""
        return self.maker.model.classes.discretise(self.wanted).numpy()

    def draw(self, times: Sequence[float], levels: Sequence[float]) -> None:
        """Replace the curve by straight lines through points. times: seconds, rising. levels: RMS in [0, 1]."""
        self._put(curves.draw(self.wanted, self.rate, times, levels))

    def stamp(self, name: str, onset: float, length: float, level: float, peak: float = 0.5) -> None:
        """Replace a part of the curve by a shape (see `curves.stamp`). onset, length: seconds. level: largest RMS."""
        self._put(curves.stamp(self.wanted, self.rate, name, onset, length, level, peak))

    def move(self, event: int, seconds: float) -> None:
        """Shift an event. event: its index in `events`. seconds: how much later; negative for earlier."""
        self._put(curves.move(self.wanted, self.rate, self._event(event), seconds))

    def scale(self, event: int, factor: float) -> None:
        """Make an event louder or quieter. event: its index in `events`."""
        self._put(curves.scale(self.wanted, self.rate, self._event(event), factor))

    def amplify(self, decibels: float) -> None:
        """Make the whole curve louder or softer (see `curves.amplify`)."""
        self._put(curves.amplify(self.wanted, decibels))

    def delete(self, event: int) -> None:
        """Silence an event. event: its index in `events`."""
        self._put(curves.delete(self.wanted, self.rate, self._event(event)))

    def smooth(self, seconds: float = 0.05) -> None:
        """Smooth the curve by a moving average over `seconds`."""
        self._put(curves.smooth(self.wanted, self.rate, seconds))

    def clear(self) -> None:
        """Make the whole curve silent."""
        self._put(np.zeros_like(self.wanted))

    def reset(self) -> None:
        """Return to the predicted curve."""
        self._put(self.predicted)

    def undo(self) -> None:
        """Take back the last change of curve or regions, if there is one."""
        self._swap(self._past, self._future)

    def redo(self) -> None:
        """Make the change again that `undo` took back last, if there is one."""
        self._swap(self._future, self._past)

    def _event(self, index: int) -> curves.Span:
        events = self.events
        if not 0 <= index < len(events):
            raise ValueError(f"event {index}; the curve has {len(events)}: select one of them")
        return events[index]

    def _keep(self) -> None:
        """Remember curve and regions for `undo`, before a change."""
        self._past.append((self.wanted, self.regions))
        self._future = []

    def _put(self, curve: np.ndarray) -> None:
        self._keep()
        self.wanted = np.asarray(curve, np.float32)
        self._changed()

    def _swap(self, source: list[State], target: list[State]) -> None:
        if source:
            target.append((self.wanted, self.regions))
            self.wanted, self.regions = source.pop()
            self._changed()

    def _changed(self) -> None:
        for watcher in list(self.watchers):
            watcher()
