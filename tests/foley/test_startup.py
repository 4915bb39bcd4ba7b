"""What is not needed is not imported: the help answers at once, and who renders waits for networks alone."""

import subprocess
import sys

HEAVY = ("torch", "diffusers", "transformers", "scipy", "pandas", "sklearn", "IPython")


def imported_by(code):
    """Heavy modules that are loaded after some code, in a process of its own."""
    code = f"import sys\n{code}\nprint('LOADED', *{{*{HEAVY}}} & {{*sys.modules}})"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=True)
    return set(run.stdout.split("LOADED")[1].split())


def test_the_help_imports_no_torch():
    code = """
from vf.foley import command
try:
    command.main(["--help"])
except SystemExit:
    print()
"""
    assert imported_by(code) == set()


def test_who_renders_imports_neither_tables_nor_scores_nor_notebooks():
    assert imported_by("import vf.foley.render") == {"torch", "diffusers", "transformers", "scipy"}
