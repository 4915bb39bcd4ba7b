"""RMS-ControlNet: a trainable copy of a U-Net's encoder with an RMS curve as extra input (section 2.2)."""

from typing import Any, NamedTuple

import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models import ModelMixin, UNet2DConditionModel
from torch import nn

from vf.signal.rms import mu_law


class Residuals(NamedTuple):
    """What the control net adds to the frozen U-Net.

    down: a map for each skip connection, in the order of diffusers. mid: the map of the middle block.
    """

    down: tuple[torch.Tensor, ...]
    mid: torch.Tensor

    def kwargs(self) -> dict:
        """Both as keyword arguments of UNet2DConditionModel."""
        return {"down_block_additional_residuals": self.down, "mid_block_additional_residual": self.mid}


def _zero_convolution(channels):
    convolution = nn.Conv2d(channels, channels, 1)
    nn.init.zeros_(convolution.weight)
    nn.init.zeros_(convolution.bias)
    return convolution


class RMSControlNet(ModelMixin, ConfigMixin):  # type: ignore[misc]  # diffusers declares config_name in both
    """A copy of the encoder of a text-to-audio U-Net, with the RMS curve added to its input.

    unet: configuration of the U-Net, a dict as in its config.json. stride: RMS frames per latent frame. kernel: RMS
    frames that each latent frame sees. mu: of Eq. 2, by which the curve is scaled; 0 leaves it linear, as in the paper.
    `from_unet` starts from the weights of a U-Net.

    The 1x1 convolutions around the copy start at zero, so the U-Net's output is unchanged before training.
    `diffusers.ControlNetModel` does not fit AudioLDM's U-Net, as it cannot concatenate a class embedding.
    """

    @register_to_config
    def __init__(self, unet: dict, stride: int = 4, kernel: int = 3, mu: float = 0.0):
        super().__init__()
        if kernel > stride:
            raise ValueError(f"kernel is {kernel}, stride {stride}; a kernel longer than its stride would need padding")
        encoder: Any = UNet2DConditionModel.from_config(unet)
        encoder.up_blocks = nn.ModuleList()
        encoder.conv_norm_out = None
        encoder.conv_act = None
        encoder.conv_out = None
        self.encoder = encoder
        channels = encoder.config.in_channels
        self.rms_in = nn.Conv2d(1, channels, (kernel, 1), stride=(stride, 1))
        self.rms_zero = _zero_convolution(channels)
        skips = [encoder.conv_in.out_channels]
        for block in encoder.down_blocks:
            skips += [resnet.out_channels for resnet in block.resnets]
            skips += [down.out_channels for down in block.downsamplers or []]
        self.down_zero = nn.ModuleList(_zero_convolution(count) for count in skips)
        self.mid_zero = _zero_convolution(encoder.mid_block.resnets[-1].out_channels)

    @classmethod
    def from_unet(
        cls, unet: UNet2DConditionModel, stride: int = 4, kernel: int = 3, mu: float = 0.0
    ) -> "RMSControlNet":
        """A control net that starts as a copy of `unet`'s encoder. The U-Net itself is not changed."""
        # keys with a _ say where the U-Net came from
        config = {key: value for key, value in unet.config.items() if not key.startswith("_")}
        net = cls(unet=config, stride=stride, kernel=kernel, mu=mu)
        names = net.encoder.state_dict().keys()
        net.encoder.load_state_dict({name: tensor for name, tensor in unet.state_dict().items() if name in names})
        return net.to(unet.device)

    def forward(self, z_t: torch.Tensor, t: torch.Tensor | int, timbre: torch.Tensor, rms: torch.Tensor) -> Residuals:
        """Residuals for one denoising step.

        z_t: noisy latent, (b, c, l, g). t: timestep, a number or (b,). timbre: CLAP vector, (b, e). rms: (b, n) in
        [0, 1], n = stride * l. Raises ValueError when n does not fit l.
        """
        frames = self.config["stride"] * z_t.shape[2]
        if rms.shape[-1] != frames:
            raise ValueError(
                f"rms has {rms.shape[-1]} frames but the latent needs {frames}; call rms.resize(rms, {frames})"
            )
        mu = self.config["mu"]
        curve = mu_law(rms, mu) if mu else rms
        # one value a frame, the same for all frequency bins of the latent
        sample = z_t + self.rms_zero(self.rms_in(curve[:, None, :, None].to(z_t.dtype)))
        encoder = self.encoder
        emb = encoder.time_embedding(encoder.get_time_embed(sample=sample, timestep=t))
        class_emb = encoder.get_class_embed(sample=sample, class_labels=timbre)
        emb = torch.cat([emb, class_emb], -1)
        sample = encoder.conv_in(sample)
        skips = [sample]
        for block in encoder.down_blocks:
            # without a text sequence, attention is self-attention, as in AudioLDM
            attention = {"encoder_hidden_states": None} if getattr(block, "has_cross_attention", False) else {}
            sample, more = block(sample, emb, **attention)
            skips += more
        sample = encoder.mid_block(sample, emb)
        return Residuals(tuple(zero(skip) for zero, skip in zip(self.down_zero, skips)), self.mid_zero(sample))
