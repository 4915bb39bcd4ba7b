"""A GPU without float64, such as Apple's, played by torch's meta device: what runs there, and what may not be mixed."""

import contextlib

import numpy as np
import pytest
import tiny_pipeline
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from vf.models import sampler, video2rms
from vf.models.sampler import Settings
from vf.signal import group, mel, rms
from vf.signal.timeline import Timeline

T = Timeline(seconds=1.2)
CPU = torch.device("cpu")


class FakeGpu(TorchDispatchMode):
    """The meta device as a GPU: it holds no float64, mixes with no other device, and gives zeros when it is read."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        if function is torch.ops.aten._to_copy.default and args[0].is_meta and kwargs.get("device") == CPU:
            return torch.zeros(args[0].shape, dtype=kwargs.get("dtype") or args[0].dtype)
        if function is torch.ops.aten._local_scalar_dense.default and args[0].is_meta:
            return 0.0
        if len({t.is_meta for t in tensors if t.dim()}) > 1 and "copy" not in function.__name__:
            raise RuntimeError(f"{function}: tensors of two devices")
        made = function(*args, **kwargs)
        for leaf in tree_leaves(made):
            if isinstance(leaf, torch.Tensor) and leaf.is_meta and leaf.dtype == torch.float64:
                raise TypeError(f"{function}: float64")
        return made


@pytest.fixture
def gpu(monkeypatch):
    solver = Settings.solver
    monkeypatch.setattr(group, "autocast", lambda precision, device: contextlib.nullcontext())  # meta has none
    # the scheduler looks its times up, which meta cannot
    monkeypatch.setattr(Settings, "solver", lambda self, scheduler, _: solver(self, scheduler, CPU))
    with FakeGpu():
        yield "meta"


def test_it_would_be_seen(gpu):
    with pytest.raises(TypeError, match="float64"):
        torch.zeros(3, device=gpu).double()
    with pytest.raises(RuntimeError, match="two devices"):
        torch.zeros(3, device=gpu) + torch.zeros(3)


@pytest.mark.parametrize("changes", [{}, {"scheduler": "dpm", "spacing": 1.5}, {"hold": 1.0}, {"eta": 1.0}])
def test_sound_is_sampled_there(gpu, changes):
    pipeline = tiny_pipeline.controlled().to(gpu)
    settings, curves = Settings(num_inference_steps=3, **changes), np.full((2, T.sound_rms_frames), 0.1)  # of float64
    for prompt in ({"prompts": ["a bell", "wood"]}, {"audio": np.zeros((2, T.samples))}):
        waves = sampler.generate(pipeline, T, settings, curves=curves, **prompt)
        assert waves.shape == (2, T.samples) and waves.device.type == "cpu"


def test_a_log_mel_is_computed_there(gpu):
    assert mel.log_mel(torch.zeros(2, 1600, device=gpu)).is_meta


def test_a_curve_is_predicted_there(gpu):
    model = video2rms.Video2RMS(8, 8, 4, T.video_frames, T.video_rms_frames, 16).to(gpu).eval()
    features = np.zeros((2, T.video_frames, 8))
    assert video2rms.predict(model, features, rms.Bins(16), "median")[1].shape == (2, T.video_rms_frames)
