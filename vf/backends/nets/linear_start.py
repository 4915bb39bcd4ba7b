"""Initial weights of a VAE: the best linear code of its data, instead of noise."""

import torch
from diffusers import AutoencoderKL

OFFSET = 8.0  # constant channels; without them a group norm would divide by the spread of the sound itself
SPREAD = 0.3  # standard deviation of the log-mel inside the network: small beside OFFSET


@torch.no_grad()
def linear_start(vae: AutoencoderKL, mels: torch.Tensor) -> None:
    """Set the weights of a new VAE so that its encoder is the principal component analysis of patches of log-mels.

    vae: AutoencoderKL with 1 channel in and out and random weights. mels: (i, n, bins). A latent pixel holds the
    leading components of a patch (4 x 4 for strides of 4). A few minutes of training from random weights do not reach
    their reconstruction. The decoder starts linear with random weights, because nearest-neighbour upsampling has no
    exact inverse.

    Residual branches start at zero. Before the last group norm of encoder and decoder each signal is paired with its
    negative. The mean that the norm subtracts is then 0 and not the level of the clip, and silu(x) - silu(-x) is x.
    Constants keep the norm's spread fixed; they are subtracted again after it. Training moves all weights.
    Raises ValueError for a VAE too narrow to carry the patch.
    """
    widths = vae.config.block_out_channels
    latents = vae.config.latent_channels
    groups = vae.config.norm_num_groups
    patch = 4 ** (len(widths) - 1)
    need = [4 ** (i + 1) for i in range(len(widths) - 1)] + [2 * patch]
    grows = all(a < b for a, b in zip(widths, widths[1:]))
    if not grows or any(have < want for have, want in zip(widths, need)) or latents > patch:
        raise ValueError(
            f"VAE has channels {tuple(widths)} and {latents} latent channels; wanted growing channels, at least "
            f"{need}, and at most {patch} latent channels"
        )
    if any(width // groups % 4 for width in (widths[0], widths[-1])):
        raise ValueError(f"channels {tuple(widths)} in {groups} groups; wanted groups of 4, 8, ...: take fewer")
    mean = mels.mean()
    std = mels.std()
    encoder = vae.encoder
    decoder = vae.decoder
    for name, module in vae.named_modules():
        if name.endswith("conv2"):
            module.weight.zero_()
            module.bias.zero_()
    _straighten(encoder.mid_block.resnets[-1].conv2, encoder.conv_norm_out)
    _straighten(decoder.up_blocks[-1].resnets[-1].conv2, decoder.conv_norm_out)

    encoder.conv_in.weight.mul_(SPREAD / std)
    encoder.conv_in.weight[0].zero_()
    encoder.conv_in.weight[0, 0, 1, 1] = SPREAD / std
    encoder.conv_in.bias.copy_(-mean * encoder.conv_in.weight.sum((1, 2, 3)))
    for level, block in enumerate(encoder.down_blocks):
        carried = 4**level
        shortcut = block.resnets[0].conv_shortcut
        if level:
            shortcut.weight[:carried] = torch.eye(carried, shortcut.weight.shape[1])[..., None, None]
            shortcut.bias[:carried] = 0
        if block.downsamplers:  # four pixels to four channels
            down = block.downsamplers[0].conv
            down.weight[: 4 * carried] = 0
            down.bias[: 4 * carried] = 0
            for channel in range(carried):
                for k in range(4):
                    down.weight[4 * channel + k, channel, k // 2, k % 2] = 1
    shortcut.weight.zero_()
    shortcut.bias.zero_()
    shortcut.weight[0 : 2 * patch : 2, :patch, 0, 0] = torch.eye(patch)
    shortcut.weight[1 : 2 * patch : 2, :patch, 0, 0] = -torch.eye(patch)

    centre, axes, spread = _patch_components((mels - mean) / std * SPREAD, len(widths) - 1)
    axes = axes[:latents] / spread[:latents].clamp(min=0.15 * spread[0])[:, None]
    out = encoder.conv_out
    out.weight.mul_(0.1)
    out.weight[:latents] = 0
    out.weight[:latents, 0 : 2 * patch : 2, 1, 1] = axes
    out.weight[:latents, 1 : 2 * patch : 2, 1, 1] = -axes
    out.bias.zero_()
    out.bias[:latents] = -axes @ centre
    for convolution in (vae.quant_conv, vae.post_quant_conv):
        convolution.weight.copy_(torch.eye(len(convolution.bias))[..., None, None])
        convolution.bias.zero_()
    vae.quant_conv.weight[latents:].mul_(0.1)
    vae.quant_conv.bias[latents:] = -5  # log-variance: little noise at first, or it would drown the signal

    shortcut = decoder.up_blocks[-1].resnets[0].conv_shortcut
    for tensor in (shortcut.weight, shortcut.bias):
        tensor[1::2] = -tensor[::2]
    decoder.conv_out.weight[:, 1::2] = -decoder.conv_out.weight[:, ::2]
    decoder.conv_out.weight.mul_(std)
    decoder.conv_out.bias.fill_(mean)


def _straighten(before, norm):
    """Make a group norm linear: add constants in the convolution before it, subtract them after it."""
    sign = 1 - 2 * (torch.arange(len(norm.bias)) // 2 % 2)  # one sign for a signal and its negative
    before.bias.copy_(OFFSET * sign)
    norm.weight.fill_(OFFSET)
    norm.bias.copy_(-OFFSET * sign)


def _patch_components(mels, strides):
    """Mean (p,), principal axes (p, p) and their standard deviations (p,) of patches, pixels in the strides' order."""
    patches = mels[:: max(1, len(mels) // 100), None]
    for _ in range(strides):
        b, c, n, f = patches.shape
        patches = patches.reshape(b, c, n // 2, 2, f // 2, 2).permute(0, 1, 3, 5, 2, 4)
        patches = patches.reshape(b, 4 * c, n // 2, f // 2)
    patches = patches.transpose(1, 3).reshape(-1, 4**strides)
    centre = patches.mean(0)
    values, vectors = torch.linalg.eigh(torch.cov((patches - centre).T))
    return centre, vectors.T.flip(0), values.clamp(min=0).sqrt().flip(0)
