"""AudioLDM's original single file and LAION's CLAP, converted to the classes of diffusers and transformers.

Loading is as strict as in `vf.backends.tensors`. Sizes are read off the tensors, so smaller networks of the same layout
load too.
"""

import re
from pathlib import Path

import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from transformers import ClapConfig, ClapFeatureExtractor, ClapModel, SpeechT5HifiGan, SpeechT5HifiGanConfig

from vf.backends.tensors import CheckpointError, build, dropped, part, read

CONTROL_NET = r"model\.diffusion_model\.control_net"


def _down(match):
    """Name of a module of the U-Net's encoder. Groups of the match: number of the block, of the module in it."""
    index = int(match[1])
    if index == 0:
        return "conv_in."
    block, layer = divmod(index - 1, 3)
    if layer == 2:
        return f"down_blocks.{block}.downsamplers.0.conv."
    return f"down_blocks.{block}.{'resnets' if match[2] == '0' else 'attentions'}.{layer}."


def _up(match):
    """Name of a module of the U-Net's decoder. Groups of the match: as in `_down`, then "conv." of an upsampler."""
    block, layer = divmod(int(match[1]), 3)
    if match[3]:
        return f"up_blocks.{block}.upsamplers.0.conv."
    return f"up_blocks.{block}.{'resnets' if match[2] == '0' else 'attentions'}.{layer}."


# rules (pattern, replacement) of `tensors.rename`
UNET: list[tuple] = [
    (r"^time_embed\.0\.", "time_embedding.linear_1."),
    (r"^time_embed\.2\.", "time_embedding.linear_2."),
    (r"^film_emb\.", "class_embedding."),
    (r"^input_blocks\.(\d+)\.(\d)\.(?:op\.)?", _down),
    (
        r"^middle_block\.([012])\.",
        lambda m: ("mid_block.resnets.0.", "mid_block.attentions.0.", "mid_block.resnets.1.")[int(m[1])],
    ),
    (r"^output_blocks\.(\d+)\.(\d)\.(conv\.)?", _up),
    (r"^out\.0\.", "conv_norm_out."),
    (r"^out\.2\.", "conv_out."),
    (r"\.in_layers\.0\.", ".norm1."),
    (r"\.in_layers\.2\.", ".conv1."),
    (r"\.emb_layers\.1\.", ".time_emb_proj."),
    (r"\.out_layers\.0\.", ".norm2."),
    (r"\.out_layers\.3\.", ".conv2."),
    (r"\.skip_connection\.", ".conv_shortcut."),
]
VAE: list[tuple] = [
    (r"\.norm_out\.", ".conv_norm_out."),
    (r"^encoder\.down\.(\d)\.block\.", r"encoder.down_blocks.\1.resnets."),
    (r"^encoder\.down\.(\d)\.downsample\.", r"encoder.down_blocks.\1.downsamplers.0."),
    (r"^decoder\.up\.(\d)\.block\.", lambda m: f"decoder.up_blocks.{2 - int(m[1])}.resnets."),
    (r"^decoder\.up\.(\d)\.upsample\.", lambda m: f"decoder.up_blocks.{2 - int(m[1])}.upsamplers.0."),
    (r"\.mid\.block_([12])\.", lambda m: f".mid_block.resnets.{int(m[1]) - 1}."),
    (r"\.mid\.attn_1\.norm\.", ".mid_block.attentions.0.group_norm."),
    (r"\.mid\.attn_1\.([qkv])\.", r".mid_block.attentions.0.to_\1."),
    (r"\.mid\.attn_1\.proj_out\.", ".mid_block.attentions.0.to_out.0."),
    (r"\.nin_shortcut\.", ".conv_shortcut."),
]
VOCODER: list[tuple] = [(r"^ups\.", "upsampler.")]
CLAP: list[tuple] = [
    (r"^text_branch\.", "text_model."),
    (r"^(text|audio)_projection\.0\.", r"\1_projection.linear1."),
    (r"^(text|audio)_projection\.2\.", r"\1_projection.linear2."),
    (r"^audio_branch\.bn0\.", "audio_model.audio_encoder.batch_norm."),
    (r"^audio_branch\.", "audio_model.audio_encoder."),
    (r"(blocks\.\d+)\.norm1\.", r"\1.layernorm_before."),
    (r"(blocks\.\d+)\.norm2\.", r"\1.layernorm_after."),
    (r"\.attn\.proj\.", ".attention.output.dense."),
    (r"\.attn\.", ".attention.self."),
    (r"\.mlp\.fc1\.", ".intermediate.dense."),
    (r"\.mlp\.fc2\.", ".output.dense."),
]


def audioldm(path: str | Path) -> dict:
    """Parts of RMS2Sound from AudioLDM's single file: {vae, unet, clap, feature_extractor, vocoder, scheduler}.

    The tokenizer is RoBERTa's and is in no checkpoint. Raises FileNotFoundError and CheckpointError, as `tensors.read`.
    """
    return audioldm_from(read(path), path)


def audioldm_from(state: dict[str, torch.Tensor], source: str | Path) -> dict:
    """Parts as in `audioldm`, from tensors under the original names.

    source: file that an error names. Raises CheckpointError for other tensors.
    """
    # the public files name the condition's network without a number, the authors' with one
    state = {
        re.sub(r"^cond_stage_model\.", "cond_stage_models.0.", name): tensor
        for name, tensor in state.items()
        if not re.match(CONTROL_NET, name)
    }
    known = ("model.diffusion_model.", "first_stage_model.", "cond_stage_models.0.model.", "scale_factor")
    unknown = sorted(n for n in state if not n.startswith(known) and not dropped([n]))
    if unknown:
        raise CheckpointError(
            f"{source}: has {len(unknown)} tensors that AudioLDM has not, {', '.join(unknown[:3])} first"
        )
    return {
        "vae": vae_from(state, source),
        "unet": unet_from(state, source),
        "clap": clap_from(state, source),
        "vocoder": vocoder_from(state, source),
        **_without_weights(),
    }


def untrained() -> dict:
    """Parts as in `audioldm`, of AudioLDM-s in size, with weights by chance, on which time and memory do not depend.

    Without a tokenizer, which audio prompts need not.
    """
    return {
        "vae": _vae_of((128, 256, 512), 8, 1.0),
        "unet": _unet_of((128, 256, 384, 640), 8, 8, 512),
        "clap": ClapModel(ClapConfig()),
        "tokenizer": None,
        "vocoder": _vocoder_of(1024, 64),
        **_without_weights(),
    }


def _without_weights():
    return {
        "feature_extractor": ClapFeatureExtractor(frequency_min=50, frequency_max=14000),
        "scheduler": DDIMScheduler(
            beta_start=0.0015,
            beta_end=0.0195,
            beta_schedule="scaled_linear",
            clip_sample=False,
            set_alpha_to_one=False,
            steps_offset=1,
        ),
    }


def unet_from(state: dict[str, torch.Tensor], source: str | Path) -> UNet2DConditionModel:
    """U-Net from `model.diffusion_model.*`. Raises CheckpointError naming `source`."""
    return build(_unet, part(state, "model.diffusion_model.", UNET, but="control_net"), source)


def vae_from(state: dict[str, torch.Tensor], source: str | Path) -> AutoencoderKL:
    """VAE from `first_stage_model.*` and `scale_factor`. Raises CheckpointError naming `source`."""
    tensors = part(state, "first_stage_model.", VAE, but=r"(vocoder|loss)\.")
    return build(lambda t: _vae(t, float(state["scale_factor"])), tensors, source)


def vocoder_from(state: dict[str, torch.Tensor], source: str | Path) -> SpeechT5HifiGan:
    """HiFi-GAN from `first_stage_model.vocoder.*`. Raises CheckpointError naming `source`."""
    tensors = part(state, "first_stage_model.vocoder.", VOCODER)
    bins = tensors["conv_pre.weight"].shape[1] if "conv_pre.weight" in tensors else 0
    # SpeechT5's vocoder normalises its input, AudioLDM's does not
    return build(_vocoder, tensors | {"mean": torch.zeros(bins), "scale": torch.ones(bins)}, source)


def clap_from(
    state: dict[str, torch.Tensor], source: str | Path, prefix: str = "cond_stage_models.0.model."
) -> ClapModel:
    """CLAP, both towers, from tensors under LAION's names after `prefix`. Raises CheckpointError naming `source`."""
    return build(_clap, split_qkv(part(state, prefix, CLAP)), source)


def split_qkv(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Split each tensor that stacks query, key and value into three of their names; keep the others."""
    split: dict[str, torch.Tensor] = {}
    for name, tensor in tensors.items():
        if ".attention.self.qkv." in name:
            thirds = zip(("query", "key", "value"), tensor.chunk(3))
            split |= {name.replace("qkv", third): piece for third, piece in thirds}
        else:
            split[name] = tensor
    return split


def htsat(tensors: dict[str, torch.Tensor], prefix: str) -> dict:
    """Keywords of ClapAudioConfig for an HTSAT of the tensors' size. prefix: of its names, transformers' names."""
    stages = [n.removeprefix(f"{prefix}layers.").split(".") for n in tensors if n.startswith(f"{prefix}layers.")]
    count = 1 + max(int(n[0]) for n in stages)
    bias = "blocks.0.attention.self.relative_position_bias_table"
    embed = tensors[f"{prefix}patch_embed.proj.weight"].shape[0]
    return {
        "patch_embeds_hidden_size": embed,
        "hidden_size": embed * 2 ** (count - 1),
        "depths": [1 + max(int(n[2]) for n in stages if n[:2] == [str(s), "blocks"]) for s in range(count)],
        "num_attention_heads": [tensors[f"{prefix}layers.{s}.{bias}"].shape[1] for s in range(count)],
        "num_hidden_layers": count,
    }


def _unet(tensors):
    widths = tuple(tensors[f"down_blocks.{b}.resnets.0.conv1.weight"].shape[0] for b in range(4))
    inside, outside = tensors["conv_in.weight"].shape[1], tensors["conv_out.weight"].shape[0]
    return _unet_of(widths, inside, outside, tensors["class_embedding.weight"].shape[1])


def _unet_of(widths, inside, outside, film):
    return UNet2DConditionModel(
        in_channels=inside,
        out_channels=outside,
        block_out_channels=widths,
        layers_per_block=2,
        down_block_types=("DownBlock2D", *("CrossAttnDownBlock2D",) * 3),
        up_block_types=(*("CrossAttnUpBlock2D",) * 3, "UpBlock2D"),
        cross_attention_dim=widths,
        attention_head_dim=tuple(width // 32 for width in widths),  # diffusers' name for the number of heads
        class_embed_type="simple_projection",
        projection_class_embeddings_input_dim=film,
        class_embeddings_concat=True,
        sample_size=256,
    )


def _vae(tensors, scale):
    widths = tuple(tensors[f"encoder.down_blocks.{b}.resnets.0.conv1.weight"].shape[0] for b in range(3))
    return _vae_of(widths, tensors["post_quant_conv.weight"].shape[0], scale)


def _vae_of(widths, channels, scale):
    return AutoencoderKL(
        in_channels=1,
        out_channels=1,
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        block_out_channels=widths,
        layers_per_block=2,
        latent_channels=channels,
        scaling_factor=scale,
    )


def _vocoder(tensors):
    return _vocoder_of(*tensors["conv_pre.weight"].shape[:2])


def _vocoder_of(start, bins):
    return SpeechT5HifiGan(
        SpeechT5HifiGanConfig(
            model_in_dim=bins,
            sampling_rate=16000,
            upsample_initial_channel=start,
            upsample_rates=[5, 4, 2, 2, 2],
            upsample_kernel_sizes=[16, 16, 8, 4, 4],
            resblock_kernel_sizes=[3, 7, 11],
            resblock_dilation_sizes=[[1, 3, 5]] * 3,
            leaky_relu_slope=0.1,
            normalize_before=False,
        )
    )


def _clap(tensors):
    text = "text_model."
    vocabulary, hidden = tensors[f"{text}embeddings.word_embeddings.weight"].shape
    layers = 1 + max(int(n.split(".")[3]) for n in tensors if n.startswith(f"{text}encoder.layer."))
    dims = tensors["text_projection.linear1.weight"].shape[0]
    return ClapModel(
        ClapConfig(
            projection_dim=dims,
            audio_config=htsat(tensors, "audio_model.audio_encoder.") | {"projection_dim": dims},
            text_config={
                "vocab_size": vocabulary,
                "hidden_size": hidden,
                "num_hidden_layers": layers,
                "num_attention_heads": hidden // 64,
                "intermediate_size": tensors[f"{text}encoder.layer.0.intermediate.dense.weight"].shape[0],
                "max_position_embeddings": tensors[f"{text}embeddings.position_embeddings.weight"].shape[0],
                "layer_norm_eps": 1e-5,
                "projection_dim": dims,
            },
        )
    )
