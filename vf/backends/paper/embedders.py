"""Embedders of the metrics in the paper profile (App. C).

PANNs for FAD-P, MS-CLAP for FAD-C, VGGish and I3D for FAVD, LAION's CLAP for the CLAP score. Nothing is trained.
Windows are those of the published tools: the whole sound for PANNs, 7 s every second for MS-CLAP, 0.96 s for VGGish.
A network is loaded at its first use.
"""

import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import librosa
import numpy as np
import torch
from transformers import ClapModel

from vf.backends import weights as released
from vf.backends.nets import clap as clap_net
from vf.backends.nets import laion_clap, ms_clap, panns, vggish
from vf.backends.paper.clap import tokenizer
from vf.backends.tensors import read
from vf.data import files

RATE = 16000  # of all sounds passed in, in Hz


class Embedders:
    """Sound embedders of the metrics. weights: folder of the released files. device: of the networks.

    few: whether a set of sounds may have fewer embeddings than an embedding has dimensions.
    """

    few = True

    def __init__(self, weights: str | Path, device: str | torch.device = "cpu"):
        self.weights = Path(weights)
        self.device = device

    def save(self, folder: str | Path) -> None:
        """Write the path of the weights into a folder; the weights are not copied."""
        Path(folder).mkdir(parents=True, exist_ok=True)
        files.write_json(Path(folder) / "embedders.json", {"weights": str(self.weights.resolve())})

    def _read(self, name, load):
        return load(read(released.find(name, self.weights))).requires_grad_(False).to(self.device)

    @cached_property
    def panns(self) -> panns.WavegramLogmelCnn14:
        """PANNs' Wavegram-Logmel-CNN14."""
        return self._read("panns", panns.load)

    @cached_property
    def vggish(self) -> vggish.VGGish:
        """VGGish."""
        return self._read("vggish", vggish.load)

    @cached_property
    def ms_clap(self) -> ms_clap.SoundTower:
        """The audio tower of Microsoft's CLAP of 2023."""
        return self._read("ms_clap", ms_clap.load)

    @cached_property
    def clap(self) -> ClapModel:
        """LAION's CLAP, trained on music, speech and AudioSet."""
        return self._read("laion_clap", laion_clap.load)

    @torch.no_grad()
    def windows(self, waves: np.ndarray) -> dict[str, np.ndarray]:
        """Embeddings of the windows of sounds: (b, s) at 16 kHz -> {metric: (b, w, e) float32}.

        The metrics are "fad" (FAD-P), "fad_c" (FAD-C) and "favd" (FAVD's sound).
        """
        rows: dict[str, list[np.ndarray]] = {"fad": [], "fad_c": [], "favd": []}
        for wave in np.asarray(waves, np.float32):
            whole = _whole(_resample(wave, panns.SAMPLE_RATE)[None], 640, 10240)
            rows["fad"].append(self.panns(self._to(whole))[:, None].cpu().numpy())
            rows["fad_c"].append(ms_clap.embed(self.ms_clap, wave[None], RATE))
            rows["favd"].append(self.vggish(vggish.log_mel_examples(self._to(wave[None]))).cpu().numpy())
        return {metric: np.concatenate(parts).astype(np.float32) for metric, parts in rows.items()}

    def score(self, waves: np.ndarray) -> np.ndarray:
        """CLAP embeddings for the CLAP score: (b, s) at 16 kHz -> (b, e), unit norm."""
        return np.concatenate([laion_clap.embed(self.clap, wave[None], RATE) for wave in np.asarray(waves, np.float32)])

    @torch.no_grad()
    def texts(self, texts: Sequence[str]) -> np.ndarray:
        """CLAP embeddings of texts, to compare with `score`: n texts -> (n, e), unit norm."""
        return clap_net.embed_text(self.clap, tokenizer(self.weights), list(texts)).float().cpu().numpy()

    def materials(self, waves: np.ndarray, materials: Sequence[str]) -> list[str]:
        """Material of each sound by zero-shot classification: the one whose sentence is nearest in CLAP's space.

        waves: (b, s) at 16 kHz. Returns b words of `materials`.
        """
        sentences = [f"A person hits {m} with a wooden stick." for m in materials]
        return [materials[i] for i in (self.score(waves) @ self.texts(sentences).T).argmax(1)]

    def _to(self, waves):
        return torch.as_tensor(waves, device=self.device)


def _resample(wave, rate):
    return librosa.resample(wave, orig_sr=RATE, target_sr=rate, res_type="polyphase")


def _whole(waves, unit, least):
    """Waveforms (b, s) with zeros at the end, up to whole units of `unit` and at least `least` samples."""
    size = max(-(-waves.shape[-1] // unit) * unit, least)
    return np.pad(waves, ((0, 0), (0, size - waves.shape[-1])))


def load(folder: str | Path, device: str | torch.device = "cpu") -> Embedders:
    """Read a folder that `Embedders.save` wrote. device: of the networks."""
    return Embedders(json.loads((Path(folder) / "embedders.json").read_text())["weights"], device)


def prepare(waves=None, captions=None, *, folder: str | Path = "weights", **nothing_to_train) -> tuple[Embedders, dict]:
    """Embedders and no losses. Raises weights.MissingWeights for any file that the metrics will need.

    waves, captions: for the trainings of the small profile, not used here. folder: of the released files.
    """
    for name in ("panns", "ms_clap", "laion_clap", "vggish", "i3d", "roberta"):
        released.find(name, folder)
    return Embedders(folder), {}


def picture_windows(vectors: np.ndarray, fps: float, windows: int) -> np.ndarray:
    """I3D's vectors of a clip, one for each window of its sound: (w, e) -> (windows, e). The last one is repeated."""
    return np.asarray(vectors)[np.minimum(np.arange(windows), len(vectors) - 1)]


def train_picture(descriptions: np.ndarray, dims: int) -> dict:
    """No projection: I3D's vectors are final."""
    return {}


def embed_picture(projection: dict, descriptions: np.ndarray) -> np.ndarray:
    """The vectors, unchanged."""
    return descriptions
