"""LAION's CLAP with HTSAT-base and RoBERTa (Wu et al., 2023), the CLAP of the CLAP score (App. C)."""

import numpy as np
import torch
from transformers import ClapFeatureExtractor, ClapModel

from vf.backends.nets import clap
from vf.backends.nets.audioldm import clap_from

SOURCE = "music_speech_audioset_epoch_15_esc_89.98.pt"


def load(state: dict[str, torch.Tensor]) -> ClapModel:
    """ClapModel, both towers, from the tensors under `state_dict` in the released file.

    Raises tensors.CheckpointError for other names or shapes.
    """
    named = {name if name.startswith("module.") else f"module.{name}": tensor for name, tensor in state.items()}
    return clap_from(named, SOURCE, prefix="module.")


def embed(network: ClapModel, waves: np.ndarray, rate: int) -> np.ndarray:
    """Embeddings of sounds: (b, s) at `rate` -> (b, e) float32, unit norm.

    Takes the first 10 s at 48 kHz; shorter sound is repeated. Sound is rounded to 16 bits first, as in the released
    code.
    """
    waves = (np.clip(np.asarray(waves, np.float32), -1, 1) * 32767).astype(np.int16) / np.float32(32767)
    extractor = ClapFeatureExtractor(frequency_min=50, frequency_max=14000)
    return clap.embed_features(network, clap.log_mels(extractor, waves, rate)).float().cpu().numpy()
