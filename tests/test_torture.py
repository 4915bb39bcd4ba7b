"""A sample of tests/torture.py, whose whole takes hours."""

import csv
import subprocess
import sys
from collections import Counter

import torture
from project import ROOT


def run(table, *words):
    command = [sys.executable, str(ROOT / "tests/torture.py"), "--table", str(table), *words]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT)


def test_what_is_killed_ends_with_the_same_bytes_and_a_row_is_not_run_again(tmp_path):
    path = tmp_path / "torture.csv"
    done = run(path, "--kills", "4", "--kinds", "--jobs", "training", "film", "corpus", "table")
    assert done.returncode == 0, done.stdout + done.stderr
    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert len(rows) == 16 and {row["outcome"] for row in rows} <= {"right", "recovered"}
    assert [row["kind"] for row in rows].count("full disk") == 4
    with path.open("w", newline="") as file:
        table = csv.DictWriter(file, rows[0], lineterminator="\n")
        table.writeheader()
        table.writerows(row | {"message": "kept"} for row in rows)
        file.write("kill,half a ro")
    done = run(path, "--kills", "1", "--kinds", "--jobs", "training", "film", "corpus", "table")
    assert done.returncode == 0 and "16 cases" in done.stdout and "half a ro" not in path.read_text()
    assert [row["message"] for row in csv.DictReader(path.read_text().splitlines())] == ["kept"] * 16


def test_there_are_cases_of_every_kind():
    found = Counter(case.kind for case in torture.CASES)
    assert set(found) == {"times", "halves", "saving", "params", "weights", "sessions", "archives", "answers", "fuzz"}
    assert sum(found.values()) > 500 and min(found.values()) > 20


def test_bad_files_are_read_rightly_or_named(tmp_path):
    done = run(tmp_path / "torture.csv", "--kills", "0", "--kinds", "archives")
    assert done.returncode == 0 and " 0 " not in done.stdout, done.stdout + done.stderr
    assert "clear error" in done.stdout
