"""The authors' released files -> this project's classes: `checkpoint_000500_Video2RMS.pt` and `ControlNetstep300000.pth`.

Both functions are strict about every tensor (see `vf.backends.nets.audioldm`).
"""

from transformers import RobertaTokenizer

from vf import weights
from vf.backends.nets.audioldm import UNET, audioldm_from, build, part, read
from vf.rms2sound import RMS2Sound
from vf.rms_controlnet import RMSControlNet
from vf.video2rms import Video2RMS

VIDEO2RMS = [
    (r"encoder\.convolutions\.(\d)\.0\.conv\.", lambda m: f"convolutions.{4 * int(m[1])}."),
    (r"encoder\.convolutions\.(\d)\.1\.", lambda m: f"convolutions.{4 * int(m[1]) + 1}."),
    (r"encoder\.BiLSTM\.", "bilstm."),
    (r"encoder\.BiLSTM_projs\.0\.", "over_time."),
    (r"encoder\.BiLSTM_projs\.1\.", "to_classes."),
]

CONTROL = [
    (r"^control_net_input_projection_list\.0\.", "rms_in."),
    (r"^control_net_input_projection_list\.1\.", "rms_zero."),
    (r"^control_net\.zero_convs\.(\d+)\.0\.", r"down_zero.\1."),
    (r"^control_net\.middle_block_out_zero_conv\.0\.", "mid_zero."),
]


def video2rms(path):
    """The authors' Video2RMS (`checkpoint_000500_Video2RMS.pt`), with its ReLU on the logits and its layer over time."""
    return video2rms_from(read(path), path)


def video2rms_from(state, source):
    """Video2RMS from tensors under the authors' names. Raises CheckpointError naming `source`."""
    return build(_video2rms, part(state, "", VIDEO2RMS), source)


def rms_controlnet_from(state, unet, source):
    """The authors' RMS-ControlNet from tensors under the original names, for the U-Net of the same file."""
    copy = part(state, "model.diffusion_model.control_net.", UNET, but="zero_convs|middle_block_out")
    around = part(state, "model.diffusion_model.", CONTROL, but=r"(?!control_net)|control_net\.(?!zero_convs|middle_block_out)")
    tensors = around | {f"encoder.{name}": tensor for name, tensor in copy.items()}
    return build(lambda _: RMSControlNet(unet=dict(unet.config), stride=4, kernel=3, mu=0.0), tensors, source)


def authors(folder):
    """(Video2RMS, RMS2Sound) as the authors released them, from a folder. Raises weights.MissingWeights for what is not there."""
    model = video2rms(weights.find("video2rms", folder))
    tokenizer = RobertaTokenizer.from_pretrained(weights.find("roberta", folder))
    return model, rms2sound(weights.find("rms2sound", folder), tokenizer)


def rms2sound(path, tokenizer):
    """The authors' RMS2Sound (`ControlNetstep300000.pth`) as a pipeline. tokenizer: RoBERTa's, of CLAP's text tower."""
    return rms2sound_from(read(path), tokenizer, path)


def rms2sound_from(state, tokenizer, source):
    """RMS2Sound from tensors under the original names. Raises CheckpointError naming `source`."""
    parts = audioldm_from(state, source)
    return RMS2Sound(**parts, tokenizer=tokenizer, controlnet=rms_controlnet_from(state, parts["unet"], source))


def _video2rms(tensors):
    width, features, _ = tensors["convolutions.0.weight"].shape
    bins, both_ways = tensors["to_classes.weight"].shape
    rms_frames, frames = tensors["over_time.weight"].shape
    return Video2RMS(features, width, both_ways // 2, frames, rms_frames, bins)
