"""The frame encoder of the small profile, in place of the paper's pretrained networks for picture and flow.

Four frames of five are silent. Trained from a random start together with Video2RMS, the encoder would stay at
predicting silence. It is therefore trained first, to predict the level of each frame of the training films, on short
windows of which half lie around a sound. Then it is frozen, as the paper's encoders are.
"""

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import nn
from tqdm.auto import tqdm

from vf.backends import tensors
from vf.data.columns import Column
from vf.signal import fit, motion

CHANNELS = {"difference": 3, "flow": 2, "colour": 6}  # of `frames.KINDS`
PICTURE = {"difference": 1, "flow": 0, "colour": 3}  # how many of them, the first, show the scene itself
FLOOR_DB = -45.0  # level 0
UNIT_DB = 10.0  # a step of 1 in level
CHOICES = 11  # random numbers that decide a view of `augment`


class FrameEncoder(ModelMixin, ConfigMixin):
    """A small convolutional network over each frame and its neighbours.

    channels: of a frame's maps. widths: channels of the convolutions; each convolution halves the picture. The second
    one covers three frames, to distinguish a sudden stop in one place from a slow one. hidden, dropout: of the layers
    over time that estimate the level; they are used only in training. fps: of the clock on which the features come.
    late: by how many seconds the pictures of a film come late, by its pictures a second, as of `motion.rate`. Films of
    one rate were written by one kind of camera and converter; rates that are not there count as in time.
    """

    @register_to_config
    def __init__(
        self,
        channels: int = 3,
        widths: Sequence[int] = (12, 32, 48, 96),
        hidden: int = 96,
        dropout: float = 0.1,
        fps: float = 30.0,
        late: Mapping[str, float] = {},  # noqa: B006  # diffusers keeps it, read only
    ):
        super().__init__()
        sizes = list(zip((channels, *widths), widths))
        self.convolutions = nn.ModuleList(nn.Conv2d(*size, 3, stride=2, padding=1, bias=False) for size in sizes)
        self.convolutions[1] = nn.Conv3d(*sizes[1], 3, stride=(1, 2, 2), padding=(0, 1, 1), bias=False)
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for width in widths)
        self.norm = nn.BatchNorm1d(2 * widths[-1], affine=False)
        over_time: list[nn.Module] = []
        for size in (2 * widths[-1], hidden):
            over_time += [nn.Conv1d(size, hidden, 5, padding=2), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Dropout(dropout)]
        self.level = nn.Sequential(*over_time, nn.Conv1d(hidden, 1, 5, padding=2))

    def forward(self, maps: torch.Tensor, weights: torch.Tensor | None = None) -> torch.Tensor:
        """Features of frames: maps uint8 (b, t, c, h, w) -> (b, t, 2 * widths[-1]).

        They are the mean and the maximum over the picture, normalised. weights: (b, n, t) of `distinct_maps`, which
        bring the features of pictures to the n frames of a clock: (b, n, 2 * widths[-1]).
        """
        b, t = maps.shape[:2]
        x = maps.flatten(0, 1).to(memory_format=torch.channels_last).float() / 64
        for convolution, norm in zip(self.convolutions, self.norms):
            if isinstance(convolution, nn.Conv3d):
                film = x.permute(0, 2, 3, 1).unflatten(0, (b, t))
                film = torch.cat([film[:, :1], film, film[:, -1:]], 1)  # the ends have themselves for neighbours
                film = convolution(film.permute(0, 4, 1, 2, 3))
                x = film.permute(0, 2, 3, 4, 1).flatten(0, 1).permute(0, 3, 1, 2)  # channels stay last in memory
            else:
                x = convolution(x)
            x = F.relu(norm(x))
        # the maximum as well as the mean, because a stick is thin
        features = self.norm(torch.cat([x.mean((2, 3)), x.amax((2, 3))], 1)).unflatten(0, (b, t))
        return features if weights is None else weights.to(features.dtype) @ features

    def estimate_levels(self, vectors: torch.Tensor) -> torch.Tensor:
        """Estimate of `levels` from the features of `forward`: (b, t, d) -> (b, t)."""
        return self.level(vectors.transpose(1, 2))[:, 0]


def distinct_maps(
    clips: Sequence[torch.Tensor],
    times: np.ndarray | Sequence[np.ndarray] | None,
    fps: float,
    late: Mapping[str, float],
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Clips as FrameEncoder.forward takes them: each picture once, and the weights that bring it to the clock.

    A film of 25 fps read at 30 fps shows every fifth picture twice, and up to 33 ms late. Its hits are told by what is
    before and after a picture, and by when it was taken.
    clips: maps (n, c, h, w) of frames on the clock. times: (n,) seconds from the clip's beginning of the picture that
    each frame shows; None where they are the clock's own. late: of FrameEncoder. Returns maps (b, t, c, h, w), the last
    picture repeated where a clip has fewer than others, and weights (b, n, t), or None.
    """
    if times is None:
        return torch.stack(list(clips)), None
    found = [motion.interpolation(at - late.get(str(motion.rate(at)), 0.0), fps) for at in times]
    most = max(len(index) for index, _ in found)
    maps = [clip[np.pad(index, (0, most - len(index)), mode="edge")] for clip, (index, _) in zip(clips, found)]
    weights = [np.pad(weight, ((0, 0), (0, most - weight.shape[1]))) for _, weight in found]
    return torch.stack(maps), torch.from_numpy(np.stack(weights))


def levels(curves: np.ndarray | torch.Tensor, frames: int, groups: Sequence[Hashable] | None = None) -> torch.Tensor:
    """Level of each video frame: its loudest RMS in units of 10 dB above -45 dB, at least 0. (b, n) -> (b, frames).

    groups: film of each clip. With them each film is shifted so that its loud frames (the 0.9 quantile of its levels
    above 0) are as loud as in the median film, because the picture does not show the distance of the microphone.
    """
    loudest = F.adaptive_max_pool1d(torch.as_tensor(curves)[:, None], frames)[:, 0]
    level = ((20 * loudest.clamp(min=1e-6).log10() - FLOOR_DB) / UNIT_DB).clamp(min=0)
    if groups is None:
        return level
    films = {g: [i for i, other in enumerate(groups) if other == g] for g in dict.fromkeys(groups)}
    audible = {g: level[i][level[i] > 0] for g, i in films.items()}
    loud = {g: values.quantile(0.9) for g, values in audible.items() if len(values)}
    if not loud:
        return level
    median = torch.stack(list(loud.values())).median()
    for g, top in loud.items():
        level[films[g]] = torch.where(level[films[g]] > 0, level[films[g]] + median - top, 0).clamp(min=0)
    return level


def augment(
    maps: torch.Tensor,
    generator: torch.Generator,
    kinds: Sequence[str] = ("difference",),
    shift: float = 0.07,
    zoom: float = 0.3,
    hide: float = 0.5,
) -> torch.Tensor:
    """Random view of a piece of film as from another camera: mirrored, moved, scaled, paler, partly hidden.

    maps: uint8 (t, c, h, w), channels of `frames.KINDS`, one kind after the other. Returns the same shape and type.
    shift: largest move, in picture sizes. zoom: largest change of scale, in octaves.
    hide: probability that a box of a quarter of each side is blanked.
    """
    return view(maps, torch.rand(CHOICES, generator=generator), kinds, shift, zoom, hide)


def parts(maps: torch.Tensor, kinds: Sequence[str]) -> Iterator[tuple[int, torch.Tensor, torch.Tensor]]:
    """Maps (t, c, h, w) kind by kind: the value of a place that does not move, the kind's channels, its picture.

    Both are views of the maps, for changes in place. The picture (t, 0 to 3, h, w) is the first of the channels.
    """
    first = 0
    for kind in kinds:
        part = maps[:, first : first + CHANNELS[kind]]
        yield 128 if kind == "flow" else 0, part, part[:, : PICTURE[kind]]
        first += CHANNELS[kind]


def view(maps, choices, kinds=("difference",), shift=0.07, zoom=0.3, hide=0.5):
    """`augment` by CHOICES random numbers in [0, 1), for those who draw them all beforehand."""
    mirror, dy, dx, size, stretch, contrast, paler, grey, box, top, left = choices.tolist()
    h, w = maps.shape[-2:]
    wide = 2 ** (zoom * (2 * size - 1))
    tall = wide * 2 ** (zoom * (stretch - 0.5) / 2)
    flip = -1.0 if mirror < 0.5 else 1.0
    view = torch.tensor([[flip * wide, 0, 2 * shift * (2 * dx - 1)], [0, tall, 2 * shift * (2 * dy - 1)]])
    grid = F.affine_grid(view[None], [1, 1, h, w], align_corners=False)
    # one grid for all frames and channels
    warped = F.grid_sample(maps.flatten(0, 1)[None].float(), grid, padding_mode="border", align_corners=False)[0]
    warped = warped.unflatten(0, maps.shape[:2])
    y = int(top * h * 0.75)
    x = int(left * w * 0.75)
    for still, part, picture in parts(warped, kinds):
        if still:  # flow is mirrored and scaled with the picture
            part[:, 0] = still + (part[:, 0] - still) * flip / wide
            part[:, 1] = still + (part[:, 1] - still) / tall
        else:
            part *= 2 ** (2 * contrast - 1)
            # vary the look of the scene, so that the encoder learns from changes and does not recognise the film
            picture.mul_(0.5 + paler).add_(60 * (grey - 0.5))
        if box < hide:
            part[:, :, y : y + h // 4, x : x + w // 4] = still
    return warped.round().clamp(0, 255).to(torch.uint8)


@dataclass(frozen=True)
class Options(fit.Training):
    """Training of a FrameEncoder; `features.encoder` of params.yaml has these keys.

    widths: of the encoder. window: frames of a sample. balance: share of samples that lie around a frame drawn in
    proportion to its level. steps, lr, ...: as in fit.Training.
    """

    widths: tuple[int, ...] = (12, 32, 48, 96)
    window: int = 32
    balance: float = 0.5
    batch: int = 24
    lr: float = 3e-3
    weight_decay: float = 0.02
    precision: str = "bf16"


def train(
    maps: np.ndarray | Column,
    curves: np.ndarray | torch.Tensor,
    groups: Sequence[Hashable],
    among: Sequence[int],
    kinds: Sequence[str] = ("difference",),
    start: str | Path | None = None,
    weights: str | Path | None = None,
    times: np.ndarray | None = None,
    fps: float = 30.0,
    **settings,
) -> tuple[FrameEncoder, list[float]]:
    """Train a FrameEncoder on training films, or load one.

    maps: uint8 (clips, t, c, h, w), perhaps on disk. curves: (clips, n) RMS of the clips. groups: film of each clip.
    among: indices of the clips to train on. kinds: of the maps. start: folder of a trained encoder to continue from.
    weights: folder of a trained encoder to take as it is. times: (clips, t), see `distinct_maps`. fps: of the maps.
    settings: keywords of Options. Returns (encoder, losses).
    Raises FileNotFoundError where a folder has no encoder, ValueError where one was trained on other maps or has other
    widths, and tensors.CheckpointError where it lacks weights.
    """
    asked = {"channels": maps.shape[2], "widths": list(settings.get("widths", Options.widths)), "fps": fps}
    if weights:
        return _trained("weights", weights, asked).to(fit.device()), []
    options = Options(**settings)
    torch.manual_seed(options.seed)
    encoder = _trained("start", start, asked) if start else FrameEncoder(**asked)
    level = levels(np.asarray(curves)[list(among)], maps.shape[1], [groups[i] for i in among])  # no other clip is read
    target = dict(zip(among, level))

    def draw(generator):
        """A random sample: its clip, its first frame, and the random numbers of its view."""
        i = among[int(torch.randint(len(among), (1,), generator=generator))]
        last = maps.shape[1] - options.window
        if torch.rand(1, generator=generator) < options.balance:
            loud = int(torch.multinomial(target[i] + 0.02, 1, generator=generator))
            first = min(max(loud - int(torch.randint(options.window, (1,), generator=generator)), 0), last)
        else:
            first = int(torch.randint(last + 1, (1,), generator=generator))
        return i, slice(first, first + options.window), torch.rand(CHOICES, generator=generator)

    def loss(generator, part):
        samples = part.rows([draw(generator) for _ in range(options.batch)])
        fps = encoder.config["fps"]
        films = (torch.from_numpy(np.array(maps[i, window])) for i, window, _ in samples)
        seen = [view(film, choices, kinds) for film, (*_, choices) in zip(films, samples)]
        at = None if times is None else [times[i, window] - window.start / fps for i, window, _ in samples]
        reference = torch.stack([target[i][window] for i, window, _ in samples])
        estimate = encoder.estimate_levels(features_of(encoder, seen, at))
        return F.mse_loss(estimate.float(), reference.to(encoder.device))

    return encoder, fit.fit(encoder, loss, options, label="frame encoder")


def _trained(key, folder, asked):
    """The encoder in the folder that a key of `features` names, if it is of the channels, widths and fps asked for."""
    if not Path(folder).is_dir():
        raise FileNotFoundError(f"{folder}: no frame encoder there; mend the path, or set features.{key} to null")
    encoder = _read(folder)
    has = {name: encoder.config[name] for name in asked} | {"widths": list(encoder.config["widths"])}
    if wrong := [name for name in asked if has[name] != asked[name]]:
        held, wanted = (", ".join(f"{name} {of[name]}" for name in wrong) for of in (has, asked))
        raise ValueError(
            f"{folder} is an encoder of {held}; wanted {wanted}, by features.kinds, features.encoder.widths and "
            f"timeline.fps: change these, or set features.{key} to null to train one of them"
        )
    return encoder


def _read(folder):
    """A frozen encoder. Raises tensors.CheckpointError for a folder that is damaged or lacks weights."""
    wanted = "a frame encoder that `make pretrain` wrote: run it, or fetch the folder again"
    return tensors.load_folder(folder, {".": FrameEncoder.from_pretrained}, wanted)["."]


def features_of(
    encoder: FrameEncoder, clips: Sequence[torch.Tensor], times: np.ndarray | Sequence[np.ndarray] | None
) -> torch.Tensor:
    """Features (b, t, d) of clips, maps (t, c, h, w) each. times: as in `distinct_maps`."""
    maps, weights = distinct_maps(clips, times, encoder.config["fps"], encoder.config["late"])
    return encoder(maps.to(encoder.device), None if weights is None else weights.to(encoder.device))


@torch.no_grad()
def encode(
    encoder: FrameEncoder,
    maps: np.ndarray | Column,
    among: Sequence[int] | None = None,
    generator: torch.Generator | None = None,
    batch: int = 4,
    kinds: Sequence[str] = ("difference",),
    times: np.ndarray | None = None,
) -> np.ndarray:
    """Features of clips: maps uint8 (clips, t, c, h, w), perhaps on disk -> (clips, t, d) float16.

    among: indices of the clips; None for all. generator: if given, each clip is augmented (`augment`).
    kinds: of the maps. times: (clips, t), see `distinct_maps`.
    """
    parts = []
    index = list(range(len(maps)) if among is None else among)
    few = len(index) <= batch  # a window of a film, which has a bar of its own
    for start in tqdm(range(0, len(index), batch), desc="frames", mininterval=2.0, disable=few):
        chosen = index[start : start + batch]
        seen = list(torch.from_numpy(np.array(maps[chosen])))
        if generator is not None:
            seen = [augment(clip, generator, kinds) for clip in seen]
        features = features_of(encoder, seen, None if times is None else times[chosen])
        parts.append(features.cpu().numpy().astype(np.float16))
    return np.concatenate(parts)


def load(
    folder: str | Path, reader: Any, device: str | torch.device = "cpu"
) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """A frozen encoder as a function (frames, times) of one clip -> features (t, d) float16.

    times: (t,) seconds from the clip's beginning, see `distinct_maps`. folder: of the encoder. reader: `frames.Reader`
    of the maps that it was trained on. device: of the encoder.
    Raises tensors.CheckpointError for a folder that lacks weights, ValueError for an encoder of other maps.
    """
    encoder = _read(folder).to(device)
    channels = sum(CHANNELS[kind] for kind in reader.kinds)
    if encoder.config["channels"] != channels:
        raise ValueError(
            f"{folder} reads maps of {encoder.config['channels']} channels, and {', '.join(reader.kinds)} gives "
            f"{channels}; wanted the kinds that it was trained on"
        )
    return lambda frames, times: encode(encoder, reader(frames, times)[None], times=np.asarray(times)[None])[0]
