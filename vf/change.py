"""params.yaml changed from the command line: `python -m vf.change seed=3 small.video2rms.model.bins=32`.

Nothing is written unless the file is right with all of it. `dvc exp run -S` knows no near key and no allowed value, and
reads values by another grammar than YAML's.
"""

import io
import sys
from collections.abc import Sequence
from pathlib import Path

from ruamel.yaml import YAML

from vf import check, params
from vf.data import files


def write(path: Path, settings: Sequence[str]) -> None:
    """Change a params.yaml by settings, as of `check.change`; comments and order stay.

    Raises check.ParamsError, and leaves the file as it is, where something would be wrong with it then.
    """
    check.settle(path, settings)
    form, text = YAML(), io.StringIO()
    form.preserve_quotes, form.width = True, 10_000
    form.representer.add_representer(type(None), lambda to, _: to.represent_scalar("tag:yaml.org,2002:null", "null"))
    values = form.load(path.read_bytes().decode())
    for setting in settings:
        check.change(values, setting)
    form.dump(values, text)
    files.write_text(path, text.getvalue())


def main() -> int:
    """Write the command line's settings into the project's params.yaml. Returns the exit status."""
    try:
        write(params.project_root() / params.FILE, sys.argv[1:])
    except (FileNotFoundError, check.ParamsError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
