import math

import numpy as np
import pytest
import torch
from PIL import Image

from vf.backends.nets import i3d


def narrow(width=8, classes=5):
    """A network of little width whose batch norms are not the identity."""
    torch.manual_seed(0)
    net = i3d.I3D(width, classes).eval()
    for name, tensor in net.state_dict().items():
        if name.endswith("running_var"):
            tensor.uniform_(0.1, 0.3)
        elif name.endswith("running_mean"):
            tensor.normal_(0, 0.1)
    return net


def film(frames, height, width):
    return np.random.default_rng(0).integers(0, 256, (frames, height, width, 3), dtype=np.uint8)


def test_names_and_sizes_are_the_released_files():
    with torch.device("meta"):
        net = i3d.I3D()
    state = {name: tuple(tensor.shape) for name, tensor in net.state_dict().items()}
    assert sum(p.numel() for p in net.parameters()) == 12_697_264
    # 57 convolutions with a batch norm of five tensors each, and the classes
    assert len(state) == 57 * 6 + 2 and sum(name.endswith("conv3d.weight") for name in state) == 58
    assert state["Conv3d_1a_7x7.conv3d.weight"] == (64, 3, 7, 7, 7) and "Conv3d_1a_7x7.conv3d.bias" not in state
    assert state["Conv3d_2c_3x3.conv3d.weight"] == (192, 64, 3, 3, 3)
    assert state["Mixed_3b.b0.conv3d.weight"] == (64, 192, 1, 1, 1)
    assert state["Mixed_4e.b2b.conv3d.weight"] == (64, 32, 3, 3, 3) and state["Mixed_5c.b3b.bn.running_var"] == (128,)
    assert state["logits.conv3d.weight"] == (400, 1024, 1, 1, 1) and state["logits.conv3d.bias"] == (400,)
    inputs = [state[f"Mixed_{name}.b0.conv3d.weight"][1] for name in i3d.MIXED]
    assert inputs == [192, 256, 480, 512, 512, 512, 528, 832, 832]


@pytest.mark.parametrize("kernel", [1, 2, 3, 7])
@pytest.mark.parametrize("stride", [1, 2])
def test_same_padding_is_tensorflows(kernel, stride):
    for size in range(1, 10):
        before = i3d.pad_same(torch.ones(1, 1, size, 1, 1), (kernel, 1, 1), (stride, 1, 1)).flatten()
        total = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
        assert before.tolist() == [0] * (total // 2) + [1] * size + [0] * (total - total // 2)


def test_axes_are_padded_each_by_its_own_kernel():
    padded = i3d.pad_same(torch.ones(1, 1, 4, 5, 6), (1, 3, 7), (1, 2, 2))
    assert padded.shape == (1, 1, 4, 7, 11) and padded[0, 0, 0, 3].tolist() == [0] * 2 + [1] * 6 + [0] * 3


def test_pooling_and_a_unit_by_hand():
    x = torch.arange(1.0, 6)[None, None, None, None]
    assert i3d.max_pool(x, (1, 1, 3), (1, 1, 2)).flatten().tolist() == [2, 4, 5]
    unit = i3d._Unit(1, 1, 1, 2).eval()
    with torch.no_grad():
        unit.conv3d.weight.fill_(2)
        unit.bn.running_mean.fill_(4)
        unit.bn.running_var.fill_(0.25 - 1e-3)
        unit.bn.bias.fill_(1)
    # 1 3 5 -> 2 6 10 -> (x - 4) / 0.5 + 1, and no less than 0
    assert torch.allclose(unit(x).flatten(), torch.tensor([0.0, 5, 13]))


def test_branches_are_joined_in_order():
    net = narrow().Mixed_3b
    x = torch.rand(1, 24, 2, 3, 3)
    joined = net(x)
    assert joined.shape == (1, 32, 2, 3, 3)
    assert torch.equal(joined[:, :8], net.b0(x)) and torch.equal(joined[:, 24:28], net.b2b(net.b2a(x)))
    assert torch.equal(joined[:, 28:], net.b3b(i3d.max_pool(x, (3, 3, 3), (1, 1, 1))))


def test_blocks_follow_one_another_as_in_the_papers_figure_3():
    net, given, made = narrow(), {}, {}
    order = [
        "Conv3d_1a_7x7",
        "Conv3d_2b_1x1",
        "Conv3d_2c_3x3",
        "Mixed_3b",
        "Mixed_3c",
        "Mixed_4b",
        "Mixed_4c",
        "Mixed_4d",
    ]
    order += ["Mixed_4e", "Mixed_4f", "Mixed_5b", "Mixed_5c"]

    def keep(name):
        def hook(module, inputs, output):
            given[name], made[name] = inputs[0], output

        return hook

    for name in order:
        net.get_submodule(name).register_forward_hook(keep(name))
    x = torch.rand(1, 3, 16, 64, 32) * 2 - 1
    net(x)
    flat, cube = ((1, 3, 3), (1, 2, 2)), ((3, 3, 3), (2, 2, 2))
    pools = {"Conv3d_2b_1x1": flat, "Mixed_3b": flat, "Mixed_4b": cube, "Mixed_5b": ((2, 2, 2), (2, 2, 2))}
    assert list(made) == order and torch.equal(given[order[0]], x)
    for before, after in zip(order, order[1:]):
        pooled = i3d.max_pool(made[before], *pools[after]) if after in pools else made[before]
        assert torch.equal(given[after], pooled), after
    assert [tuple(made[f"Mixed_{n}"].shape[2:]) for n in ("3c", "4f", "5c")] == [(8, 8, 4), (4, 4, 2), (2, 2, 1)]


@pytest.mark.parametrize(("frames", "eighths"), [(9, 2), (24, 3), (25, 4)])
def test_features_are_the_average_over_the_picture_pairs_and_time(frames, eighths):
    net, seen = narrow(), []
    net.Mixed_5c.register_forward_hook(lambda module, given, made: seen.append(made))
    found = net(torch.rand(1, 3, frames, 40, 32) * 2 - 1)
    assert seen[0].shape == (1, 128, eighths, 2, 1)
    pairs = torch.nn.functional.avg_pool3d(seen[0], (2, 2, 1), stride=1)[..., 0, 0]
    assert torch.allclose(found, pairs.mean(2), atol=1e-6) and found.std() > 1e-3


def test_two_films_are_embedded_as_each_alone():
    net, x = narrow(), torch.rand(2, 3, 9, 32, 32) * 2 - 1
    both = net(x)
    assert both.shape == (2, 128) and not torch.allclose(both[0], both[1])
    torch.testing.assert_close(both, torch.cat([net(x[:1]), net(x[1:])]), atol=1e-5, rtol=1e-3)
    assert net(-torch.ones(1, 3, 9, 32, 32)).isfinite().all()


@pytest.mark.parametrize("shape", [(1, 3, 8, 32, 32), (3, 9, 32, 32), (1, 9, 3, 32, 32)])
def test_other_pictures_are_refused(shape):
    with pytest.raises(ValueError, match="at least 9 frames"):
        narrow()(torch.zeros(shape))


def test_frames_are_resized_as_pillow_does_and_cut_in_the_middle():
    frames = film(2, 90, 120)
    given = i3d.frames_input(frames, 28)
    assert given.shape == (1, 3, 2, 28, 28)
    small = np.stack([np.asarray(Image.fromarray(f).resize((42, 32), Image.BILINEAR)) for f in frames])[:, 2:30, 7:35]
    levels = (given[0].permute(1, 2, 3, 0).numpy() + 1) * 127.5
    assert np.abs(levels - small).max() < 1.01 and np.abs(levels - small).mean() < 0.2


def test_frames_of_the_right_height_keep_their_levels():
    frames = film(40, 32, 43)  # more than are converted at once
    given = i3d.frames_input(frames, 28)
    assert given.shape == (1, 3, 40, 28, 28)
    levels = torch.from_numpy(frames[:, 2:30, 7:35]).permute(3, 0, 1, 2)
    assert torch.allclose(given[0], levels / 127.5 - 1, atol=1e-6)
    assert i3d.frames_input(film(1, 43, 32), 28).shape == (1, 3, 1, 28, 28)
    assert i3d.frames_input(np.full((1, 300, 256, 3), 255, np.uint8)).unique().tolist() == [1]


@pytest.mark.parametrize("frames", [np.zeros((2, 32, 32, 3), np.float32), np.zeros((2, 3, 32, 32), np.uint8)])
def test_other_frames_are_refused(frames):
    with pytest.raises(ValueError, match="wanted uint8"):
        i3d.frames_input(frames)


def test_loads_the_released_layout_strictly():
    net, x = narrow(), torch.rand(1, 3, 9, 32, 32)
    loaded = i3d.load(net.state_dict())
    assert not loaded.training and torch.equal(loaded(x), net(x))
    old = {name: tensor for name, tensor in net.state_dict().items() if "num_batches_tracked" not in name}
    assert torch.equal(i3d.load(old)(x), net(x)), "as files of PyTorch 0.3 are"
    for lost in ("Mixed_4c.b1a.bn.running_mean", "logits.conv3d.weight"):
        with pytest.raises(ValueError, match=f"{lost}.*check that the file is"):
            i3d.load({name: tensor for name, tensor in old.items() if name != lost})
    with pytest.raises(ValueError, match="stranger"):
        i3d.load({**old, "stranger": torch.zeros(1)})
