"""Draws docs/real.png: real films' true sound above the sound that the shipped system gives them.

`python docs/real_films.py FILMS`, a folder of Greatest Hits. Ten of its films, evenly spread over their names, go
through `VideoFoley.from_pretrained()` with the text prompt of their labels; the first annotated clip of each is drawn.
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from vf import VideoFoley
from vf.data import clips, corpora, media
from vf.evaluation import metrics
from vf.report import figures
from vf.signal import rms

COUNT = 10


def main():
    """Render the films and draw them; prints a row for each."""
    maker = VideoFoley.from_pretrained()
    timeline = maker.timeline
    found = corpora.films(corpora.FilmCorpus("greatest_hits", sys.argv[1], audio="mic"), timeline, workers=1).clips
    first = {clip.film: clip for clip in reversed(found)}
    films = sorted(first)
    chosen = [first[films[i]] for i in np.linspace(0, len(films) - 1, COUNT).round().astype(int)]
    figure, axes = plt.subplots(COUNT, 2, figsize=(2 * figures.WIDTH, 1.15 * COUNT), sharex=True)
    for k, clip in enumerate(chosen):
        true = media.read_sound(clip.film, timeline.sample_rate, clip.start, timeline.seconds)
        prompt = clips.text_prompt(clip.events)
        begin = round(clip.start * timeline.sample_rate)
        made = maker(clip.film, prompt=prompt).waveform[begin : begin + len(true)]
        curves = [rms.rms_curve(wave, timeline.video_window, timeline.video_hop).numpy()[None] for wave in (true, made)]
        r, e = (float(metric(*curves)[0]) for metric in (metrics.correlation, metrics.e_l1))
        print(f"{Path(clip.film).name}\t{clip.start:g} s\t{prompt}\tr {r:.2f}\tE-L1 {e:.4f}", flush=True)
        for row, (name, wave) in enumerate((("truth", true), ("ours", made))):
            ax = axes[2 * (k // 2) + row, k % 2]
            label = prompt if len(prompt) < 90 else prompt[:87] + "…"
            image = figures.spectrogram(ax, wave, timeline, f"{label}" if row == 0 else f"r {r:.2f}, E-L1 {e:.4f}")
            ax.set_ylabel(name)
    for ax in axes[-1]:
        ax.set_xlabel("time (s)")
    figures.colour_bar(figure, image, axes)
    figure.savefig(Path(__file__).parent / "real.png", dpi=90)


if __name__ == "__main__":
    main()
