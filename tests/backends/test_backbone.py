import shutil

import numpy as np
import pytest
import torch
import wild
from diffusers import AutoencoderKL
from project import ROOT
from safetensors.torch import load_file, save_file

from vf.backends import tensors
from vf.backends.nets.griffin_lim import GriffinLim, frame_level, train_level
from vf.backends.nets.linear_start import linear_start
from vf.backends.small import backbone, embedders, frame_encoder, frames
from vf.backends.small.backbone import UNetOptions, VAEOptions
from vf.signal.fit import Training
from vf.signal.mel import log_mel
from vf.signal.rms import rms_curve

SAMPLES = 64 * 160
CAPTIONS = ["A person hit metal with a wooden stick.", "A person scratch wood with a wooden stick."] * 4


def sounds(count=8):
    """Decaying tones and noise in turn, as metal and wood."""
    rng = np.random.default_rng(0)
    time = np.arange(SAMPLES) / 16000
    tone = np.sin(2 * np.pi * rng.uniform(500, 3000, (count, 1)) * time)
    waves = np.where(np.arange(count)[:, None] % 2 == 0, tone, 0.3 * rng.standard_normal((count, SAMPLES)))
    return (0.5 * waves * np.exp(-time * rng.uniform(2, 20, (count, 1)))).astype(np.float32)


@pytest.fixture(scope="module")
def mels():
    return backbone.log_mels(sounds())


def new_vae(channels=(4, 16, 32), groups=1, latents=8):
    torch.manual_seed(0)
    return AutoencoderKL(
        in_channels=1,
        out_channels=1,
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        block_out_channels=channels,
        layers_per_block=1,
        latent_channels=latents,
        norm_num_groups=groups,
        mid_block_add_attention=False,
    ).eval()


@torch.no_grad()
@pytest.mark.parametrize("channels, groups", [((4, 16, 32), 1), ((8, 16, 32), 2)])
def test_the_encoder_starts_as_principal_components_of_patches(mels, channels, groups):
    """Two routes: the best linear map from latents back to patches loses little more than SVD's 8 components."""
    vae = new_vae(channels, groups)
    linear_start(vae, mels)
    z = vae.encode(mels[:, None]).latent_dist.mode().permute(0, 2, 3, 1).reshape(-1, 8).double().numpy()
    patches = mels.reshape(8, 16, 4, 16, 4).permute(0, 1, 3, 2, 4).reshape(-1, 16).double().numpy()
    centred = patches - patches.mean(0)
    ideal = (np.linalg.svd(centred, compute_uv=False)[8:] ** 2).sum()
    design = np.concatenate([z, np.ones((len(z), 1))], 1)
    lost = ((centred - design @ np.linalg.lstsq(design, centred, rcond=None)[0]) ** 2).sum()
    assert lost <= ideal + 0.02 * (centred**2).sum()


@torch.no_grad()
def test_level_passes_through_the_linear_start(mels):
    """Group norms would hide a clip's level; after the linear start twice the sound moves the latents as it should."""
    vae = new_vae()
    linear_start(vae, mels)
    quiet = vae.encode(mels[:, None] - 0.7).latent_dist.mode()
    middle = vae.encode(mels[:, None]).latent_dist.mode()
    loud = vae.encode(mels[:, None] + 0.7).latent_dist.mode()
    step = (loud - quiet).mean((0, 2, 3)).abs().max()
    assert step > 0.2
    torch.testing.assert_close((loud + quiet) / 2, middle, atol=0.1 * step.item(), rtol=0)


def test_a_vae_too_narrow_for_the_linear_start_is_refused(mels):
    with pytest.raises(ValueError, match=r"at least \[4, 16, 32\]"):
        linear_start(new_vae((4, 8, 32)), mels)
    with pytest.raises(ValueError, match="wanted groups of 4"):
        linear_start(new_vae((8, 16, 32), groups=4), mels)


def test_a_short_training_betters_the_vae(mels):
    vae, losses = backbone.train_vae(mels, VAEOptions(40, channels=(4, 16, 32), batch=4, crop=32))
    assert np.mean(losses[-5:]) < 0.7 * np.mean(losses[:5])
    z = backbone.encode_mels(vae, mels)
    assert z.shape == (8, 8, 16, 16)
    torch.testing.assert_close(z.mean((0, 2, 3)), torch.tensor(vae.config.latents_mean), atol=1e-4, rtol=1e-4)


def test_the_same_seed_gives_the_same_weights(mels):
    options = VAEOptions(3, channels=(4, 16, 32), batch=2, crop=32, seed=5)
    runs = [backbone.train_vae(mels, options)[0] for _ in range(2)]
    assert all(torch.equal(a, b) for a, b in zip(*(vae.parameters() for vae in runs)))


def test_frame_level_is_the_spectrogram_s():
    wave = torch.as_tensor(sounds(2))
    padded = torch.nn.functional.pad(wave[:, None], (432, 432), mode="reflect")[:, 0]
    spectrum = torch.stft(padded, 1024, 160, window=torch.hann_window(1024), center=False, return_complex=True).abs()
    torch.testing.assert_close(frame_level(wave), spectrum.square().sum(1).sqrt(), rtol=1e-2, atol=1e-3)


def test_griffin_lim_keeps_spectrum_and_curve(tmp_path):
    wave = torch.as_tensor(sounds(4))
    vocoder = GriffinLim(iterations=32)
    rebuilt = vocoder(log_mel(wave))
    assert rebuilt.shape == wave.shape
    truth, got = rms_curve(wave, 512, 128), rms_curve(rebuilt, 512, 128)
    assert (truth - got).abs().mean() < 0.2 * truth.mean()
    torch.testing.assert_close(vocoder(log_mel(wave)[2:3]), rebuilt[2:3], atol=1e-4, rtol=1e-3)  # alone as in a batch
    vocoder.save_pretrained(tmp_path)
    torch.testing.assert_close(GriffinLim.from_pretrained(tmp_path)(log_mel(wave)), rebuilt, atol=1e-4, rtol=1e-3)


def test_the_learnt_level_comes_nearer_the_truth(mels):
    wave, vocoder = torch.as_tensor(sounds()), GriffinLim(iterations=8)
    truth = rms_curve(wave, 512, 128)
    before = (rms_curve(vocoder(mels), 512, 128) - truth).abs().mean()
    losses = train_level(vocoder, mels, frame_level(wave), Training(60, batch=8, lr=3e-3), crop=32)
    assert np.mean(losses[-5:]) < 0.7 * np.mean(losses[:5])
    assert (rms_curve(vocoder(mels), 512, 128) - truth).abs().mean() < before


def test_the_unet_learns(mels):
    generator = torch.Generator().manual_seed(0)
    timbres = torch.nn.functional.normalize(torch.randn(8, 6, generator=generator), dim=-1)
    latents = timbres.repeat(1, 2)[:, :4, None, None] * 2 + torch.zeros(8, 4, 16, 8)  # a sound is its timbre, for ever
    unet, scheduler, losses = backbone.train_unet(
        latents, timbres, timbres, torch.zeros(1, 6), UNetOptions(60, channels=(8, 16, 16), batch=8, crop=8, lr=1e-2)
    )
    assert scheduler.config.prediction_type == "v_prediction" and unet.config.sample_size == 16
    assert np.mean(losses[-10:]) < 0.9 * np.mean(losses[:10])


def test_sounds_without_captions_are_refused():
    with pytest.raises(ValueError, match="one caption for every sound"):
        backbone.prepare(sounds(), CAPTIONS[:-1], vae={}, clap={}, unet={}, vocoder={})


SHIPPED = {  # a folder of each kind, and what loads it
    "video-foley/rms2sound": backbone.load,
    "embedders": embedders.load,
    "frame_encoder": lambda folder: frame_encoder.load(folder, frames.Reader(("difference",), 2)),
}


@pytest.mark.parametrize(
    "folder, part, do, said",
    [
        ("video-foley/rms2sound", "vocoder/*.safetensors", "a tensor", "vocoder: lacks 1 tensors of GriffinLim"),
        ("video-foley/rms2sound", "clap/*.safetensors", "NaN", "holds NaN or infinite weights"),
        ("video-foley/rms2sound", "vae/*.safetensors", "one byte short", "is no whole file of tensors"),
        ("video-foley/rms2sound", "scheduler/*.json", "gone", "cannot be loaded"),
        ("video-foley/rms2sound", "tokenizer/tokenizer.json", "cut", "tokenizer.json: is no JSON"),
        ("embedders", "tagger/*.safetensors", "a tensor", "tagger: lacks 1 tensors of Tagger"),
        ("embedders", "clap/*.safetensors", "NaN", "holds NaN or infinite weights"),
        ("embedders", "clap/config.json", "cut", "config.json: is no JSON"),
        ("embedders", "tagger/config.json", "gone", "cannot be loaded"),
        ("embedders", "tokenizer/tokenizer.json", "cut", "tokenizer.json: is no JSON"),
        ("frame_encoder", "*.safetensors", "one byte short", "is no whole file of tensors"),
        ("frame_encoder", "config.json", "cut", "config.json: is no JSON"),
        ("frame_encoder", "config.json", "gone", "cannot be loaded"),
    ],
)
def test_a_damaged_folder_is_refused_in_one_line(tmp_path, folder, part, do, said):
    load, damaged = SHIPPED[folder], tmp_path / "damaged"
    shutil.copytree(ROOT / "pretrained" / folder, damaged, ignore=shutil.ignore_patterns("controlnet"))
    assert load(damaged)
    path = next(damaged.glob(part))
    if do == "gone":
        path.unlink()
    elif do in wild.DAMAGES:
        wild.damaged(path, do)
    else:
        values = load_file(path)
        name = sorted(values)[0]
        values = values | {name: torch.full_like(values[name], float("nan"))} if do == "NaN" else dict(values)
        if do == "a tensor":
            del values[name]
        save_file(values, path)
    with pytest.raises(tensors.CheckpointError, match=said) as caught:
        load(damaged)
    assert "\n" not in str(caught.value) and str(tmp_path) in str(caught.value)
