import pytest
import torch

from vf.signal.fit import fit, one_cycle


def problem(seed=0):
    torch.manual_seed(seed)
    model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Dropout(0.2), torch.nn.Linear(8, 1))

    def loss(generator):
        x = torch.randn(16, 4, generator=generator)
        return (model(x) - x.sum(-1, keepdim=True)).square().mean()

    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    return model, loss, optimizer, torch.optim.lr_scheduler.StepLR(optimizer, 10, 0.5)


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_a_resumed_run_ends_with_the_same_weights(tmp_path, ema):
    model, loss, optimizer, scheduler = problem()
    whole = fit(model, loss, 30, optimizer, seed=3, scheduler=scheduler, ema=ema)
    calls = []

    again, loss, optimizer, scheduler = problem()

    def interrupted(generator):
        calls.append(1)
        if len(calls) == 18:
            raise KeyboardInterrupt
        return loss(generator)

    with pytest.raises(KeyboardInterrupt):
        fit(again, interrupted, 30, optimizer, seed=3, scheduler=scheduler, ema=ema, checkpoint=tmp_path, every=5)
    resumed, loss, optimizer, scheduler = problem(seed=99)
    history = fit(resumed, loss, 30, optimizer, seed=3, scheduler=scheduler, ema=ema, checkpoint=tmp_path, every=5)
    assert history == whole
    assert torch.equal(weights(resumed), weights(model))


def test_the_loss_falls_and_the_seed_decides():
    a, b, c = problem(), problem(), problem()
    first = fit(*a[:2], 60, a[2], seed=0)
    assert sum(first[-10:]) < 0.5 * sum(first[:10])
    assert fit(*b[:2], 60, b[2], seed=0) == first
    assert fit(*c[:2], 60, c[2], seed=1) != first


@pytest.mark.parametrize("steps", [1, 2, 10, 100])
def test_one_cycle_rises_once_and_falls_to_nothing(steps):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    schedule, rates = one_cycle(optimizer, steps), []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    top = rates.index(max(rates))
    assert max(rates) == 1.0 and rates[:top] == sorted(rates[:top]) and rates[top:] == sorted(rates[top:], reverse=True)
    assert optimizer.param_groups[0]["lr"] < 1e-9 or steps == 1


def test_frozen_parameters_do_not_move():
    model, loss, optimizer, _ = problem()
    model[0].requires_grad_(False)
    before = model[0].weight.clone()
    fit(model, loss, 5, optimizer, seed=0)
    assert torch.equal(model[0].weight, before)


def test_a_loss_that_is_not_finite_stops_before_it_is_saved(tmp_path):
    model, _, optimizer, _ = problem()
    with pytest.raises(RuntimeError, match="step 0"):
        fit(model, lambda g: torch.tensor(float("nan"), requires_grad=True), 5, optimizer, seed=0, checkpoint=tmp_path)
    assert not list(tmp_path.iterdir())


def test_parts_of_one_process_may_differ_in_precision():
    model, plain, optimizer, _ = problem()
    seen = []

    def loss(generator):
        seen.append(model(torch.zeros(1, 4)).dtype)
        return plain(generator)

    for precision in ("no", "bf16", "no"):
        fit(model, loss, 1, optimizer, seed=0, precision=precision)
    assert seen == [torch.float32, torch.bfloat16, torch.float32]
    assert all(p.dtype == torch.float32 for p in model.parameters())
    with pytest.raises(ValueError, match="wanted 'no' or 'bf16'"):
        fit(model, loss, 1, optimizer, seed=0, precision="fp16")
