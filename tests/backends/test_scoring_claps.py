import layouts
import librosa
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from transformers import ClapFeatureExtractor

from vf.backends.nets import clap, laion_clap, ms_clap
from vf.backends.tensors import CheckpointError

LOADERS = {"laion_clap": (laion_clap, layouts.laion_clap), "ms_clap": (ms_clap, layouts.ms_clap)}


def noise(seconds, rate, count=1):
    return np.random.default_rng(0).normal(0, 0.1, (count, round(seconds * rate))).astype(np.float32)


def kept(shapes):
    return {
        n: s for n, s in shapes.items() if not n.endswith("position_ids") and "tscam" not in n and "audio_encoder" in n
    }


def test_the_published_sizes():
    """HTSAT-base and RoBERTa have 193.9 M parameters together; HTSAT-tiny and Microsoft's projection 29.3 M."""
    laion = {
        n: s for n, s in layouts.laion_clap().items() if "relative_position_index" not in n and "num_batches" not in n
    }
    assert sum(
        int(np.prod(s)) for n, s in laion.items() if "position_ids" not in n and "running" not in n
    ) == pytest.approx(193.9e6, rel=0.01)
    microsoft = [
        s for n, s in kept(layouts.ms_clap()).items() if "relative_position_index" not in n and "running" not in n
    ]
    assert sum(int(np.prod(s)) for s in microsoft) == pytest.approx(29.3e6, rel=0.02)


@pytest.mark.parametrize("name", LOADERS)
def test_every_tensor_of_the_file_is_used_or_the_file_refused(name):
    module, layout = LOADERS[name]
    tensors = layouts.fill(layout(small=True))
    network = module.load(tensors)
    assert not network.training
    used = {n: t for n, t in tensors.items() if not n.endswith("position_ids") and "tscam" not in n}
    if name == "ms_clap":
        used = {n: t for n, t in used.items() if n.startswith("audio_encoder")}
    ours = {n: t for n, t in network.state_dict().items() if not n.endswith(("position_ids", "token_type_ids"))}
    assert sum(t.numel() for t in ours.values()) == sum(t.numel() for t in used.values())
    victim = next(n for n in tensors if n.endswith("attn.proj.weight"))
    with pytest.raises(CheckpointError, match="lacks 1 tensors"):
        module.load({n: t for n, t in tensors.items() if n != victim})
    with pytest.raises(CheckpointError, match="has other shapes for 1"):
        module.load(tensors | {victim: torch.zeros(3)})
    with pytest.raises(CheckpointError, match="has, unasked for, 1"):
        module.load(tensors | {victim.replace("proj.weight", "extra"): torch.zeros(3)})


def test_a_sound_and_a_text_lie_in_one_space():
    network = laion_clap.load(layouts.fill(layouts.laion_clap(small=True)))
    vectors = laion_clap.embed(network, noise(1, 16000, 2), 16000)
    assert vectors.shape == (2, 32) and np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert network.config.projection_dim == 32
    assert np.array_equal(vectors, laion_clap.embed(network, noise(1, 16000, 2), 16000))


def test_only_the_first_ten_seconds_count():
    network = laion_clap.load(layouts.fill(layouts.laion_clap(small=True)))
    long = noise(12, 48000)
    assert np.array_equal(laion_clap.embed(network, long, 48000), laion_clap.embed(network, long[:, :480000], 48000))


def test_microsofts_front_end_against_the_definition():
    wave = noise(0.5, 44100)[0]
    frames = librosa.util.frame(np.pad(wave, 512, mode="reflect"), frame_length=1024, hop_length=320)
    power = np.abs(np.fft.rfft(frames * librosa.filters.get_window("hann", 1024)[:, None], axis=0)) ** 2
    filters = librosa.filters.mel(sr=44100, n_fft=1024, n_mels=64, fmin=50, fmax=8000)
    expected = 10 * np.log10(np.maximum(filters @ power, 1e-10)).T
    assert np.abs(ms_clap.log_mel(wave) - expected).max() < 1e-3
    assert ms_clap.log_mel(np.zeros(44100, np.float32)).max() == pytest.approx(-100)


def test_microsofts_projection_by_hand():
    head = ms_clap.Projection(3, 4)
    x = torch.randn(2, 3)
    first = x @ head.linear1.weight.T
    wanted = first + (first * 0.5 * (1 + torch.erf(first / 2**0.5))) @ head.linear2.weight.T
    wanted = (wanted - wanted.mean(1, keepdim=True)) / (wanted.var(1, unbiased=False, keepdim=True) + 1e-5).sqrt()
    assert torch.allclose(head(x), wanted, atol=1e-5) and F.gelu(torch.ones(1)).item() == pytest.approx(
        0.8413, abs=1e-4
    )


def test_a_chunk_of_seven_seconds_begins_every_second():
    network = ms_clap.load(layouts.fill(layouts.ms_clap(small=True)))
    wave = noise(2.5, 44100)
    rows = ms_clap.embed(network, wave, 44100)
    assert rows.shape == (1, 3, 32)
    last = np.pad(wave[0, 2 * 44100 :], (0, 7 * 44100 - len(wave[0, 2 * 44100 :])))
    assert np.allclose(rows[0, 2], ms_clap.embed(network, last[None], 44100)[0, 0], atol=1e-4)


def test_two_towers_of_the_published_build_learn_one_space():
    """Four tones and their names: after a few steps of contrastive training every sound is nearest to its own text."""
    torch.manual_seed(0)
    network = laion_clap.load(layouts.fill(layouts.laion_clap(small=True)))
    tones = np.stack([np.sin(2 * np.pi * f * np.arange(48000) / 48000) for f in (300, 1000, 3000, 9000)]).astype(
        np.float32
    )
    mels = clap.log_mels(ClapFeatureExtractor(frequency_min=50, frequency_max=14000), 0.3 * tones, 48000)
    texts = torch.arange(12).reshape(4, 3) + 5
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-4)
    for _ in range(20):
        sound = F.normalize(network.get_audio_features(mels).pooler_output, dim=-1)
        said = F.normalize(network.get_text_features(texts).pooler_output, dim=-1)
        loss = F.cross_entropy(10 * sound @ said.T, torch.arange(4)) + F.cross_entropy(
            10 * said @ sound.T, torch.arange(4)
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    said = F.normalize(network.eval().get_text_features(texts).pooler_output, dim=-1)
    assert (clap.embed_features(network, mels) @ said.T).argmax(1).tolist() == [0, 1, 2, 3]
