import librosa
import numpy as np
import pytest
import torch
from torch import nn

from vf.backends.nets import vggish


def noise(samples, count=1):
    return np.random.default_rng(0).normal(0, 0.1, (count, samples)).astype(np.float32)


def narrow():
    torch.manual_seed(0)
    return vggish.VGGish(width=2, hidden=8, dims=4).eval()


def test_names_and_sizes_are_the_released_files():
    with torch.device("meta"):
        net = vggish.VGGish()
    state = {name: tuple(tensor.shape) for name, tensor in net.state_dict().items()}
    assert sum(p.numel() for p in net.parameters()) == 72_141_184
    layers = [*(f"features.{i}" for i in (0, 3, 6, 8, 11, 13)), *(f"embeddings.{i}" for i in (0, 2, 4))]
    assert list(state) == [f"{layer}.{part}" for layer in layers for part in ("weight", "bias")]
    assert state["features.0.weight"] == (64, 1, 3, 3) and state["features.13.weight"] == (512, 512, 3, 3)
    assert state["embeddings.0.weight"] == (4096, 12288) and state["embeddings.4.weight"] == (128, 4096)


def test_log_mels_agree_with_numpy_and_librosas_htk_scale():
    x = noise(32000)[0].astype(np.float64)
    taper = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    frames = np.stack([x[i : i + 400] * taper for i in range(0, 32000 - 399, 160)])
    magnitude = np.abs(np.fft.rfft(frames, 512))
    bins = librosa.hz_to_mel(librosa.fft_frequencies(sr=16000, n_fft=512), htk=True)
    edges = np.linspace(*librosa.hz_to_mel([125, 7500], htk=True), 66)
    filters = np.stack([np.interp(bins, edges[i : i + 3], [0, 1, 0]) for i in range(64)], 1)
    expected = np.log(magnitude @ filters + 0.01)
    found = vggish.log_mel_examples(x[None])
    assert found.shape == (1, 2, 96, 64)
    assert np.allclose(found[0].reshape(192, 64), expected[:192], atol=1e-4)


def test_a_tone_lies_in_its_band_and_counts_by_magnitude():
    tone = np.sin(2 * np.pi * 1000 * np.arange(16000) / 16000)[None]
    once, twice = (vggish.log_mel_examples(gain * tone)[0, 0].exp() - 0.01 for gain in (1, 2))
    # band i is centred (i + 1) / 65 of the way from 125 to 7500 Hz, in mels
    low, mel, high = (1127 * np.log(1 + f / 700) for f in (125, 1000, 7500))
    assert set(once.argmax(1).tolist()) == {round(65 * (mel - low) / (high - low)) - 1}
    torch.testing.assert_close(twice, 2 * once, rtol=1e-4, atol=1e-4)


def test_silence_is_the_offset_and_is_embedded():
    examples = vggish.log_mel_examples(np.zeros((1, 16000)))
    assert torch.allclose(examples, torch.tensor(0.01).log())
    assert narrow()(examples).isfinite().all()


@pytest.mark.parametrize(("seconds", "count"), [(10, 10), (0.975, 1), (1.9, 1)])
def test_examples_are_whole(seconds, count):
    assert vggish.log_mel_examples(noise(round(16000 * seconds))).shape == (1, count, 96, 64)


@pytest.mark.parametrize("shape", [(1, 15599), (16000,)])
def test_less_than_an_example_is_refused(shape):
    with pytest.raises(ValueError, match="at least 15600"):
        vggish.log_mel_examples(np.zeros(shape))


def test_maps_are_read_channels_last():
    net = narrow()
    maps = torch.arange(16 * 6 * 4.0).reshape(1, 16, 6, 4)
    net.features, net.embeddings = nn.Module(), nn.Identity()
    net.features.forward = lambda x: maps
    read = net(torch.zeros(1, 96, 64))
    assert read.shape == (1, 384) and read[0, 16 * (4 * 2 + 3) + 5] == maps[0, 5, 2, 3]


def test_the_first_block_by_hand():
    net = narrow()
    with torch.no_grad():
        net.features[0].weight.copy_(
            torch.tensor([[0.0, 0, 0], [0, 0, 1], [0, 0, 0]]).expand(2, 1, 3, 3)
        )  # from the right
        net.features[0].bias.copy_(torch.tensor([0.0, -10]))
    maps = net.features[:3](torch.arange(16.0).reshape(1, 1, 4, 4))
    assert torch.equal(maps[0], torch.tensor([[[6.0, 7], [14, 15]], [[0, 0], [4, 5]]]))


def test_two_are_embedded_as_each_alone():
    net, examples = narrow(), vggish.log_mel_examples(noise(32000, 2))
    both = net(examples)
    assert both.shape == (2, 2, 4) and (both >= 0).all(), "the last layer has a ReLU"
    torch.testing.assert_close(both[1, 0], net(examples[1, 0]), atol=1e-6, rtol=1e-5)


def test_loads_the_released_layout_strictly():
    net, examples = narrow(), torch.randn(1, 96, 64)
    loaded = vggish.load(net.state_dict())
    assert not loaded.training and torch.equal(loaded(examples), net(examples))
    for lost in ("features.3.bias", "embeddings.4.weight"):
        with pytest.raises(ValueError, match=f"{lost}.*check that the file is"):
            vggish.load({name: tensor for name, tensor in net.state_dict().items() if name != lost})
    with pytest.raises(ValueError, match="pproc.pca_means"):
        vggish.load({**net.state_dict(), "pproc.pca_means": torch.zeros(128, 1)})
