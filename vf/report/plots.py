"""`dvc plots diff` as one page that needs no network: `python -m vf.report.plots HEAD workspace`.

DVC's own page loads its drawing code from the web. This one holds it.
"""

import subprocess
import sys
from pathlib import Path

from vf import params
from vf.data import files

PAGE = (
    '<!DOCTYPE html><html><head><meta charset="utf-8"><title>Plots</title><script>{code}</script></head>'
    "<body>{{plot_divs}}</body></html>"
)
SHOWN = "window.vegaEmbed = vegaEmbed;"  # what DVC's plots call


def draw(root: Path, revisions: list[str], out: Path) -> int:
    """Write the plots of dvc.yaml at some revisions, side by side, to `out`/index.html. Returns DVC's exit status.

    root: of the project. revisions: of git, or "workspace"; none: HEAD and the workspace.
    """
    import vl_convert  # here, as only this needs its 30 MB

    template = out / "template.html"
    files.write_text(template, PAGE.format(code=vl_convert.javascript_bundle(SHOWN)))
    words = ["plots", "diff", *revisions, "--html-template", str(template), "--out", str(out)]
    return subprocess.run([sys.executable, "-m", "dvc", *words], cwd=root).returncode


if __name__ == "__main__":
    root = params.load_or_exit().root
    sys.exit(draw(root, sys.argv[1:], root / "runs" / "plots"))
