import numpy as np
import torch
from torchvision.models.video import r2plus1d_18

from vf.models import onset_baseline
from vf.models.onset_baseline import Options, Video2Onset


def weights(model):
    return sum(w.numel() for w in model.parameters())


def test_at_full_width_it_is_torchvisions_network_with_another_head():
    with torch.device("meta"):
        ours, theirs = Video2Onset(64), r2plus1d_18()
    assert weights(ours.layers) == weights(theirs) - weights(theirs.fc)


def test_every_frame_gets_a_logit():
    frames = torch.randint(0, 255, (2, 7, 32, 32, 3), dtype=torch.uint8)
    model = Video2Onset(4)
    assert model(frames).shape == (2, 7)
    # no stride over time: what happens in a frame is seen at that frame, not at all frames alike
    model.eval()
    other = frames.clone()
    other[:, 3] = 255 - other[:, 3]
    assert (model(frames) - model(other)).abs()[:, 3].min() > 0


def test_it_learns_to_see_flashes():
    rng = np.random.default_rng(0)
    labels = (rng.random((12, 30)) < 0.1).astype(np.float32)
    frames = (rng.integers(0, 60, (12, 30, 16, 16, 3)) + 150 * labels[..., None, None, None]).astype(np.uint8)
    torch.manual_seed(0)
    model = Video2Onset(4)
    losses = onset_baseline.train(model, frames, labels, range(12), Options(60, batch=6, lr=1e-2, seconds=1.0))
    probability = onset_baseline.predict(model, frames).numpy()
    assert losses[-1] < losses[0] and probability[labels == 1].mean() > probability[labels == 0].mean() + 0.4
