import importlib.util
import json
import sys
from types import SimpleNamespace

import pytest
import torch

from vf.signal import checkpoint, group
from vf.signal.batches import Part
from vf.signal.checkpoint import steps_done
from vf.signal.fit import Training, fit


def problem(seed=0):
    torch.manual_seed(seed)
    model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Dropout(0.2), torch.nn.Linear(8, 1))

    def loss(generator, part):
        x = part.rows(torch.randn(16, 4, generator=generator))
        return (model(x) - x.sum(-1, keepdim=True)).square().mean()

    return model, loss


def by_hand(model, loss, options):
    """The training loop of one process, written out."""
    first, second = options.betas
    optimizer = torch.optim.AdamW(
        model.parameters(), options.lr, (first, second), weight_decay=options.weight_decay, fused=True
    )
    scheduler, losses = torch.optim.lr_scheduler.LambdaLR(optimizer, options.rate), []
    for step in range(options.steps):
        torch.manual_seed(options.seed * 1_000_003 + step)
        value = loss(torch.Generator().manual_seed(options.seed * 1_000_003 + step), Part())
        value.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), options.clip)
        optimizer.step()
        optimizer.zero_grad()
        scheduler.step()
        losses.append(value.item())
    return losses


def training(steps, **options):
    return Training(steps, **{"lr": 1e-2, "schedule": "step", "halve_every": 10, **options})


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def test_one_process_is_the_loop_written_out():
    (model, loss), (plain, its_loss) = problem(), problem()
    plain.train()
    options = training(20, seed=3, betas=(0.5, 0.9), weight_decay=0.3)
    assert fit(model, loss, options) == by_hand(plain, its_loss, options)
    assert torch.equal(weights(model), weights(plain))


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_a_resumed_run_ends_with_the_same_weights(tmp_path, ema):
    model, loss = problem()
    whole = fit(model, loss, training(30, seed=3, ema=ema))
    calls = []

    again, loss = problem()

    def interrupted(generator, part):
        calls.append(1)
        if len(calls) == 18:
            raise KeyboardInterrupt
        return loss(generator, part)

    with pytest.raises(KeyboardInterrupt):
        fit(again, interrupted, training(30, seed=3, ema=ema, checkpoint=tmp_path, every=5))
    resumed, loss = problem(seed=99)
    history = fit(resumed, loss, training(30, seed=3, ema=ema, checkpoint=tmp_path, every=5))
    assert history == whole
    assert torch.equal(weights(resumed), weights(model))


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_a_run_of_several_calls_ends_as_one_call_does(tmp_path, ema):
    model, loss = problem()
    whole = fit(model, loss, training(30, seed=3, ema=ema))
    for until in (7, 7, 20, None):
        again, loss = problem(seed=0 if until == 7 else 99)  # later calls take their weights from the folder
        history = fit(again, loss, training(30, seed=3, ema=ema, checkpoint=tmp_path, until=until))
        assert history == whole[: until or 30]
    assert torch.equal(weights(again), weights(model))


def test_the_loss_falls_and_the_seed_decides():
    a, b, c = problem(), problem(), problem()
    first = fit(*a, training(60, halve_every=100))
    assert sum(first[-10:]) < 0.5 * sum(first[:10])
    assert fit(*b, training(60, halve_every=100)) == first
    assert fit(*c, training(60, halve_every=100, seed=1)) != first


@pytest.mark.parametrize("schedule", ["cosine", "hold"])
@pytest.mark.parametrize("steps", [1, 2, 10, 100])
@pytest.mark.parametrize("warmup", [0.0, 0.1])
def test_the_rate_rises_once_and_falls_to_nothing(schedule, steps, warmup):
    options = training(steps, schedule=schedule, warmup=warmup)
    rates = [options.rate(step) for step in range(steps)]
    top = rates.index(max(rates))
    assert max(rates) == 1.0 and rates[:top] == sorted(rates[:top]) and rates[top:] == sorted(rates[top:], reverse=True)
    assert options.rate(steps) < 1e-9 or steps == 1


def test_the_authors_rate_is_halved_in_steps():
    assert [training(30).rate(step) for step in (0, 9, 10, 29)] == [1, 1, 0.5, 0.25]


def test_frozen_parameters_do_not_move():
    model, loss = problem()
    model[0].requires_grad_(False)
    before = model[0].weight.clone()
    fit(model, loss, training(5))
    assert torch.equal(model[0].weight, before)


def test_a_loss_that_is_not_finite_stops_before_it_is_saved(tmp_path):
    model, _ = problem()
    with pytest.raises(RuntimeError, match="step 0"):
        fit(model, lambda *_: torch.tensor(float("nan"), requires_grad=True), training(5, checkpoint=tmp_path))
    assert not list(tmp_path.iterdir())


def test_parts_of_one_process_may_differ_in_precision(monkeypatch):
    monkeypatch.setattr(group, "multiplies_bf16", lambda device: True)
    model, plain = problem()
    seen = []

    def loss(generator, part):
        seen.append(model(torch.zeros(1, 4)).dtype)
        return plain(generator, part)

    for precision in ("no", "bf16", "no"):
        fit(model, loss, training(1, precision=precision))
    assert seen == [torch.float32, torch.bfloat16, torch.float32]
    assert all(p.dtype == torch.float32 for p in model.parameters())
    with pytest.raises(ValueError, match="wanted 'no' or 'bf16'"):
        training(1, precision="fp16")


@pytest.mark.parametrize(
    "instructions, dtype",
    [
        ({"avx2": True, "avx512_f": True}, torch.float32),
        ({"avx512_bf16": True}, torch.bfloat16),
        ({"bf16": True}, torch.bfloat16),
    ],
)
def test_a_processor_that_does_not_multiply_bfloat16_is_not_asked_to(monkeypatch, instructions, dtype):
    """torch would convolve in plain loops there: six times as long as in float32."""
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: instructions)
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
    layer, cpu = torch.nn.Linear(4, 1), torch.device("cpu")
    with group.autocast("bf16", cpu):
        assert layer(torch.zeros(1, 4)).dtype == dtype
    with group.autocast("no", cpu):
        assert layer(torch.zeros(1, 4)).dtype == torch.float32
    assert group.multiplies_bf16(torch.device("cuda")) and group.multiplies_bf16(torch.device("mps"))


@pytest.mark.parametrize(
    "variable, value, message",
    [
        ("ACCELERATE_USE_FSDP", "true", "asks for FSDP"),
        ("ACCELERATE_USE_DEEPSPEED", "true", "asks for DeepSpeed"),
        ("ACCELERATE_DYNAMO_BACKEND", "INDUCTOR", "asks for torch.compile"),
        ("ACCELERATE_MIXED_PRECISION", "fp16", "asks for mixed precision 'fp16'; wanted 'no'"),
        ("ACCELERATE_MIXED_PRECISION", "bf16", "asks for mixed precision 'bf16'; wanted 'no'"),
        ("MIXED_PRECISION", "fp16", "asks for mixed precision 'fp16'; wanted 'no'"),
    ],
)
def test_what_a_launcher_asks_for_and_no_training_does_is_refused(monkeypatch, variable, value, message):
    monkeypatch.setenv(variable, value)
    model, loss = problem()
    with pytest.raises(ValueError, match=message) as error:
        fit(model, loss, training(1))
    assert "\n" not in str(error.value)


def test_a_launcher_that_asks_for_nothing_or_for_the_trainings_own_precision_is_followed(monkeypatch):
    """As `accelerate launch` does by default."""
    for variable in ("ACCELERATE_MIXED_PRECISION", "ACCELERATE_DYNAMO_BACKEND"):
        monkeypatch.setenv(variable, "no")
    model, loss = problem()
    fit(model, loss, training(1))
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "bf16")
    fit(model, loss, training(1, precision="bf16"))


def test_processes_of_which_accelerate_does_not_know_are_refused(monkeypatch):
    """Or each would train by itself."""
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr(group, "PartialState", lambda **_: SimpleNamespace(num_processes=1))
    model, loss = problem()
    with pytest.raises(RuntimeError, match="one process where WORLD_SIZE is 2"):
        fit(model, loss, training(1))


def test_an_unknown_schedule_is_refused():
    with pytest.raises(ValueError, match="wanted one of cosine, step, hold"):
        training(1, schedule="linear")


def test_what_is_not_finite_is_named_and_the_last_good_state_kept(tmp_path):
    model, loss = problem()
    calls = []

    def breaks(generator, part):
        calls.append(1)
        return loss(generator, part) * (float("nan") if len(calls) == 8 else 1)

    with pytest.raises(RuntimeError, match=r"cry: loss is nan at step 7 \(items 4, 5\); .*state.pt is the last good"):
        fit(model, breaks, training(20, checkpoint=tmp_path, every=5), label="cry", items=lambda generator: [4, 5])
    assert steps_done(tmp_path) == 5

    class Steep(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, gradient):
            return gradient / 0

    with pytest.raises(RuntimeError, match="gradient is not finite at step 0; lower"):
        fit(model, lambda generator, part: Steep.apply(loss(generator, part)), training(20, clip=0.0))
    assert torch.isfinite(weights(model)).all()


def wider(folder):
    state = torch.load(folder / "state.pt")
    state["model"]["0.weight"] = torch.zeros(9, 4)
    torch.save(state, folder / "state.pt")


def other_moments(folder):
    state = torch.load(folder / "state.pt")
    state["optimizer"]["state"][1]["exp_avg"] = torch.zeros(3)
    torch.save(state, folder / "state.pt")


def truncated(folder):
    (folder / "state.pt").write_bytes((folder / "state.pt").read_bytes()[:-2000])


def foreign(folder):
    torch.save([1, 2], folder / "state.pt")


@pytest.mark.parametrize("damage", [wider, other_moments, truncated, foreign])
def test_a_damaged_state_is_moved_aside_and_the_training_begins_again(tmp_path, capsys, damage):
    model, loss = problem()
    whole = fit(model, loss, training(12, ema=0.9))
    again, loss = problem()
    fit(again, loss, training(12, ema=0.9, checkpoint=tmp_path, until=7))
    damage(tmp_path)
    again, loss = problem()
    assert fit(again, loss, training(12, ema=0.9, checkpoint=tmp_path)) == whole
    assert torch.equal(weights(again), weights(model))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 and str(tmp_path / "state.pt") in lines[0] and "moved to state.broken" in lines[0]
    assert {p.name for p in tmp_path.iterdir()} == {"state.pt", "state.broken"} and steps_done(tmp_path) == 12


def test_a_finished_training_is_not_trained_again(tmp_path):
    model, loss = problem()
    whole = fit(model, loss, training(6, ema=0.9, checkpoint=tmp_path))
    again, _ = problem(seed=99)
    assert fit(again, lambda *_: pytest.fail("trained"), training(6, ema=0.9, checkpoint=tmp_path)) == whole
    assert torch.equal(weights(again), weights(model))


def installed(monkeypatch, *names):
    """Let packages count as installed that are not."""
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: name if name in names else find(name, *more))


def test_progress_goes_where_the_environment_says(tmp_path, monkeypatch):
    class Live:
        """Stands for dvclive's, which the project does not install: writes each step's metrics to a line."""

        def __init__(self, dir, **options):
            assert options == {"resume": False, "save_dvc_exp": False, "dvcyaml": None, "report": None}
            self.path, self.metrics = tmp_path / "lines", {}
            assert dir == str(tmp_path / "seen" / "two-words")

        def log_metric(self, name, value):
            self.metrics[name] = value

        def next_step(self):
            with self.path.open("a") as file:
                file.write(json.dumps({"step": self.step, **self.metrics}) + "\n")

        def end(self):
            self.path.with_name("ended").touch()

    metric = SimpleNamespace(could_log=lambda value: isinstance(value, float))
    fakes = {"dvclive": SimpleNamespace(Live=Live), "dvclive.plots": SimpleNamespace(Metric=metric)}
    model, loss = problem()
    monkeypatch.setenv("VF_TRACK", f"dvclive:{tmp_path / 'seen'}")
    monkeypatch.setattr("vf.signal.track.importlib.util.find_spec", lambda name: None)
    with pytest.raises(ValueError, match="dvclive', which is not installed; run `pip install dvclive`"):
        fit(model, loss, training(1))
    monkeypatch.undo()
    monkeypatch.setenv("VF_TRACK", f"dvclive:{tmp_path / 'seen'}")
    installed(monkeypatch, "dvclive")
    for name, module in fakes.items():
        monkeypatch.setitem(sys.modules, name, module)
    history = fit(model, loss, training(30), label="two words")
    rows = [json.loads(line) for line in (tmp_path / "lines").read_text().splitlines()]
    assert [row["step"] for row in rows] == [0, 20, 29] and (tmp_path / "ended").exists()
    assert [row["loss"] for row in rows] == [history[0], history[20], history[29]]
    assert [row["learning_rate"] for row in rows] == pytest.approx([1e-2, 0.25e-2, 0.25e-2])
    assert rows[-1]["remaining_seconds"] == 0 and rows[0]["remaining_seconds"] > 0
    assert all(row["samples_per_second"] > 0 for row in rows)
    monkeypatch.setenv("VF_TRACK", "wandb")
    with pytest.raises(ValueError, match="VF_TRACK is 'wandb'; wanted dvclive or tensorboard"):
        fit(model, loss, training(1))


def test_tensorboard_is_one_key_away(tmp_path, monkeypatch):
    """By accelerate's own tracker, to a writer that stands for TensorBoard's, which the project does not install."""
    written = []

    class Writer:
        def __init__(self, folder):
            assert folder == str(tmp_path / "net")

        def add_scalar(self, name, value, global_step):
            written.append((global_step, name, value))

        def flush(self):
            written.append("flushed")

        def close(self):
            written.append("closed")

    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", SimpleNamespace(SummaryWriter=Writer))
    installed(monkeypatch, "tensorboard")
    monkeypatch.setenv("VF_TRACK", f"tensorboard:{tmp_path}")
    model, loss = problem()
    history = fit(model, loss, training(25), label="net")
    losses = [entry[::2] for entry in written if entry[1] == "loss"]
    assert losses == [(step, history[step]) for step in (0, 20, 24)] and written[-1] == "closed"
    names = {entry[1] for entry in written if isinstance(entry, tuple)}
    assert names == {"loss", "learning_rate", "samples_per_second", "remaining_seconds"}


def test_by_default_nothing_is_tracked(tmp_path, monkeypatch):
    monkeypatch.delenv("VF_TRACK", raising=False)
    monkeypatch.chdir(tmp_path)
    for name in ("TensorBoardTracker", "DVCLiveTracker"):
        monkeypatch.setattr(f"vf.signal.track.{name}", lambda *_, **__: pytest.fail("tracked"))
    model, loss = problem()
    fit(model, loss, training(2))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_gradients_of_a_step_that_was_interrupted_do_not_reach_the_next_call(error):
    (model, loss), (plain, its_loss) = problem(), problem()

    def interrupted(generator, part):
        (1e6 * loss(generator, part)).backward()  # what a cell that is stopped leaves in the weights
        raise error

    with pytest.raises(error):
        fit(model, interrupted, training(5))
    assert fit(model, loss, training(5)) == fit(plain, its_loss, training(5))
    assert torch.equal(weights(model), weights(plain))


def test_rates_of_the_schedules():
    assert training(100, schedule="cosine", warmup=0.0).rate(25) == pytest.approx(0.5 + 0.5 * 0.5**0.5)
    hold = training(100, schedule="hold", warmup=0.1, fall=0.4)
    assert [hold.rate(k) for k in (4, 50, 80)] == pytest.approx([0.5, 1, 0.5])


def test_the_average_of_the_weights_takes_their_place():
    (model, loss), (last, its_loss), seen = problem(), problem(), []
    fit(model, lambda g, p: seen.append(weights(model).clone()) or loss(g, p), training(20, seed=3, ema=0.9))
    last.train()
    by_hand(last, its_loss, training(20, seed=3))
    average = seen[0]
    for step, new in enumerate([*seen[1:], weights(last)], 1):
        decay = min(0.9, 1 - step**-0.75)
        average = decay * average + (1 - decay) * new
    assert torch.allclose(weights(model), average, atol=1e-6)
    assert not torch.allclose(average, weights(last), atol=1e-4)


def test_a_full_disk_is_an_error_that_names_the_state_and_leaves_no_half_of_it(tmp_path, monkeypatch):
    model = torch.nn.Linear(2, 2)
    optimizer = torch.optim.AdamW(model.parameters())
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda _: 1.0)
    saved = checkpoint.State(tmp_path, model, optimizer, schedule, None, [])

    def fails(_, path):
        path.write_bytes(b"half")
        raise RuntimeError("unexpected pos 42496 vs 42388")

    monkeypatch.setattr(checkpoint.torch, "save", fails)
    with pytest.raises(OSError, match=r"No space left on device: '.*state\.pt'"):
        saved.save()
    assert not list(tmp_path.iterdir())
