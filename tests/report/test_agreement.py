import copy
import json

import pytest
import yaml
from project import ROOT

from vf.report import agreement

PUBLISHED = agreement.numbers(ROOT / "results/small/metrics")


def test_every_headline_is_published():
    assert all(at in PUBLISHED for at in agreement.HEADLINES)
    assert ("video2rms_variants/bins_16", "e_l1_all") in PUBLISHED, "files in folders count"


def test_a_run_that_agrees_is_ten_lines_without_a_mark():
    said = agreement.lines(PUBLISHED, PUBLISHED, "mine")
    assert len(said) == 10 and "agrees with results/small in all 7" in said[-1]
    assert not any(line.startswith("!") for line in said) and f"{len(PUBLISHED)} of {len(PUBLISHED)}" in said[-2]


def test_what_differs_is_marked_and_the_furthest_named():
    own = copy.deepcopy(PUBLISHED)
    at = ("foley", "foley_audio", "e_l1")
    own[at] = (0.5, (0.49, 0.51))
    del own["case_studies", agreement.AUDIO, "start_ms"]
    said = agreement.lines(own, PUBLISHED, "mine")
    assert [line[0] for line in said[1:8]].count("!") == 2 and "1 published ones were not measured" in said[-2]
    assert "furthest off: foley/foley_audio/e_l1, 0.5" in said[-2] and said[-1].startswith("2 of 7 headline")


def test_a_number_agrees_where_either_lies_in_the_others_interval():
    assert agreement.agree((1.0, (0.9, 1.1)), (2.0, (0.5, 2.5))) and agreement.agree((1.0, (0, 3)), (2, (1.9, 2.1)))
    assert not agreement.agree((1.0, (0.9, 1.1)), (2.0, (1.9, 2.1)))
    assert agreement.agree((1.0, (2.0, 3.0)), (1.0, (2.0, 3.0))), "as KAD of the truth against itself"


def test_the_command_says_what_is_missing(tmp_path, monkeypatch, capsys):
    values = yaml.safe_load((ROOT / "params.yaml").read_text())
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values | {"run": "mine"}))
    monkeypatch.chdir(tmp_path)
    assert agreement.main() == 1 and "mine/metrics: holds no numbers" in capsys.readouterr().out
    row = {"predicted": {"acc@5": 0.3, "acc@5_interval": [0.2, 0.4]}}
    for run in ("mine", "small"):
        (tmp_path / f"results/{run}/metrics").mkdir(parents=True)
        (tmp_path / f"results/{run}/metrics/video2rms.json").write_text(json.dumps(row))
    assert agreement.main() == 0 and "1 of 1 numbers" in capsys.readouterr().out
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values | {"run": "small"}))
    assert agreement.main() == 1 and "is the published run itself" in capsys.readouterr().out


def test_numbers_that_are_damaged_are_one_line_that_names_the_file(tmp_path):
    (tmp_path / "foley.json").write_text('{"a": 1')
    with pytest.raises(ValueError, match=r"foley\.json: is no JSON .*; wanted the numbers of a run: run its stage"):
        agreement.numbers(tmp_path)
    (tmp_path / "foley.json").write_text('{"a": 1, "a_interval": 3, "b": 2, "b_interval": [1, null], "c": 3}')
    assert agreement.numbers(tmp_path) == {}
