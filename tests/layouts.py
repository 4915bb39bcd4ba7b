"""Names and shapes of the released checkpoints at any width, from their architectures, and tensors to fill them."""

import zlib

import numpy as np
import torch


def fill(shapes):
    """{name: tensor}, each drawn from a generator seeded by its name, at a scale that keeps activations in bounds."""
    tensors = {}
    for name, shape in shapes.items():
        leaf, z = (
            name.split(".")[-1],
            np.random.default_rng(zlib.crc32(name.encode())).standard_normal(shape).astype(np.float32),
        )
        if leaf == "relative_position_index":
            i = np.indices((8, 8)).reshape(2, 64)
            d = i[:, :, None] - i[:, None, :] + 7
            z = d[0] * 15 + d[1]
        elif leaf == "num_batches_tracked":
            z = np.zeros((), np.int64)
        elif leaf == "position_ids":
            z = np.arange(shape[-1])[None]
        elif leaf == "running_var":
            z = 1 + 0.1 * np.abs(z)
        elif leaf == "running_mean" or leaf.startswith("bias"):
            z = 0.1 * z
        elif len(shape) >= 2:
            z = z * np.float32(np.prod(shape[1:]) ** -0.5)
        else:
            z = 1 + 0.1 * z
        tensors[name] = torch.as_tensor(np.asarray(z))
    return tensors


def _layer(name, *shape):
    return {f"{name}.weight": shape, f"{name}.bias": shape[:1]}


def _norm(name, width):
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def _batch_norm(name, width):
    extra = {f"{name}.running_mean": (width,), f"{name}.running_var": (width,), f"{name}.num_batches_tracked": ()}
    return _norm(name, width) | extra


def video2rms(features=2048, width=2048, lstm=512, frames=300, rms_frames=1250, bins=64):
    shapes = {}
    for i, size in enumerate((features, width, width)):
        shapes |= _layer(f"encoder.convolutions.{i}.0.conv", width, size, 5) | _batch_norm(
            f"encoder.convolutions.{i}.1", width
        )
    for layer, size in enumerate((width, 2 * lstm)):
        for way in ("", "_reverse"):
            for kind, columns in (("ih", size), ("hh", lstm)):
                shapes |= {f"encoder.BiLSTM.weight_{kind}_l{layer}{way}": (4 * lstm, columns)}
                shapes |= {f"encoder.BiLSTM.bias_{kind}_l{layer}{way}": (4 * lstm,)}
    return (
        shapes | _layer("encoder.BiLSTM_projs.0", rms_frames, frames) | _layer("encoder.BiLSTM_projs.1", bins, 2 * lstm)
    )


def _unet_block(name, size, width, emb):
    shapes = _norm(f"{name}.in_layers.0", size) | _layer(f"{name}.in_layers.2", width, size, 3, 3)
    shapes |= _layer(f"{name}.emb_layers.1", width, emb)
    shapes |= _norm(f"{name}.out_layers.0", width) | _layer(f"{name}.out_layers.3", width, width, 3, 3)
    return shapes | (_layer(f"{name}.skip_connection", width, size, 1, 1) if size != width else {})


def _unet_attention(name, width):
    shapes = _norm(f"{name}.norm", width)
    for end in ("proj_in", "proj_out"):
        shapes |= _layer(f"{name}.{end}", width, width, 1, 1)
    block = f"{name}.transformer_blocks.0"
    for i in (1, 2):
        shapes |= _norm(f"{block}.norm{i}", width) | _layer(f"{block}.attn{i}.to_out.0", width, width)
        shapes |= {f"{block}.attn{i}.to_{x}.weight": (width, width) for x in "qkv"}
    shapes |= _norm(f"{block}.norm3", width)
    return shapes | _layer(f"{block}.ff.net.0.proj", 8 * width, width) | _layer(f"{block}.ff.net.2", width, 4 * width)


def _unet_encoder(widths, channels, film):
    emb = 4 * widths[0] + 4 * widths[0]
    shapes = _layer("time_embed.0", 4 * widths[0], widths[0]) | _layer("time_embed.2", 4 * widths[0], 4 * widths[0])
    shapes |= _layer("film_emb", 4 * widths[0], film) | _layer("input_blocks.0.0", widths[0], channels, 3, 3)
    i, size, skips = 1, widths[0], [widths[0]]
    for level, width in enumerate(widths):
        for _ in range(2):
            shapes |= _unet_block(f"input_blocks.{i}.0", size, width, emb)
            shapes |= _unet_attention(f"input_blocks.{i}.1", width) if level else {}
            i, size = i + 1, width
            skips.append(width)
        if level < 3:
            shapes |= _layer(f"input_blocks.{i}.0.op", width, width, 3, 3)
            i += 1
            skips.append(width)
    shapes |= _unet_block("middle_block.0", size, size, emb) | _unet_attention("middle_block.1", size)
    return shapes | _unet_block("middle_block.2", size, size, emb), skips, emb


def unet(widths=(128, 256, 384, 640), channels=8, film=512):
    shapes, skips, emb = _unet_encoder(widths, channels, film)
    size = widths[-1]
    for i in range(12):
        level = 3 - i // 3
        shapes |= _unet_block(f"output_blocks.{i}.0", size + skips.pop(), widths[level], emb)
        size = widths[level]
        shapes |= _unet_attention(f"output_blocks.{i}.1", size) if level else {}
        if i % 3 == 2 and level:
            shapes |= _layer(f"output_blocks.{i}.2.conv", size, size, 3, 3)
    return shapes | _norm("out.0", size) | _layer("out.2", channels, size, 3, 3)


def control_net(widths=(128, 256, 384, 640), channels=8, film=512):
    encoder, skips, _ = _unet_encoder(widths, channels, film)
    shapes = {f"control_net.{name}": shape for name, shape in encoder.items()}
    for i, width in enumerate(skips):
        shapes |= _layer(f"control_net.zero_convs.{i}.0", width, width, 1, 1)
    shapes |= _layer("control_net.middle_block_out_zero_conv.0", widths[-1], widths[-1], 1, 1)
    shapes |= _layer("control_net_input_projection_list.0", channels, 1, 3, 1)
    return shapes | _layer("control_net_input_projection_list.1", channels, channels, 1, 1)


def _vae_block(name, size, width):
    shapes = _norm(f"{name}.norm1", size) | _layer(f"{name}.conv1", width, size, 3, 3)
    shapes |= _norm(f"{name}.norm2", width) | _layer(f"{name}.conv2", width, width, 3, 3)
    return shapes | (_layer(f"{name}.nin_shortcut", width, size, 1, 1) if size != width else {})


def vae(widths=(128, 256, 512), latent=8):
    shapes = {}
    for half, outside in (
        ("encoder", _layer("encoder.conv_in", widths[0], 1, 3, 3)),
        ("decoder", _layer("decoder.conv_in", widths[-1], latent, 3, 3)),
    ):
        shapes |= outside
        for i in (1, 2):
            shapes |= _vae_block(f"{half}.mid.block_{i}", widths[-1], widths[-1])
        shapes |= _norm(f"{half}.mid.attn_1.norm", widths[-1])
        for x in ("q", "k", "v", "proj_out"):
            shapes |= _layer(f"{half}.mid.attn_1.{x}", widths[-1], widths[-1], 1, 1)
    size = widths[0]
    for level, width in enumerate(widths):
        for j in range(2):
            shapes |= _vae_block(f"encoder.down.{level}.block.{j}", size, width)
            size = width
        if level < 2:
            shapes |= _layer(f"encoder.down.{level}.downsample.conv", width, width, 3, 3)
    for level in (2, 1, 0):
        for j in range(3):
            shapes |= _vae_block(f"decoder.up.{level}.block.{j}", size, widths[level])
            size = widths[level]
        if level:
            shapes |= _layer(f"decoder.up.{level}.upsample.conv", size, size, 3, 3)
    shapes |= _norm("encoder.norm_out", widths[-1]) | _layer("encoder.conv_out", 2 * latent, widths[-1], 3, 3)
    shapes |= _norm("decoder.norm_out", widths[0]) | _layer("decoder.conv_out", 1, widths[0], 3, 3)
    return shapes | _layer("quant_conv", 2 * latent, 2 * latent, 1, 1) | _layer("post_quant_conv", latent, latent, 1, 1)


def vocoder(start=1024, bins=64):
    shapes, size = _layer("conv_pre", start, bins, 7), start
    for i, kernel in enumerate((16, 16, 8, 4, 4)):
        shapes |= {f"ups.{i}.weight": (size, size // 2, kernel), f"ups.{i}.bias": (size // 2,)}
        size //= 2
        for k, reach in enumerate((3, 7, 11)):
            for convs in ("convs1", "convs2"):
                for j in range(3):
                    shapes |= _layer(f"resblocks.{3 * i + k}.{convs}.{j}", size, size, reach)
    return shapes | _layer("conv_post", 1, size, 7)


NARROW_CLAP = {"embed": 16, "depths": (1, 1, 1, 1), "heads": (1, 2, 4, 8)}


def clap(embed=96, depths=(2, 2, 6, 2), heads=(4, 8, 16, 32), hidden=768, layers=12, vocabulary=50265, dims=512):
    a = "audio_branch"
    shapes = (
        _batch_norm(f"{a}.bn0", 64)
        | _layer(f"{a}.patch_embed.proj", embed, 1, 4, 4)
        | _norm(f"{a}.patch_embed.norm", embed)
    )
    for s, (depth, count) in enumerate(zip(depths, heads)):
        width = embed * 2**s
        for b in range(depth):
            block = f"{a}.layers.{s}.blocks.{b}"
            shapes |= _norm(f"{block}.norm1", width) | _norm(f"{block}.norm2", width)
            shapes |= _layer(f"{block}.attn.qkv", 3 * width, width) | _layer(f"{block}.attn.proj", width, width)
            shapes |= {
                f"{block}.attn.relative_position_bias_table": (225, count),
                f"{block}.attn.relative_position_index": (64, 64),
            }
            shapes |= _layer(f"{block}.mlp.fc1", 4 * width, width) | _layer(f"{block}.mlp.fc2", width, 4 * width)
        if s + 1 < len(depths):
            shapes |= _norm(f"{a}.layers.{s}.downsample.norm", 4 * width)
            shapes |= {f"{a}.layers.{s}.downsample.reduction.weight": (2 * width, 4 * width)}
    shapes |= _norm(f"{a}.norm", width)
    t = "text_branch"
    shapes |= {
        f"{t}.embeddings.word_embeddings.weight": (vocabulary, hidden),
        f"{t}.embeddings.position_embeddings.weight": (514, hidden),
        f"{t}.embeddings.token_type_embeddings.weight": (1, hidden),
        f"{t}.embeddings.position_ids": (1, 514),
    }
    shapes |= _norm(f"{t}.embeddings.LayerNorm", hidden) | _layer(f"{t}.pooler.dense", hidden, hidden)
    for i in range(layers):
        layer = f"{t}.encoder.layer.{i}"
        for x in ("self.query", "self.key", "self.value", "output.dense"):
            shapes |= _layer(f"{layer}.attention.{x}", hidden, hidden)
        shapes |= _norm(f"{layer}.attention.output.LayerNorm", hidden) | _norm(f"{layer}.output.LayerNorm", hidden)
        shapes |= _layer(f"{layer}.intermediate.dense", 4 * hidden, hidden) | _layer(
            f"{layer}.output.dense", hidden, 4 * hidden
        )
    for branch, size in (("text", hidden), ("audio", width)):
        shapes |= _layer(f"{branch}_projection.0", dims, size) | _layer(f"{branch}_projection.2", dims, dims)
    return shapes | {"logit_scale_a": (), "logit_scale_t": ()}


def whole(small=False):
    """The authors' `ControlNetstep300000.pth` without what is dropped; `small`: the same at little width."""
    wide = {"widths": (32, 64, 64, 64), "film": 32} if small else {}
    parts = {
        "model.diffusion_model.": unet(**wide) | control_net(**wide),
        "first_stage_model.": vae(**({"widths": (32, 32, 32)} if small else {})),
        "first_stage_model.vocoder.": vocoder(**({"start": 32} if small else {})),
        "cond_stage_models.0.model.": clap(
            **(NARROW_CLAP | {"hidden": 64, "layers": 1, "vocabulary": 1000, "dims": 32} if small else {})
        ),
    }
    shapes = {prefix + name: shape for prefix, part in parts.items() for name, shape in part.items()}
    return shapes | {"scale_factor": ()}


def laion_clap(small=False):
    """`state_dict` of `music_speech_audioset_epoch_15_esc_89.98.pt`: HTSAT-base and RoBERTa.

    Each name begins with `module.`.
    """
    wide = NARROW_CLAP | {"hidden": 64, "layers": 1, "vocabulary": 1000, "dims": 32}
    shapes = clap(**(wide if small else {"embed": 128, "depths": (2, 2, 12, 2)}))
    return {f"module.{name}": shape for name, shape in shapes.items()}


def ms_clap(small=False):
    """The sound tower in `CLAP_weights_2023.pth`, under `model`, and one tensor of each part that is left out."""
    embed, dims = (16, 32) if small else (96, 1024)
    whole = clap(**(NARROW_CLAP if small else {}), hidden=64, layers=1, vocabulary=10)
    htsat = {
        n.replace("audio_branch.", "audio_encoder.base.htsat."): s
        for n, s in whole.items()
        if n.startswith("audio_branch")
    }
    head = "audio_encoder.projection"
    shapes = {f"{head}.linear1.weight": (dims, 8 * embed), f"{head}.linear2.weight": (dims, dims)} | _norm(
        f"{head}.layer_norm", dims
    )
    extra = {
        "audio_encoder.base.htsat.tscam_conv.bias": (527,),
        "caption_encoder.projection.linear1.weight": (4, 4),
        "logit_scale": (),
    }
    return htsat | shapes | extra
