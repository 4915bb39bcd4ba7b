"""The authors' RMS2Sound from `ControlNetstep300000.pth`; every tensor must be known (see `vf.backends.tensors`)."""

from pathlib import Path

import torch
from diffusers.models import UNet2DConditionModel
from transformers import PreTrainedTokenizerBase

from vf.backends.nets.audioldm import UNET, audioldm_from
from vf.backends.tensors import build, part, read
from vf.models.rms2sound import RMS2Sound
from vf.models.rms_controlnet import RMSControlNet

CONTROL = [  # patterns of the authors' names, and the prefixes here
    (r"^control_net_input_projection_list\.0\.", "rms_in."),
    (r"^control_net_input_projection_list\.1\.", "rms_zero."),
    (r"^control_net\.zero_convs\.(\d+)\.0\.", r"down_zero.\1."),
    (r"^control_net\.middle_block_out_zero_conv\.0\.", "mid_zero."),
]
NOT_CONTROL = r"(?!control_net)|control_net\.(?!zero_convs|middle_block_out)"


def rms_controlnet_from(
    state: dict[str, torch.Tensor], unet: UNet2DConditionModel, source: str | Path
) -> RMSControlNet:
    """The authors' RMS-ControlNet.

    state: tensors under the authors' names. unet: the U-Net of the same file. Raises CheckpointError naming `source`.
    """
    copy = part(state, "model.diffusion_model.control_net.", UNET, but="zero_convs|middle_block_out")
    tensors = part(state, "model.diffusion_model.", CONTROL, but=NOT_CONTROL)
    tensors |= {f"encoder.{name}": tensor for name, tensor in copy.items()}
    return build(lambda _: RMSControlNet(unet=dict(unet.config), stride=4, kernel=3, mu=0.0), tensors, source)


def rms2sound(path: str | Path, tokenizer: PreTrainedTokenizerBase) -> RMS2Sound:
    """The authors' RMS2Sound as a pipeline.

    path: `ControlNetstep300000.pth`. tokenizer: RoBERTa's, for CLAP's text tower. Raises CheckpointError for a file
    with other tensors.
    """
    return rms2sound_from(read(path), tokenizer, path)


def rms2sound_from(state: dict[str, torch.Tensor], tokenizer: PreTrainedTokenizerBase, source: str | Path) -> RMS2Sound:
    """RMS2Sound from tensors under the authors' names. Raises CheckpointError naming `source`."""
    parts = audioldm_from(state, source)
    return RMS2Sound(**parts, tokenizer=tokenizer, controlnet=rms_controlnet_from(state, parts["unet"], source))
