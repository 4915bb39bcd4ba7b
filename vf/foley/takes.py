"""Takes: the sound of one curve with one seed, what it is made of, which of several to keep, and a last correction of its level."""

import numpy as np
import torch

from vf.evaluation import adherence
from vf.foley import curves
from vf.foley import long as windows
from vf.foley import request as regions


def hear(pipeline, timeline, wanted, prompt=None, audio=None, seed=0, places=()):
    """Check what is asked for. Returns (curve (n,) float32, [windows.Voice]): the film's own voice and one for each region's prompt.

    wanted, prompt, audio, seed: see foley.VideoFoley.sound; places: its regions. Raises ValueError for what cannot be made.
    """
    wanted = curves.check(wanted)
    regions.check_seed(seed)
    regions.check_prompt(prompt, audio)
    regions.check(places, len(wanted) * timeline.video_hop / timeline.sample_rate)
    voices = [windows.Voice(_timbre(pipeline, timeline, prompt, audio), torch.ones(_latents(timeline, len(wanted))))]
    for place in places:
        if place.prompt is not None or place.audio is not None:
            for voice in voices:
                voice.weight[slice(*_span(timeline, place))] = 0
            voices.append(
                windows.Voice(_timbre(pipeline, timeline, place.prompt, place.audio), torch.zeros_like(voices[0].weight))
            )
            voices[-1].weight[slice(*_span(timeline, place))] = 1
    return wanted, voices


def _timbre(pipeline, timeline, prompt, audio):
    if isinstance(audio, regions.Timbre):
        return torch.as_tensor(audio.vector, dtype=torch.float32, device=pipeline.device)
    if audio is not None:
        return pipeline.encode_prompt(audio=regions.listen(audio, timeline.sample_rate)[None])[0]
    return None if prompt is None else pipeline.encode_prompt(prompt)[0]


def _latents(timeline, frames):
    """Latent frames for a curve of `frames` values, at least a clip's."""
    return max(timeline.latent_frames, -(-frames * timeline.video_hop // (timeline.sound_hop * timeline.latent_stride)))


def _span(timeline, place):
    """First latent frame of a region and the one after its last."""
    rate = timeline.sample_rate / (timeline.sound_hop * timeline.latent_stride)
    first, last = round(place.start * rate), round(place.end * rate)
    return first, max(first + 1, last)


def factors(timeline, frames, places):
    """What the regions' gains multiply each value of a curve by, (frames,)."""
    return regions.gains(places, (np.arange(frames) + 0.5) * timeline.video_hop / timeline.sample_rate)


def take(pipeline, timeline, wanted, voices, seed, places, options, tick):
    """The sound of a curve that `hear` has checked, (n * hop,) float32, on disk.

    options: guidance_scale, num_inference_steps, eta, precision and follow. tick: called with the share that is done; may raise to stop.
    """
    total, stride = len(voices[0].weight), timeline.latent_stride
    place = ((np.arange(total * stride) + 0.5) * timeline.sound_hop / timeline.video_hop).astype(int)
    curve = torch.from_numpy(np.append(wanted, np.float32(0))[np.minimum(place, len(wanted))])  # nearest (App. B.2), then silence
    bins = pipeline.vocoder.config.model_in_dim // stride
    latents = windows.scratch((total, pipeline.unet.config.in_channels, bins))
    seeds = [(seed, 0, total), *((p.seed, *_span(timeline, p)) for p in places if p.seed is not None)]
    size = {"window": timeline.latent_frames, "overlap": timeline.latent_frames // 4}
    windows.sample(pipeline, latents, curve, voices, seeds, **size, **options, tick=lambda share: tick(0.9 * share))
    pieces = windows.decode(pipeline, latents, **size, tick=lambda share: tick(0.9 + 0.1 * share))
    return windows.tape(_turned(pieces, timeline.sample_rate, places), len(wanted) * timeline.video_hop)


def _turned(pieces, sample_rate, places):
    """Pieces of a waveform with the regions' gains, within [-1, 1]."""
    begin = 0
    for piece in pieces:
        yield np.clip(piece * regions.gains(places, (begin + np.arange(len(piece))) / sample_rate), -1, 1)
        begin += len(piece)


def likeness(pipeline, timeline, wave, voices, floor):
    """CLAP score: cosine between prompt and sound, mean over the clips that are not silent. None without a prompt."""
    cosines = []
    for begin in range(0, len(wave), timeline.samples):
        piece = np.array(wave[begin : begin + timeline.samples])
        first = begin // (timeline.sound_hop * timeline.latent_stride)
        voice = max(voices, key=lambda v: float(v.weight[first : first + timeline.latent_frames].sum()))
        if voice.timbre is not None and np.sqrt(np.mean(piece**2)) > floor / 2:
            cosines.append(float(pipeline.encode_prompt(audio=piece[None])[0] @ voice.timbre))
    return float(np.mean(cosines)) if cosines else None


def best(takes):
    """Of takes (adherence, CLAP score or None, ...) the one closest to its curve whose CLAP score is not below the median of all."""
    scores = [t[1] for t in takes]
    middle = -np.inf if None in scores else np.median(scores)
    return min((t for t in takes if None in scores or t[1] >= middle), key=lambda t: t[0]["raw"]["e_l1"])


def corrected(timeline, wave, wanted, floor, piece=1 << 20):
    """A take multiplied towards its curve (adherence.correction), on disk; `piece` samples at a time."""
    hop = timeline.video_hop
    got = adherence.loudness(wave, timeline.video_window, hop)
    gain = adherence.correction(wanted, got, timeline.sample_rate / hop, floor)
    centres = (np.arange(len(gain)) + 0.5) * hop

    def pieces():
        for begin in range(0, len(wave), piece):
            part = wave[begin : begin + piece]
            yield np.clip(part * np.interp(begin + np.arange(len(part)), centres, gain), -1, 1)

    return windows.tape(pieces(), len(wave))
