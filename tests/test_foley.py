import numpy as np
import pytest
import torch

from vf import media, rms, sampling, writing
from vf.foley import VideoFoley
from vf.timeline import Timeline
from vf.video2rms import Video2RMS

TIMELINE = Timeline(seconds=1.0, fps=10)


class Echo:
    """Stands in for RMS2Sound: noise that follows the curve exactly, so that the plumbing around it shows."""

    calls = ()
    device = torch.device("cpu")

    def __call__(self, rms, prompt, audio, generator, frames, output_type, **options):
        self.calls += ((rms, prompt, options),)
        assert output_type == "latent"
        noise = torch.stack([torch.randn(TIMELINE.sound_samples, generator=g).sign() for g in generator])
        level = torch.zeros(len(noise), frames) + 0.05 if rms is None else rms
        return noise * torch.nn.functional.interpolate(level[:, None], TIMELINE.sound_samples)[:, 0]

    def decode(self, latents):
        return latents

    def set_progress_bar_config(self, **_):
        """diffusers has it."""


def studio():
    torch.manual_seed(0)
    model = Video2RMS(features=24, width=8, lstm=4, frames=10, rms_frames=125, bins=8, relu_logits=False).eval()
    return VideoFoley(model, Echo(), lambda f, t: f[:, :, 0, 0] / 255, (32, 24), TIMELINE, "mean", {"guidance_scale": 1.0})


def film(path, seconds, sound=False):
    frames = np.random.default_rng(0).integers(0, 255, (round(seconds * 10), 24, 32, 3), dtype=np.uint8)
    writing.write_film(path, frames, 10, np.zeros(round(seconds * 16000)) if sound else None)
    return path


def test_the_condition_is_nearest_neighbour_then_zeros():
    paper = Timeline()
    curve = torch.rand(1250) + 0.1
    given = sampling.condition(curve, paper)
    assert given.shape == (1024,) and (given[1000:] == 0).all()
    assert torch.equal(given[:1000], rms.resize(curve, 1000))


@pytest.mark.parametrize("seconds", [0.7, 1.0, 2.6])
def test_a_film_of_any_length_comes_out_whole(tmp_path, seconds):
    source = film(tmp_path / "film.mp4", seconds)
    made = studio()(source, prompt="a", seed=1)
    assert len(made.waveform) == len(made.wanted) * 128 == round(seconds * 125) * 128 or abs(len(made.wanted) - seconds * 125) < 1
    before = source.read_bytes()
    out = made.save(tmp_path / "out.mp4")
    assert source.read_bytes() == before
    assert len(media.read_frames(out, 10, (32, 24))[0]) == round(seconds * 10)
    assert np.corrcoef(made.rms, made.wanted)[0, 1] > 0.9 or made.wanted.std() < 1e-3


def test_the_same_seed_gives_the_same_sound_and_clips_differ_in_noise():
    curve = np.full(250, 0.2, np.float32)
    one, two, three = (studio().sound(curve, "a", seed=s) for s in (0, 0, 1))
    assert np.array_equal(one, two) and not np.array_equal(one, three)
    assert not np.array_equal(one[:16000], one[16000:32000])


def test_systems_share_their_noise():
    curves = torch.full((3, TIMELINE.sound_rms_frames), 0.1)
    together = sampling.generate(Echo(), TIMELINE, curves, ["a"] * 3, batch=3)
    alone = sampling.generate(Echo(), TIMELINE, curves, ["a"] * 3, batch=1)
    assert torch.equal(together, alone)


@pytest.mark.parametrize("bad", [np.array([0.1, np.nan]), np.array([-0.1, 0.1]), np.zeros((2, 2)), np.zeros(0)])
def test_a_bad_curve_is_refused(bad):
    with pytest.raises(ValueError, match="clean it first"):
        studio().sound(bad, "a")


def test_a_film_without_a_picture_leaves_nothing(tmp_path):
    (tmp_path / "film.mp4").write_text("no film")
    with pytest.raises(media.MediaError, match="film.mp4"):
        studio()(tmp_path / "film.mp4")
    assert [p.name for p in tmp_path.iterdir()] == ["film.mp4"]
