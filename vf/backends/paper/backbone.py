"""AudioLDM as the paper uses it: loaded from a folder in diffusers' format or from its original single file (App. B.2)."""

import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from transformers import ClapFeatureExtractor, ClapModel, ClapTextModelWithProjection, RobertaTokenizer, SpeechT5HifiGan

from vf import weights as released
from vf.backends.nets import audioldm


def prepare(waves=None, captions=None, *, weights="audioldm-s-full", folder="weights", **nothing_to_train):
    """Load the backbone; sounds and captions are the small profile's, which trains its own.

    weights: file or folder in `folder`. Returns (parts, {}); RMS2Sound(**parts) is the pipeline without a control net.
    Raises weights.MissingWeights for what is not there, audioldm.CheckpointError for what is something else.
    """
    path = released.find("audioldm", folder, weights)
    if path.is_dir():
        return _from_folder(path, folder), {}
    return audioldm.audioldm(path) | {"tokenizer": tokenizer(folder)}, {}


def tokenizer(folder):
    """RoBERTa's tokenizer, which CLAP's text tower was trained with."""
    return RobertaTokenizer.from_pretrained(released.find("roberta", folder))


def _from_folder(path, folder):
    """Parts from diffusers' format, which has CLAP's text tower alone: the other comes from the whole CLAP."""
    text = ClapTextModelWithProjection.from_pretrained(path / "text_encoder")
    whole = released.find("clap", folder)
    clap = ClapModel.from_pretrained(whole).eval()
    ours, theirs = clap.state_dict(), text.state_dict()
    off = max(float((ours[name] - tensor).abs().max()) for name, tensor in theirs.items() if torch.is_floating_point(tensor))
    if off > 1e-4:
        raise ValueError(
            f"{whole}: its text tower differs from {path / 'text_encoder'} by {off:.2g}; wanted the CLAP that this AudioLDM "
            "was trained with, or an audio prompt would mean something else: use AudioLDM's original single file"
        )
    return {
        "vae": AutoencoderKL.from_pretrained(path / "vae"),
        "unet": UNet2DConditionModel.from_pretrained(path / "unet"),
        "clap": clap,
        "tokenizer": RobertaTokenizer.from_pretrained(path / "tokenizer"),
        "feature_extractor": ClapFeatureExtractor.from_pretrained(whole),
        "vocoder": SpeechT5HifiGan.from_pretrained(path / "vocoder"),
        "scheduler": DDIMScheduler.from_pretrained(path / "scheduler"),
    }
