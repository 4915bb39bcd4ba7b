"""AudioLDM's CLAP, where AudioLDM is a folder in diffusers' format, and the tokenizer of its texts."""

import torch
from transformers import ClapFeatureExtractor, ClapModel, ClapTextModelWithProjection, RobertaTokenizer

from vf.backends import weights as released


def tokenizer(folder):
    """RoBERTa's tokenizer, which CLAP's text towers were trained with. Raises weights.MissingWeights."""
    return RobertaTokenizer.from_pretrained(released.find("roberta", folder))


def whole(text_encoder, folder):
    """(CLAP, its feature extractor): both towers, as diffusers' format has that of texts alone.

    text_encoder: folder of that tower. folder: of the released files, with the whole CLAP among them.
    Raises weights.MissingWeights, and ValueError where the two texts' towers differ: an audio prompt would then mean
    something else to the U-Net.
    """
    text = ClapTextModelWithProjection.from_pretrained(text_encoder)
    path = released.find("clap", folder)
    clap = ClapModel.from_pretrained(path).eval()
    ours, theirs = clap.state_dict(), text.state_dict()
    off = max(
        float((ours[name] - tensor).abs().max()) for name, tensor in theirs.items() if torch.is_floating_point(tensor)
    )
    if off > 1e-4:
        raise ValueError(
            f"{path}: its text tower differs from {text_encoder} by {off:.2g}; wanted the CLAP that this AudioLDM was "
            "trained with: use AudioLDM's original single file"
        )
    return clap, ClapFeatureExtractor.from_pretrained(path)
