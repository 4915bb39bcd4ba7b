"""Frame encoder and Video2RMS trained as one, for real films, of which there are few.

In section 2.1 the features are frozen. That wants networks that were trained on much. Here the encoder of the small
profile, which has seen rendered films alone, learns on with Video2RMS behind it.

Three things of a real film are not in its picture, and are taken out of what is learnt: how near the microphone stood
(`even_levels`), by how much the sound trails the picture (`film_lags`), and what the camera looked like
(`frame_encoder.augment`, a new view for every sample). Some dozen films are soon known by heart. Against that, clips of
two films are joined one after the other (`join`, CutMix along time) or laid over each other (`overlay`, Mixup), the
picture is hidden so that its changes alone are left, and features are dropped for a whole clip.
"""

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from vf.backends.small import frame_encoder
from vf.backends.small.frame_encoder import FrameEncoder
from vf.data.columns import Column
from vf.models import video2rms
from vf.models.video2rms import Video2RMS
from vf.signal import fit, motion, rms


@dataclass(frozen=True)
class Options(fit.Training):
    """Training of both networks; `features.end_to_end` of params.yaml has some of these keys.

    label_width, sigma: of Eq. 3, whose labels are scaled here to a sum of 1 in each frame. level: weight of the squared
    error of `frame_encoder.levels`, which the encoder estimates by itself, beside the cross entropy of the classes, a
    mean over the frames. joined, overlaid, hidden: shares of the clips that are joined from two films, laid over
    another film, and without their picture; the first two exclude each other. dropped: share of the features that a
    clip goes without. most_lag: values of the curve by which the sound of a film may trail its picture, or lead it.
    Raises ValueError where joined and overlaid are more than 1 together.
    """

    batch: int = 5
    lr: float = 2e-3
    weight_decay: float = 0.02
    precision: str = "bf16"
    warmup: float = 0.05
    label_width: int = 2
    sigma: float = 1.0
    level: float = 1.0
    joined: float = 0.0
    overlaid: float = 0.0
    hidden: float = 0.0
    dropped: float = 0.0
    most_lag: int = 12

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.joined + self.overlaid > 1:
            raise ValueError(f"joined {self.joined} and overlaid {self.overlaid}; wanted 1 together at most: lower one")


class FilmToRMS(nn.Module):
    """Both networks, one behind the other."""

    def __init__(self, encoder: FrameEncoder, model: Video2RMS):
        super().__init__()
        self.encoder, self.model = encoder, model

    def forward(
        self, clips: Sequence[torch.Tensor], times: Sequence | None, scale: torch.Tensor | float = 1.0
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Clips, as `frame_encoder.distinct_maps` takes them -> logits of classes (b, n, k), levels of frames (b, t).

        scale: (b, 1, d) of the features that Video2RMS sees.
        """
        features = frame_encoder.features_of(self.encoder, clips, times)
        return self.model(features * scale), self.encoder.estimate_levels(features)


class Clip(NamedTuple):
    """A clip to learn from: maps uint8 (t, c, h, w), times (t,) of its pictures or None, curve (n,)."""

    maps: torch.Tensor
    times: np.ndarray | None
    curve: torch.Tensor


def join(first: Clip, second: Clip, share: float) -> Clip:
    """A clip that goes over from one film to another after `share` of its length (CutMix along time).

    Both films have as many pictures a second. A picture of the second that was taken before the last of the first
    counts as taken just after it.
    """
    frame, value = (round(share * len(of)) for of in (first.maps, first.curve))
    times = first.times if frame else second.times
    if first.times is not None and second.times is not None and frame:
        after = np.maximum(second.times[frame:], first.times[frame - 1] + 1e-4)
        times = np.concatenate([first.times[:frame], after])
    return Clip(
        torch.cat([first.maps[:frame], second.maps[frame:]]),
        times,
        torch.cat([first.curve[:value], second.curve[value:]]),
    )


def overlay(first: Clip, second: Clip, kinds: Sequence[str]) -> Clip:
    """Two films at once, at the times of the first (Mixup); the power of their sounds is added.

    A picture of the second that was taken while the first repeats one is not seen.

    Pictures are averaged; of two changes the larger is seen. kinds: of the maps.
    """
    maps = first.maps.clone()
    both = zip(frame_encoder.parts(maps, kinds), frame_encoder.parts(second.maps, kinds))
    for (still, ours, picture), (_, theirs, other) in both:
        between = (picture.int() + other) // 2
        larger = (theirs.int() - still).abs() > (ours.int() - still).abs()
        ours.copy_(torch.where(larger, theirs, ours))
        picture.copy_(between)
    return Clip(maps, first.times, (first.curve.square() + second.curve.square()).sqrt().clamp(max=1))


def even_levels(curves: np.ndarray, groups: Sequence[Hashable]) -> np.ndarray:
    """Curves (b, n) of films, each film scaled so that its loud moments are as loud as in the median film.

    groups: film of each clip. A film's loud moments have the 0.9 quantile of its RMS above the floor of the classes. A
    film that never rises above it stays as it is.
    """
    curves, films = np.asarray(curves, np.float32), {}
    for film in dict.fromkeys(groups):
        clips = [i for i, other in enumerate(groups) if other == film]
        audible = curves[clips][curves[clips] > rms.Bins.floor]
        if len(audible):
            films[film] = clips, np.quantile(audible, 0.9)
    middle = np.median([loud for _, loud in films.values()] or [1.0])
    evened = curves.copy()
    for clips, loud in films.values():
        evened[clips] = (curves[clips] * (middle / loud)).clip(0, 1)
    return evened


def film_lags(truth: np.ndarray, estimate: np.ndarray, groups: Sequence[Hashable], most: int) -> dict[Hashable, int]:
    """By how many values the estimate trails the truth, film by film; negative where it leads.

    truth, estimate: (b, n) curves. groups: film of each clip. most: largest lag. It is where the covariance of a film's
    curves, summed over its clips, is largest.
    """
    spectra = [np.fft.rfft(c - c.mean(-1, keepdims=True), 2 * c.shape[-1]) for c in (truth, estimate)]
    covariance = np.fft.irfft(spectra[0].conj() * spectra[1])  # (b, 2 n), of lags 0 .. n, -n .. -1
    shifts = np.array(sorted(range(-most, most + 1), key=abs))
    films = {g: [i for i, other in enumerate(groups) if other == g] for g in dict.fromkeys(groups)}
    return {g: int(shifts[covariance[clips][:, shifts].sum(0).argmax()]) for g, clips in films.items()}


def common_lags(lags: Mapping[Hashable, int], rates: Mapping[Hashable, int]) -> tuple[int, dict[int, int]]:
    """What films' lags have in common: the median of all, and how far from it the median of each frame rate lies.

    lags: of `film_lags`, by film. rates: pictures a second, by film; a rate of a single film is not told apart.
    """
    middle = int(np.median(list(lags.values()) or [0]))
    alike: dict[int, list[int]] = {}
    for film, lag in lags.items():
        if film in rates:
            alike.setdefault(rates[film], []).append(lag)
    return middle, {rate: int(np.median(some)) - middle for rate, some in alike.items() if len(some) > 1}


def delay(curve: np.ndarray, by: int) -> np.ndarray:
    """A curve (n,) that comes `by` values later, or earlier where it is negative; the end it leaves is held."""
    return curve[(np.arange(len(curve)) - by).clip(0, len(curve) - 1)]


def train(
    encoder: FrameEncoder,
    model: dict,
    maps: np.ndarray | Column,
    curves: np.ndarray,
    groups: Sequence[Hashable],
    among: Sequence[int],
    options: Options,
    share: Sequence[float] | None = None,
    kinds: Sequence[str] = ("difference",),
    room_tone: bool = True,
    times: np.ndarray | None = None,
    synchronous: Collection[Hashable] = (),
) -> tuple[Video2RMS, list[float]]:
    """Train both networks in two halves, between which each film's lag is measured and taken out.

    encoder: trained by `frame_encoder.train`, and changed in place; from a random start both would stay at silence.
    model: keywords of the Video2RMS, whose layer over time stays an interpolation. maps: uint8 (clips, t, c, h, w),
    perhaps on disk. curves: (clips, n) RMS. groups: film of each clip. among: indices of the clips to train on. share:
    how often each of these is drawn, in proportion (default: equally often). kinds: of the maps. room_tone: of
    `video2rms.targets`. times: (clips, t), see `frame_encoder.distinct_maps`.
    synchronous: films whose sound is known to be in time.
    Returns the Video2RMS, out of which the median lag of the films is taken, and the losses. What the films of a frame
    rate have in common beside it is taken out by the encoder (`late`).
    """
    films = [groups[i] for i in among]
    wanted = even_levels(np.asarray(curves)[list(among)], films)
    _, bins = video2rms.targets(torch.from_numpy(wanted), range(len(wanted)), model["bins"], room_tone=room_tone)
    torch.manual_seed(options.seed)
    both = FilmToRMS(
        encoder, Video2RMS(frames=maps.shape[1], rms_frames=wanted.shape[1], silence=bins.silence, **model)
    )
    both.model.over_time.requires_grad_(False)
    chance = torch.ones(len(films)) if share is None else torch.as_tensor(share, dtype=torch.float)
    half, state = options.steps // 2, options.checkpoint

    def fitted(label, targets, **changes):
        settings = replace(options, **changes)
        return _fit(both, maps, times, among, torch.from_numpy(targets), chance, kinds, settings, label)

    def measured(truth):
        lags = film_lags(truth, _estimate(both, maps, times, among), films, options.most_lag)
        return {film: lag for film, lag in lags.items() if film not in synchronous}

    known = dict(encoder.config["late"])  # an encoder that was trained so before; what is measured here comes on top

    def correct(late):
        seconds = {str(rate): by * to_frames / encoder.config["fps"] for rate, by in late.items()}
        encoder.register_to_config(late=known | {rate: by + known.get(rate, 0.0) for rate, by in seconds.items()})

    rates = {} if times is None else {film: motion.rate(times[i]) for film, i in zip(films, among)}
    to_frames = maps.shape[1] / wanted.shape[1]
    losses = fitted("end to end", wanted, steps=half, checkpoint=state and state / "first")
    lags = measured(wanted)
    middle, late = common_lags(lags, rates)
    correct(late)
    rest = {film: lag - middle - late.get(rates.get(film, 0), 0) for film, lag in lags.items()}
    aligned = np.stack([delay(curve, rest.get(film, 0)) for curve, film in zip(wanted, films)])
    settings = {"steps": options.steps - half, "seed": options.seed + 1, "checkpoint": state and state / "second"}
    losses += fitted("end to end, aligned", aligned, **settings)
    middle, more = common_lags(measured(aligned), rates)
    correct({rate: by + more.get(rate, 0) for rate, by in late.items()})
    both.model.interpolate(ahead=middle * to_frames)
    return both.model, losses


def _estimate(both, maps, times, among):
    """Curves (clips, n) that both networks predict."""
    features = frame_encoder.encode(both.encoder, maps, among, times=times)
    return video2rms.predict(both.model, features, both.model.classes, "mean")[1].numpy()


def _fit(both, maps, times, among, targets, chance, kinds, options, label):
    rates = [0 if times is None else motion.rate(times[i]) for i in among]
    # films of a rate are joined
    alike = {rate: chance * torch.tensor([other == rate for other in rates]) for rate in set(rates)}

    def drawn(generator):
        return torch.multinomial(chance, options.batch, replacement=True, generator=generator)

    def clip(k, choices):
        film = torch.from_numpy(np.array(maps[among[k]]))
        at = None if times is None else times[among[k]]
        return Clip(frame_encoder.view(film, choices, kinds), at, targets[k])

    def example(pick, other, views, chances):
        seen = clip(pick, views[0])
        how, place, hide, grey = chances.tolist()
        if how < options.joined:
            seen = join(seen, clip(other, views[1]), 0.15 + 0.7 * place)
        elif how < options.joined + options.overlaid:
            seen = overlay(seen, clip(other, views[1]), kinds)
        if hide < options.hidden:
            for _, _, picture in frame_encoder.parts(seen.maps, kinds):
                picture.fill_(int(255 * grey))
        return seen

    def loss(generator, part):
        picks, count = drawn(generator).tolist(), options.batch
        others = torch.multinomial(torch.stack([alike[rates[i]] for i in picks]), 1, generator=generator)[:, 0]
        views = torch.rand(count, 2, frame_encoder.CHOICES, generator=generator)
        chances = torch.rand(count, 4, generator=generator)
        kept = torch.rand(count, 1, both.model.config["features"], generator=generator) >= options.dropped
        draws = (part.rows(of) for of in (picks, others.tolist(), views, chances))
        seen, at, wanted = zip(*(example(*draw) for draw in zip(*draws)))
        scale = part.rows(kept).to(both.encoder.device) / (1 - options.dropped)
        logits, estimate = both(seen, None if times is None else at, scale)
        curves = torch.stack(wanted)
        classes, levels = both.model.classes.encode(curves), frame_encoder.levels(curves, maps.shape[1])
        loss = video2rms.classification_loss(logits.float(), classes, options.label_width, options.sigma, True)
        return loss / logits.shape[1] + options.level * F.mse_loss(estimate.float(), levels.to(estimate.device))

    def items(generator):
        return [among[k] for k in drawn(generator).tolist()]

    return fit.fit(both, loss, options, label=label, items=items)
