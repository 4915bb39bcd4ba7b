import pytest

from vf.signal.timeline import Timeline


def test_ten_seconds_give_the_papers_lengths():
    t = Timeline()
    assert (t.samples, t.video_frames, t.video_rms_frames) == (160000, 300, 1250)
    assert (t.latent_frames, t.sound_rms_frames, t.sound_samples) == (256, 1024, 163840)
    assert t.sound_seconds == 10.24


def test_five_seconds_are_half_of_it():
    t = Timeline(seconds=5.0)
    assert (t.video_frames, t.video_rms_frames, t.sound_rms_frames, t.latent_frames) == (150, 625, 512, 128)


@pytest.mark.parametrize("seconds", [0, -1, 5.01])
def test_a_clip_is_whole_frames(seconds):
    with pytest.raises(ValueError, match="whole number"):
        Timeline(seconds=seconds)
