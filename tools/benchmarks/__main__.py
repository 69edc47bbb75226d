"""Run the measurements: ``python -m tools.benchmarks [SUBSET ...]``."""

import argparse
import signal
import sys
import time
from pathlib import Path

from tools.benchmarks import report, store
from tools.benchmarks.workers import OutOfTimeError
from tools.lock import exit_with, only_writer

SUBSETS = tuple(report.BENCHMARKS)


def main(arguments=None) -> None:
    """Measure the subsets named, or all if none is named; store results and figures."""
    parser = argparse.ArgumentParser(prog="course.py bench", description=__doc__.split(":")[0] + ".")
    parser.add_argument("subsets", nargs="*", metavar="SUBSET", help=f"any of {', '.join(SUBSETS)}; all by default")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to check that everything works")
    parser.add_argument("--repeats", type=int, help="repeats, by default 3 or 5; some subsets always run once")
    parser.add_argument("--output", type=Path, default=store.RESULTS, help="the file of results")
    options = parser.parse_args(arguments)
    unknown = set(options.subsets) - set(SUBSETS)
    if unknown:
        parser.error(f"unknown subset {', '.join(sorted(unknown))}; there are {', '.join(SUBSETS)}")
    with only_writer(options.output, "measuring"):
        measure_subsets(options)


def measure_subsets(options) -> None:
    """Measure one subset after the other, and store each."""
    for subset in [name for name in SUBSETS if name in options.subsets or not options.subsets]:
        print(f"{subset}:", flush=True)
        start = time.monotonic()
        measure = report.BENCHMARKS[subset].run
        settings = {"quick": options.quick}
        chosen = {} if options.repeats is None else {"repeats": options.repeats}
        try:
            rows = measure(quick=options.quick, report=lambda text: print("  " + text, flush=True), **chosen)
        except OutOfTimeError as error:  # nothing is stored, and the other subsets go on
            print(f"  {error}: is the machine busy?", flush=True)
            continue
        store.save(subset, rows, time.monotonic() - start, settings, options.output)
        content = store.load(options.output)[subset]
        for sentence in report.claims(subset, content):
            print(sentence, flush=True)
        if report.has_figure(subset) and options.output == store.RESULTS:
            report.draw(subset, content)


if __name__ == "__main__":
    # End as after Ctrl-C, so that the measuring processes end as well.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        exit_with(main)
    except KeyboardInterrupt:
        print("\nStopped; subsets that were complete are stored.", file=sys.stderr)
        sys.exit(130)
