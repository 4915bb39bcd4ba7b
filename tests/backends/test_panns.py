import librosa
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from vf.backends.nets import panns


def noise(samples, count=1):
    return torch.from_numpy(np.random.default_rng(0).normal(0, 0.1, (count, samples)).astype(np.float32))


def narrow(width=16, classes=5):
    """A network of little width whose batch norms are not the identity."""
    torch.manual_seed(0)
    net = panns.WavegramLogmelCnn14(width, classes).eval()
    for name, tensor in net.state_dict().items():
        if name.endswith("running_var"):
            tensor.uniform_(0.5, 2)
        elif name.endswith("running_mean"):
            tensor.normal_(0, 0.1)
    return net


def fourier():
    """The Fourier transform as the released file stores it: a convolution for each of real and imaginary part."""
    angle = 2 * np.pi * np.outer(np.arange(513), np.arange(1024)) / 1024
    window = librosa.filters.get_window("hann", 1024)
    return [torch.from_numpy((f(angle) * window).astype(np.float32))[:, None] for f in (np.cos, lambda a: -np.sin(a))]


class Stub(nn.Module):
    """Answers with `value` and keeps what it was given."""

    def __init__(self, value=None):
        super().__init__()
        self.value = value

    def forward(self, x, *_):
        self.seen = x
        return x if self.value is None else self.value


def test_names_and_sizes_are_the_released_files():
    with torch.device("meta"):
        net = panns.WavegramLogmelCnn14()
    state = {name: tuple(tensor.shape) for name, tensor in net.state_dict().items()}
    assert sum(p.numel() for p in net.parameters()) == 81_065_487  # the paper's Table XII
    assert len(state) + len(panns.STORED) == 138
    assert state["pre_conv0.weight"] == (64, 1, 11) and "pre_conv0.bias" not in state
    assert state["pre_block3.conv2.weight"] == (128, 128, 3) and state["pre_block4.conv1.weight"] == (64, 4, 3, 3)
    assert state["bn0.running_mean"] == (64,) and state["conv_block2.conv1.weight"] == (128, 128, 3, 3)
    assert state["conv_block6.bn2.num_batches_tracked"] == () and state["fc1.weight"] == (2048, 2048)
    assert state["fc_audioset.bias"] == (527,)


def test_log_mel_agrees_with_librosa():
    x = noise(16000)
    power = librosa.feature.melspectrogram(
        y=x[0].numpy(), sr=32000, n_fft=1024, hop_length=320, pad_mode="reflect", n_mels=64, fmin=50, fmax=14000
    )
    expected = librosa.power_to_db(power, ref=1.0, amin=1e-10, top_db=None)
    assert np.allclose(panns.log_mel(x)[0].T, expected, atol=1e-3)


def test_the_stored_fourier_transform_is_the_computed_one():
    x = noise(3200)
    padded = F.pad(x[:, None], (512, 512), mode="reflect")
    power = sum(F.conv1d(padded, weight, stride=320).square() for weight in fourier())
    stored = 10 * (panns.mel_filters(*panns.MEL) @ power).clamp(min=1e-10).log10()
    torch.testing.assert_close(panns.log_mel(x), stored.transpose(1, 2), atol=1e-3, rtol=0)


def test_silence_is_at_the_floor():
    assert (panns.log_mel(torch.zeros(1, 3200)) == -100).all()
    assert narrow()(torch.zeros(1, 10240)).isfinite().all()


def test_a_wave_block_by_hand():
    block = panns._WaveBlock(1, 1).eval()
    with torch.no_grad():
        block.conv1.weight.copy_(torch.tensor([[[0.0, 0, 1]]]))  # one step earlier
        block.conv2.weight.copy_(torch.tensor([[[1.0, 0, 0]]]))  # two steps later, for it is dilated
    # 1 2 3 4 5 6 7 8 -> 2 3 4 5 6 7 8 0 -> 0 0 2 3 | 4 5 6 7
    assert torch.allclose(block(torch.arange(1.0, 9)[None, None]), torch.tensor([[[3.0, 7]]]), rtol=1e-4)


def test_a_block_by_hand():
    block = panns._Block(1, 1).eval()
    with torch.no_grad():
        block.conv1.weight.zero_()[0, 0, 1, 1] = 2
        block.conv2.weight.zero_()[0, 0, 1, 2] = 1  # one column earlier
    x = torch.tensor([[[[-1.0, 1, 2, 3], [0, 4, 5, 6]]]])
    # doubled, without what is negative: 0 2 4 6, 0 8 10 12; shifted: 2 4 6 0, 8 10 12 0; averaged by fours
    assert torch.allclose(block(x, 2), torch.tensor([[[[6.0, 4.5]]]]), rtol=1e-4)


def test_the_wavegram_reads_channels_as_maps_of_32_frequencies():
    net = narrow(32)
    channels = torch.arange(64.0)[None, :, None].expand(1, 64, 4)
    net.pre_block3, net.pre_block4 = Stub(channels), Stub()
    assert net._wavegram(noise(10240)).shape == (1, 2, 4, 32)
    assert torch.equal(net.pre_block4.seen[0, 1, 0], torch.arange(32.0, 64))


def test_bn0_scales_mel_bins():
    net = narrow()
    net.conv_block1, net.bn0 = Stub(), nn.BatchNorm2d(64).eval()
    net.bn0.running_mean.copy_(torch.arange(64.0))
    x = noise(10240)
    torch.testing.assert_close(net._spectral(x)[:, 0], panns.log_mel(x) - torch.arange(64.0), rtol=1e-4, atol=1e-3)


def test_both_halves_are_joined_log_mel_first():
    net, x = narrow(), noise(10240)
    net.conv_block2 = Stub(torch.zeros(1, 32, 8, 16))
    net(x)
    assert torch.equal(net.conv_block2.seen, torch.cat([net._spectral(x), net._wavegram(x)], 1))
    assert net._spectral(x).shape == (1, 16, 16, 32), "16 frames of 20 ms, 32 frequencies"


def test_the_embedding_is_the_last_layer_before_the_classes():
    net, maps = narrow(), torch.randn(1, 512, 3, 2)
    net.conv_block6 = Stub(maps)
    over_time = maps.mean(3)
    pooled = over_time.max(2).values + over_time.mean(2)
    assert torch.allclose(net(noise(10240)), F.relu(pooled @ net.fc1.weight.T + net.fc1.bias), atol=1e-6)


def test_two_waveforms_are_embedded_as_each_alone():
    net, x = narrow(), noise(12800, 2)
    both = net(x)
    assert both.shape == (2, 512) and (both >= 0).all() and not torch.allclose(both[0], both[1])
    torch.testing.assert_close(both, torch.cat([net(x[:1]), net(x[1:])]), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("samples", [10236, 10240, 10559, 10876])
def test_lengths_on_which_both_halves_agree(samples):
    assert narrow()(noise(samples)).shape == (1, 512)


@pytest.mark.parametrize("shape", [(1, 10235), (1, 10560), (1, 10875), (12800,)])
def test_other_lengths_are_refused(shape):
    with pytest.raises(ValueError, match="whole times 640"):
        narrow()(torch.zeros(shape))


def test_loads_the_released_layout_strictly():
    net = narrow()
    stored = dict(zip(panns.STORED, [*fourier(), panns.mel_filters(*panns.MEL).T]))
    loaded = panns.load({**net.state_dict(), **stored})
    x = noise(10240)
    assert not loaded.training and torch.equal(loaded(x), net(x))
    for other in ((16000, 512, 64, 50.0, 8000.0), (32000, 1024, 64, 0.0, 14000.0)):  # Cnn14_16k's, and other edges
        with pytest.raises(ValueError, match="50 Hz to 14 kHz"):
            panns.load({**net.state_dict(), panns.STORED[2]: panns.mel_filters(*other).T})
    for lost in ("fc1.bias", "conv_block1.conv1.weight"):
        with pytest.raises(ValueError, match=f"{lost}.*check that the file is"):
            panns.load({name: tensor for name, tensor in net.state_dict().items() if name != lost})
    with pytest.raises(ValueError, match="stranger"):
        panns.load({**net.state_dict(), "stranger": torch.zeros(1)})
