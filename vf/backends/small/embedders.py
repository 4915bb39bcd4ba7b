"""Embedders of the metrics, small enough to train: a sound tagger for FAD and materials, a picture projection for FAVD.

They take the place of the paper profile's PANNs, VGGish and I3D. The CLAP of the CLAP score is trained like the one
that conditions, with another seed and another order of the data (the paper's footnote 3).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import nn
from transformers import RobertaTokenizer

from vf.backends import tensors
from vf.backends.nets import clap as clap_net
from vf.backends.nets.small_clap import SmallClap
from vf.backends.small import clap as small_clap
from vf.signal import fit
from vf.signal.mel import log_mel

# in frames of 80 ms: windows of 0.96 s, as long as VGGish's, half overlapping
WINDOW = 12
HOP = 6


class Tagger(ModelMixin, ConfigMixin):
    """A convolutional network that embeds a sound and predicts the words of its caption from the embedding.

    words: the tags. dims: size of an embedding. width: channels of the first convolution.
    """

    @register_to_config
    def __init__(self, words: Sequence[str] = (), dims: int = 20, width: int = 24):
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

    def forward(self, wave: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Embeddings (b, w, dims) and logits (b, w, words) of the windows of waveforms (b, s) at 16 kHz."""
        mel = (log_mel(wave)[:, None] + 5) / 4  # about zero mean and unit spread for sounds of the corpus
        maps = self.blocks(mel)
        low, high = maps.chunk(2, dim=-1)  # kept apart, because the spectrum identifies the material
        frames = torch.cat([low.mean(-1), high.mean(-1)], 1)
        pooled = torch.cat([F.avg_pool1d(frames, WINDOW, HOP), F.max_pool1d(frames, WINDOW, HOP)], 1)
        embedding = self.embed(pooled.transpose(1, 2))
        return embedding, self.classify(F.relu(embedding))

    def tags(self, logits: torch.Tensor) -> torch.Tensor:
        """Probability of each word for the whole sound: (b, w, words) -> (b, words).

        It is the mean of the windows' probabilities, weighted by themselves.
        """
        probability = logits.sigmoid()
        return (probability * probability).sum(1) / probability.sum(1).clamp(min=1e-6)


@dataclass(frozen=True)
class TaggerOptions(fit.Training):
    """Training of a Tagger; `embedders.tagger` of params.yaml has these keys.

    width, dims: of Tagger. steps, lr, ...: as in fit.Training.
    """

    width: int = 24
    dims: int = 20
    lr: float = 3e-3
    warmup: float = 0.3


def train_tagger(
    waves: Sequence[np.ndarray] | np.ndarray, captions: Sequence[str], options: TaggerOptions
) -> tuple[Tagger, list[float]]:
    """Train a Tagger on sounds and captions. Returns (tagger, losses).

    waves: (i, s) at 16 kHz, perhaps on disk. captions: i texts. Level is varied by up to 6 dB in training, because
    material is not loudness.
    """
    words = small_clap.vocabulary(captions)
    target = small_clap.bags(captions, words)
    torch.manual_seed(options.seed)
    tagger = Tagger(words=words, dims=options.dims, width=options.width)
    rare = ((1 - target.mean(0)) / target.mean(0).clamp(min=1e-3)).sqrt()

    def loss(generator, part):
        items = torch.randint(len(captions), (options.batch,), generator=generator)
        gain = 10 ** ((part.rows(torch.rand(len(items), 1, generator=generator)) - 0.5) * 0.6)
        items = part.rows(items)
        wave = torch.stack([torch.as_tensor(np.asarray(waves[i], np.float32)) for i in items.tolist()])
        _, logits = tagger((wave * gain).to(tagger.device))
        probability = tagger.tags(logits).clamp(1e-6, 1 - 1e-6)
        labels = target[items].to(tagger.device)
        weight = 1 + labels * (rare.to(tagger.device) - 1)
        return F.binary_cross_entropy(probability, labels, weight=weight)

    return tagger, fit.fit(tagger, loss, options, label="sound tagger")


@torch.no_grad()
def embed_sound(tagger: Tagger, waves: np.ndarray, batch: int = 16) -> np.ndarray:
    """FAD embeddings of sounds at 16 kHz: (b, s) -> (b, w, dims)."""
    parts = []
    for start in range(0, len(waves), batch):
        embedding, _ = tagger(torch.as_tensor(np.asarray(waves[start : start + batch], np.float32)))
        parts.append(embedding)
    return torch.cat(parts).numpy()


@torch.no_grad()
def name_material(tagger: Tagger, waves: np.ndarray, materials: Sequence[str], batch: int = 16) -> list[str | None]:
    """Most probable material of each sound: (b, s) -> b words of `materials`, or None where the tagger knows none."""
    known = [m for m in materials if m in tagger.config.words]
    if not known:
        return [None] * len(waves)
    columns = [tagger.config.words.index(m) for m in known]
    names: list[str | None] = []
    for start in range(0, len(waves), batch):
        _, logits = tagger(torch.as_tensor(np.asarray(waves[start : start + batch], np.float32)))
        names += [known[j] for j in tagger.tags(logits)[:, columns].argmax(-1).tolist()]
    return names


def picture_windows(features: np.ndarray, fps: float, windows: int) -> np.ndarray:
    """Coarse description of the picture in each window of the tagger: (windows, d).

    features: maps uint8 (t, c, h, w) of one clip. windows: number of windows; they last 0.96 s and begin every 0.48 s.
    """
    maps = torch.from_numpy(np.array(features)).float() / 255
    coarse = F.adaptive_avg_pool2d(maps, (4, 6)).flatten(1)
    peaks = F.adaptive_max_pool2d(maps, (2, 2)).flatten(1)
    frames = torch.cat([coarse, peaks], 1)
    starts = [round(i * HOP * 0.08 * fps) for i in range(windows)]
    length = round(WINDOW * 0.08 * fps)
    return torch.stack([frames[s : s + length].mean(0) for s in starts]).numpy()


def train_picture(descriptions: np.ndarray, dims: int) -> dict[str, np.ndarray]:
    """Projection of the picture: the principal components of training descriptions (n, d).

    dims: number of components. Returns {"mean": (d,), "axes": (d, dims)}.
    """
    mean = descriptions.mean(0)
    _, spread, axes = np.linalg.svd(descriptions - mean, full_matrices=False)
    scale = spread[:dims] / np.sqrt(max(1, len(descriptions) - 1))
    return {"mean": mean, "axes": axes[:dims].T / np.maximum(scale, 1e-6)}


def embed_picture(projection: dict[str, np.ndarray], descriptions: np.ndarray) -> np.ndarray:
    """Picture embeddings: descriptions (..., d) -> (..., dims), of unit variance on the training films."""
    return (descriptions - projection["mean"]) @ projection["axes"]


class Embedders:
    """Sound embedders of the metrics.

    clap: the SmallClap of the CLAP score. tokenizer: of its texts; not that of the CLAP which conditions.
    few: whether a set of sounds may have fewer embeddings than an embedding has dimensions.
    """

    few = False

    def __init__(self, tagger: Tagger, clap: SmallClap, tokenizer: RobertaTokenizer):
        self.tagger = tagger
        self.clap = clap
        self.tokenizer = tokenizer
        self.extractor = small_clap.feature_extractor()

    def save(self, folder: str | Path) -> None:
        """Write the networks and the tokenizer into one folder."""
        self.tagger.save_pretrained(Path(folder) / "tagger")
        self.clap.save_pretrained(Path(folder) / "clap")
        self.tokenizer.save_pretrained(Path(folder) / "tokenizer")

    def windows(self, waves: np.ndarray) -> dict[str, np.ndarray]:
        """Embeddings of the windows of sounds for FAD and FAVD: (b, s) -> {"fad", "favd"}, each (b, w, dims)."""
        embedding = embed_sound(self.tagger, waves)
        return {"fad": embedding, "favd": embedding}

    def score(self, waves: np.ndarray) -> np.ndarray:
        """CLAP embeddings for the CLAP score: (b, s) -> (b, e), unit norm."""
        return clap_net.embed_features(self.clap, small_clap.log_mels(self.extractor, waves)).cpu().numpy()

    def texts(self, texts: Sequence[str]) -> np.ndarray:
        """CLAP embeddings of texts, to compare with `score`: n texts -> (n, e), unit norm."""
        return clap_net.embed_text(self.clap, self.tokenizer, list(texts)).float().cpu().numpy()

    def materials(self, waves: np.ndarray, materials: Sequence[str]) -> list[str | None]:
        """Most probable material of each sound: b words of `materials`, or None where the tagger knows none."""
        return name_material(self.tagger, waves, materials)


def load(folder: str | Path, device: str | torch.device = "cpu") -> Embedders:
    """Read a folder that `Embedders.save` wrote. device: not used; these small networks stay on the CPU.

    Raises FileNotFoundError where the folder lacks one, and tensors.CheckpointError where it is damaged or lacks a
    weight.
    """
    folder = Path(folder)
    for part in ("tagger", "clap", "tokenizer"):
        if not (folder / part).is_dir():
            raise FileNotFoundError(
                f"{folder}: has no {part} of the metrics; run `make pretrain`, or the stage backbone with "
                "embedders.weights: null"
            )
    readers = {
        "tagger": Tagger.from_pretrained,
        "clap": SmallClap.from_pretrained,
        "tokenizer": RobertaTokenizer.from_pretrained,
    }
    wanted = "the metrics' networks that `make pretrain` wrote: run it, or fetch the folder again"
    return Embedders(**tensors.load_folder(folder, readers, wanted))


def prepare(
    waves: Sequence[np.ndarray] | np.ndarray,
    captions: Sequence[str],
    *,
    weights: str | Path | None = None,
    dims: int,
    tagger: dict,
    clap: dict,
    seed: int,
    checkpoint: str | Path | None = None,
    folder: str | Path | None = None,
) -> tuple[Embedders, dict]:
    """Load the metrics' networks, or train them on sounds (i, s) at 16 kHz and i captions.

    Returns (Embedders, {part: losses}). weights: folder that `Embedders.save` wrote; None: train.
    dims: of a FAD embedding. tagger, clap: keywords of TaggerOptions and clap.Options. checkpoint: folder for the state
    of the trainings. folder: of the paper profile's released files, not used here.
    """
    if weights:
        return load(weights), {}
    losses = {}

    def state(part):
        return {"seed": seed, "checkpoint": checkpoint and Path(checkpoint) / part}

    network, losses["tagger"] = train_tagger(waves, captions, TaggerOptions(**tagger, dims=dims, **state("tagger")))
    tokenizer = small_clap.train_tokenizer(captions)
    features = small_clap.log_mels(small_clap.feature_extractor(), waves)
    towers, losses["CLAP"] = small_clap.train(
        features, captions, tokenizer, small_clap.Options(**clap, **state("clap"))
    )
    return Embedders(network, towers, tokenizer), losses
