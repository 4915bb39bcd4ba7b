"""The processes that a launcher started together: which one this is, what it computes on, how they wait for each other.

A process that was started by itself is a group of one. Nothing of accelerate is made for it, as `notebook_launcher`
refuses a notebook in which an `Accelerator` was made before.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
from accelerate import PartialState
from accelerate.utils import broadcast, parse_flag_from_env, reduce

SIZES = ("WORLD_SIZE", "PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE")  # where accelerate looks as well
BF16 = ("avx512_bf16", "amx_bf16", "bf16")  # instructions of x86 processors, and of ARM's
UNUSED = {  # what accelerate's configuration may ask for, by the variable in which its launcher passes it on
    "ACCELERATE_USE_FSDP": "FSDP",
    "ACCELERATE_USE_DEEPSPEED": "DeepSpeed",
    "ACCELERATE_USE_MEGATRON_LM": "Megatron-LM",
    "ACCELERATE_USE_PARALLELISM_CONFIG": "a parallelism config",
    "ACCELERATE_DYNAMO_BACKEND": "torch.compile",
}


def check_precision(precision: str) -> None:
    """Raises ValueError where accelerate's configuration asks for another precision than a training's own."""
    # `accelerate launch` writes the first, `notebook_launcher` the second
    for variable in ("ACCELERATE_MIXED_PRECISION", "MIXED_PRECISION"):
        asked = os.environ.get(variable, "no").lower()
        if asked not in ("no", precision):
            raise ValueError(
                f"accelerate's configuration asks for mixed precision {asked!r}; wanted {precision!r}, this training's "
                "in params.yaml: launch with `--mixed_precision no`, and change `precision` there"
            )


def _check():
    """Raises ValueError where accelerate's configuration asks for what no training here does."""
    for variable, name in UNUSED.items():
        asked = os.environ.get(variable, "no").lower()
        if asked not in ("no", "false", "0"):
            raise ValueError(
                f"accelerate's configuration asks for {name} ({variable}={asked}); wanted a whole, plain network in "
                "each process: set `distributed_type: MULTI_GPU` alone, or launch with `accelerate launch --multi_gpu`"
            )


def _state() -> PartialState | None:
    """accelerate's view of the processes, made on the first call; None where this one was started by itself.

    Processes wait up to a day for each other, as one may render or embed a corpus before all of them train on it.
    Raises ValueError for a configuration that no training follows, and RuntimeError where accelerate was used before
    the launch.
    """
    _check()
    sizes = [os.environ.get(name, "1") for name in SIZES]
    if all(size == "1" for size in sizes):
        return None
    # without this, processes that torchrun starts where there is no GPU would each train by itself
    cpu = _no_accelerator()
    state = PartialState(cpu=cpu, timeout=timedelta(days=1))
    if state.num_processes == 1 and sizes[0] != "1":
        raise RuntimeError(
            f"accelerate knows of one process where WORLD_SIZE is {sizes[0]}; wanted all of them: start them by "
            "`accelerate launch`; where a notebook used accelerate itself, restart it"
        )
    return state


def _no_accelerator():
    return parse_flag_from_env("ACCELERATE_USE_CPU") or not torch.accelerator.is_available()


def count() -> int:
    """Processes of the group."""
    state = _state()
    return state.num_processes if state else 1


def index() -> int:
    """Which of them this is, from 0."""
    state = _state()
    return state.process_index if state else 0


def passes() -> int:
    """Passes in which a process computes its share of a batch: accelerate's `gradient_accumulation_steps`."""
    return int(os.environ.get("ACCELERATE_GRADIENT_ACCUMULATION_STEPS", 1))


def device() -> torch.device:
    """Device that networks run on: accelerate's choice, a GPU where there is one."""
    state = _state()
    if state:
        return state.device
    return (None if _no_accelerator() else torch.accelerator.current_accelerator()) or torch.device("cpu")


def multiplies_bf16(device: torch.device) -> bool:
    """Whether a device has instructions for bfloat16.

    A processor without them takes six times as long in bfloat16 as in float32, as torch then convolves in plain loops.
    """
    if device.type != "cpu":
        return True
    able = torch.cpu.get_capabilities()
    return torch.backends.mkldnn.is_available() and any(able.get(key) for key in BF16)


def autocast(precision: str, device: torch.device) -> torch.autocast:
    """Context in which networks compute: "no" in float32, "bf16" in bfloat16 where the device multiplies it."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16" and multiplies_bf16(device))


def is_main() -> bool:
    """Whether this process is the one that writes files: the first under `accelerate launch`, else the only one."""
    return index() == 0


def wait() -> None:
    """Wait until all processes are here. Raises RuntimeError where one of them has ended."""
    state = _state()
    if state:
        with _all_alive():
            state.wait_for_everyone()


@contextmanager
def main_first() -> Iterator[None]:
    """Let the first process do something before the others do it. Raises RuntimeError where one of them has ended."""
    if not is_main():
        wait()
    yield
    if is_main():
        wait()


def leave_to_main() -> None:
    """End all processes but the first, which goes on alone with what needs one process. Alone, nothing happens."""
    wait()
    if not is_main():
        raise SystemExit(0)


def average(values: torch.Tensor) -> torch.Tensor:
    """Mean of a tensor over all processes. Raises RuntimeError where one of them has ended."""
    if not _state():
        return values
    with _all_alive():
        return reduce(values, "mean")


def of_main(values: torch.Tensor) -> torch.Tensor:
    """A tensor as the first process has it. Raises RuntimeError where one of them has ended."""
    if not _state():
        return values
    with _all_alive():
        return broadcast(values.clone())


@contextmanager
def _all_alive():
    """Around what all processes do together: says in one line that another has ended, whatever the backend says."""
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        reason = str(error).split("\n")[0]
        raise RuntimeError(
            f"another process of this training has ended ({reason}); its own message says why: start again, and the "
            "training goes on from its last saved state"
        ) from None
