"""Sound that is heard while the rest of it is made: a WAV for a player that reads it from a pipe."""

import struct
from typing import BinaryIO

import numpy as np

HEADER = "<4sI4s4sIHHIIHH4sI"


class Player:
    """Writes pieces of a sound, (s,) in [-1, 1], to a stream as they come: WAV, 16 bit, mono.

    stream: unbuffered. samples: of the whole sound, which its header says beforehand. Where the player at the other end
    has gone, the pieces that follow are not heard, and nothing is raised.
    """

    def __init__(self, stream: BinaryIO, samples: int, sample_rate: int):
        self._stream: BinaryIO | None = stream
        size = 2 * samples
        form = (b"fmt ", 16, 1, 1, sample_rate, 2 * sample_rate, 2, 16)
        self._write(struct.pack(HEADER, b"RIFF", 36 + size, b"WAVE", *form, b"data", size))

    def __call__(self, piece: np.ndarray) -> None:
        self._write((np.clip(piece, -1, 1) * 32767).round().astype("<i2").tobytes())

    def _write(self, data):
        left = memoryview(data)
        try:
            while self._stream and left:
                left = left[self._stream.write(left) :]
        except BrokenPipeError:
            self._stream = None
