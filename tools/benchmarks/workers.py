"""Measurements in processes of their own, so that time limits hold and a peak of memory has one cause."""

import importlib
import multiprocessing
import os
import sys
import time
import traceback


class OutOfTimeError(Exception):
    """A measurement exceeded its time limit; its process was ended."""


class Worker:
    """A process that prepares something once and then measures it on request.

    Parameters
    ----------
    function : str
        ``module:function`` of this package. It is called in the new process and returns another function, whose
        keyword arguments and result are plain data.
    variables : dict of str to str, optional
        Environment variables of the process.
    **arguments
        Keyword arguments of `function`.
    """

    def __init__(self, function: str, variables: dict[str, str] | None = None, **arguments):
        context = multiprocessing.get_context("spawn")
        self._connection, other = context.Pipe()
        self.process = context.Process(target=_serve, args=(other, function, arguments))
        kept = dict(os.environ)
        os.environ.update(variables or {})
        try:
            self.process.start()
        finally:
            os.environ.clear()
            os.environ.update(kept)
        other.close()

    def ask(self, seconds: float, **arguments):
        """Return the answer of the process; end it and raise OutOfTimeError if that takes longer than `seconds`."""
        try:
            self._connection.send(arguments)
            if not self._connection.poll(seconds):
                self.close()
                raise OutOfTimeError(f"no answer within {seconds:.0f} s")
            failed, answer = self._connection.recv()
        except (EOFError, ConnectionError):
            self.close()
            raise RuntimeError(f"the process ended with exit code {self.process.exitcode}") from None
        if failed:
            raise RuntimeError(answer)
        return answer

    def close(self) -> None:
        """End the process and what it started."""
        for process in [*_descendants(self.process.pid), self.process]:
            process.kill()
        self.process.join()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def measure(function: str, seconds: float, variables: dict[str, str] | None = None, **arguments):
    """Return one answer of a process of its own."""
    with Worker(function, variables, **arguments) as worker:
        return worker.ask(seconds)


def peak_memory() -> int:
    """Return the most memory in bytes that this process and those it started have held so far, added up."""
    return sum(_peak(process.pid) for process in _descendants(os.getpid())) + _peak(os.getpid())


def _peak(pid: int) -> int:
    # Not `ru_maxrss`: a new process inherits that of the one that started it.
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM"))
    except FileNotFoundError:
        if pid != os.getpid():
            return 0
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    except StopIteration:  # a process that has ended holds nothing
        return 0


def _descendants(pid: int) -> list:
    import psutil

    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _serve(connection, function: str, arguments: dict) -> None:
    """Run in the new process: prepare, then answer until the connection closes or something fails."""
    began = time.perf_counter()
    module, name = function.split(":")
    try:
        answer_to = getattr(importlib.import_module(module), name)(**arguments)
        prepared = {"prepare_seconds": time.perf_counter() - began}
        while True:
            question = connection.recv()
            connection.send((False, prepared | answer_to(**question)))
    except EOFError:  # the other side has closed
        return
    except Exception:
        connection.send((True, traceback.format_exc(limit=-3)))
