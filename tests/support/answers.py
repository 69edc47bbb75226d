"""Functions for workers in the tests of benchmarks; a module of its own, because each worker imports it."""

import os
import time

from tools.benchmarks.workers import peak_memory


def sleepy():
    """Return a function that sleeps, fails, or reports its process."""

    def answer(nap=0.0, fail=False):
        time.sleep(nap)
        if fail:
            raise ValueError("on purpose")
        return {"pid": os.getpid(), "variable": os.environ.get("BENCHMARK_TEST")}

    return answer


def hungry(n_bytes):
    """Return a function that holds memory for a moment."""

    def answer():
        before = peak_memory()
        block = b"1" * n_bytes
        del block
        return {"grown": peak_memory() - before, "before": before}

    return answer
