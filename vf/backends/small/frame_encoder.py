"""The frame encoder of the small profile: what stands where the paper has pretrained networks for picture and flow.

Trained from a random start together with Video2RMS it stays on the plateau where everything is silence, since four frames
of five are. So it is trained first, on short windows half of which lie around a sound, to tell how loud each frame of a
training film is; then it is frozen, as the paper's are.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers.models.modeling_utils import ModelMixin
from diffusers.configuration_utils import ConfigMixin, register_to_config
from torch import nn
from tqdm.auto import tqdm

from vf.signal import fit

CHANNELS = {"difference": 3, "flow": 2, "colour": 6}  # of `frames.KINDS`
FLOOR_DB, UNIT_DB = -45.0, 10.0  # levels are told in units of 10 dB above the quietest that counts


class FrameEncoder(ModelMixin, ConfigMixin):
    """A small convolutional network over each frame and its neighbours.

    channels: of a frame's maps. widths: channels of the convolutions, each of which halves the picture. The second sees
    three frames at once, so that a sudden stop in one place can be told from a slow one. hidden, dropout: of the layers
    over time that tell the level, used in training alone.
    """

    @register_to_config
    def __init__(self, channels=3, widths=(12, 32, 48, 96), hidden=96, dropout=0.1):
        super().__init__()
        convolutions = [(channels, widths[0]), (widths[0], 3 * widths[1]), *zip(widths[1:], widths[2:])]
        self.convolutions = nn.ModuleList(nn.Conv2d(i, o, 3, stride=2, padding=1, bias=False) for i, o in convolutions)
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for width in widths)
        self.norm = nn.BatchNorm1d(2 * widths[-1], affine=False)
        over_time = []
        for size in (2 * widths[-1], hidden):
            over_time += [nn.Conv1d(size, hidden, 5, padding=2), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Dropout(dropout)]
        self.level = nn.Sequential(*over_time, nn.Conv1d(hidden, 1, 5, padding=2))

    def forward(self, maps):
        """maps: (b, t, c, h, w) uint8. Returns (b, t, 2 * widths[-1]): mean and maximum over the picture, normalised."""
        b, t = maps.shape[:2]
        x = maps.flatten(0, 1).to(memory_format=torch.channels_last).float() / 64
        for depth, (convolution, norm) in enumerate(zip(self.convolutions, self.norms)):
            x = convolution(x)
            if depth == 1:
                before, now, after = x.unflatten(0, (b, t)).chunk(3, 2)
                x = now.clone()
                x[:, 1:] += before[:, :-1]
                x[:, :1] += before[:, :1]
                x[:, :-1] += after[:, 1:]
                x[:, -1:] += after[:, -1:]
                x = x.flatten(0, 1)
            x = F.relu(norm(x))
        # the maximum beside the mean, as a stick is thin
        return self.norm(torch.cat([x.mean((2, 3)), x.amax((2, 3))], 1)).unflatten(0, (b, t))

    def tell(self, vectors):
        """Level of each frame as `levels` gives it: (b, t, d) -> (b, t)."""
        return self.level(vectors.transpose(1, 2))[:, 0]


def levels(curves, frames, groups=None):
    """Loudest RMS within each video frame, in units of 10 dB above -45 dB, 0 below: (b, n) -> (b, frames).

    groups: the film of each clip. With them every film is turned up or down until its loud frames (the upper tenth of
    those above 0) are as loud as the median film's: how near the microphone stood is not in the picture.
    """
    loudest = F.adaptive_max_pool1d(torch.as_tensor(curves)[:, None], frames)[:, 0]
    level = ((20 * loudest.clamp(min=1e-6).log10() - FLOOR_DB) / UNIT_DB).clamp(min=0)
    if groups is None:
        return level
    films = {g: [i for i, other in enumerate(groups) if other == g] for g in dict.fromkeys(groups)}
    heard = {g: level[i][level[i] > 0] for g, i in films.items()}
    loud = {g: h.quantile(0.9) for g, h in heard.items() if len(h)}
    middle = torch.stack(list(loud.values())).median()
    for g, top in loud.items():
        level[films[g]] = torch.where(level[films[g]] > 0, level[films[g]] + middle - top, 0).clamp(min=0)
    return level


def augment(maps, generator, kinds=("difference",), shift=0.07, zoom=0.3, hide=0.5):
    """The same stretch of film as another camera would see it: mirrored, moved, nearer or further, paler, partly hidden.

    maps: uint8 (t, c, h, w), the channels of `frames.KINDS` one kind after the other. shift: furthest move, in picture sizes.
    zoom: largest change of size, in octaves. hide: how often a box of a quarter of each side is blanked.
    """
    mirror, dy, dx, size, stretch, contrast, paler, grey, box, top, left = torch.rand(11, generator=generator).tolist()
    h, w = maps.shape[-2:]
    wide = 2 ** (zoom * (2 * size - 1))
    tall = wide * 2 ** (zoom * (stretch - 0.5) / 2)
    flip = -1.0 if mirror < 0.5 else 1.0
    view = torch.tensor([[flip * wide, 0, 2 * shift * (2 * dx - 1)], [0, tall, 2 * shift * (2 * dy - 1)]])
    grid = F.affine_grid(view[None], (1, 1, h, w), align_corners=False)
    # one grid for all frames and channels
    seen = F.grid_sample(maps.flatten(0, 1)[None].float(), grid, padding_mode="border", align_corners=False)[0]
    seen = seen.unflatten(0, maps.shape[:2])
    y, x = int(top * h * 0.75), int(left * w * 0.75)
    first = 0
    for kind in kinds:
        part = seen[:, first : first + CHANNELS[kind]]  # a view: it is changed in place
        if kind == "flow":  # turns and grows with the picture
            part[:, 0] = 128 + (part[:, 0] - 128) * flip / wide
            part[:, 1] = 128 + (part[:, 1] - 128) / tall
        else:
            part *= 2 ** (2 * contrast - 1)
            # what the scene looks like must not give the film away; how it changes is what counts
            looks = part[:, :1] if kind == "difference" else part[:, :3]
            looks.mul_(0.5 + paler).add_(60 * (grey - 0.5))
        if box < hide:
            part[:, :, y : y + h // 4, x : x + w // 4] = 128 if kind == "flow" else 0
        first += CHANNELS[kind]
    return seen.round().clamp(0, 255).to(torch.uint8)


@dataclass(frozen=True)
class Options(fit.Training):
    """Training of a FrameEncoder; `features.encoder` of params.yaml has these keys.

    widths: of the encoder. window: frames of a sample; a share `balance` of them lies around a frame drawn in proportion to
    its level.
    """

    widths: tuple[int, ...] = (12, 32, 48, 96)
    window: int = 32
    balance: float = 0.5
    batch: int = 24
    lr: float = 3e-3
    weight_decay: float = 0.02
    precision: str = "bf16"


def train(
    maps, curves, groups: list, among: list, kinds: tuple = ("difference",), start: Path | None = None, **options
) -> tuple[FrameEncoder, list]:
    """Train a FrameEncoder on training films.

    maps: (clips, t, c, h, w) uint8, perhaps on disk. curves: (clips, n) RMS of the same clips, groups: their films. among:
    indices of the clips to learn from. kinds: of the maps. start: folder of a trained encoder to go on from. options: of
    Options. Returns (encoder, losses). Raises FileNotFoundError where `start` has no encoder.
    """
    options = Options(**options)
    torch.manual_seed(options.seed)
    if start and not Path(start).is_dir():
        raise FileNotFoundError(f"{start}: no frame encoder there; run that run first, or set features.start to null")
    encoder = FrameEncoder.from_pretrained(start) if start else FrameEncoder(maps.shape[2], tuple(options.widths))
    level = levels(np.asarray(curves)[list(among)], maps.shape[1], [groups[i] for i in among])  # no other clip is read
    target = dict(zip(among, level))

    def draw(generator):
        i = among[int(torch.randint(len(among), (1,), generator=generator))]
        last = maps.shape[1] - options.window
        if torch.rand(1, generator=generator) < options.balance:
            loud = int(torch.multinomial(target[i] + 0.02, 1, generator=generator))
            first = min(max(loud - int(torch.randint(options.window, (1,), generator=generator)), 0), last)
        else:
            first = int(torch.randint(last + 1, (1,), generator=generator))
        stretch = slice(first, first + options.window)
        return augment(torch.from_numpy(np.array(maps[i, stretch])), generator, kinds), target[i][stretch]

    def loss(generator):
        x, y = (torch.stack(part) for part in zip(*(draw(generator) for _ in range(options.batch))))
        estimate = encoder.tell(encoder(x.to(encoder.device)))
        return F.mse_loss(estimate.float(), y.to(encoder.device))

    return encoder, fit.fit(encoder, loss, options, label="frame encoder")


@torch.no_grad()
def encode(encoder, maps, among=None, generator=None, batch=4, kinds=("difference",)):
    """Vectors of many clips: (clips, t, c, h, w) uint8, perhaps on disk -> (clips, t, d) float16.

    among: indices of the clips wanted (default: all). generator: with it each clip is seen as `augment` shows maps of these kinds.
    """
    parts, among = [], list(range(len(maps)) if among is None else among)
    for i in tqdm(range(0, len(among), batch), desc="frames", mininterval=2.0):
        x = torch.from_numpy(np.array(maps[among[i : i + batch]]))
        if generator is not None:
            x = torch.stack([augment(clip, generator, kinds) for clip in x])
        parts.append(encoder(x.to(encoder.device)).cpu().numpy().astype(np.float16))
    return np.concatenate(parts)


def load(folder, reader, device="cpu"):
    """A frozen encoder from `folder` as a function (frames, times) of one clip -> features (t, d) float16.

    reader: `frames.Reader` of the maps that it was trained on. device: where the encoder runs.
    """
    encoder = FrameEncoder.from_pretrained(folder).eval().to(device)
    return lambda frames, times: encode(encoder, reader(frames, times)[None])[0]
