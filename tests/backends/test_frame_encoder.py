import numpy as np
import pytest
import torch

from vf.backends.small import frame_encoder
from vf.backends.small.frame_encoder import FrameEncoder
from vf.backends.small.frames import Reader


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
    encoder, losses = frame_encoder.train(
        maps, curves, list(range(12)), range(8), steps=60, widths=(6, 12), window=16, batch=8, precision="no"
    )
    assert np.mean(losses[-10:]) < 0.5 * np.mean(losses[:5])
    vectors = frame_encoder.encode(encoder, maps)
    assert vectors.shape == (12, 40, 24) and vectors.dtype == np.float16
    estimate = encoder.estimate_levels(torch.from_numpy(vectors[8:].astype(np.float32))).detach()
    wanted = frame_encoder.levels(curves[8:], 40)
    assert np.corrcoef(estimate.flatten(), wanted.flatten())[0, 1] > 0.7, "on clips it has not seen"
    encoder.save_pretrained(tmp_path)
    again = FrameEncoder.from_pretrained(tmp_path).eval()
    assert np.array_equal(frame_encoder.encode(again, maps), vectors)


def test_clips_that_are_not_learnt_from_are_not_looked_at():
    maps, curves = strokes()
    other_maps, other_curves = maps.copy(), curves.clone()
    other_maps[8:], other_curves[8:] = 255, float("nan")
    made = [
        frame_encoder.train(
            *data, list(range(12)), range(8), steps=2, widths=(6, 12), window=16, batch=4, precision="no"
        )[0]
        for data in ((maps, curves), (other_maps, other_curves))
    ]
    ours, theirs = (encoder.state_dict() for encoder in made)
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in ours.items())


def test_a_loaded_encoder_reads_pictures(tmp_path):
    FrameEncoder(3, (4, 8)).eval().save_pretrained(tmp_path)
    pictures = np.random.default_rng(0).integers(0, 255, (6, 32, 48, 3), dtype=np.uint8)
    features = frame_encoder.load(tmp_path, Reader(["difference"], 2))
    assert features(pictures, np.arange(6) / 30).shape == (6, 16)


def test_a_picture_that_is_shown_twice_is_seen_once():
    encoder = FrameEncoder(3, (4, 8)).eval()
    maps = torch.randint(0, 255, (1, 10, 3, 16, 16), dtype=torch.uint8)
    with torch.no_grad():
        each = encoder(maps)[0].numpy()
    due = np.arange(12) / 30
    shown = np.minimum((due * 25 + 1e-9).astype(int), 9)  # 25 pictures a second on a clock of 30
    features = frame_encoder.encode(encoder, maps.numpy()[:, shown], times=shown[None] / 25)[0]
    wanted = np.stack([np.interp(due * 25, np.arange(10), value) for value in each.T], 1)
    np.testing.assert_allclose(features, wanted, atol=2e-3)


def test_pictures_that_come_late_are_taken_earlier(tmp_path):
    encoder = FrameEncoder(3, (4, 8)).eval()
    maps = np.random.default_rng(0).integers(0, 255, (1, 10, 3, 16, 16), dtype=np.uint8)
    times = np.arange(10)[None] / 30
    right = frame_encoder.encode(encoder, maps, times=times)[0]
    encoder.register_to_config(late={"30": 2 / 30, "25": 1.0})
    encoder.save_pretrained(tmp_path)
    late = frame_encoder.encode(FrameEncoder.from_pretrained(tmp_path).eval(), maps, times=times)[0]
    np.testing.assert_allclose(late[:8], right[2:], atol=2e-3)


def test_clips_of_films_of_several_rates_are_learnt_from_together():
    maps, curves = strokes()
    slow = np.repeat(np.arange(20), 2) / 15  # each picture stays for two frames
    times = np.stack([np.arange(40) / 30 if k % 2 else slow for k in range(12)])
    options = {"steps": 2, "widths": (6, 12), "window": 16, "batch": 4, "precision": "no"}
    encoder, losses = frame_encoder.train(maps, curves, range(12), range(8), times=times, **options)
    assert np.isfinite(losses).all()
    assert frame_encoder.encode(encoder, maps, times=times).shape == (12, 40, 24)


@pytest.mark.parametrize("fps", [25, 30])
def test_a_clip_of_any_clock_keeps_its_own_frames(fps):
    maps, curves = strokes()
    times = np.tile(np.arange(40) / fps, (12, 1))
    options = {"steps": 1, "widths": (6, 12), "window": 16, "batch": 4, "precision": "no"}
    encoder, _ = frame_encoder.train(maps, curves, range(12), range(8), times=times, fps=fps, **options)
    same = frame_encoder.encode(encoder, maps), frame_encoder.encode(encoder, maps, times=times)
    np.testing.assert_allclose(*same, atol=2e-3)


def test_what_has_not_changed_since_the_last_frame_is_seen_as_such():
    encoder = FrameEncoder(3, (4, 8)).eval()
    maps = torch.randint(0, 255, (1, 8, 3, 16, 16), dtype=torch.uint8)
    other = maps.clone()
    other[:, 6:] = 0
    same = (encoder(maps) == encoder(other)).all(-1)[0]
    assert same[:5].all() and not same[5:].any(), "a frame is read with one neighbour each way"


def test_films_count_as_equally_loud():
    loud = torch.tensor([[0.0, 0.2, 0.02, 0.0], [0.0, 0.1, 0.01, 0.0], [0.0, 0.4, 0.04, 0.0]])
    made = frame_encoder.levels(loud, 4, ["a", "b", "c"])
    assert torch.allclose(made[0], made[1], atol=1e-5) and torch.allclose(made[0], made[2], atol=1e-5)
    assert torch.allclose(made[0], frame_encoder.levels(loud, 4)[0], atol=1e-5), "the median film stays as it is"
    assert torch.allclose(frame_encoder.levels(loud, 4, ["a"] * 3).diff(dim=0)[0, 1], torch.tensor(-0.602), atol=1e-3)


@pytest.mark.parametrize("seed", range(8))
def test_augmentation_moves_and_mirrors_all_channels_alike(seed):
    maps = torch.full((2, 5, 36, 48), 128, dtype=torch.uint8)
    maps[:, :3] = 0
    maps[:, :3, 14:22, 8:16], maps[:, 3:, 14:22, 8:16] = 100, 188
    before = maps.clone()
    moved = frame_encoder.augment(maps, torch.Generator().manual_seed(seed), ("difference", "flow"), hide=0).float()
    assert torch.equal(maps, before), "what is stored stays as it is"
    assert torch.equal(moved[0], moved[1]), "all frames alike"
    patch = moved[0, 1] > 0.6 * moved[0, 1].max()
    y, x = (v.float().mean() for v in torch.where(patch))
    assert abs(y - 17.5) <= 4 and (abs(x - 11.5) <= 7 or abs(x - 35.5) <= 7)
    mirrored = x > 24
    assert moved[0, 4][patch].mean() > 160 and (
        moved[0, 3][patch].mean() < 96 if mirrored else moved[0, 3][patch].mean() > 160
    )


@pytest.mark.parametrize("seed", range(4))
def test_flow_at_rest_stays_at_rest_and_grey_is_never_flow(seed):
    still = torch.full((2, 2, 36, 48), 128, dtype=torch.uint8)
    assert (frame_encoder.augment(still, torch.Generator().manual_seed(seed), ("flow",), hide=1) == 128).all()
    black = torch.zeros(2, 6, 9, 12, dtype=torch.uint8)
    seen = frame_encoder.augment(black, torch.Generator().manual_seed(seed), ("colour",), hide=0)
    assert (seen[:, 3:] == 0).all() and len(seen[:, :3].unique()) == 1


def test_augmentation_hides_a_box_from_all_frames():
    maps = torch.full((3, 3, 16, 16), 200, dtype=torch.uint8)
    moved = frame_encoder.augment(maps, torch.Generator().manual_seed(0), hide=1)
    assert ((moved == 0).all((0, 1))).sum() == 16


def test_films_that_never_rise_above_the_floor_have_no_level():
    assert not frame_encoder.levels(np.full((2, 100), 1e-3, np.float32), 20, ["a", "b"]).any()
