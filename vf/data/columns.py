"""Tables whose rows take long to compute: kept on disk, shard by shard, by all processes of a group."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from vf.data import files
from vf.signal import group


class Column:
    """One column of a kept table, read from disk where it is indexed: by a row, rows, or these and what is in a row."""

    def __init__(self, shards: list[np.ndarray], name: str):
        self.parts = [shard[name] for shard in shards]
        self.shape = (sum(len(part) for part in self.parts), *self.parts[0].shape[1:])
        self.dtype = self.parts[0].dtype

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> np.ndarray:
        rows, *within = index if isinstance(index, tuple) else (index,)
        if not isinstance(rows, (int, np.integer)):
            chosen = range(len(self))[rows] if isinstance(rows, slice) else rows
            return np.stack([self[i, *within] for i in chosen])
        size = len(self.parts[0])
        rows = range(len(self))[rows]  # one below 0 counts from the end; one that is not there is an IndexError
        return self.parts[rows // size][rows % size][tuple(within)]


def table(
    count: int,
    compute: Callable[[range], Mapping[str, np.ndarray]],
    folder: str | Path,
    size: int,
    label: str = "",
) -> dict[str, Column]:
    """The columns of a table of `count` rows, 1 or more, by name.

    compute: from the numbers of rows to the columns of these, (rows, ...) each. folder: of the table, and of nothing
    else. It holds `size` rows to a shard; a shard appears whole, so an interrupted call is continued by the next. Of n
    processes, process k computes the shards k, k + n, ..., and each waits for the others before it reads. label: of the
    progress bar. Raises RuntimeError where another process has ended.
    """
    Path(folder).mkdir(parents=True, exist_ok=True)
    numbers = [range(first, min(first + size, count)) for first in range(0, count, size)]
    shards = [(Path(folder) / f"{rows.start:06d}.npy", rows) for rows in numbers]
    left = [shard for shard in shards[group.index() :: group.count()] if not shard[0].exists()]
    for path, rows in tqdm(left, desc=label, mininterval=2.0, disable=not group.is_main()):
        columns = compute(rows)
        shard = np.empty(len(rows), [(name, values.dtype, values.shape[1:]) for name, values in columns.items()])
        for name, values in columns.items():
            shard[name] = values
        files.write_array(path, shard)
    group.wait()
    kept = [np.load(path, mmap_mode="r") for path, _ in shards]
    return {name: Column(kept, name) for name in kept[0].dtype.names}
