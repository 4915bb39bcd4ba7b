"""Draws docs/real.png: real films' true sound above the sound that the shipped system gives them.

`python docs/real_films.py FILMS`, a folder of Greatest Hits. Ten of its films, evenly spread over their names, go
through `VideoFoley.from_pretrained()` with the text prompt of their labels; the first annotated clip of each is drawn.
"""

import sys
from pathlib import Path

import numpy as np

from vf import VideoFoley
from vf.data import clips, corpora, media
from vf.report import comparisons

COUNT = 10


def main():
    """Render the films and draw them; prints which."""
    maker = VideoFoley.from_pretrained()
    timeline = maker.timeline
    found = corpora.films(corpora.FilmCorpus("greatest_hits", sys.argv[1], audio="mic"), timeline, workers=1).clips
    first = {clip.film: clip for clip in reversed(found)}
    names = sorted(first)
    films = []
    for i in np.linspace(0, len(names) - 1, COUNT).round().astype(int):
        clip = first[names[i]]
        true = media.read_sound(clip.film, timeline.sample_rate, clip.start, timeline.seconds)
        prompt = clips.text_prompt(clip.events)
        begin = round(clip.start * timeline.sample_rate)
        made = maker(clip.film, prompt=prompt).waveform[begin : begin + len(true)]
        print(f"{Path(clip.film).name}\t{clip.start:g} s\t{prompt}", flush=True)
        films.append((prompt, true, made))
    comparisons.pairs(films, timeline).savefig(Path(__file__).parent / "real.png", dpi=110)


if __name__ == "__main__":
    main()
