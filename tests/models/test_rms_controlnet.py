import pytest
import torch
from diffusers import UNet2DConditionModel

from vf.models.rms_controlnet import RMSControlNet
from vf.signal.rms import mu_law


def tiny_unet(**changes):
    torch.manual_seed(0)
    config = {
        "sample_size": 16,
        "in_channels": 4,
        "out_channels": 4,
        "block_out_channels": (8, 16, 16),
        "layers_per_block": 1,
        "down_block_types": ("DownBlock2D", "DownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D", "UpBlock2D"),
        "cross_attention_dim": (8, 16, 16),
        "attention_head_dim": 2,
        "norm_num_groups": 4,
        "class_embed_type": "simple_projection",
        "projection_class_embeddings_input_dim": 6,
        "class_embeddings_concat": True,
    }
    return UNet2DConditionModel(**{**config, **changes}).eval()


def inputs(frames=16):
    generator = torch.Generator().manual_seed(1)
    z_t = torch.randn(2, 4, frames, 8, generator=generator)
    timbre = torch.randn(2, 6, generator=generator)
    return z_t, torch.tensor([3, 700]), timbre, torch.rand(2, 4 * frames, generator=generator)


def ask(unet, z_t, t, timbre, **residuals):
    return unet(z_t, t, None, class_labels=timbre, **residuals).sample


@torch.no_grad()
@pytest.mark.parametrize("layers", [1, 2])
def test_the_unet_is_unchanged_before_training(layers):
    unet = tiny_unet(layers_per_block=layers)
    net = RMSControlNet.from_unet(unet)
    z_t, t, timbre, rms = inputs()
    plain = ask(unet, z_t, t, timbre)
    assert torch.equal(plain, ask(unet, z_t, t, timbre, **net(z_t, t, timbre, rms).kwargs()))
    for parameter in net.mid_zero.parameters():
        parameter.fill_(0.1)
    assert not torch.equal(plain, ask(unet, z_t, t, timbre, **net(z_t, t, timbre, rms).kwargs()))


@torch.no_grad()
def test_the_copy_computes_what_the_encoder_computes():
    """With zero convolutions set to the identity, the residuals are the U-Net's own skips: a second route to them."""
    unet = tiny_unet()
    net = RMSControlNet.from_unet(unet)
    for zero in (*net.down_zero, net.mid_zero):
        zero.weight.copy_(torch.eye(len(zero.bias))[..., None, None])
    skips = []
    hooks = [unet.conv_in.register_forward_hook(lambda _, __, out: skips.append(out))]
    hooks += [block.register_forward_hook(lambda _, __, out: skips.extend(out[1])) for block in unet.down_blocks]
    hooks.append(unet.mid_block.register_forward_hook(lambda _, __, out: skips.append(out)))
    z_t, t, timbre, rms = inputs()
    ask(unet, z_t, t, timbre)
    residuals = net(z_t, t, timbre, rms)
    assert len(skips) == len(residuals.down) + 1
    for own, copied in zip(skips, (*residuals.down, residuals.mid)):
        torch.testing.assert_close(own, copied)


@torch.no_grad()
@pytest.mark.parametrize("mu", [0.0, 63.0])
def test_the_curve_enters_as_a_strided_convolution_broadcast_over_bins(mu):
    net = RMSControlNet.from_unet(tiny_unet(), mu=mu)
    generator = torch.Generator().manual_seed(2)
    net.rms_zero.weight.copy_(torch.randn(net.rms_zero.weight.shape, generator=generator))
    seen = []
    net.encoder.conv_in.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    z_t, t, timbre, rms = inputs()
    net(z_t, t, timbre, rms)
    curve = (mu_law(rms, mu) if mu else rms).reshape(2, 16, 4)[..., :3]  # three of every four frames
    condition = torch.einsum("blk,ck->bcl", curve, net.rms_in.weight[:, 0, :, 0]) + net.rms_in.bias[:, None]
    condition = torch.einsum("oc,bcl->bol", net.rms_zero.weight[:, :, 0, 0], condition)
    torch.testing.assert_close(seen[0], z_t + condition[..., None])


def test_every_zero_convolution_learns():
    unet = tiny_unet().requires_grad_(False)
    net = RMSControlNet.from_unet(unet)
    net.requires_grad_(True)
    optimizer = torch.optim.SGD(net.parameters(), 0.5)
    z_t, t, timbre, rms = inputs()
    for _ in range(3):  # the first step moves the outer zeros, only then does the inner one hear a gradient
        optimizer.zero_grad()
        ask(unet, z_t, t, timbre, **net(z_t, t, timbre, rms).kwargs()).square().mean().backward()
        optimizer.step()
    assert all(zero.weight.abs().sum() > 0 for zero in (*net.down_zero, net.mid_zero, net.rms_zero))
    assert all(p.grad is None for p in unet.parameters())


@torch.no_grad()
def test_save_and_load(tmp_path):
    net = RMSControlNet.from_unet(tiny_unet(), kernel=4, mu=63.0)
    net.mid_zero.weight.fill_(0.3)
    net.save_pretrained(tmp_path)
    again = RMSControlNet.from_pretrained(tmp_path)
    assert again.config.mu == 63.0 and again.config.kernel == 4
    batch = inputs()
    for a, b in zip(net(*batch).down, again(*batch).down):
        torch.testing.assert_close(a, b)
    torch.testing.assert_close(net(*batch).mid, again(*batch).mid)


def test_a_curve_of_the_wrong_length_is_refused():
    net = RMSControlNet.from_unet(tiny_unet())
    z_t, t, timbre, rms = inputs()
    with pytest.raises(ValueError, match=r"63 frames but the latent needs 64; call rms.resize\(rms, 64\)"):
        net(z_t, t, timbre, rms[:, :63])
    with pytest.raises(ValueError, match="kernel is 5"):
        RMSControlNet.from_unet(tiny_unet(), kernel=5)


@pytest.mark.slow
@torch.no_grad()
def test_it_hosts_audioldm():
    """AudioLDM-s' own configuration: 12 + 1 residuals of the paper's channels, the released 81 M parameters."""
    unet = tiny_unet(
        sample_size=128,
        in_channels=8,
        out_channels=8,
        block_out_channels=(128, 256, 384, 640),
        layers_per_block=2,
        down_block_types=("DownBlock2D", *("CrossAttnDownBlock2D",) * 3),
        up_block_types=(*("CrossAttnUpBlock2D",) * 3, "UpBlock2D"),
        cross_attention_dim=(128, 256, 384, 640),
        attention_head_dim=(4, 8, 12, 20),
        norm_num_groups=32,
        projection_class_embeddings_input_dim=512,
    )
    net = RMSControlNet.from_unet(unet)
    assert round(sum(p.numel() for p in net.parameters()) / 1e6) == 81
    z_t, timbre = torch.randn(1, 8, 32, 16), torch.randn(1, 512)
    residuals = net(z_t, 500, timbre, torch.rand(1, 128))
    assert [r.shape[1] for r in residuals.down] == [128] * 4 + [256] * 3 + [384] * 3 + [640] * 2
    assert residuals.mid.shape == (1, 640, 4, 2)
    assert torch.equal(ask(unet, z_t, 500, timbre), ask(unet, z_t, 500, timbre, **residuals.kwargs()))
