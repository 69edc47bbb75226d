"""A browser for all tests, and the order of test files."""

import collections
import itertools
import os

import pytest

from tests.support.browsing import BROWSER
from tools import results


@pytest.fixture(scope="module")  # its event loop must end before files that start their own
def browser():
    """Start Chromium without a window; it sends no requests of its own."""
    if BROWSER is None and "CI" not in os.environ:
        pytest.skip("needs Chromium")
    if "CI" not in os.environ:
        pytest.importorskip("playwright", reason="needs what `python course.py book` installs")
    from playwright.sync_api import sync_playwright

    quiet = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
    quiet += ["--disable-background-networking", "--disable-component-update"]
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=BROWSER, args=quiet)
        yield running
        running.close()


def seconds_of(file, items):
    """Return an estimate of the seconds that a file's tests take, so that the longest file is not the last to start.

    A slow test takes 20 seconds, or as many as its mark says: ``@pytest.mark.slow(150)``.
    """
    if file.suffix == ".ipynb":
        stored = results.read("times")["notebooks"]
        share = 1 if file.parent.name == "notebooks" else 0.5  # solutions take about half as long as their notebook
        seconds = {name[:2]: row["seconds"] for name, row in stored.items()}
        return share * seconds.get(file.name[:2], 60)
    marks = [item.get_closest_marker("slow") for item in items]
    return sum((mark.args[0] if mark.args else 20) if mark else 0.1 for mark in marks)


def pytest_collection_modifyitems(items):
    """Start with the files that take longest, in the order of their tests."""
    files = {}
    for item in items:
        files.setdefault(item.path, []).append(item)
    order = sorted(files, key=lambda file: -seconds_of(file, files[file]))
    items[:] = [item for file in order for item in files[file]]


def pytest_terminal_summary(terminalreporter, config):
    """End a whole run with the files that take longest: those are worth making faster."""
    if not config.getoption("durations"):
        return
    seconds = collections.Counter()
    for report in itertools.chain.from_iterable(terminalreporter.stats.values()):
        if hasattr(report, "duration"):
            seconds[report.nodeid.split("::")[0]] += report.duration
    terminalreporter.write_sep("=", f"slowest 30 files of {sum(seconds.values()):,.0f} s")
    for file, taken in seconds.most_common(30):
        terminalreporter.write_line(f"{taken:7.1f}s {file}")
