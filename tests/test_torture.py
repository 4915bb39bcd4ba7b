"""A sample of tests/torture.py, whose whole takes hours."""

import csv
import subprocess
import sys

from project import ROOT


def run(table, *words):
    command = [sys.executable, str(ROOT / "tests/torture.py"), "--table", str(table), *words]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT)


def test_what_is_killed_ends_with_the_same_bytes_and_a_row_is_not_run_again(tmp_path):
    path = tmp_path / "torture.csv"
    done = run(path, "--kills", "4", "--jobs", "training", "film", "corpus", "table")
    assert done.returncode == 0, done.stdout + done.stderr
    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert len(rows) == 16 and {row["outcome"] for row in rows} <= {"right", "recovered"}
    assert [row["kind"] for row in rows].count("full disk") == 4
    path.write_text(path.read_text().replace("SIGKILL 0,recovered,", "SIGKILL 0,right,kept") + "kill,half a ro")
    done = run(path, "--kills", "1", "--jobs", "training", "film", "corpus", "table")
    assert done.returncode == 0 and "16 cases" in done.stdout and "half a ro" not in path.read_text()
