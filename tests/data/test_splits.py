"""The test split is read by prediction and evaluation alone."""

import json
import re

import pytest
from project import NOTEBOOKS

BEFORE_PREDICTION = [n for n in NOTEBOOKS if n.stem[:2] in ("02", "03", "05", "06")]


@pytest.mark.parametrize("notebook", BEFORE_PREDICTION, ids=lambda n: n.stem)
def test_no_training_notebook_asks_for_it(notebook):
    assert "test" not in re.findall(r"[\"'](train|valid|test)[\"']", notebook.read_text().replace("\\", ""))


def test_video2rms_is_trained_before_it_is_read():
    cells = json.loads(next(n for n in NOTEBOOKS if n.stem[:2] == "04").read_text())["cells"]
    code = ["".join(c["source"]) for c in cells if c["cell_type"] == "code"]
    trained = next(i for i, text in enumerate(code) if "video2rms.train(" in text)
    assert not any('"test"' in text for text in code[: trained + 1]) and any(
        '"test"' in text for text in code[trained + 1 :]
    )
