"""The frame encoder of the small profile: what stands where the paper has pretrained networks for picture and flow.

Trained from a random start together with Video2RMS it stays on the plateau where everything is silence, since four frames
of five are. So it is trained first, on short windows half of which lie around a sound, to tell how loud each frame of a
training film is; then it is frozen, as the paper's are.
"""

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import nn
from tqdm.auto import tqdm

from vf import fit
from vf.backends.small import frames as frame_maps

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
        sizes = (channels, *widths)
        layers = []
        for depth, (i, o) in enumerate(zip(sizes, sizes[1:])):
            i = 3 * i if depth == 1 else i
            layers.append(nn.Sequential(nn.Conv2d(i, o, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(o), nn.ReLU()))
        self.first, self.rest = layers[0], nn.Sequential(*layers[1:])
        self.norm = nn.BatchNorm1d(2 * widths[-1], affine=False)
        over_time = []
        for size in (2 * widths[-1], hidden):
            over_time += [nn.Conv1d(size, hidden, 5, padding=2), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Dropout(dropout)]
        self.level = nn.Sequential(*over_time, nn.Conv1d(hidden, 1, 5, padding=2))

    def forward(self, maps):
        """maps: (b, t, c, h, w) uint8. Returns (b, t, 2 * widths[-1]): mean and maximum over the picture, normalised."""
        b, t = maps.shape[:2]
        x = self.first((maps.flatten(0, 1).float() / 64).contiguous(memory_format=torch.channels_last))
        x = x.unflatten(0, (b, t))
        x = torch.cat([x[:, :1], x, x[:, -1:]], 1)
        x = torch.cat([x[:, :-2], x[:, 1:-1], x[:, 2:]], 2).flatten(0, 1)
        x = self.rest(x.contiguous(memory_format=torch.channels_last))
        # the maximum beside the mean, as a stick is thin
        return self.norm(torch.cat([x.mean((2, 3)), x.amax((2, 3))], 1)).unflatten(0, (b, t))

    def tell(self, vectors):
        """Level of each frame as `levels` gives it: (b, t, d) -> (b, t)."""
        return self.level(vectors.transpose(1, 2))[:, 0]


def levels(curves, frames):
    """Loudest RMS within each video frame, in units of 10 dB above -45 dB, 0 below: (b, n) -> (b, frames)."""
    loudest = F.adaptive_max_pool1d(torch.as_tensor(curves)[:, None], frames)[:, 0]
    return ((20 * loudest.clamp(min=1e-6).log10() - FLOOR_DB) / UNIT_DB).clamp(min=0)


def augment(maps, generator, shift=0.07):
    """The same stretch of film, seen otherwise: mirrored, moved, brighter or paler.

    maps: uint8 (t, c, h, w): grey, brightening, darkening and perhaps flow x, y. shift: furthest move, in picture sizes.
    """
    mirror, dy, dx, contrast = torch.rand(4, generator=generator).tolist()
    maps = maps.clone()
    if mirror < 0.5:
        maps = maps.flip(-1)
        if maps.shape[1] > 3:
            maps[:, 3] = 255 - maps[:, 3]
    h, w = maps.shape[-2:]
    maps = maps.roll((round((2 * dy - 1) * shift * h), round((2 * dx - 1) * shift * w)), (-2, -1))
    maps[:, :3] = (maps[:, :3].float() * 2 ** (2 * contrast - 1)).clamp(0, 255).to(torch.uint8)
    return maps


def train(
    maps, curves, among, *, steps, widths=(12, 32, 48, 96), window=32, batch=24, lr=3e-3, balance=0.5, seed=0, checkpoint=None,
    precision="bf16",
):  # fmt: skip
    """Train a FrameEncoder on training films.

    maps: (clips, t, c, h, w) uint8, perhaps on disk. curves: (clips, n) RMS of the same clips. among: indices of the
    clips to learn from. window: frames of a sample; a share `balance` of them lies around a frame drawn in proportion
    to its level. Returns (encoder, losses).
    """
    torch.manual_seed(seed)
    encoder = FrameEncoder(maps.shape[2], tuple(widths))
    target = levels(curves, maps.shape[1])
    optimizer = torch.optim.AdamW(encoder.parameters(), lr=lr, weight_decay=0.02)

    def draw(generator):
        i = among[int(torch.randint(len(among), (1,), generator=generator))]
        last = maps.shape[1] - window
        if torch.rand(1, generator=generator) < balance:
            loud = int(torch.multinomial(target[i] + 0.02, 1, generator=generator))
            start = min(max(loud - int(torch.randint(window, (1,), generator=generator)), 0), last)
        else:
            start = int(torch.randint(last + 1, (1,), generator=generator))
        stretch = slice(start, start + window)
        return augment(torch.from_numpy(np.array(maps[i, stretch])), generator), target[i, stretch]

    def loss(generator):
        x, y = (torch.stack(part) for part in zip(*(draw(generator) for _ in range(batch))))
        told = encoder.tell(encoder(x.to(encoder.device)))
        return F.mse_loss(told.float(), y.to(encoder.device))

    losses = fit.fit(
        encoder, loss, steps, optimizer, seed=seed, scheduler=fit.one_cycle(optimizer, steps), checkpoint=checkpoint,
        precision=precision, label="frame encoder",
    )  # fmt: skip
    return encoder, losses


@torch.no_grad()
def encode(encoder, maps, batch=4):
    """Vectors of many clips: (clips, t, c, h, w) uint8, perhaps on disk -> (clips, t, d) float16."""
    parts = []
    for i in tqdm(range(0, len(maps), batch), desc="frames", mininterval=2.0):
        x = torch.from_numpy(np.array(maps[i : i + batch])).to(encoder.device)
        parts.append(encoder(x).cpu().numpy().astype(np.float16))
    return np.concatenate(parts)


def load(folder, kinds, pool):
    """A frozen encoder from `folder` as a function (frames, times) of one clip -> features (t, d) float16."""
    encoder = FrameEncoder.from_pretrained(folder).eval()
    return lambda frames, times: encode(encoder, frame_maps.features(frames, times, kinds, pool)[None])[0]
