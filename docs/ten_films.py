"""Draws the true sound of ten films above the sound that the shipped system gives them.

`python docs/ten_films.py FILMS`, a folder of Greatest Hits: ten of its films, evenly spread over their names, into
docs/real.png; the first annotated clip of each is drawn. Without FILMS: the first ten rendered test films, into
docs/rendered.png. Each goes through `VideoFoley.from_pretrained()` with the text prompt of its labels.
"""

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from vf import VideoFoley
from vf.data import clips, corpora, media, writing
from vf.data.render import film as render
from vf.report import comparisons
from vf.signal.timeline import Timeline

COUNT = 10
Film = tuple[Path, float, np.ndarray, str]  # its path, where the clip begins (s), the clip's true sound, a prompt


def real(folder: str, timeline: Timeline) -> Iterator[Film]:
    """Ten real films."""
    found = corpora.films(corpora.FilmCorpus("greatest_hits", folder, audio="mic"), timeline, workers=1).clips
    first = {clip.film: clip for clip in reversed(found)}
    names = sorted(first)
    for i in np.linspace(0, len(names) - 1, COUNT).round().astype(int):
        clip = first[names[i]]
        true = media.read_sound(clip.film, timeline.sample_rate, clip.start, timeline.seconds)
        yield Path(clip.film), clip.start, true, clips.text_prompt(clip.events)


def rendered(folder: Path, timeline: Timeline) -> Iterator[Film]:
    """Ten films of the renderer's test split, written to a folder."""
    for i in range(COUNT):
        frames, wave, events = render.film(
            "test", i, timeline.seconds, timeline.fps, (384, 288), timeline.sample_rate, seed=0
        )
        writing.write_film(folder / f"{i}.mp4", frames, timeline.fps)
        yield folder / f"{i}.mp4", 0.0, wave, clips.text_prompt(events)


def main() -> None:
    """Give the films their sound and draw them; prints which."""
    maker = VideoFoley.from_pretrained()
    timeline = maker.timeline
    drawn = []
    with tempfile.TemporaryDirectory() as folder:
        films = real(sys.argv[1], timeline) if sys.argv[1:] else rendered(Path(folder), timeline)
        for path, start, true, prompt in films:
            begin = round(start * timeline.sample_rate)
            made = maker(path, prompt=prompt).waveform[begin : begin + len(true)]
            print(f"{path.name}\t{start:g} s\t{prompt}", flush=True)
            drawn.append((prompt, true[: len(made)], made))
    name = "real.png" if sys.argv[1:] else "rendered.png"
    comparisons.pairs(drawn, timeline).savefig(Path(__file__).parent / name, dpi=90)


if __name__ == "__main__":
    main()
