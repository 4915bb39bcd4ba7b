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


def main() -> int:
    """Render the film, give it its sound as a user would, and show it where the machine can. Returns the exit status.

    The film is one of the test split: its objects and strokes are not among those that the model learnt from.
    """
    FOLDER.mkdir(parents=True, exist_ok=True)
    silent = FOLDER / "silent.mp4"
    sounding = FOLDER / "with-sound.mp4"
    frames, _, events = render.film("test", 4, seconds=10.0, fps=FPS, size=(384, 288))
    writing.write_film(silent, frames, FPS)
    prompt = clips.text_prompt(events)
    print(f'video-foley {silent} --prompt "{prompt}" --output {sounding} --wav')
    status = command.main([str(silent), "--prompt", prompt, "--output", str(sounding), "--wav"])
    if status == 0:
        show(sounding)
    return status


def show(film: Path) -> bool:
    """Open a film in the desktop's player. Returns whether there is one."""
    player = shutil.which("open" if sys.platform == "darwin" else "xdg-open")
    desktop = sys.platform == "darwin" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if not player or not desktop:
        return False
    subprocess.Popen([player, str(film)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return True


if __name__ == "__main__":
    sys.exit(main())
