"""The authors' released `ControlNetstep300000.pth` -> RMS2Sound, strict about every tensor (see `vf.backends.tensors`)."""

from vf.backends.nets.audioldm import UNET, audioldm_from
from vf.backends.tensors import build, part, read
from vf.models.rms2sound import RMS2Sound
from vf.models.rms_controlnet import RMSControlNet

CONTROL = [
    (r"^control_net_input_projection_list\.0\.", "rms_in."),
    (r"^control_net_input_projection_list\.1\.", "rms_zero."),
    (r"^control_net\.zero_convs\.(\d+)\.0\.", r"down_zero.\1."),
    (r"^control_net\.middle_block_out_zero_conv\.0\.", "mid_zero."),
]


def rms_controlnet_from(state, unet, source):
    """The authors' RMS-ControlNet from tensors under the original names, for the U-Net of the same file."""
    copy = part(state, "model.diffusion_model.control_net.", UNET, but="zero_convs|middle_block_out")
    around = part(state, "model.diffusion_model.", CONTROL, but=r"(?!control_net)|control_net\.(?!zero_convs|middle_block_out)")
    tensors = around | {f"encoder.{name}": tensor for name, tensor in copy.items()}
    return build(lambda _: RMSControlNet(unet=dict(unet.config), stride=4, kernel=3, mu=0.0), tensors, source)


def rms2sound(path, tokenizer):
    """The authors' RMS2Sound (`ControlNetstep300000.pth`) as a pipeline. tokenizer: RoBERTa's, of CLAP's text tower."""
    return rms2sound_from(read(path), tokenizer, path)


def rms2sound_from(state, tokenizer, source):
    """RMS2Sound from tensors under the original names. Raises CheckpointError naming `source`."""
    parts = audioldm_from(state, source)
    return RMS2Sound(**parts, tokenizer=tokenizer, controlnet=rms_controlnet_from(state, parts["unet"], source))
