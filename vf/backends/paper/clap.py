"""CLAP of an AudioLDM in diffusers' format, and the tokenizer of its texts."""

from pathlib import Path

import torch
from transformers import ClapFeatureExtractor, ClapModel, ClapTextModelWithProjection, RobertaTokenizer

from vf.backends import tensors
from vf.backends import weights as released


def tokenizer(folder: str | Path) -> RobertaTokenizer:
    """RoBERTa's tokenizer, with which CLAP's text towers were trained. folder: of the released files.

    Raises weights.MissingWeights.
    """
    return RobertaTokenizer.from_pretrained(released.find("roberta", folder))


def whole(text_encoder: str | Path, folder: str | Path) -> tuple[ClapModel, ClapFeatureExtractor]:
    """CLAP with both towers, and its feature extractor. diffusers' format has only the text tower.

    text_encoder: folder of the text tower. folder: of the released files, among them the whole CLAP.
    Raises weights.MissingWeights, tensors.CheckpointError for a folder that is damaged or lacks a tensor, and
    ValueError where the two text towers differ: an audio prompt would then mean something else to the U-Net.
    """
    wanted = "CLAP in transformers' format: fetch it again (make weights)"
    text = tensors.load_folder(text_encoder, {".": ClapTextModelWithProjection.from_pretrained}, wanted)["."]
    path = released.find("clap", folder)
    clap = tensors.load_folder(path, {".": ClapModel.from_pretrained}, wanted)["."]
    whole_state = clap.state_dict()
    text_state = {name: tensor for name, tensor in text.state_dict().items() if torch.is_floating_point(tensor)}
    difference = max(float((whole_state[name] - tensor).abs().max()) for name, tensor in text_state.items())
    if difference > 1e-4:
        raise ValueError(
            f"{path}: its text tower differs from {text_encoder} by {difference:.2g}; wanted the CLAP that this "
            "AudioLDM was trained with: use AudioLDM's original single file"
        )
    return clap, ClapFeatureExtractor.from_pretrained(path)
