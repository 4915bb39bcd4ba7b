"""The RMS curve: measurement (Eq. 1), classes (Eq. 2), smoothed labels (Eq. 3), and drawn shapes (Fig. 12)."""

from collections.abc import Callable
from dataclasses import dataclass
from math import log1p
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from scipy.signal import ellip, filtfilt


def rms_curve(x: np.ndarray | torch.Tensor, window: int, hop: int) -> torch.Tensor:
    """Root mean square of each frame, Eq. 1.

    x: waveform in [-1, 1], shape (..., s). window, hop: samples. Returns (..., s / hop), in [0, 1].
    Reflect-pads (window - hop) / 2 on both sides, so 10 s at 16 kHz and hop 128 give 1250 frames (App. B.1).
    Raises ValueError for a waveform that is not whole hops or too short to reflect.
    """
    x = torch.as_tensor(x)
    samples = x.shape[-1]
    pad = (window - hop) // 2
    if samples % hop or samples <= pad:
        raise ValueError(
            f"waveform has {samples} samples; wanted whole hops of {hop} and more than {pad}: cut or pad it"
        )
    padded = F.pad(x.reshape(-1, 1, samples), (pad, pad), mode="reflect")
    power = padded.square().unfold(-1, window, hop).mean(-1)
    return power.sqrt().reshape(*x.shape[:-1], samples // hop)


def low_pass(curve: np.ndarray | torch.Tensor) -> torch.Tensor:
    """Smooth a curve without delay, as the authors' code does before it makes targets (not in the paper).

    curve: (..., n), n >= 2. Returns the same shape. The filter is a zero-phase elliptic low-pass of order 4. It cuts
    at 1/8 of the curve's Nyquist frequency, about 7.8 Hz at hop 128. It rings, so the result is clamped at 0.
    """
    b, a = ellip(4, 0.01, 120, 0.125)
    smooth = filtfilt(b, a, np.asarray(curve, dtype=np.float64), method="gust")
    return torch.from_numpy(np.ascontiguousarray(smooth)).clamp(min=0).to(torch.as_tensor(curve).dtype)


def mu_law(r: np.ndarray | torch.Tensor, mu: float) -> torch.Tensor:
    """f(r) = ln(1 + mu |r|) / ln(1 + mu), Eq. 2. r: RMS in [0, 1], any shape; returns the same shape in [0, 1]."""
    return torch.log1p(mu * torch.as_tensor(r).abs()) / log1p(mu)


def inverse_mu_law(f: np.ndarray | torch.Tensor, mu: float) -> torch.Tensor:
    """Inverse of Eq. 2: r for a given f in [0, 1], any shape."""
    return torch.expm1(torch.as_tensor(f) * log1p(mu)) / mu


@dataclass(frozen=True)
class Bins:
    """Classes of loudness, equally wide on the mu-law scale of Eq. 2, with mu = count - 1.

    count: number of classes. Class 0 is silence, all RMS below `floor`. The other classes divide f(floor) to f(1).
    RMS of 1 or more falls into the last class.
    silence: RMS value of class 0. It is 0 in the paper; it may be the room tone of a recording (`room_tone`).
    Raises ValueError for values out of range.
    """

    floor: ClassVar[float] = 0.01
    count: int = 64
    silence: float = 0.0

    def __post_init__(self) -> None:
        if self.count < 3 or not 0 <= self.silence < self.floor:
            raise ValueError(
                f"bins={self.count}, silence={self.silence}; wanted at least 3 bins and silence below {self.floor}"
            )

    @property
    def edges(self) -> torch.Tensor:
        """Edges of classes 1 to count - 1, lowest first: (count,) RMS values from `floor` to 1."""
        mu = self.count - 1
        low = float(mu_law(torch.tensor(self.floor, dtype=torch.float64), mu))
        return inverse_mu_law(torch.linspace(low, 1, self.count, dtype=torch.float64), mu).float()

    def values(self) -> torch.Tensor:
        """RMS value of each class, shape (count,): its centre on the mu-law scale; of class 0 `silence`.

        The authors take the upper edge, which doubles the error.
        """
        edges, mu = self.edges, self.count - 1
        filled = inverse_mu_law((mu_law(edges[1:], mu) + mu_law(edges[:-1], mu)) / 2, mu)
        return torch.cat([torch.tensor([self.silence]), filled])

    def encode(self, rms: np.ndarray | torch.Tensor) -> torch.Tensor:
        """RMS values, any shape -> class of each, int64 in [0, count)."""
        values = torch.as_tensor(rms).float().contiguous()
        return torch.bucketize(values, self.edges, right=True).clamp(max=self.count - 1)

    def decode(self, classes: torch.Tensor) -> torch.Tensor:
        """Classes, any shape -> RMS values of the same shape (see `values`)."""
        return self.values()[classes]

    def discretise(self, rms: np.ndarray | torch.Tensor) -> torch.Tensor:
        """Round RMS values to the values of their classes: decode(encode(rms)), the same shape."""
        return self.decode(self.encode(rms))


def room_tone(curves: np.ndarray | torch.Tensor) -> float:
    """Level of a room in which nothing happens: median RMS of all frames of class 0, or 0 if there are none.

    curves: RMS, any shape.
    """
    quiet = torch.as_tensor(curves)[torch.as_tensor(curves) < Bins.floor]
    return quiet.median().item() if len(quiet) else 0.0


def smooth_labels(classes: np.ndarray | torch.Tensor, bins: int, width: int, sigma: float = 1.0) -> torch.Tensor:
    """Gaussian label smoothing, Eq. 3.

    classes: (..., n) integers. bins: number of classes k. width, sigma: W and sigma of Eq. 3, in classes.
    Class 0 is neither smoothed nor smoothed into; a frame of class 0 keeps a hard label of 1.
    Returns (..., n, k). A row peaks at 1 and is not normalised, as in the paper.
    """
    classes = torch.as_tensor(classes)[..., None]
    index = torch.arange(bins)
    distance = (index - classes).abs()
    soft = torch.exp(-(distance.float() ** 2) / (2 * sigma**2)) * (distance <= width)
    # class 0 is silence: labels smoothed out of it would teach the model to hum, labels smoothed into it to fall silent
    return torch.where((classes == 0) | (index == 0), (distance == 0).float(), soft)


def resize(rms: np.ndarray | torch.Tensor, frames: int) -> torch.Tensor:
    """Nearest-neighbour interpolation in time (App. B.2). rms: (..., n) -> (..., frames)."""
    rms = torch.as_tensor(rms)
    flat = F.interpolate(rms.reshape(-1, 1, rms.shape[-1]).float(), size=frames, mode="nearest-exact")
    return flat.reshape(*rms.shape[:-1], frames)


def gain(wanted: np.ndarray | torch.Tensor, got: np.ndarray | torch.Tensor, floor: float = Bins.floor) -> torch.Tensor:
    """Factors that bring a sound to wanted levels, frame by frame, and leave hiss as it is. Not in the paper.

    wanted, got: RMS, (..., n). floor: RMS below which is silence. Returns (..., n). A frame gets quieter down to half
    of the floor. It gets louder only from a tenth of the wanted curve's peak on, and not below half of the floor
    either: what lies lower between two hits is mostly hiss.
    """
    wanted, got = torch.as_tensor(wanted), torch.as_tensor(got)
    hiss = (wanted.amax(-1, keepdim=True) / 10).clamp(min=floor / 2)
    louder = (wanted.maximum(hiss) / got.maximum(hiss)).clamp(min=1)
    quieter = (wanted.clamp(min=floor / 2) / got.clamp(min=floor / 2)).clamp(max=1)
    return louder * quieter


def impose(
    wave: np.ndarray | torch.Tensor, reference: np.ndarray | torch.Tensor, window: int, hop: int
) -> torch.Tensor:
    """Scale a sound so that its RMS follows a reference curve: the simplest rival of RMS2Sound.

    wave: (b, s). reference: (b, s / hop) RMS. window, hop: samples. Returns (b, s), in [-1, 1].
    The gain is at most 40 dB; more would only amplify the noise of silence.
    """
    wave = torch.as_tensor(wave)
    gain = (torch.as_tensor(reference) / rms_curve(wave, window, hop).clamp(min=1e-6)).clamp(max=100)
    smooth = F.interpolate(gain[:, None], size=wave.shape[-1], mode="linear")[:, 0]
    return (wave * smooth).clamp(-1, 1)


def _ramp(n, *points):
    """Piecewise linear curve through points (position in [0, 1], level), at the n frame centres."""
    position, level = zip(*points)
    return np.interp((np.arange(n) + 0.5) / n, position, level)


# the four shapes of Fig. 12 and the sounds of the corpus, as functions of (frames of the event, position of its peak)
SHAPES: dict[str, Callable[[int, float], np.ndarray]] = {
    "A": lambda n, peak: _ramp(n, (0, 0), (peak, 1), (1, 0)),
    "V": lambda n, peak: _ramp(n, (0, 1), (peak, 0), (1, 1)),
    "rising": lambda n, peak: _ramp(n, (0, 0), (1, 1)),
    "falling": lambda n, peak: _ramp(n, (0, 1), (1, 0)),
    "adsr": lambda n, peak: _ramp(n, (0, 0), (peak / 2, 1), (peak, 0.6), (max(peak, 0.75), 0.6), (1, 0)),
    "hit": lambda n, peak: np.exp(-6 * (np.arange(n) + 0.5) / n),
    "scratch": lambda n, peak: np.sin(np.pi * (np.arange(n) + 0.5) / n) ** 0.5,
    "flat": lambda n, peak: np.ones(n),
}


def shape(
    name: str,
    frames: int,
    rate: float,
    onset: float = 0.0,
    length: float = 1.0,
    level: float = 0.3,
    peak: float = 0.5,
) -> torch.Tensor:
    """RMS curve with one event of a named shape.

    name: a key of SHAPES. frames: length of the curve. rate: curve frames per second.
    onset, length: of the event, in seconds. level: RMS of the loudest frame, in (0, 1].
    peak: turning point of A, V and adsr, as a share of the length in (0, 1).
    Returns (frames,) float32, zero outside the event. An event longer than the curve is cut off at its end.
    Raises ValueError for an unknown name or a value out of range.
    """
    if name not in SHAPES:
        raise ValueError(f"shape {name!r}; wanted one of {', '.join(SHAPES)}")
    if not (0 < level <= 1 and length > 0 and 0 <= onset < frames / rate and 0 < peak < 1):
        raise ValueError(
            f"onset={onset} s, length={length} s, level={level}, peak={peak}; wanted an onset inside the "
            f"{frames / rate:g} s of the curve, a positive length, a level in (0, 1] and a peak in (0, 1)"
        )
    start = min(round(onset * rate), frames - 1)
    count = max(1, round(length * rate))
    event = level * SHAPES[name](count, peak)
    curve = np.zeros(frames, dtype=np.float32)
    curve[start : start + count] = event[: max(0, frames - start)]
    return torch.from_numpy(curve)
