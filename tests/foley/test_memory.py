"""What is held in memory does not grow with a film's pictures, and hardly with its length."""

import tracemalloc

import pytest
from echo import film, studio

WIDE = (512, 24)  # of the frames that are read: 36.9 kB each


def peak(work):
    """Most bytes that Python and NumPy held at once, beside those before."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    folder = tmp_path_factory.mktemp("films")
    return folder, {seconds: film(folder / f"{seconds}.mp4", seconds) for seconds in (12, 60)}


def test_a_curve_is_predicted_with_one_window_of_frames_in_memory(films):
    """All 600 frames of a minute are 22 MB; a window of ten, read and stacked, is under one."""
    maker = studio()
    maker.size = WIDE
    maker.predict(films[1][12])
    short, minute = (peak(lambda path=path: maker.predict(path)) for path in films[1].values())
    assert minute < 2e6 and minute - short < 0.5e6


def test_a_film_is_rendered_and_saved_with_all_that_is_large_on_disk(films):
    """What grows are curves of 125 values a second and their JSON; sound (64 kB a second) and latents do not."""
    folder, paths = films
    maker = studio()

    def work(seconds, again=""):
        made = maker.render(paths[seconds], prompt="a", correct_gain=True, loudness=-30)
        made.save(folder / f"{seconds}{again}-foley.mp4", wav=True, project_folder=True)
        del made
        maker.pipeline.vocoder.heard = ()
        maker.pipeline.calls.clear()

    work(12, "-first")
    short, minute = (peak(lambda s=s: work(s)) for s in paths)
    print(f"peak: {short / 1e6:.1f} MB at 12 s, {minute / 1e6:.1f} MB at 60 s")
    assert minute - short < 64e3 * 48
