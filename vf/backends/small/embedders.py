"""Metric embedders small enough to train here: a sound tagger for FAD and materials, a projection of the picture for FAVD.

They stand where the paper profile has PANNs, VGGish and I3D. The CLAP that scores is another training of the one that
conditions: other seed, other order of data (the paper's footnote 3).
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers.models.modeling_utils import ModelMixin
from diffusers.configuration_utils import ConfigMixin, register_to_config
from torch import nn

from vf.backends.nets import clap as clap_net
from vf.backends.nets.small_clap import SmallClap
from vf.backends.small import clap as small_clap
from vf.signal import fit
from vf.signal.mel import log_mel

WINDOW, HOP = 12, 6  # of 80 ms frames: 0.96 s windows, half overlapping, as VGGish's


class Tagger(ModelMixin, ConfigMixin):
    """A convolutional network that says which words of its caption a sound deserves, and embeds it on the way.

    words: the tags. dims: size of an embedding. width: channels of the first convolution.
    """

    @register_to_config
    def __init__(self, words=(), dims=20, width=24):
        super().__init__()
        sizes = (1, width, 2 * width, 3 * width)
        self.blocks = nn.Sequential(
            *[
                nn.Sequential(nn.Conv2d(i, o, 3, padding=1, bias=False), nn.BatchNorm2d(o), nn.ReLU(), nn.AvgPool2d(2))
                for i, o in zip(sizes, sizes[1:])
            ]
        )
        self.embed = nn.Linear(4 * sizes[-1], dims)
        self.classify = nn.Linear(dims, len(words))

    def forward(self, wave):
        """wave: (b, s) at 16 kHz. Returns embeddings (b, w, dims) of its windows and logits (b, w, words)."""
        mel = (log_mel(wave)[:, None] + 5) / 4  # about zero mean and unit spread for sounds of the corpus
        maps = self.blocks(mel)
        low, high = maps.chunk(2, dim=-1)  # material is in the spectrum: do not average it all away
        frames = torch.cat([low.mean(-1), high.mean(-1)], 1)
        pooled = torch.cat([F.avg_pool1d(frames, WINDOW, HOP), F.max_pool1d(frames, WINDOW, HOP)], 1)
        embedding = self.embed(pooled.transpose(1, 2))
        return embedding, self.classify(F.relu(embedding))

    def tags(self, logits):
        """Probability of each word for the whole sound, (b, w, words) -> (b, words): windows weigh by how sure they are."""
        p = logits.sigmoid()
        return (p * p).sum(1) / p.sum(1).clamp(min=1e-6)


@dataclass(frozen=True)
class TaggerOptions(fit.Training):
    """Training of a Tagger; `embedders.tagger` of params.yaml has these keys. width, dims: of Tagger."""

    width: int = 24
    dims: int = 20
    lr: float = 3e-3
    warmup: float = 0.3


def train_tagger(waves, captions: list, options: TaggerOptions) -> tuple[Tagger, list]:
    """Train a Tagger on sounds and captions.

    waves: (n, s) array-like at 16 kHz. captions: n texts. Level is varied by +-6 dB in training, as material is not
    loudness. Returns (tagger, losses).
    """
    words = small_clap.vocabulary(captions)
    target = small_clap.bags(captions, words)
    torch.manual_seed(options.seed)
    tagger = Tagger(words=words, dims=options.dims, width=options.width)
    rare = ((1 - target.mean(0)) / target.mean(0).clamp(min=1e-3)).sqrt()

    def loss(generator):
        pick = torch.randint(len(captions), (options.batch,), generator=generator)
        wave = torch.stack([torch.as_tensor(np.asarray(waves[i], np.float32)) for i in pick.tolist()])
        gain = 10 ** ((torch.rand(len(pick), 1, generator=generator) - 0.5) * 0.6)
        _, logits = tagger((wave * gain).to(tagger.device))
        probability = tagger.tags(logits).clamp(1e-6, 1 - 1e-6)
        wanted = target[pick].to(tagger.device)
        weight = 1 + wanted * (rare.to(tagger.device) - 1)
        return F.binary_cross_entropy(probability, wanted, weight=weight)

    return tagger, fit.fit(tagger, loss, options, label="sound tagger")


@torch.no_grad()
def embed_sound(tagger, waves, batch=16):
    """FAD embeddings: (b, s) -> (b, w, dims), numpy."""
    parts = [tagger(torch.as_tensor(np.asarray(waves[i : i + batch], np.float32)))[0] for i in range(0, len(waves), batch)]
    return torch.cat(parts).numpy()


@torch.no_grad()
def name_material(tagger, waves, materials, batch=16):
    """The material the tagger hears in each sound: (b, s) -> list of b words among `materials`, or None if it knows none."""
    known = [m for m in materials if m in tagger.config.words]
    if not known:
        return [None] * len(waves)
    columns = [tagger.config.words.index(m) for m in known]
    named = []
    for i in range(0, len(waves), batch):
        _, logits = tagger(torch.as_tensor(np.asarray(waves[i : i + batch], np.float32)))
        named += [known[j] for j in tagger.tags(logits)[:, columns].argmax(-1).tolist()]
    return named


def picture_windows(features, fps, windows):
    """Coarse description of the picture in each of the tagger's windows.

    features: (t, c, h, w) uint8 of one clip. windows: how many of 0.96 s, every 0.48 s. Returns (windows, d).
    """
    maps = torch.from_numpy(np.array(features)).float() / 255
    coarse = F.adaptive_avg_pool2d(maps, (4, 6)).flatten(1)
    peaks = F.adaptive_max_pool2d(maps, (2, 2)).flatten(1)
    frames = torch.cat([coarse, peaks], 1)
    starts = [round(i * HOP * 0.08 * fps) for i in range(windows)]
    length = round(WINDOW * 0.08 * fps)
    return torch.stack([frames[s : s + length].mean(0) for s in starts]).numpy()


def train_picture(descriptions, dims):
    """Principal components of training descriptions (n, d): the frozen video embedder. Returns {mean (d,), axes (d, dims)}."""
    mean = descriptions.mean(0)
    _, spread, axes = np.linalg.svd(descriptions - mean, full_matrices=False)
    scale = spread[:dims] / np.sqrt(max(1, len(descriptions) - 1))
    return {"mean": mean, "axes": axes[:dims].T / np.maximum(scale, 1e-6)}


def embed_picture(projection, descriptions):
    """(..., d) -> (..., dims), of unit variance on the training films."""
    return (descriptions - projection["mean"]) @ projection["axes"]


class Embedders:
    """What the metrics listen with. tagger: Tagger. clap: the SmallClap that scores.

    few: whether a set of sounds may have fewer embeddings than they have dimensions.
    """

    few = False

    def __init__(self, tagger, clap):
        self.tagger, self.clap, self.extractor = tagger, clap, small_clap.feature_extractor()

    def save(self, folder):
        """Write both networks into one folder."""
        self.tagger.save_pretrained(Path(folder) / "tagger")
        self.clap.save_pretrained(Path(folder) / "clap")

    def windows(self, waves):
        """Embeddings of each sound's windows, (b, s) -> {metric: (b, w, dims)}: of FAD, and of FAVD's sound."""
        heard = embed_sound(self.tagger, waves)
        return {"fad": heard, "favd": heard}

    def score(self, waves):
        """CLAP embeddings for the CLAP score: (b, s) -> (b, e), unit norm."""
        return clap_net.embed_features(self.clap, small_clap.log_mels(self.extractor, waves)).cpu().numpy()

    def materials(self, waves, materials):
        """The material heard in each sound, a list of b words of `materials`; None where none was learnt."""
        return name_material(self.tagger, waves, materials)


def load(folder, device="cpu"):
    """Read what `Embedders.save` wrote. device: of pretrained networks; these small ones stay on the CPU."""
    folder = Path(folder)
    return Embedders(Tagger.from_pretrained(folder / "tagger").eval(), SmallClap.from_pretrained(folder / "clap").eval())


def prepare(
    waves, captions: list, *, dims: int, tagger: dict, clap: dict, seed: int, checkpoint=None, folder=None
) -> tuple[Embedders, dict]:
    """Train the metrics' networks on sounds (n, s) and captions.

    dims: of a FAD embedding. tagger, clap: of TaggerOptions and clap.Options. folder: of pretrained networks, which this
    profile has not. Returns (Embedders, {part: losses}).
    """
    losses = {}

    def state(part):
        return {"seed": seed, "checkpoint": checkpoint and Path(checkpoint) / part}

    net, losses["tagger"] = train_tagger(waves, captions, TaggerOptions(**tagger, dims=dims, **state("tagger")))
    tokenizer = small_clap.train_tokenizer(captions)
    features = small_clap.log_mels(small_clap.feature_extractor(), waves)
    pair, losses["CLAP"] = small_clap.train(features, captions, tokenizer, small_clap.Options(**clap, **state("clap")))
    return Embedders(net, pair), losses
