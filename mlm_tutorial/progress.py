"""How far a long computation is, in one line that is replaced in place and ends as one line."""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import xarray as xr

__all__ = ["ProgressLine", "SamplingProgress", "counting", "show_progress"]

#: Seconds between two states of a line.
INTERVAL = 0.2


def show_progress(progress: bool | None) -> bool:
    """Return whether to show progress: as requested, else only outside tests and builds."""
    return not ("CI" in os.environ or "PYTEST_VERSION" in os.environ) if progress is None else progress


class ProgressLine:
    """A line of text that later texts replace; nothing replaces the last one.

    In a notebook it is one output of the running cell. In a terminal it is a line of the error stream, and where that
    is a file, nothing is written.

    Parameters
    ----------
    shown : bool
        Whether to show anything at all.
    """

    def __init__(self, shown: bool = True):
        self._lock = threading.Lock()  # nutpie reports from a thread of its own
        self._ended = not shown
        self._handle: Any = None
        self._width = 0

    def show(self, text: str) -> None:
        """Replace the text."""
        with self._lock:
            if not self._ended:
                self._write(text)

    def end(self, text: str) -> None:
        """Replace the text for the last time."""
        with self._lock:
            if not self._ended:
                self._ended = True
                self._write(text, "\n")

    def _write(self, text: str, end: str = "") -> None:
        if in_notebook():
            from IPython.display import display

            content = {"text/plain": text}
            if self._handle is None:
                self._handle = display(content, raw=True, display_id=True)
            else:
                self._handle.update(content, raw=True)
        elif sys.stderr is not None and sys.stderr.isatty():
            # Spaces cover the rest of a longer text before.
            sys.stderr.write("\r" + text.ljust(self._width) + end)
            sys.stderr.flush()
            self._width = len(text)


class _Chain(Protocol):
    """What nutpie reports of a chain."""

    finished_draws: int
    total_draws: int
    divergences: int


class SamplingProgress:
    """The progress of one run of nutpie: pass :meth:`report` as its ``progress_callback``.

    Parameters
    ----------
    shown : bool
        Whether to show anything at all.
    chains : int
        Number of chains.
    """

    def __init__(self, shown: bool, chains: int):
        self.line = ProgressLine(shown)
        self._chains = _counted(chains, "chain")
        self._finished = self._total = 0

    def compiling(self) -> None:
        """Say that the model is being compiled."""
        self.line.show("Compiling the model")

    def sampling(self) -> None:
        """Say that sampling begins."""
        self._began = time.perf_counter()
        self.line.show(f"Sampling {self._chains}")

    def report(self, chains: Sequence[_Chain]) -> None:
        """Say how many draws there are, tuning included."""
        self._finished = sum(chain.finished_draws for chain in chains)
        self._total = sum(chain.total_draws for chain in chains)
        divergences = _counted(sum(chain.divergences for chain in chains), "divergence")
        self.line.show(f"Sampling {self._chains}: {self._finished:,} of {self._total:,} draws, {divergences}")

    def end(self, draws: int, statistics: xr.Dataset, compile_seconds: float) -> None:
        """End the line with what came out.

        Parameters
        ----------
        draws : int
            Draws of each chain that were wanted, without tuning.
        statistics : xarray.Dataset
            nutpie's statistics of those that there are.
        compile_seconds : float
            Time that the compilation took, 0 for a compiled model.
        """
        # nutpie returns what there is when it is interrupted, and fills up shorter chains.
        if statistics.sizes["draw"] < draws or not bool((statistics["n_steps"] > 0).all()):
            return self.stop()
        seconds = f"{time.perf_counter() - self._began:.1f} s"
        seconds += f", after {compile_seconds:.1f} s of compiling" if compile_seconds else ""
        divergences = _counted(int(statistics["diverging"].sum()), "divergence")
        self.line.end(f"{self._chains} of {_counted(draws, 'draw')}, {divergences}, in {seconds}")

    def stop(self) -> None:
        """End the line of a run that was interrupted or has failed."""
        self.line.end(f"Stopped after {self._finished:,} of {self._total:,} draws")


@contextmanager
def counting(total: int, doing: str, done: str, shown: bool) -> Iterator[Callable[[int], None]]:
    """Return a context with a line that says how many of a number of things are done.

    Parameters
    ----------
    total : int
        Number of things.
    doing, done : str
        Words for the line: ``"Fitting data sets"``, and in the end ``"data sets fitted"``.
    shown : bool
        Whether to show anything at all.

    Yields
    ------
    function
        Call it with the number of things that are done.
    """
    line, began, last, number = ProgressLine(shown), time.perf_counter(), 0.0, 0

    def count(now: int) -> None:
        nonlocal last, number
        number = now
        if time.perf_counter() - last > INTERVAL:
            last = time.perf_counter()
            line.show(f"{doing}: {number:,} of {total:,}")

    try:
        yield count
    except BaseException:
        line.end(f"Stopped: {number:,} of {total:,} {done}")
        raise
    line.end(f"{total:,} {done} in {time.perf_counter() - began:.1f} s")


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def in_notebook() -> bool:
    """Return whether this is the kernel of a notebook."""
    if "IPython" not in sys.modules:
        return False
    from IPython import get_ipython

    return hasattr(get_ipython(), "kernel")
