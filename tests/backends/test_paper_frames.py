import numpy as np
import pytest
import torch
from torch import nn
from torchvision.models.optical_flow import Raft_Large_Weights, raft_large

from vf.backends.nets.bn_inception import BNInception, flow_input, rgb_input
from vf.backends.paper import frames


class Raft(nn.Module):
    """A RAFT for plain grey pictures.

    Flow to the right is how much brighter the second is, flow down is how bright the first is.
    """

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        self.pairs, self.sizes = [], []

    def forward(self, first, second):
        a, b = ((x[:, 0] + 1) * 127.5 for x in (first, second))
        self.pairs += [(round(i.mean().item()), round(j.mean().item())) for i, j in zip(a, b)]
        self.sizes.append(len(a))
        better = torch.stack([b - a, a], 1) * self.weight
        return [torch.zeros_like(better), better]


class Mean(nn.Module):
    """A stand-in for BN-Inception: the mean of the first channel, 1024 times."""

    def __init__(self, channels):
        super().__init__()
        self.channels, self.weight = channels, nn.Parameter(torch.ones(1))

    def forward(self, x):
        assert x.shape[1:] == (self.channels, 224, 224)
        return x[:, :1].mean((2, 3)).expand(-1, 1024) * self.weight


def greys(*levels, size=(344, 256)):
    return np.stack([np.full((*size[::-1], 3), level, np.uint8) for level in levels])


# 25 fps at 30: the sixth frame shows the fifth picture again
TIMES = np.array([0, 1, 2, 3, 4, 4, 5, 6]) / 25
LEVELS = (0, 10, 30, 60, 100, 100, 150, 255)


def test_frames_of_one_time_are_one_picture():
    first, shown = frames.distinct_pictures(TIMES)
    assert first.tolist() == [0, 1, 2, 3, 4, 6, 7] and shown.tolist() == [0, 1, 2, 3, 4, 4, 5, 6]
    first, shown = frames.distinct_pictures([0.5] * 3)
    assert first.tolist() == [0] and shown.tolist() == [0, 0, 0]
    assert all(len(part) == 300 for part in frames.distinct_pictures(np.arange(300) / 30))
    with pytest.raises(ValueError, match="wanted \\(t,\\)"):
        frames.distinct_pictures([])


def test_flow_goes_to_the_next_different_picture():
    raft = Raft()
    field = frames.flow(raft, greys(*LEVELS, size=(24, 16)), TIMES)
    assert raft.pairs == [(0, 10), (10, 30), (30, 60), (60, 100), (100, 150), (150, 255)]
    assert raft.sizes == [4, 2]
    assert field.shape == (8, 16, 24, 2) and field.dtype == np.float32
    x, y = field.mean((1, 2)).T
    assert np.allclose(x, [10, 20, 30, 40, 50, 50, 105, 0], atol=1e-4), "no hole at the repeated picture"
    assert np.allclose(y, [0, 10, 30, 60, 100, 100, 150, 0], atol=1e-4), "the last picture has no flow"


@pytest.mark.parametrize("batch", [1, 3, 6, 50])
def test_flow_is_the_same_in_batches_of_any_size(batch):
    film = greys(*LEVELS, size=(24, 16))
    assert np.array_equal(frames.flow(Raft(), film, TIMES, batch), frames.flow(Raft(), film, TIMES))


def test_a_film_of_one_picture_has_no_flow():
    raft = Raft()
    assert not frames.flow(raft, greys(7, 7, size=(24, 16)), [0.2, 0.2]).any() and not raft.pairs


def test_frames_that_raft_cannot_take_are_refused():
    film = greys(0, 9, size=(24, 16))
    with pytest.raises(ValueError, match="multiples of 8: read them at 344 x 256"):
        frames.flow(Raft(), film[:, :10], TIMES[:2])
    with pytest.raises(ValueError, match="wanted uint8"):
        frames.flow(Raft(), film / 255, TIMES[:2])
    with pytest.raises(ValueError, match="8 times for 2 frames"):
        frames.flow(Raft(), film, TIMES)


def test_pictures_reach_raft_as_torchvision_prepares_them():
    film = np.random.default_rng(0).integers(0, 256, (2, 16, 24, 3), dtype=np.uint8)
    wanted, _ = Raft_Large_Weights.C_T_SKHT_V2.transforms()(*[torch.from_numpy(film).permute(0, 3, 1, 2)] * 2)
    torch.testing.assert_close(frames.raft_input(film), wanted)


def test_raft_is_torchvisions():
    assert Raft_Large_Weights.C_T_SKHT_V2.url.endswith("raft_large_C_T_SKHT_V2-ff5fadd5.pth")
    state = raft_large().state_dict()
    raft = frames.load_raft(state)
    assert sum(p.numel() for p in raft.parameters()) == Raft_Large_Weights.C_T_SKHT_V2.meta["num_params"] == 5_257_536
    film = np.random.default_rng(0).integers(0, 256, (3, 128, 136, 3), dtype=np.uint8)
    field = frames.flow(raft, film, np.arange(3))
    assert field.shape == (3, 128, 136, 2) and np.isfinite(field).all() and field[:2].any() and not field[2].any()
    with pytest.raises(ValueError, match="torchvision's RAFT-large: lacks .*: check that the file is"):
        frames.load_raft({name: value for name, value in state.items() if "mask_predictor" not in name})


def test_features_are_the_pictures_then_the_flows():
    film, networks = greys(*LEVELS), frames.Networks(Mean(3), Mean(2), Raft())
    features = frames.clip_features(networks, film, TIMES, batch=3)
    assert features.shape == (8, 2048) and features.dtype == np.float32
    assert np.allclose(features[:, 0], np.array(LEVELS) - 104.0)
    # 10 pixels are 191 of 255, less 128; beyond 20 all is one; rest is 127
    assert np.allclose(features[:, 1024], [63, 127, 127, 127, 127, 127, 127, -1])
    assert np.array_equal(features[4], features[5])
    assert networks.raft.pairs == [(0, 10), (10, 30), (30, 60), (60, 100), (100, 150), (150, 255)], "each pair once"


def test_features_of_the_real_network():
    with torch.no_grad():
        film = np.random.default_rng(0).integers(0, 256, (2, 256, 344, 3), dtype=np.uint8)
        networks = frames.Networks(BNInception(3).eval(), BNInception(2).eval(), Raft())
        features = frames.clip_features(networks, film[[0, 0, 1]], [0.0, 0.0, 0.04])
        wanted = networks.rgb(rgb_input(film)), networks.flow(flow_input(frames.flow(Raft(), film, [0, 1])))
    assert np.allclose(features, torch.cat(wanted, 1)[[0, 0, 1]], atol=1e-5)


def test_features_want_the_papers_size():
    networks = frames.Networks(Mean(3), Mean(2), Raft())
    with pytest.raises(ValueError, match="frames are 192 x 144; wanted 344 x 256.*set features.size"):
        frames.clip_features(networks, greys(0, 1, size=(192, 144)), TIMES[:2])


def test_networks_are_frozen_and_loaded_from_two_files():
    networks = frames.load(BNInception().state_dict(), raft_large().state_dict())
    assert networks.rgb.channels == 3 and networks.flow.channels == 2
    for network in networks:
        assert not network.training and not any(p.requires_grad for p in network.parameters())


def test_the_authors_order_is_a_frame_late_and_ends_in_zeros():
    rows = frames.in_authors_order(lambda *_: np.stack([np.arange(4.0), 10 + np.arange(4.0)], 1))(None, None)
    assert rows.tolist() == [[1, 10], [2, 11], [3, 12], [0, 0]]
