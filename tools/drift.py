"""Run notebooks again, and report which stored outputs changed beyond Monte Carlo error.

The first fresh run has the notebook's own seed and, like the run whose outputs are stored, compiles everything anew.
If its words and numbers equal the stored ones, nothing has changed. Otherwise the notebook runs once more with that
seed, which shows what does not depend on the seed alone, and several times with other seeds.
"""

import argparse
import json
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path

from tools import machine, notebooks, project, results
from tools.comparison import JUDGED, compare, limit
from tools.console import CourseError
from tools.environment import Environment
from tools.lock import exit_with, only_writer
from tools.outputs import Output, read_outputs
from tools.results import markdown_table

__all__ = ["examine", "run_fresh"]

#: With four other seeds a number that varies counts as changed beyond some 20 standard deviations, with two beyond 170.
FEWEST_SEEDS = 4
HEADER = ["notebook", "numbers", "same", "rounding", "within", "changed", "not judged", "runs", "seconds", "date"]
DETAIL = ["notebook", "cell", "where", "stored", "fresh", "other seeds", "verdict"]


def run_fresh(source: Path, seed: int | None) -> list[Output]:
    """Run a notebook's source in a fresh kernel and return its outputs; nothing stored is touched.

    Parameters
    ----------
    source : pathlib.Path
        The .py file of a notebook.
    seed : int or None
        Seed in place of the notebook's own.

    Raises
    ------
    CourseError
        If a cell fails, with the last lines of what was printed.
    """
    with tempfile.TemporaryDirectory() as folder, notebooks.empty_compilation_cache() as variables:
        draft = Path(folder) / "fresh.ipynb"
        variables["MLM_SEED"] = "" if seed is None else str(seed)
        notebooks.execute(source, draft, source.parent, Environment(Path(sys.prefix)), **variables)
        return read_outputs(json.loads(draft.read_text(encoding="utf-8")))


def examine(source: Path, n_seeds: int, run=run_fresh) -> dict:
    """Run one notebook as often as needed and return the verdicts on its outputs.

    Parameters
    ----------
    source : pathlib.Path
        The .py file; the .ipynb with the stored outputs lies beside it.
    n_seeds : int
        Number of other seeds to try where something differs.
    run : callable, optional
        Returns the outputs for a source and a seed.

    Returns
    -------
    dict
        ``verdicts``, ``runs``, ``failed`` (messages of runs that failed), ``seconds``.
    """
    began, runs, failed = time.monotonic(), 0, []

    def attempt(seed):
        nonlocal runs
        runs += 1
        print(f"{source.stem}: run {runs}, " + (f"seed {seed}" if seed is not None else "its own seed"), flush=True)
        try:
            return run(source, seed)
        except CourseError as error:
            failed.append(f"seed {seed if seed is not None else 'of the notebook'}: {error}")
            return None

    stored = read_outputs(json.loads(source.with_suffix(".ipynb").read_text(encoding="utf-8")))
    fresh = attempt(None)
    verdicts = [] if fresh is None else compare(stored, fresh)
    if any(verdict.status in ("changed", "rounding") for verdict in verdicts):
        again = attempt(None)
        others = [outputs for outputs in (attempt(seed) for seed in range(1, n_seeds + 1)) if outputs is not None]
        verdicts = compare(stored, fresh, again, others)
    return {"verdicts": verdicts, "runs": runs, "failed": failed, "seconds": round(time.monotonic() - began)}


def row_of(name: str, result: dict) -> list:
    """Return one notebook's row of the table."""
    count = dict.fromkeys(JUDGED, 0)
    unjudged = {}
    for verdict in result["verdicts"]:
        table = count if verdict.status in count else unjudged
        table[verdict.status] = table.get(verdict.status, 0) + 1
    named = ", ".join(f"{number} {status}" for status, number in sorted(unjudged.items())) or "none"
    numbers = list(count.values())
    numbers[-1] = "failed" if result["failed"] else numbers[-1]
    return [name, len(result["verdicts"]), *numbers, named, result["runs"], result["seconds"], machine.today()]


def details(found: dict) -> list[list]:
    """Return the rows of everything that is neither the same nor a difference in seconds or versions."""
    quiet = ("same", "seconds", "versions", "dates")
    return [
        [name, verdict.cell, verdict.where[-60:], verdict.stored, verdict.fresh, verdict.others, verdict.status]
        for name, result in found.items()
        for verdict in result["verdicts"]
        if verdict.status not in quiet
    ]


def keep_results(rows: list[list], seeds: int) -> None:
    """Store rows of the table for the site, and leave those of other notebooks as they are.

    Parameters
    ----------
    rows : list of list
        As :func:`row_of` gives them.
    seeds : int
        Number of other seeds that were tried where something differed.
    """
    stored = results.read("drift").get("notebooks", {})
    stored = {name: row for name, row in stored.items() if (project.NOTEBOOKS / f"{name}.py").exists()}
    for name, *values in rows:
        stored[name] = {**machine.record(), "seeds": seeds, **dict(zip(HEADER[1:], values, strict=True))}
    stored = dict(sorted(stored.items()))
    table = [[name, *(row[column] for column in HEADER[1:])] for name, row in stored.items()]
    results.store("drift", {"notebooks": stored}, markdown_table(HEADER, table))


def main(arguments: list[str] | None = None) -> int:
    """Compare notebooks, print two tables, and return 1 where something changed or failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--store", action="store_true")
    options = parser.parse_args(arguments)
    if options.seeds < FEWEST_SEEDS:
        parser.error(f"--seeds is at least {FEWEST_SEEDS}: fewer say too little about how far a number varies")
    sources = notebooks.find(options.names)
    with only_writer(results.path_of("drift"), "comparing notebooks") if options.store else nullcontext():
        return compare_notebooks(sources, options)


def compare_notebooks(sources: list[Path], options: argparse.Namespace) -> int:
    """Compare notebooks one after another, print what was found, and store it where asked."""
    found = {source.stem: examine(source, options.seeds) for source in sources}
    rows, changes = [row_of(name, result) for name, result in found.items()], details(found)
    print(markdown_table(HEADER, rows) + ("\n" + markdown_table(DETAIL, changes) if changes else ""))
    for name, result in found.items():
        numbers = sum(verdict.status in JUDGED for verdict in result["verdicts"])
        if result["runs"] > 1:
            far = limit(numbers, options.seeds + 1)
            print(f"{name}: a number counts as changed when it is more than {far:.1f} standard deviations off")
        for message in result["failed"]:
            print(f"{name} failed, {message}", file=sys.stderr)
    if options.store:
        keep_results(rows, options.seeds)
    bad = any(result["failed"] or any(v.status == "changed" for v in result["verdicts"]) for result in found.values())
    return int(bad)


if __name__ == "__main__":
    exit_with(main)
