"""`make demo`: a rendered film without sound, and the same film with the sound of the model that the project ships."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from vf.data import clips, writing
from vf.data.render import film as render
from vf.foley import command

FOLDER = Path("runs/demo")
FPS = 30


def film(folder: Path) -> tuple[Path, str]:
    """Render a film without sound into a folder, and say what it shows. Returns (its path, a prompt).

    The film is one of the test split: its objects and strokes are not among those that the model learnt from.
    """
    folder.mkdir(parents=True, exist_ok=True)
    frames, _, events = render.film("test", 4, seconds=10.0, fps=FPS, size=(384, 288))
    writing.write_film(folder / "silent.mp4", frames, FPS)
    return folder / "silent.mp4", clips.text_prompt(events)


def main() -> int:
    """Give the film its sound as a user would, and show it where the machine can. Returns the exit status."""
    silent, prompt = film(FOLDER)
    sounding = FOLDER / "with-sound.mp4"
    print(f'video-foley {silent} --prompt "{prompt}" --output {sounding} --wav')
    status = command.main([str(silent), "--prompt", prompt, "--output", str(sounding), "--wav"])
    if status == 0:
        show(sounding)
    return status


def show(path: Path) -> bool:
    """Open a film in the desktop's player. Returns whether there is one."""
    player = shutil.which("open" if sys.platform == "darwin" else "xdg-open")
    desktop = sys.platform == "darwin" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if not player or not desktop:
        return False
    subprocess.Popen([player, str(path)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return True


if __name__ == "__main__":
    sys.exit(main())
