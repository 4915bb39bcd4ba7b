"""The table of times: its arithmetic, not the machine's speed."""

import subprocess

import pytest
import torch

from vf.report import speed


def test_a_row_has_medians_their_ratio_and_its_spread():
    timing = speed.Timing("work", "limit", ours=(2.0, 4.0, 3.0), reference=(1.0, 2.0, 2.0), goal=1.4)
    row = timing.row()
    assert (row["ours_s"], row["reference_s"], row["ratio"], row["met"]) == (3.0, 2.0, 1.5, False)
    assert row["spread"] == pytest.approx(0.5 / 2.0)
    assert speed.Timing("work", "limit", (1.0,), (1.0,)).row()["met"] is None


def test_works_are_timed_in_turns():
    calls = []
    timing = speed.compare("a", "b", lambda: calls.append("a"), lambda: calls.append("b"), runs=3)
    assert "".join(calls) == "abababab" and len(timing.ours) == len(timing.reference) == 3
    assert list(speed.table([timing])["work"]) == ["a"]


def test_operations_are_counted_and_a_product_has_as_many():
    a = torch.randn(8, 16)
    assert speed.operations(lambda: a @ a.T) == 2 * 8 * 8 * 16
    assert speed.operations(speed.product(4 * 64**3, size=64)) == 4 * 64**3


def test_a_training_step_leaves_gradients_and_weights_as_they_are_at_rate_zero():
    model = torch.nn.Linear(4, 1)
    before = model.weight.detach().clone()
    speed.training_step(model, lambda: model(torch.ones(2, 4)).square().mean())()
    assert model.weight.grad is not None and torch.equal(model.weight, before)


def test_a_program_that_fails_is_not_timed():
    with pytest.raises(subprocess.CalledProcessError):
        speed.python("raise SystemExit(3)")()
