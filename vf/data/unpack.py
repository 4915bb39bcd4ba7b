"""The Greatest Hits archive -> the folder that `films.root` names: `python -m vf.data.unpack ARCHIVE.zip FOLDER`."""

import lzma
import shutil
import struct
import sys
import zipfile
import zlib
from pathlib import Path

from tqdm.auto import tqdm

from vf.data import files

# a RuntimeError asks for a password, and not all ways to compress are implemented
DAMAGE = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, RuntimeError, NotImplementedError,
    UnicodeDecodeError,
)  # fmt: skip


def unpack(archive: str | Path, folder: str | Path) -> None:
    """Unpack films, wavs, labels and split lists flat into `folder`.

    An entry keeps its bare name alone, so that none can leave the folder. The folder appears whole or not at all.
    Raises ValueError for a file that is no zip, is damaged or holds no film; for a folder that is there already, cannot
    be written or has no room.
    """
    archive, folder = Path(archive), Path(folder)
    if folder.exists():
        raise ValueError(f"{folder}: is there already; remove it to unpack again")
    if not zipfile.is_zipfile(archive):
        raise ValueError(f"{archive}: is not a zip archive; fetch it again: dvc update data.dvc")
    try:
        with zipfile.ZipFile(archive) as source:
            members = _members(source, archive)
            _extract(source, members, folder)
    except DAMAGE as error:
        raise ValueError(
            f"{archive}: is damaged ({files.excerpt(error)}); "
            "wanted a whole archive: fetch it again: dvc update data.dvc"
        ) from error


def _members(source, archive):
    """Entries of films, wavs, labels and lists, by bare name. Raises ValueError for an archive without films."""
    members = {}
    for member in source.infolist():
        name = Path(member.filename.replace("\\", "/")).name  # as some programs on Windows part folders
        if Path(name).suffix not in (".mp4", ".wav", ".txt") or member.is_dir():
            continue
        if name in members:
            raise ValueError(
                f"{archive}: {members[name].filename} and {member.filename} have one name; "
                "wanted one of them: remove one"
            )
        members[name] = member
    if not any(name.endswith(".mp4") for name in members):
        raise ValueError(f"{archive}: holds no film; wanted the 'full-res videos and labels' archive of Greatest Hits")
    return members


def _extract(source, members, folder):
    try:
        with files.whole_folder(folder) as partial:
            needed, free = sum(m.file_size for m in members.values()), shutil.disk_usage(partial).free
            if needed > free:
                raise ValueError(
                    f"{folder}: {needed / 1e9:.1f} GB needed, {free / 1e9:.1f} free; make room or name another disk"
                )
            for name, member in tqdm(members.items(), desc="unpacking", mininterval=2.0):
                with source.open(member) as data, open(partial / name, "wb") as out:
                    shutil.copyfileobj(data, out)
    except OSError as error:
        if error.errno is None:  # not of the system, but of the unpacking of bzip2
            raise zipfile.BadZipFile(str(error)) from error
        raise ValueError(
            f"{folder}: cannot be written ({error.strerror}); wanted a folder with room: check its rights"
        ) from error


def main() -> None:
    """The command line. Any ValueError ends it with one line."""
    if len(sys.argv) != 3:
        sys.exit("usage: python -m vf.data.unpack ARCHIVE.zip FOLDER")
    try:
        unpack(*sys.argv[1:])
    except ValueError as error:
        sys.exit(f"vf.data.unpack: {error}")


if __name__ == "__main__":
    main()
