import numpy as np
import pytest
import torch

from vf.backends.small import frame_encoder
from vf.backends.small.frame_encoder import FrameEncoder


def strokes(clips=12, frames=40):
    """Maps in which a flash of change comes with a sound, and the RMS curves, four frames to a picture."""
    generator = torch.Generator().manual_seed(0)
    maps = torch.randint(0, 12, (clips, frames, 3, 16, 24), generator=generator).to(torch.uint8)
    curves = torch.full((clips, 4 * frames), 0.003)
    for i in range(clips):
        for frame in torch.randperm(frames, generator=generator)[:5].tolist():
            y, x = torch.randint(1, 15, (2,), generator=generator).tolist()
            maps[i, frame, 1, y - 1 : y + 1, x - 1 : x + 1] = 200
            curves[i, 4 * frame : 4 * frame + 4] = 0.2
    return maps.numpy(), curves


def test_levels_are_tens_of_decibels_above_the_floor():
    curves = torch.tensor([[0.0, 1e-3, 0.1, 0.01, 1.0, 0.5]])
    assert torch.allclose(frame_encoder.levels(curves, 3), torch.tensor([[0.0, 2.5, 4.5]]), atol=1e-5)


def test_it_tells_level_and_features_carry_it(tmp_path):
    maps, curves = strokes()
    encoder, losses = frame_encoder.train(maps, curves, range(8), steps=60, widths=(6, 12), window=16, batch=8, precision="no")
    assert np.mean(losses[-10:]) < 0.5 * np.mean(losses[:5])
    vectors = frame_encoder.encode(encoder, maps)
    assert vectors.shape == (12, 40, 24) and vectors.dtype == np.float16
    told = encoder.tell(torch.from_numpy(vectors[8:].astype(np.float32))).detach()
    wanted = frame_encoder.levels(curves[8:], 40)
    assert np.corrcoef(told.flatten(), wanted.flatten())[0, 1] > 0.7, "on clips it has not seen"
    encoder.save_pretrained(tmp_path)
    again = FrameEncoder.from_pretrained(tmp_path).eval()
    assert np.array_equal(frame_encoder.encode(again, maps), vectors)


def test_a_loaded_encoder_reads_pictures(tmp_path):
    FrameEncoder(3, (4, 8)).eval().save_pretrained(tmp_path)
    pictures = np.random.default_rng(0).integers(0, 255, (6, 32, 48, 3), dtype=np.uint8)
    features = frame_encoder.load(tmp_path, ["difference"], 2)
    assert features(pictures, np.arange(6) / 30).shape == (6, 16)


def test_what_has_not_changed_since_the_last_frame_is_seen_as_such():
    encoder = FrameEncoder(3, (4, 8)).eval()
    maps = torch.randint(0, 255, (1, 8, 3, 16, 16), dtype=torch.uint8)
    other = maps.clone()
    other[:, 6:] = 0
    same = (encoder(maps) == encoder(other)).all(-1)[0]
    assert same[:5].all() and not same[5:].any(), "a frame is read with one neighbour each way"


@pytest.mark.parametrize("seed", range(4))
def test_augmentation_moves_and_mirrors_all_channels_alike(seed):
    maps = torch.zeros(2, 5, 10, 20, dtype=torch.uint8)
    maps[:, :3, 4, 3], maps[:, 3:, 4, 3] = 100, 188
    before = maps.clone()
    moved = frame_encoder.augment(maps, torch.Generator().manual_seed(seed))
    assert torch.equal(maps, before), "what is stored stays as it is"
    y, x = np.argwhere(moved[0, 1].numpy())[0]
    assert abs(y - 4) <= 1 and (abs(x - 3) <= 1 or abs(x - 16) <= 1)
    assert moved[0, 4, y, x] == 188 and moved[0, 3, y, x] == (188 if x < 10 else 67)
