"""How closely the trained small profile follows curves drawn by hand, before any correction of gain."""

import numpy as np
import pytest
from project import ROOT

from vf import params
from vf.foley import curves
from vf.foley.render import VideoFoley

TRAINED = params.load("small", ROOT).folder("rms2sound")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not TRAINED.is_dir(), reason="the small profile is not trained yet: `make repro` first"),
]
PROMPTS = [f"A person {what} with a wooden stick." for what in ("hit metal", "hit wood", "scratch gravel")]
DRAWN = {  # stamps: shape, onset, length (s), level
    "A": [("A", 0.5, 4.0, 0.15)],
    "V": [("V", 0.5, 4.0, 0.15)],
    "rising": [("rising", 0.5, 4.0, 0.15)],
    "falling": [("falling", 0.5, 4.0, 0.15)],
    "two hits": [("hit", 1.0, 0.4, 0.2), ("hit", 3.0, 0.4, 0.2)],
    "hit then scratch": [("hit", 0.8, 0.4, 0.2), ("scratch", 2.5, 1.5, 0.1)],
}


@pytest.fixture(scope="module")
def maker():
    here = pytest.MonkeyPatch()
    here.chdir(ROOT)
    yield VideoFoley.from_pretrained("small")
    here.undo()


@pytest.mark.parametrize("name", DRAWN)
def test_the_sound_follows_a_drawn_shape(maker, name):
    curve = np.zeros(maker.timeline.video_rms_frames, np.float32)
    for stamp in DRAWN[name]:
        curve = curves.stamp(curve, maker.rate, *stamp)
    made = [
        maker.render(None, wanted=curve, prompt=prompt, seed=seed, progress=lambda share: None)
        for seed, prompt in enumerate(PROMPTS)
    ]
    assert np.mean([m.adherence["raw"]["correlation"] for m in made]) >= 0.85
