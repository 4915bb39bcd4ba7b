import json

import pytest
from project import ROOT

from vf.evaluation import catalogue

RESULTS = sorted((ROOT / "results").rglob("*.json"))
NO_METRIC = {  # of rows that describe, and of case studies: shapes by name
    "clips", "trained on", "prompt", "paper", "silence e_l1", "films", "remaining", "A", "V", "rising", "falling",
    "late_ms_5%", "late_ms_50%", "late_ms_95%",
}  # fmt: skip


def keys(value):
    """Keys of the innermost mappings of a results file."""
    if isinstance(value, dict):
        for key, item in value.items():
            if isinstance(item, dict):
                yield from keys(item)
            elif not key.endswith("_interval"):
                yield key


def test_no_two_metrics_share_a_key_or_a_label():
    every = (*catalogue.ALL, *catalogue.TOOLS)
    assert len(catalogue.METRICS) == len(every) == len({metric.label for metric in every})


def test_every_metric_has_an_entry_in_the_documentation():
    """Its key in code's letters, in a heading or a table of docs/metrics.md."""
    text = (ROOT / "docs/metrics.md").read_text()
    assert [key for key in catalogue.METRICS if f"`{key}`" not in text] == []


def test_a_metric_is_known_by_its_label_too_and_one_of_another_tool_is_not_lost():
    assert [catalogue.key_of(name) for name in ("PEAVS", "E-L1", "acc@5", "loudness")] == [
        "peavs",
        "e_l1",
        "acc@5",
        "loudness",
    ]
    found = catalogue.find("loudness (LUFS) (judges, 2026-01-31)")
    assert (found.label, found.better, found.definition) == ("loudness (LUFS)", "neither", "judges")
    assert not catalogue.known("loudness (LUFS)")


def test_a_tools_column_is_named_after_its_metric_the_tool_and_the_day():
    assert catalogue.find("FAD-inf clap-2023 (fadtk, 2026-01-31)").key == "FAD-inf"
    assert catalogue.known("KL-PASST-softmax (av-benchmark, 2026-01-31)") and not catalogue.known("system")


@pytest.mark.parametrize("path", RESULTS, ids=lambda p: str(p.relative_to(ROOT / "results")))
def test_every_published_metric_is_in_the_catalogue(path):
    saved = json.loads(path.read_text())
    saved.pop("claims", None)
    # rows that are differences between films or prompts, which their table's caption explains
    saved = {name: row for name, row in saved.items() if not name.startswith(("counterfactual:", "negative prompts"))}
    for key in set(keys(saved)) - NO_METRIC:
        assert catalogue.find(key)


def test_the_truth_is_better_than_silence_in_every_score():
    """Directions against measured numbers: a wrong one would turn verdicts around."""
    for name, truth in (("foley", "ground_truth"), ("video2rms", "discretised_truth")):
        rows = json.loads((ROOT / f"results/small/metrics/{name}.json").read_text())
        for key in (k for k in rows[truth] if not k.endswith("_interval")):
            good, bad = rows[truth][key], rows["silence"][key]
            if catalogue.find(key).better == catalogue.NEITHER or bad is None:
                continue  # it describes, or silence has no lag and no matched event
            assert good < bad if catalogue.lower_is_better(key) else good > bad, key


def test_a_difference_is_named_after_its_metric_and_an_unknown_key_is_refused():
    assert catalogue.label("e_l1 minus default") == "E-L1 minus default"
    with pytest.raises(ValueError, match="'loudness' is no metric; wanted"):
        catalogue.find("loudness")
    with pytest.raises(ValueError, match="is no score"):
        catalogue.lower_is_better("parameters")
