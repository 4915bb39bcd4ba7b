"""RMS-ControlNet: a trainable copy of a U-Net's encoder whose input is a loudness curve too (section 2.2)."""

from typing import NamedTuple

import torch
from diffusers import ConfigMixin, ModelMixin, UNet2DConditionModel
from diffusers.configuration_utils import register_to_config
from torch import nn

from vf.signal.rms import mu_law


class Residuals(NamedTuple):
    """What is added to the frozen U-Net: `down`, one map per skip connection in diffusers' order, and `mid`."""

    down: tuple
    mid: torch.Tensor

    def kwargs(self):
        """The two under the names that UNet2DConditionModel takes them by."""
        return {"down_block_additional_residuals": self.down, "mid_block_additional_residual": self.mid}


def _zero_convolution(channels):
    convolution = nn.Conv2d(channels, channels, 1)
    nn.init.zeros_(convolution.weight)
    nn.init.zeros_(convolution.bias)
    return convolution


class RMSControlNet(ModelMixin, ConfigMixin):
    """The encoder of a text-to-audio U-Net, copied, with the RMS curve added to its input.

    unet: configuration of the U-Net (a dict, as in its config.json). stride: RMS frames per latent frame. kernel: RMS
    frames that one latent frame sees. mu: the curve enters on Eq. 2's scale with this mu; 0 leaves it linear, as the
    paper does. Use `from_unet` to start from a U-Net's weights.

    The 1x1 convolutions around the copy start at zero, so before training the U-Net's output is unchanged.
    `diffusers.ControlNetModel` cannot host AudioLDM's U-Net: it has no concatenated class embedding.
    """

    @register_to_config
    def __init__(self, unet, stride=4, kernel=3, mu=0.0):
        super().__init__()
        if kernel > stride:
            raise ValueError(f"kernel is {kernel}, stride {stride}; a kernel longer than its stride would need padding")
        unet = {key: value for key, value in unet.items() if not key.startswith("_")}
        self.encoder = UNet2DConditionModel.from_config(unet)
        self.encoder.up_blocks = nn.ModuleList()
        self.encoder.conv_norm_out = self.encoder.conv_act = self.encoder.conv_out = None
        channels = self.encoder.config.in_channels
        self.rms_in = nn.Conv2d(1, channels, (kernel, 1), stride=(stride, 1))
        self.rms_zero = _zero_convolution(channels)
        skips = [self.encoder.conv_in.out_channels]
        for block in self.encoder.down_blocks:
            skips += [resnet.out_channels for resnet in block.resnets]
            skips += [down.out_channels for down in block.downsamplers or []]
        self.down_zero = nn.ModuleList(_zero_convolution(count) for count in skips)
        self.mid_zero = _zero_convolution(self.encoder.mid_block.resnets[-1].out_channels)

    @classmethod
    def from_unet(cls, unet, stride=4, kernel=3, mu=0.0):
        """A control net that starts as a copy of `unet`'s encoder. The U-Net itself is not touched."""
        net = cls(unet=dict(unet.config), stride=stride, kernel=kernel, mu=mu)
        wanted = net.encoder.state_dict()
        net.encoder.load_state_dict({key: value for key, value in unet.state_dict().items() if key in wanted})
        return net.to(unet.device)

    def forward(self, z_t, t, timbre, rms):
        """Residuals for one denoising step.

        z_t: noisy latent, (b, c, l, g). t: timestep, a number or (b,). timbre: CLAP vector, (b, e). rms: (b, n) in
        [0, 1], n = stride * l. Returns Residuals. Raises ValueError when n does not fit l.
        """
        frames = self.config.stride * z_t.shape[2]
        if rms.shape[-1] != frames:
            raise ValueError(f"rms has {rms.shape[-1]} frames but the latent needs {frames}; call rms.resize(rms, {frames})")
        curve = mu_law(rms, self.config.mu) if self.config.mu else rms
        # one value a frame, broadcast over the latent's frequency bins
        sample = z_t + self.rms_zero(self.rms_in(curve[:, None, :, None].to(z_t.dtype)))
        encoder = self.encoder
        emb = encoder.time_embedding(encoder.get_time_embed(sample=sample, timestep=t))
        class_emb = encoder.get_class_embed(sample=sample, class_labels=timbre)
        if class_emb is not None:
            emb = torch.cat([emb, class_emb], -1) if encoder.config.class_embeddings_concat else emb + class_emb
        sample = encoder.conv_in(sample)
        skips = [sample]
        for block in encoder.down_blocks:
            # attention without a text sequence attends to the sound itself, as AudioLDM's does
            attends = {"encoder_hidden_states": None} if getattr(block, "has_cross_attention", False) else {}
            sample, more = block(sample, emb, **attends)
            skips += more
        sample = encoder.mid_block(sample, emb)
        return Residuals(tuple(zero(skip) for zero, skip in zip(self.down_zero, skips)), self.mid_zero(sample))
