"""A batch that several processes, or several passes of one process, compute as if it were not divided.

A loss draws the whole batch from its generator, which is the same in every process and pass, and computes on the rows
of its part. Noise, times, crops and dropout therefore belong to a step and a sample, however the batch is divided.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm

from vf.signal import group


@dataclass(frozen=True)
class Part:
    """One of `count` equal parts of a batch, the `index`-th; by default the whole batch."""

    index: int = 0
    count: int = 1

    def rows(self, whole: Any) -> Any:
        """This part of a list, array or tensor that has a row for each sample of the whole batch."""
        size = len(whole) // self.count
        return whole[self.index * size : (self.index + 1) * size]

    def whole(self, rows: int) -> int:
        """Rows of the whole batch, where each part has `rows`."""
        return rows * self.count


def parts(batch: int, passes: int, label: str = "training") -> list[Part]:
    """The parts of a batch that this process computes, one pass after the other.

    Raises ValueError where the batch cannot be divided equally.
    """
    count = group.count() * passes
    if batch % count:
        raise ValueError(
            f"{label}: a batch of {batch} for {group.count()} processes of {passes} passes; "
            f"wanted a multiple of {count}: change the batch, the processes or the passes"
        )
    return [Part(group.index() * passes + i, count) for i in range(passes)]


def average_gradients(parameters: Iterable[torch.Tensor], loss: torch.Tensor) -> torch.Tensor:
    """Replace the gradients by their mean over all processes, and return the mean of the loss: one exchange for all."""
    if group.count() == 1:
        return loss
    gradients = [p.grad for p in parameters if p.grad is not None]
    mean = group.average(torch.cat([loss.detach().reshape(1), *(g.flatten() for g in gradients)]))
    for gradient, values in zip(gradients, mean[1:].split([g.numel() for g in gradients])):
        gradient.copy_(values.view_as(gradient))
    return mean[0]


def share_weights(model: nn.Module) -> None:
    """Give every process the weights and buffers of the first."""
    if group.count() > 1:
        for tensor in model.state_dict().values():
            tensor.copy_(group.of_main(tensor))


@contextmanager
def undivided(model: nn.Module, part: Part) -> Iterator[None]:
    """Let dropout and batch norm of a model compute on a part of a batch what they compute on the whole.

    Dropout draws its mask for the whole batch. Batch norm takes its statistics over all processes; it cannot take them
    over several passes.
    """
    changed = []
    if part.count > 1:
        for module in model.modules():
            if isinstance(module, nn.Dropout) and module.p:
                module.forward = partial(_dropout, module, part)  # type: ignore[method-assign]
            elif isinstance(module, _BatchNorm) and group.count() > 1:
                module.forward = partial(_batch_norm, module)  # type: ignore[method-assign]
            else:
                continue
            changed.append(module)
    try:
        yield
    finally:
        for module in changed:
            del module.forward


def _dropout(module, part, x):
    if not module.training:
        return x
    return x * part.rows(F.dropout(x.new_ones(part.whole(len(x)), *x.shape[1:]), module.p))


def _batch_norm(module, x):
    """Of x (b, c, ...), with mean and variance over the parts of all processes."""
    if not module.training:
        return type(module).forward(module, x)
    axes, shape = [0, *range(2, x.ndim)], [1, -1, *[1] * (x.ndim - 2)]
    values = x.float()
    mean = _Average.apply(values.mean(axes))
    values = values - mean.view(shape)
    variance = _Average.apply(values.square().mean(axes))
    with torch.no_grad():
        count = group.count() * x.numel() // x.shape[1]
        module.num_batches_tracked += 1
        module.running_mean.lerp_(mean, module.momentum)
        module.running_var.lerp_(variance * count / (count - 1), module.momentum)
    values = values * (variance + module.eps).rsqrt().view(shape)
    if module.affine:
        values = values * module.weight.view(shape) + module.bias.view(shape)
    return values.to(x.dtype)


class _Average(torch.autograd.Function):
    """`group.average`, through which gradients pass: each process's loss depends on every process's values."""

    @staticmethod
    def forward(ctx, values):
        return group.average(values)

    @staticmethod
    def backward(ctx, gradient):
        return group.average(gradient)
