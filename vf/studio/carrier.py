"""Files between the browser and the desk, piece by piece, so that none has to fit into one message or into memory."""

import filecmp
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget

from vf.data import files

PIECE = 1 << 20  # bytes of an outgoing piece; pieces.js sends the same
SCRIPT = (Path(__file__).parent / "pieces.js").read_text(encoding="utf-8")  # the browser's half, before a widget's own


class Carrier(anywidget.AnyWidget):
    """A widget whose browser side fetches files, and may send some.

    outgoing: the files that it may fetch, by key; no others. inbox: folder in which a file that it sends appears, whole
    and under its own name; None refuses it. received: called with the path of such a file.
    """

    def __init__(self, inbox: str | Path | None = None, received: Callable[[Path], object] | None = None):
        super().__init__()
        self.outgoing: dict[str, Path] = {}
        self.inbox = None if inbox is None else Path(inbox)
        self.received = received
        self._arriving: dict[str, Path] = {}
        self.on_msg(lambda _, content, buffers: self.carry(content, buffers))

    def carry(self, content: dict[str, Any], buffers: list[Any]) -> None:
        """Answer {do: "get", key, start} with a piece, {do: "put", key, name, size, start} with how much has come."""
        act = {"get": self._get, "put": self._put}.get(content.get("do", ""))
        if act is None:
            return
        try:
            act(content, buffers)
        except (OSError, KeyError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            self.send({"key": content.get("key"), "error": reason})

    def _get(self, content, buffers):
        path, start = self.outgoing[content["key"]], int(content["start"])
        with open(path, "rb") as file:
            file.seek(start)
            piece = file.read(PIECE)
        self.send({"key": content["key"], "start": start, "size": path.stat().st_size}, [piece])

    def _put(self, content, buffers):
        key, start, piece = content["key"], int(content["start"]), bytes(buffers[0])
        if self.inbox is None:
            raise ValueError("no file is wanted here")
        if start == 0:
            self.inbox.mkdir(parents=True, exist_ok=True)
            self._arriving[key] = files.beside(self.inbox / f"{len(self._arriving)}-{plain(content['name'])}")
        partial = self._arriving[key]
        with open(partial, "wb" if start == 0 else "ab") as file:
            file.write(piece)
        have = partial.stat().st_size
        self.send({"key": key, "have": have})
        if have >= content["size"]:
            path = self._settle(self._arriving.pop(key), plain(content["name"]))
            if self.received:
                self.received(path)

    def _settle(self, partial, name):
        """Move what has arrived to its own name; to "name-2" where another file has that already."""
        path = self.inbox / name
        for k in range(2, 1000):
            if not path.exists():
                break
            if filecmp.cmp(path, partial, shallow=False):
                break
            path = self.inbox / f"{Path(name).stem}-{k}{Path(name).suffix}"
        partial.replace(path)
        return path


def plain(name: str) -> str:
    """A file's name as a browser gives it, without folders and without a leading dot."""
    return re.split(r"[/\\]", name)[-1].lstrip(".") or "file"
