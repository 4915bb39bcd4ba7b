"""Runs a function in several processes that find each other as under `accelerate launch`, by gloo on the CPU."""

import multiprocessing
import os
import socket

import torch


def launch(function, *args, processes=2, **environment):
    """What function(*args) returns or raises in each process, and their exit codes. environment: further variables."""
    context = multiprocessing.get_context("forkserver")  # forked from a process without threads
    context.set_forkserver_preload(["vf.models.rms2sound"])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    running = []
    for rank in range(processes):
        variables = {"ACCELERATE_USE_CPU": "true", **environment}
        if processes > 1:
            variables |= {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": processes, "LOCAL_WORLD_SIZE": processes}
            variables |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "GLOO_SOCKET_IFNAME": "lo"}
        ours, theirs = context.Pipe()
        process = context.Process(target=_run, args=(theirs, variables, function, args))
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


def losses(function, *args, **keywords):
    """What `function` returns in every process, the same in each."""
    results, codes = launch(function, *args, **keywords)
    assert codes == [0] * len(codes), results
    assert all(result == results[0] for result in results)
    return results[0]


def _received(connection):
    try:
        return connection.recv() if connection.poll(60) else None
    except EOFError:  # it was killed
        return None


def _run(connection, variables, function, args):
    os.environ.update({name: str(value) for name, value in variables.items()})
    torch.set_num_threads(1)
    try:
        connection.send(function(*args))
    except Exception as error:
        connection.send(error)
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
