import os
import pickle
import zlib
from pathlib import Path

import layouts
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from vf.backends import tensors
from vf.backends.nets import audioldm
from vf.backends.small import clap as small_clap
from vf.models import authors as checkpoints
from vf.models import video2rms
from vf.models.sampler import predict

GOLDEN = os.environ.get("VF_GOLDEN")
golden = pytest.mark.skipif(not GOLDEN, reason="VF_GOLDEN does not point at outputs of the authors' modules")


def noise(name, shape):
    return np.random.default_rng(zlib.crc32(name.encode())).standard_normal(shape).astype(np.float32)


def part(prefix, shapes):
    """One part of the released file, filled by name."""
    return layouts.fill({prefix + name: shape for name, shape in shapes.items()})


def near(got, file, name):
    wanted = np.load(Path(GOLDEN) / f"{file}.npz")[name]
    got = np.asarray(got)
    assert got.shape == wanted.shape
    assert np.abs(got - wanted).max() <= 1e-5 * np.abs(wanted).max(), name


@pytest.fixture(scope="module")
def released():
    """The authors' whole file, narrow."""
    return layouts.fill(layouts.whole(small=True)) | {"scale_factor": torch.tensor(0.5)}


@pytest.fixture(scope="module")
def tokenizer():
    return small_clap.train_tokenizer(["A person hits metal with a wooden stick."])


def test_the_released_file_becomes_a_pipeline(released, tokenizer, tmp_path):
    torch.save(released, tmp_path / "ControlNetstep300000.pth")
    pipeline = checkpoints.rms2sound(tmp_path / "ControlNetstep300000.pth", tokenizer)
    assert pipeline.vae.config.scaling_factor == 0.5 and pipeline.scheduler.config.prediction_type == "epsilon"
    assert pipeline.unet.config.attention_head_dim == (1, 2, 2, 2), "32 channels a head, as AudioLDM's"
    pipeline.set_progress_bar_config(disable=True)
    generator = torch.Generator().manual_seed(0)
    wave = pipeline(rms=torch.rand(1, 64), prompt="metal", num_inference_steps=2, generator=generator)
    assert wave.shape == (1, 64 * 160) and torch.isfinite(wave).all()


def test_nothing_is_lost_on_the_way(released, tokenizer):
    pipeline = checkpoints.rms2sound_from(released, tokenizer, "file")
    parts = [pipeline.vae, pipeline.unet, pipeline.clap, pipeline.vocoder, pipeline.controlnet]
    kept = sum(
        t.numel()
        for part in parts
        for n, t in part.state_dict().items()
        if not n.endswith(("position_ids", "token_type_ids"))
    )
    kept -= sum(getattr(pipeline.vocoder, n).numel() for n in ("mean", "scale"))
    assert kept == sum(t.numel() for n, t in released.items() if n != "scale_factor" and not n.endswith("position_ids"))


def test_safetensors_public_names_and_extras(released, tmp_path):
    public = {
        n.replace("cond_stage_models.0.", "cond_stage_model."): t for n, t in released.items() if "control_net" not in n
    }
    extra = {
        "model_ema.decay": torch.zeros(()),
        "betas": torch.zeros(3),
        "first_stage_model.loss.logvar": torch.zeros(()),
    }
    save_file(public | extra, tmp_path / "audioldm.safetensors")
    ours, theirs = audioldm.audioldm(tmp_path / "audioldm.safetensors"), audioldm.audioldm_from(released, "file")
    for part in ("vae", "unet", "clap", "vocoder"):
        theirs_of = theirs[part].state_dict()
        assert all(torch.equal(tensor, theirs_of[name]) for name, tensor in ours[part].state_dict().items())
    assert set(tensors.dropped(extra)) == set(extra)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"model.diffusion_model.out.2.bias": None}, "lacks 1 tensors of UNet2DConditionModel, conv_out.bias"),
        (
            {"model.diffusion_model.control_net.zero_convs.3.0.bias": None},
            "lacks 1 tensors of RMSControlNet, down_zero.3.bias",
        ),
        (
            {"first_stage_model.quant_conv.bias": torch.zeros(3)},
            "has other shapes for 1 tensors of AutoencoderKL, quant_conv.bias",
        ),
        ({"model.diffusion_model.out.3.bias": torch.zeros(3)}, "has, unasked for, 1 tensors of UNet2DConditionModel"),
        ({"first_stage.bias": torch.zeros(3)}, "has 1 tensors that AudioLDM has not, first_stage.bias"),
        ({"scale_factor": None}, "lacks 'scale_factor'"),
    ],
)
def test_every_tensor_is_accounted_for(released, tokenizer, change, message):
    state = {name: tensor for name, tensor in (released | change).items() if tensor is not None}
    with pytest.raises(tensors.CheckpointError, match=f"^file: {message}"):
        checkpoints.rms2sound_from(state, tokenizer, "file")


def test_video2rms_comes_out_of_its_container(tmp_path):
    shapes = layouts.video2rms(features=6, width=8, lstm=4, frames=10, rms_frames=40, bins=5)
    filled = layouts.fill(shapes | {"encoder.onset_head.0.bias": (10,)})
    torch.save({"epoch": 500, "learning_rate": 1e-3, "optimizer_Video2RMS": filled}, tmp_path / "video2rms.pt")
    model = video2rms.from_authors(tmp_path / "video2rms.pt")
    assert model(torch.randn(2, 10, 6)).shape == (2, 40, 5) and model.config.relu_logits
    assert torch.equal(model.over_time.weight, filled["encoder.BiLSTM_projs.0.weight"])
    with pytest.raises(tensors.CheckpointError, match="lacks 'to_classes.weight'"):
        torch.save({n: t for n, t in filled.items() if "projs.1" not in n}, tmp_path / "file.pt")
        video2rms.from_authors(tmp_path / "file.pt")


class Shell:
    def __reduce__(self):
        return os.system, ("exit 1",)


def test_a_file_that_would_run_code_is_refused(tmp_path):
    with open(tmp_path / "bad.pth", "wb") as stream:
        pickle.dump({"weight": Shell()}, stream)
    with pytest.raises(tensors.CheckpointError, match="bad.pth: cannot be read as tensors alone"):
        tensors.read(tmp_path / "bad.pth")
    torch.save({"epoch": 3}, tmp_path / "other.pt")
    with pytest.raises(tensors.CheckpointError, match="not a dictionary of tensors"):
        tensors.read(tmp_path / "other.pt")
    with pytest.raises(FileNotFoundError, match="none.pt"):
        tensors.read(tmp_path / "none.pt")


@golden
@pytest.mark.slow
@torch.no_grad()
def test_video2rms_computes_what_the_authors_does(tmp_path):
    torch.save({"optimizer_Video2RMS": layouts.fill(layouts.video2rms())}, tmp_path / "formula.pt")
    model = video2rms.from_authors(tmp_path / "formula.pt")
    logits = model(torch.from_numpy(noise("input.video2rms", (1, 300, 2048)))).transpose(1, 2)
    near(logits[:, :, ::25], "video2rms", "logits_every_25th")
    assert (logits == 0).float().mean() > 0.3, "their ReLU on the logits"


@golden
@pytest.mark.slow
@torch.no_grad()
def test_the_unet_and_the_control_net_compute_what_the_authors_do():
    state = part("model.diffusion_model.", layouts.unet() | layouts.control_net())
    unet = audioldm.unet_from({n: t for n, t in state.items() if "control_net" not in n}, "formula")
    net = checkpoints.rms_controlnet_from(state, unet, "formula")
    x, t = torch.from_numpy(noise("input.unet.x", (2, 8, 256, 16))), torch.tensor([541, 97])
    film = torch.nn.functional.normalize(torch.from_numpy(noise("input.unet.film", (2, 512))), dim=-1)
    ramp = torch.arange(1024, dtype=torch.float32) / 1023
    rms = torch.stack([ramp, 1 - ramp])
    near(predict(unet, None, x, t, film), "unet", "eps_plain")
    near(predict(unet, net, x, t, film, rms), "unet", "eps_control")
    near(net.rms_zero(net.rms_in(rms[:, None, :, None])), "unet", "rms_condition")
    residuals = net(x, t, film, rms)
    near(residuals.down[6], "unet", "control_6")
    near(residuals.mid, "unet", "control_12_middle")


@golden
@pytest.mark.slow
@torch.no_grad()
def test_the_vae_computes_what_the_authors_does():
    vae = audioldm.vae_from(part("first_stage_model.", layouts.vae()) | {"scale_factor": torch.tensor(1.0)}, "formula")
    near(vae.encode(torch.from_numpy(noise("input.vae.mel", (1, 1, 256, 64)))).latent_dist.parameters, "vae", "moments")
    near(vae.decode(torch.from_numpy(noise("input.vae.z", (1, 8, 64, 16)))).sample, "vae", "decode")


@golden
@pytest.mark.slow
@torch.no_grad()
def test_the_vocoder_computes_what_the_authors_does():
    vocoder = audioldm.vocoder_from(part("first_stage_model.vocoder.", layouts.vocoder()), "formula")
    mel = torch.from_numpy(noise("input.vocoder.mel", (1, 64, 128))).transpose(1, 2)
    near(vocoder(mel).flatten(), "vocoder", "wave")


@golden
@pytest.mark.slow
@torch.no_grad()
def test_clap_computes_what_the_authors_does():
    clap = audioldm.clap_from(part("cond_stage_models.0.model.", layouts.clap()), "formula")
    ids = torch.from_numpy(np.load(Path(GOLDEN) / "clap.npz")["token_ids"]).long()
    near(clap.get_text_features(ids, attention_mask=(ids != 1).long()).pooler_output, "clap", "text_embedding")
    mel = noise("input.clap.logmel", (2, 1, 1001, 64))
    mel[1] += 3 * np.sin(np.arange(1001, dtype=np.float32) / 50)[:, None]
    near(clap.get_audio_features(torch.from_numpy(mel)).pooler_output, "clap", "audio_embedding")
