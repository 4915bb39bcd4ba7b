"""The table of times: its arithmetic, not the machine's speed."""

import inspect
import re
import subprocess

import layouts
import numpy as np
import pytest
import torch
from project import ROOT

from vf.backends.nets import audioldm
from vf.backends.paper import frames as paper_frames
from vf.evaluation import metrics
from vf.models.rms2sound import RMS2Sound
from vf.report import speed
from vf.signal import group


def test_a_row_has_medians_their_ratio_and_its_spread():
    timing = speed.Timing("work", "limit", ours=(2.0, 4.0, 3.0), reference=(1.0, 2.0, 2.0), goal=1.4)
    row = timing.row()
    assert (row["ours_s"], row["reference_s"], row["ratio"], row["met"]) == (3.0, 2.0, 1.5, False)
    assert row["spread"] == pytest.approx(0.5 / 2.0)
    assert (row["runs"], row["reason"]) == (3, "")
    once = speed.Timing("work", "limit", (1.0,), (1.0,), command="call()").row()
    assert (once["met"], once["spread"], once["runs"], once["command"]) == (None, None, 1, "call()")


def test_the_references_compute_what_ours_do():
    rng = np.random.default_rng(0)
    a, b = (rng.normal(size=(400, 6)) @ rng.normal(size=(6, 6)) for _ in range(2))
    moments = a.mean(0), np.cov(a.T), b.mean(0), np.cov(b.T)
    assert speed.frechet_by_sqrtm(*moments) == pytest.approx(metrics.frechet_gaussian(*moments), rel=1e-6)
    batch = np.ones((2, 3, 4, 5)), np.ones((2, 8)), np.ones((2, 16))
    loss = speed.denoising_loss(lambda z, t, timbre, curve: z + 2, torch.zeros(2), batch)
    assert loss.item() == 4


def test_networks_by_chance_have_the_published_sizes():
    published = {name: int(np.prod(shape)) for name, shape in layouts.whole().items() if "control_net" not in name}
    with torch.device("meta"):
        parts = audioldm.untrained()
    assert parts.keys() == {*inspect.signature(RMS2Sound).parameters} - {"controlnet"}
    for part, prefix, but in (
        ("unet", "model.diffusion_model.", "(?!)"),
        ("vae", "first_stage_model.", "vocoder"),
        ("vocoder", "first_stage_model.vocoder.", "(?!)"),
        ("clap", "cond_stage_models.0.model.", "logit_scale|running_|num_batches|relative_position_index|position_ids"),
    ):
        sizes = [size for name, size in published.items() if name.startswith(prefix) and not re.search(but, name)]
        has = [tensor.numel() for name, tensor in parts[part].named_parameters() if not re.search(but, name)]
        assert sum(has) == sum(sizes), part


def test_the_networks_are_called_alone_as_often_as_on_the_way_from_the_film():
    frames = np.random.default_rng(0).integers(256, size=(18, 8, 16, 3), dtype=np.uint8)
    called = []

    class Network(torch.nn.Module):
        def __init__(self, name):
            super().__init__()
            self.name, self.weight = name, torch.nn.Parameter(torch.zeros(1))

        def forward(self, *maps):
            called.append((self.name, *(tuple(x.shape) for x in maps)))
            empty = torch.zeros(len(maps[0]), 1024)
            return [torch.zeros(len(maps[0]), 2, *maps[0].shape[2:])] if self.name == "raft" else empty

    networks = paper_frames.Networks(*map(Network, ("rgb", "flow", "raft")))
    times = np.arange(18) // 2 * 2 / 30  # nine pictures, each shown twice
    speed.network_calls(networks, frames, times)()
    alone, called = sorted(called), called.clear() or called
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paper_frames, "SIZE", (16, 8))
        paper_frames.clip_features(networks, frames, times)
    assert alone == sorted(called) and [name for name, *_ in alone].count("raft") == 2
    speed.by_files(frames)


def test_works_are_timed_in_turns():
    calls = []
    timing = speed.compare("a", "b", lambda: calls.append("a"), lambda: calls.append("b"))
    assert "".join(calls) == "ab" * 6 and len(timing.ours) == len(timing.reference) == speed.RUNS == 5
    assert list(speed.table([timing])["work"]) == ["a"]


def test_a_long_work_is_timed_once_and_a_known_length_never(monkeypatch):
    calls = []
    timing = speed.compare("a", "b", lambda: calls.append("a"), 2.0, warm=False)
    assert len(calls) == 5 and timing.reference == (2.0,) * 5
    monkeypatch.setattr(speed, "LONG", 0.0)
    timing = speed.compare("a", "b", lambda: calls.append("a"), lambda: calls.append("b"), warm=False)
    assert calls[5:] == ["a", "b"] and timing.row()["runs"] == 1


def test_a_gpu_has_finished_before_a_clock_is_read(monkeypatch):
    calls = []
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: True)
    monkeypatch.setattr(torch.accelerator, "synchronize", lambda: calls.append("s"))
    monkeypatch.setattr(speed.time, "perf_counter", lambda: calls.append("t") or 0.0)
    speed._seconds(lambda: calls.append("work"))
    assert calls == ["s", "t", "work", "s", "t"]


def test_only_a_line_that_falls_short_says_on_what_its_time_goes():
    a = torch.randn(256, 256)

    def work():
        return [a @ a for _ in range(20)]

    short, met = (speed.compare("a", "b", work, 1.0, goal) for goal in (0.0, 1e9))
    assert re.search(r"aten::mm \d+%", short.row()["reason"]) and met.row()["reason"] == ""
    told = speed.compare("a", "b", work, 1.0, 0.0, explain=lambda work: {"torch": 0.5, "diffusers": 0.25})
    assert told.reason == "torch 50%, diffusers 25%"


def test_costs_are_shares_of_the_whole_largest_first(monkeypatch):
    a = torch.randn(64, 64)
    found = speed.costs(lambda: torch.relu(a @ a), first=99)
    assert sum(found.values()) == pytest.approx(1) and list(found.values()) == sorted(found.values(), reverse=True)
    assert {"aten::mm", "outside torch"} <= set(found) and len(speed.costs(lambda: a @ a, first=1)) == 1
    packages = speed.imports("import json.decoder", first=99)
    assert "json" in packages and sum(packages.values()) == pytest.approx(1)


def test_a_paired_interval_knows_that_loud_clips_are_loud_in_both():
    errors = np.random.default_rng(0).lognormal(0, 2, 40)
    ratio, (low, high) = speed.paired_ratio(1.02 * errors, errors)
    assert [ratio, low, high] == pytest.approx([1.02] * 3)
    ratio, (low, high) = speed.paired_ratio(errors[::-1], errors, groups=np.arange(40) // 2)
    assert low < ratio < high


def test_operations_are_counted_and_a_product_has_as_many():
    a = torch.randn(8, 16)
    assert speed.operations(lambda: a @ a.T) == 2 * 8 * 8 * 16
    assert speed.operations(speed.product(4 * 64**3, size=64)) == 4 * 64**3


def test_a_product_is_made_where_the_step_is(monkeypatch):
    made = []
    monkeypatch.setattr(speed.torch, "randn", lambda *size, **more: made.append(more["device"]) or torch.ones(size))
    speed.product(1, "cuda:1", size=2)
    assert made == ["cuda:1"] * 2


@pytest.mark.parametrize("able, dtype", [(True, torch.bfloat16), (False, torch.float32)])
def test_a_product_has_the_fastest_format_of_the_machine(able, dtype, monkeypatch):
    made = []
    monkeypatch.setattr(group, "multiplies_bf16", lambda device: able)
    monkeypatch.setattr(speed.torch, "randn", lambda *size, **more: made.append(more["dtype"]) or torch.ones(size))
    speed.product(1, size=2)
    assert made == [dtype] * 2


@pytest.mark.parametrize("precision, dtype", [("no", torch.float32), ("bf16", torch.bfloat16)])
def test_a_training_step_trains_in_the_precision_that_is_asked_for(precision, dtype, monkeypatch):
    monkeypatch.setattr(group, "multiplies_bf16", lambda device: True)
    model, seen = torch.nn.Linear(4, 1).eval(), []

    def loss():
        y = model(torch.ones(2, 4))
        seen.append((model.training, y.dtype))
        return y.square().mean()

    speed.training_step(model, loss, precision)()
    assert seen == [(True, dtype)], "after `fit` the model is in evaluation mode"


def test_a_training_step_leaves_gradients_and_weights_as_they_are_at_rate_zero():
    model = torch.nn.Linear(4, 1)
    before = model.weight.detach().clone()
    speed.training_step(model, lambda: model(torch.ones(2, 4)).square().mean())()
    assert model.weight.grad is not None and torch.equal(model.weight, before)


def test_a_program_that_fails_is_not_timed():
    with pytest.raises(subprocess.CalledProcessError):
        speed.python("raise SystemExit(3)")()


def test_what_bounds_a_work_is_what_takes_longest():
    rates = speed.Rates(frames=30.0, cores=1, described=1.0, memory=0.0, disk=1e9)
    films = speed.plan(rates).set_index("work").loc["films: features"]
    assert films["decoding_hours"] == pytest.approx(2944 * 10 / 3600) and films["bound"] == "decoding"
    net = speed.plan(speed.Rates(controlnet=100.0, disk=1e-3)).set_index("work").loc["RMS-ControlNet"]
    assert net["gpu_hours"] == pytest.approx(2.4e6 / 100 / 3600) and net["bound"] == "disk"
    assert net["disk_hours"] == pytest.approx(2.4e6 * 0.137e-3 / 1e-3 / 3600)
    once, ten = (speed.plan(speed.Rates(memory=0.0), times) for times in (1, 10))
    assert np.allclose(ten.select_dtypes("number"), 10 * once.select_dtypes("number"))


@pytest.mark.parametrize("times, heading", [(1, "### Once"), (10, "### Ten times")])
def test_the_page_shows_the_plan(times, heading):
    """docs/scale.md has each row: hours of the GPU, of decoding and of the disk, GB, and what bounds."""
    section = (ROOT / "docs/scale.md").read_text().split(heading)[1].split("\n#")[0]
    shown = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:1] == "|"]
    rows = []
    for row in speed.plan(speed.Rates(), times).itertuples():
        numbers = (row.gpu_hours, row.decoding_hours, row.disk_hours, row.disk_gb)
        rows.append([row.work, *(f"{x:,.3g}" if x < 100 else f"{x:,.0f}" for x in numbers), row.bound])
    assert shown[2:] == rows
