"""The Greatest Hits archive -> the folder that `films.root` names: `python -m vf.data.unpack ARCHIVE.zip FOLDER`."""

import shutil
import sys
import zipfile
from pathlib import Path

from tqdm.auto import tqdm

from vf.data import files


def unpack(archive, folder):
    """Unpack films, wavs, labels and split lists flat into `folder`.

    Entries keep their bare names alone, so none can leave the folder. The folder appears whole or not at all.
    Raises ValueError for a file that is no zip or holds no film, and for a folder that is there already.
    """
    archive, folder = Path(archive), Path(folder)
    if folder.exists():
        raise ValueError(f"{folder}: is there already; remove it to unpack again")
    if not zipfile.is_zipfile(archive):
        raise ValueError(f"{archive}: is not a zip archive; fetch it again: dvc update data.dvc")
    with zipfile.ZipFile(archive) as source:
        members = [
            m for m in source.infolist() if Path(m.filename).suffix in (".mp4", ".wav", ".txt") and not m.is_dir()
        ]
        if not any(m.filename.endswith(".mp4") for m in members):
            raise ValueError(
                f"{archive}: holds no film; wanted the 'full-res videos and labels' archive of Greatest Hits"
            )
        with files.whole_folder(folder) as partial:
            for member in tqdm(members, desc="unpacking", mininterval=2.0):
                with source.open(member) as data, open(partial / Path(member.filename).name, "wb") as out:
                    shutil.copyfileobj(data, out)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python -m vf.data.unpack ARCHIVE.zip FOLDER")
    unpack(*sys.argv[1:])
