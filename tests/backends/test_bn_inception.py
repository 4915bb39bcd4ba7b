import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torchvision.transforms.v2 import functional as pictures

from vf.backends.nets import bn_inception
from vf.backends.nets.bn_inception import BLOCKS, BNInception


def published(rows=False):
    """Random tensors under the names and shapes of the released file, or of the one it was made from."""
    torch.manual_seed(0)
    state = {name: value for name, value in BNInception().state_dict().items() if "num_batches" not in name}
    for name, value in state.items():
        if "_bn." in name:
            state[name] = (
                torch.rand_like(value) + 0.5 if name.endswith(("var", "weight")) else torch.randn_like(value) / 4
            )
    if rows:
        state = {name: value[None] if "_bn." in name else value for name, value in state.items()}
    classifier = "fc" if rows else "last_linear"
    return {**state, f"{classifier}.weight": torch.zeros(1000, 1024), f"{classifier}.bias": torch.zeros(1000)}


@pytest.fixture(scope="module")
def state():
    return published()


@pytest.fixture(scope="module")
def net(state):
    return bn_inception.load(state)


def unit(state, x, name, stride=1, padding=0):
    """Convolution, norm with eps 1e-5, ReLU, from the tensors alone."""
    x = F.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"], stride, padding)
    mean, var, weight, bias = (
        state[f"{name}_bn.{s}"][:, None, None] for s in ("running_mean", "running_var", "weight", "bias")
    )
    return ((x - mean) / (var + 1e-5).sqrt() * weight + bias).clamp(min=0)


def windows(x, stride, padding):
    """The nine numbers under each 3 x 3 window: (b, c, h, w) -> (b, c, 9, n)."""
    return F.unfold(x, 3, stride=stride, padding=padding).unflatten(1, (x.shape[1], 9))


def test_names_and_shapes_are_the_released_files():
    with torch.device("meta"):
        net = BNInception()
    state = net.state_dict()
    assert sum(p.numel() for p in net.parameters()) + 1000 * 1024 + 1000 == 11_295_240, (
        "with the classifier, as published"
    )
    assert len([name for name in state if "num_batches_tracked" not in name]) == 69 * 6
    shapes = {
        "conv1_7x7_s2.weight": (64, 3, 7, 7),
        "conv1_7x7_s2_bn.running_var": (64,),
        "conv2_3x3_reduce.bias": (64,),
        "conv2_3x3.weight": (192, 64, 3, 3),
        "inception_3a_1x1.weight": (64, 192, 1, 1),
        "inception_3b_pool_proj_bn.weight": (64,),
        "inception_3c_double_3x3_2.weight": (96, 96, 3, 3),
        "inception_4a_3x3_reduce.weight": (64, 576, 1, 1),
        "inception_4d_1x1.weight": (96, 608, 1, 1),
        "inception_5a_double_3x3_reduce.weight": (160, 1056, 1, 1),
        "inception_5b_double_3x3_1.weight": (224, 192, 3, 3),
    }
    assert {name: tuple(state[name].shape) for name in shapes} == shapes
    assert not {"inception_3c_1x1.weight", "inception_4e_pool_proj.weight"} & set(state), (
        "blocks that halve have two branches"
    )


def test_widths_follow_the_paper():
    with torch.device("meta"):
        net = BNInception()
        x, widths, sides = net.stem(torch.zeros(1, 3, 224, 224)), [], []
        for name in BLOCKS:
            x = net.block(x, name)
            widths.append(x.shape[1])
            sides.append(x.shape[2])
        assert net(torch.zeros(2, 3, 224, 224)).shape == (2, 1024)
    assert widths == [256, 320, 576, 576, 576, 608, 608, 1056, 1024, 1024]
    assert sides == [28, 28, 14, 14, 14, 14, 14, 7, 7, 7]


@torch.no_grad()
def test_the_stem_by_hand(net, state):
    x = torch.randn(1, 3, 32, 32)
    hand = unit(state, x, "conv1_7x7_s2", 2, 3)
    assert hand.shape[-1] == 16
    # a window that begins inside counts, as Caffe has it: 16 -> 8 though the last window is cut
    hand = windows(F.pad(hand, (0, 1, 0, 1)), 2, 0).amax(2).unflatten(-1, (8, 8))
    hand = unit(state, unit(state, hand, "conv2_3x3_reduce"), "conv2_3x3", 1, 1)
    hand = windows(F.pad(hand, (0, 1, 0, 1)), 2, 0).amax(2).unflatten(-1, (4, 4))
    torch.testing.assert_close(net.stem(x), hand, rtol=1e-4, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("name", ["3a", "4d", "5a", "5b"])
def test_a_block_that_keeps_the_size_by_hand(net, state, name):
    block = f"inception_{name}"
    x = torch.rand(2, state[f"{block}_1x1.weight"].shape[1], 6, 6)
    nine = windows(x, 1, 1)  # with zeros around; the average counts them, the maximum cannot be one, for x is positive
    pooled = (nine.amax(2) if name == "5b" else nine.sum(2) / 9).unflatten(-1, (6, 6))
    double = unit(state, unit(state, x, f"{block}_double_3x3_reduce"), f"{block}_double_3x3_1", 1, 1)
    hand = [
        unit(state, x, f"{block}_1x1"),
        unit(state, unit(state, x, f"{block}_3x3_reduce"), f"{block}_3x3", 1, 1),
        unit(state, double, f"{block}_double_3x3_2", 1, 1),
        unit(state, pooled, f"{block}_pool_proj"),
    ]
    torch.testing.assert_close(net.block(x, name), torch.cat(hand, 1), rtol=1e-4, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("name", ["3c", "4e"])
def test_a_block_that_halves_by_hand(net, state, name):
    block = f"inception_{name}"
    x = torch.rand(2, state[f"{block}_3x3_reduce.weight"].shape[1], 8, 8)
    double = unit(state, unit(state, x, f"{block}_double_3x3_reduce"), f"{block}_double_3x3_1", 1, 1)
    hand = [
        unit(state, unit(state, x, f"{block}_3x3_reduce"), f"{block}_3x3", 2, 1),
        unit(state, double, f"{block}_double_3x3_2", 2, 1),
        windows(F.pad(x, (0, 1, 0, 1)), 2, 0).amax(2).unflatten(-1, (4, 4)),
    ]
    torch.testing.assert_close(net.block(x, name), torch.cat(hand, 1), rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_features_are_the_average_of_the_last_block(net):
    frames = np.random.default_rng(0).integers(0, 256, (2, 60, 80, 3), dtype=np.uint8)
    x = bn_inception.rgb_input(frames)
    hand = net.stem(x)
    for name in ["3a", "3b", "3c", "4a", "4b", "4c", "4d", "4e", "5a", "5b"]:
        hand = net.block(hand, name)
    assert hand.shape == (2, 1024, 7, 7)
    features = net(x)
    torch.testing.assert_close(features, hand.sum((2, 3)) / 49)
    assert features.shape == (2, 1024) and features.min() >= 0 and not net.training
    with pytest.raises(ValueError, match="wanted \\(b, 3, 224, 224\\)"):
        net(x[..., :200])


def test_the_flow_network_averages_the_first_convolution(net, state):
    flow = bn_inception.load(state, channels=2)
    mine, theirs = flow.state_dict(), net.state_dict()
    mean = sum(theirs["conv1_7x7_s2.weight"].unbind(1)) / 3
    for channel in mine.pop("conv1_7x7_s2.weight").unbind(1):
        torch.testing.assert_close(channel, mean)
    theirs.pop("conv1_7x7_s2.weight")
    assert all(torch.equal(mine[name], theirs[name]) for name in theirs) and len(mine) == len(theirs)
    grey, x = torch.randn(1, 1, 16, 16), torch.randn(1, 2, 16, 16)
    twice = torch.cat([grey, 2 * grey], 1)  # of the average, what grey in three colours is
    torch.testing.assert_close(
        flow.conv1_7x7_s2(twice), net.conv1_7x7_s2(grey.expand(-1, 3, -1, -1)), rtol=1e-4, atol=1e-4
    )
    torch.testing.assert_close(flow.conv1_7x7_s2(x), flow.conv1_7x7_s2(x.flip(1)))


def test_the_file_with_norms_as_rows_loads_alike(net):
    again = bn_inception.load(published(rows=True)).state_dict()
    assert all(torch.equal(again[name], value) for name, value in net.state_dict().items())


def test_another_file_is_refused(state):
    for wrong in (
        {name: value for name, value in state.items() if name != "inception_4c_3x3.bias"},
        {name: value for name, value in state.items() if not name.startswith("conv1")},
        {**state, "inception_5c_1x1.weight": torch.zeros(1)},
        {**state, "inception_4c_3x3.bias": torch.zeros(3)},
    ):
        with pytest.raises(ValueError, match="BN-Inception, the file of `make weights`: .*: check that the file is"):
            bn_inception.load(wrong)


def test_colour_is_blue_first_and_less_the_mean():
    frames = np.zeros((2, 256, 344, 3), np.uint8)
    frames[1] = (255, 130, 10)
    x = bn_inception.rgb_input(frames)
    assert x.shape == (2, 3, 224, 224) and x.dtype == torch.float32
    assert x[0].mean((1, 2)).tolist() == [-104, -117, -128] and x[1].mean((1, 2)).tolist() == [
        10 - 104,
        130 - 117,
        255 - 128,
    ]
    with pytest.raises(ValueError, match="wanted uint8"):
        bn_inception.rgb_input(frames.astype(np.float32))


def test_resizing_is_pillows():
    frame = np.random.default_rng(0).integers(0, 256, (256, 344, 3), dtype=np.uint8)
    small = np.array(pictures.resize(pictures.to_pil_image(frame), [224, 224]))
    wanted = small[:, :, ::-1].transpose(2, 0, 1) - np.array([104.0, 117.0, 128.0])[:, None, None]
    assert np.abs(bn_inception.rgb_input(frame[None])[0].numpy() - wanted).max() <= 1, "Pillow rounds after either side"


@pytest.mark.parametrize(
    "pixels, level", [(0, -1), (20, 127), (-20, -128), (35, 127), (-1e9, -128), (10, 63), (-10, -65)]
)
def test_flow_becomes_levels_about_rest(pixels, level):
    flow = np.zeros((1, 256, 344, 2), np.float32)
    flow[..., 1] = pixels
    x = bn_inception.flow_input(flow)
    assert x.shape == (1, 2, 224, 224) and (x[:, 0] == -1).all() and (x[:, 1] == level).all()


def test_flow_of_another_shape_is_refused():
    with pytest.raises(ValueError, match="wanted floats \\(t, h, w, 2\\)"):
        bn_inception.flow_input(np.zeros((1, 2, 256, 344), np.float32))
