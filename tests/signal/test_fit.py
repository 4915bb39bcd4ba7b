import pytest
import torch

from vf.signal.fit import Training, fit


def problem(seed=0):
    torch.manual_seed(seed)
    model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Dropout(0.2), torch.nn.Linear(8, 1))

    def loss(generator):
        x = torch.randn(16, 4, generator=generator)
        return (model(x) - x.sum(-1, keepdim=True)).square().mean()

    return model, loss


def training(steps, **options):
    return Training(steps, **{"lr": 1e-2, "schedule": "step", "halve_every": 10, **options})


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_a_resumed_run_ends_with_the_same_weights(tmp_path, ema):
    model, loss = problem()
    whole = fit(model, loss, training(30, seed=3, ema=ema))
    calls = []

    again, loss = problem()

    def interrupted(generator):
        calls.append(1)
        if len(calls) == 18:
            raise KeyboardInterrupt
        return loss(generator)

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
        fit(model, lambda g: torch.tensor(float("nan"), requires_grad=True), training(5, checkpoint=tmp_path))
    assert not list(tmp_path.iterdir())


def test_parts_of_one_process_may_differ_in_precision():
    model, plain = problem()
    seen = []

    def loss(generator):
        seen.append(model(torch.zeros(1, 4)).dtype)
        return plain(generator)

    for precision in ("no", "bf16", "no"):
        fit(model, loss, training(1, precision=precision))
    assert seen == [torch.float32, torch.bfloat16, torch.float32]
    assert all(p.dtype == torch.float32 for p in model.parameters())
    with pytest.raises(ValueError, match="wanted 'no' or 'bf16'"):
        training(1, precision="fp16")


def test_an_unknown_schedule_is_refused():
    with pytest.raises(ValueError, match="wanted one of cosine, step, hold"):
        training(1, schedule="linear")
