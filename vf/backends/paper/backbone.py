"""The paper's AudioLDM, from a folder in diffusers' format or from its original single file (App. B.2)."""

from pathlib import Path

from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from transformers import RobertaTokenizer, SpeechT5HifiGan

from vf.backends import tensors
from vf.backends import weights as released
from vf.backends.nets import audioldm
from vf.backends.paper import clap


def prepare(
    waves=None,
    captions=None,
    *,
    weights: str = "audioldm-s-full",
    folder: str | Path = "weights",
    **nothing_to_train,
) -> tuple[dict, dict]:
    """Load the backbone. Returns (parts, {}); RMS2Sound(**parts) is the pipeline without a ControlNet.

    waves, captions: for the trainings of the small profile, not used here. weights: file or folder in `folder`.
    Raises weights.MissingWeights for a missing file, tensors.CheckpointError for a file of other tensors.
    """
    path = released.find("audioldm", folder, weights)
    if path.is_dir():
        return _from_folder(path, folder), {}
    return audioldm.audioldm(path) | {"tokenizer": clap.tokenizer(folder)}, {}


def _from_folder(path, folder):
    both_towers, extractor = clap.whole(path / "text_encoder", folder)
    readers = {
        "vae": AutoencoderKL.from_pretrained,
        "unet": UNet2DConditionModel.from_pretrained,
        "tokenizer": RobertaTokenizer.from_pretrained,
        "vocoder": SpeechT5HifiGan.from_pretrained,
        "scheduler": DDIMScheduler.from_pretrained,
    }
    wanted = "an AudioLDM in diffusers' format: fetch it again (make weights)"
    return tensors.load_folder(path, readers, wanted) | {"clap": both_towers, "feature_extractor": extractor}
