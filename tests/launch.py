"""Runs functions in several processes that find each other as under `accelerate launch`, by gloo on the CPU."""

import multiprocessing
import os
import socket

import torch


def launch(functions, processes=2):
    """What the functions return or raise, one after the other, in each process; and the processes' exit codes.

    functions: {name: function without arguments}. A process that ends early has returned None.
    """
    context = multiprocessing.get_context("forkserver")  # forked from a process without threads
    context.set_forkserver_preload(["vf.models.rms2sound"])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    running = []
    for rank in range(processes):
        variables = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": processes, "LOCAL_WORLD_SIZE": processes}
        variables |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "GLOO_SOCKET_IFNAME": "lo"}
        if torch.accelerator.is_available():
            variables["ACCELERATE_USE_CPU"] = "true"
        ours, theirs = context.Pipe()
        process = context.Process(target=_run, args=(theirs, variables, functions))
        process.start()
        theirs.close()
        running.append((process, ours))
    results = [_received(connection) for _, connection in running]
    for process, _ in running:
        process.join(20)
        if process.is_alive():
            process.kill()
            process.join()
    return results, [process.exitcode for process, _ in running]


def _received(connection):
    try:
        return connection.recv() if connection.poll(300) else None
    except EOFError:  # it has ended
        return None


def _run(connection, variables, functions):
    os.environ.update({name: str(value) for name, value in variables.items()})
    torch.set_num_threads(1)
    results = {}
    for name, function in functions.items():
        try:
            results[name] = function()
        except Exception as error:
            results[name] = error
    connection.send(results)
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
