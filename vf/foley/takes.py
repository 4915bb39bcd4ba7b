"""Takes: the sound of one curve with one seed, its voices, the best of several, and a last correction of its level."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch

from vf.evaluation import adherence
from vf.foley import long, request
from vf.foley.request import Region
from vf.models import sampler
from vf.models.rms2sound import RMS2Sound
from vf.models.sampler import Settings, Voice
from vf.signal.timeline import Timeline

DECODED = 8  # windows decoded at a time, at most


def encode_voices(
    pipeline: RMS2Sound,
    timeline: Timeline,
    frames: int,
    settings: Settings,
    prompt: str | None = None,
    audio: object = None,
    seed: int = 0,
    places: Sequence[Region] = (),
) -> list[Voice]:
    """Check a request for a sound and encode its prompts, for which its curve need not be known.

    frames: length of the curve. prompt, audio, seed: see render.VideoFoley.sound. places: its regions. settings:
    sampler.Settings; prompts are encoded at its precision, as those of the tables are. Returns the film's voice, then
    one for each region's prompt. Raises ValueError for a request that cannot be met.
    """
    request.check_seed(seed)
    request.check_prompt(prompt, audio)
    request.check(places, frames * timeline.video_hop / timeline.sample_rate)
    with settings.autocast(pipeline.device):
        timbres = [_timbre(pipeline, timeline, prompt, audio)]
        own = [p for p in places if p.prompt is not None or p.audio is not None]
        timbres += [_timbre(pipeline, timeline, p.prompt, p.audio) for p in own]
    weights = torch.zeros(len(timbres), sampler.latent_frames(frames, timeline))
    weights[0] = 1
    for weight, place in zip(weights[1:], own):
        span = slice(*_span(timeline, place))
        weights[:, span] = 0
        weight[span] = 1
    return [sampler.Voice(timbre, weight) for timbre, weight in zip(timbres, weights)]


def _timbre(pipeline, timeline, prompt, audio):
    """Timbre vector (1, e) of a text or a sound; None for neither."""
    if isinstance(audio, request.Timbre):
        return torch.as_tensor(audio.vector, dtype=torch.float32, device=pipeline.device)[None]
    if audio is not None:
        wave = request.listen(audio, timeline.sample_rate)
        if not np.any(wave[: round(pipeline.heard * timeline.sample_rate)]):
            raise ValueError(
                f"{audio if isinstance(audio, str | Path) else 'the sound given as prompt'}: only silence in its first "
                f"{pipeline.heard:g} s, and CLAP hears no more; wanted a sound from its beginning on: cut it there"
            )
        return pipeline.encode_prompt(audio=wave[None])
    return None if prompt is None else pipeline.encode_prompt(prompt)


def _span(timeline, place):
    """First latent frame of a region and the one after its last."""
    rate = timeline.sample_rate / (timeline.sound_hop * timeline.latent_stride)
    first, last = round(place.start * rate), round(place.end * rate)
    return first, max(first + 1, last)


def factors(timeline: Timeline, frames: int, places: Sequence[Region]) -> np.ndarray:
    """What the regions' gains multiply each value of a curve by, (frames,)."""
    return request.gains(places, (np.arange(frames) + 0.5) * timeline.video_hop / timeline.sample_rate)


def take(
    pipeline: RMS2Sound,
    timeline: Timeline,
    wanted: np.ndarray,
    voices: list[Voice],
    seed: int,
    places: Sequence[Region],
    settings: Settings,
    tick: Callable[[float], object],
    listen: Callable[[np.ndarray], object] | None = None,
) -> np.ndarray:
    """The sound of a curve that `prepare` has checked, (n * hop,) float32, on disk.

    Of a curve as long as a clip it is what sampler.generate makes of the first clip of a set.
    settings: sampler.Settings. tick: called with the share that is done; may raise to stop. listen: called with each
    piece of the sound, (s,) float32, as soon as it is finished: the sooner, the smaller `settings.batch`.
    """
    curve, window = sampler.condition(wanted, timeline), timeline.latent_frames
    total = len(curve) // timeline.latent_stride
    channels, bins = pipeline.unet.config.in_channels, pipeline.vocoder.config.model_in_dim // timeline.latent_stride
    spans = [(seed, 0, total), *((p.seed, *_span(timeline, p)) for p in places if p.seed is not None)]
    noise = sampler.SeededNoise((channels, window, bins), spans)
    latents = long.scratch((total, channels, bins))
    view = torch.from_numpy(latents).transpose(0, 1)[None]
    done = {"denoised": 0.0, "decoded": 0.0}

    def report(part, weight, share):
        done[part] = weight * share
        tick(sum(done.values()))

    denoised = partial(report, "denoised", 0.9)
    finished = sampler.denoise(pipeline, view, curve[None], voices, noise, settings, window, denoised)
    together = min(settings.batch, DECODED)
    pieces = long.decode(pipeline, latents, window, together, partial(report, "decoded", 0.1), finished)
    samples = len(wanted) * timeline.video_hop
    return long.tape(_turned(pieces, timeline.sample_rate, places, samples, listen), samples)


def _turned(pieces, sample_rate, places, samples, listen):
    """Pieces of a waveform of `samples` with the regions' gains, within [-1, 1]. listen: called with each, or None."""
    begin = 0
    for piece in pieces:
        piece = piece[: samples - begin]
        turned = np.clip(piece * request.gains(places, (begin + np.arange(len(piece))) / sample_rate), -1, 1)
        if listen:
            listen(turned.astype(np.float32))
        yield turned
        begin += len(piece)


def likeness(
    pipeline: RMS2Sound, timeline: Timeline, wave: np.ndarray, voices: list[Voice], floor: float
) -> float | None:
    """CLAP score: cosine between prompt and sound, mean over the clips that are not silent. None without a prompt."""
    cosines = []
    for begin in range(0, len(wave), timeline.samples):
        piece = np.array(wave[begin : begin + timeline.samples])
        first = begin // (timeline.sound_hop * timeline.latent_stride)
        voice = max(voices, key=lambda v: float(v.weight[first : first + timeline.latent_frames].sum()))
        if voice.timbre is not None and np.sqrt(np.mean(piece**2)) > floor / 2:
            cosines.append(float(pipeline.encode_prompt(audio=piece[None])[0] @ voice.timbre[0]))
    return float(np.mean(cosines)) if cosines else None


def best(takes: list[tuple]) -> tuple:
    """The take that is closest to its curve among the half with the highest CLAP scores, and at least two.

    takes: tuples (adherence, CLAP score or None, ...). Where a score is None, all takes count.
    """
    if None not in [t[1] for t in takes]:
        takes = sorted(takes, key=lambda t: -t[1])[: max(2, (len(takes) + 1) // 2)]
    return min(takes, key=lambda t: t[0]["raw"]["e_l1"])


def corrected(
    timeline: Timeline, wave: np.ndarray, wanted: np.ndarray, floor: float, piece: int = 1 << 17
) -> np.ndarray:
    """A take multiplied towards its curve (adherence.correction), on disk; `piece` samples at a time."""
    hop = timeline.video_hop
    got = adherence.loudness(wave, timeline.video_window, hop)
    gain = adherence.correction(wanted, got, timeline.sample_rate / hop, floor)
    centres = (np.arange(len(gain)) + 0.5) * hop

    def pieces():
        for begin in range(0, len(wave), piece):
            part = wave[begin : begin + piece]
            yield np.clip(part * np.interp(begin + np.arange(len(part)), centres, gain), -1, 1)

    return long.tape(pieces(), len(wave))
