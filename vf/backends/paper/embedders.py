"""What the metrics listen with in the paper profile: PANNs (FAD-P), MS-CLAP (FAD-C), VGGish and I3D (FAVD), LAION CLAP (App. C).

Nothing is trained. An embedding is made as the published tools make it: PANNs' of a whole sound, MS-CLAP's of 7 s every second,
VGGish's of 0.96 s. A network is read when it is first asked for.
"""

import json
from functools import cached_property
from pathlib import Path

import librosa
import numpy as np
import torch

from vf.backends import weights as released
from vf.backends.nets import clap as clap_net
from vf.backends.nets import laion_clap, ms_clap, panns, vggish
from vf.backends.paper.clap import tokenizer
from vf.backends.tensors import read
from vf.data import files

RATE = 16000  # of the sounds that are given


class Embedders:
    """Networks from the folder `weights`. few: a set of sounds may have fewer embeddings than they have dimensions."""

    few = True

    def __init__(self, weights, device="cpu"):
        self.weights, self.device = Path(weights), device

    def save(self, folder):
        """Note where the weights lie; they are not copied."""
        files.write_json(Path(folder) / "embedders.json", {"weights": str(self.weights.resolve())})

    def _read(self, name, load):
        return load(read(released.find(name, self.weights))).requires_grad_(False).to(self.device)

    @cached_property
    def panns(self):
        """Wavegram-Logmel-Cnn14."""
        return self._read("panns", panns.load)

    @cached_property
    def vggish(self):
        """VGGish."""
        return self._read("vggish", vggish.load)

    @cached_property
    def ms_clap(self):
        """The sound tower of Microsoft's CLAP of 2023."""
        return self._read("ms_clap", ms_clap.load)

    @cached_property
    def clap(self):
        """LAION's CLAP of music, speech and AudioSet."""
        return self._read("laion_clap", laion_clap.load)

    @torch.no_grad()
    def windows(self, waves):
        """Embeddings of each sound, (b, s) at 16 kHz -> {metric: (b, w, e)}: of FAD-P, of FAD-C, and of FAVD's sound."""
        rows = {"fad": [], "fad_c": [], "favd": []}
        for wave in np.asarray(waves, np.float32):
            rows["fad"].append(
                self.panns(self._to(_whole(_resample(wave, 32000)[None], 640, 10240)))[:, None].cpu().numpy()
            )
            rows["fad_c"].append(ms_clap.embed(self.ms_clap, wave[None], RATE))
            rows["favd"].append(self.vggish(vggish.log_mel_examples(self._to(wave[None]))).cpu().numpy())
        return {metric: np.concatenate(parts).astype(np.float32) for metric, parts in rows.items()}

    def score(self, waves):
        """CLAP embeddings for the CLAP score: (b, s) at 16 kHz -> (b, e), unit norm."""
        return np.concatenate([laion_clap.embed(self.clap, wave[None], RATE) for wave in np.asarray(waves, np.float32)])

    def materials(self, waves, materials):
        """The material heard in each sound, a list of b words: whose sentence is nearest, with no training for it."""
        sentences = [f"A person hits {m} with a wooden stick." for m in materials]
        texts = clap_net.embed_text(self.clap, tokenizer(self.weights), sentences).cpu().numpy()
        return [materials[i] for i in (self.score(waves) @ texts.T).argmax(1)]

    def _to(self, waves):
        return torch.as_tensor(waves, device=self.device)


def _resample(wave, rate):
    return librosa.resample(wave, orig_sr=RATE, target_sr=rate, res_type="polyphase")


def _whole(waves, unit, least):
    """Zeros at the end, to whole units and at least `least` samples."""
    size = max(-(-waves.shape[-1] // unit) * unit, least)
    return np.pad(waves, ((0, 0), (0, size - waves.shape[-1])))


def load(folder, device="cpu"):
    """Read what `Embedders.save` wrote. device: where the networks run."""
    return Embedders(json.loads((Path(folder) / "embedders.json").read_text())["weights"], device)


def prepare(waves=None, captions=None, *, folder="weights", **nothing_to_train):
    """(Embedders, {}): sounds and captions are the small profile's, which trains its own. folder: of the released files.

    Raises weights.MissingWeights here, not hours later, for what the metrics will need.
    """
    for name in ("panns", "ms_clap", "laion_clap", "vggish", "i3d", "roberta"):
        released.find(name, folder)
    return Embedders(folder), {}


def picture_windows(vectors, fps, windows):
    """I3D's vectors of a clip (w, e), as many as its sound has windows; the last is held."""
    return np.asarray(vectors)[np.minimum(np.arange(windows), len(vectors) - 1)]


def train_picture(descriptions, dims):
    """Nothing to train."""
    return {}


def embed_picture(projection, descriptions):
    """The vectors as they are."""
    return descriptions
