"""What is seen in each clip: the maps or features that the later stages learn from, and coarser views of the film."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vf.data import columns, media, processes
from vf.data.columns import Column
from vf.signal import motion
from vf.signal.timeline import Timeline


def read_clips(
    places: Sequence[tuple[str | Path, float]],
    reader: Any,
    timeline: Timeline,
    size: tuple[int, int],
    folder: str | Path,
    shard: int = 16,
) -> dict[str, Column]:
    """Columns with a row for each clip, kept in `folder` as `columns.table` keeps them, `shard` clips at a time.

    places: film and start (s) of the clips. reader: `frames.Reader` of either profile. size: (width, height) it wants.
    maps: (n, t, ...) of the reader, which are final features in the paper profile. times: (n, t) seconds from the
    clip's beginning of the picture that each frame shows. energy: (n, t) of `motion.energy`. pictures: of the reader,
    for the metrics. A clip is decoded while the one before it is looked at.
    Raises media.MediaError for a film that cannot be read, and what the reader raises.
    """

    def compute(rows):
        spans = [(places[i][0], timeline.fps, size, places[i][1], timeline.seconds) for i in rows]
        clips = processes.ahead(media.read_frames(*span) for span in spans)
        return _stacked([_seen(*clip, reader, timeline, start) for clip, (*_, start, _) in zip(clips, spans)])

    return columns.table(len(places), compute, folder, shard, "clips")


def _seen(frames, times, reader, timeline, start):
    """The row of one clip, by column. start: of the clip in its film (s)."""
    maps = reader(frames, times)
    pictures = reader.pictures(frames, timeline.fps, maps)
    return {"maps": maps, "times": times - start, "energy": motion.energy(frames, times), "pictures": pictures}


def _stacked(rows):
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}
