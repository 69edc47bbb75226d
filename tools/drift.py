"""Run notebooks again, and say which stored outputs changed beyond Monte Carlo error.

The first fresh run has the notebook's own seed. Where its words and numbers are those that are stored, nothing has
changed. Otherwise the notebook runs once more with that seed, which shows what depends on more than the seed, and
several times with other seeds. A stored number that is the same under every seed is exact and must be found again.
Any other is compared with what the seeds give: it has changed when it lies too far outside. One that differs between
two runs with the same seed hangs on the machine, whose speed may be another: it must also be off by a large factor.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from scipy import stats

from tools.lock import exit_with, only_writer

from .outputs import Output, read_outputs
from .storage import RESULTS, circumstances, markdown_table, store

__all__ = ["FALSE_ALARM", "Verdict", "compare", "run_fresh"]

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = ROOT / "notebooks"
#: Chance that a notebook in which nothing has changed is reported all the same, if its numbers are normal.
FALSE_ALARM = 0.01
#: More steps of the last printed digit are not an error of rounding. NumPy and SciPy promise no equal last bits.
ROUNDING_STEPS = 1
#: A number that differs between two runs alike hangs on the machine's speed. Another factor than this is a change.
MACHINE_FACTOR = 3
HEADER = ["notebook", "numbers", "same", "rounding", "within", "changed", "not judged", "runs", "seconds", "date"]
DETAIL = ["notebook", "cell", "where", "stored", "fresh", "other seeds", "verdict"]


@dataclass(frozen=True)
class Verdict:
    """What became of one number, or of one output as a whole.

    Attributes
    ----------
    cell : int
        Position of the cell in the notebook, from 1.
    where : str
        Label of the number.
    stored, fresh : str
        What the notebook holds and what the fresh run with the same seed gave.
    others : str
        Mean and standard deviation over all fresh runs; empty where none were needed.
    status : str
        ``same``, ``rounding``, ``within`` (the spread of the seeds), ``changed``, or why it is not judged: ``seconds``,
        ``versions``, ``dates``, ``irreproducible`` (words differ between two runs alike), ``words vary`` (with seeds).
    distance : float
        Distance to the mean of the fresh runs in standard deviations of a further run; NaN where it has no meaning.
    """

    cell: int
    where: str
    stored: str
    fresh: str
    others: str
    status: str
    distance: float = math.nan


JUDGED = ("same", "rounding", "within", "changed")


def compare(stored: list[Output], fresh: list[Output], again=None, others=()) -> list[Verdict]:
    """Compare stored outputs with those of fresh runs.

    Parameters
    ----------
    stored, fresh : list of Output
        Of the notebook, and of a run with its seed.
    again : list of Output, optional
        Of a second run with its seed.
    others : sequence of list of Output, optional
        Of runs with other seeds. Without them every difference counts as a change.

    Returns
    -------
    list of Verdict
        One for each number, and one for each output whose words changed.
    """
    if shape(stored) != shape(fresh):
        return [_outputs_changed(stored, fresh)]
    others = [run for run in others if shape(run) == shape(fresh)]
    again = again if again is not None and shape(again) == shape(fresh) else None
    level = FALSE_ALARM / max(1, sum(token.value is not None for output in stored for token in output.tokens))
    verdicts = []
    for i, (old, new) in enumerate(zip(stored, fresh, strict=True)):
        if old.kind == "other":
            continue
        repeat, runs = again[i] if again else None, [run[i] for run in others]
        if old.words != new.words:
            verdicts.append(_words_changed(old, new, repeat, runs))
            continue
        # With another seed, a row's name may be another, but it is the same row as long as none is missing.
        alike = [run.numbers for run in runs if len(run.numbers) == len(new.numbers)]
        twins = repeat.numbers if repeat and len(repeat.numbers) == len(new.numbers) else [None] * len(new.numbers)
        for j, (number, fresh_number) in enumerate(zip(old.numbers, new.numbers, strict=True)):
            values = [numbers[j].value for numbers in alike if numbers[j].value is not None]
            verdict = _number(old.cell, number, fresh_number, twins[j], values, level)
            if verdict.status == "changed" and runs and not alike:
                verdict = replace(verdict, status="words vary")
            verdicts.append(verdict)
    return verdicts


def shape(outputs: list[Output]) -> list[tuple]:
    """Return what cells give outputs, and of what kind."""
    return [(output.cell, output.kind) for output in outputs]


def _outputs_changed(stored, fresh):
    """Return a verdict on runs that have different outputs: a new warning, an error, a figure less."""
    old, new = shape(stored), shape(fresh)
    first = next((i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
    texts = [
        f"{kinds[first][1]} in cell {kinds[first][0]}" if first < len(kinds) else "nothing" for kinds in (old, new)
    ]
    cell = min(kinds[first][0] for kinds in (old, new) if first < len(kinds))
    return Verdict(cell, "which outputs there are", *texts, "", "changed")


def _words_changed(old, new, repeat, runs):
    texts = [" ".join(token.text for token in output.tokens) for output in (old, new)]
    place = next((i for i, (a, b) in enumerate(zip(*texts, strict=False)) if a != b), 0)
    shown = [text[max(0, place - 20) : place + 40] for text in texts]
    if repeat and repeat.words != new.words:
        status = "irreproducible"
    elif any(run.words != new.words for run in runs):
        status = "words vary"
    else:
        status = "changed"
    return Verdict(old.cell, "words", *shown, "", status)


def _number(cell, old, new, twin, values, level):
    """Return the verdict on one number."""

    def verdict(status, others="", distance=math.nan):
        return Verdict(cell, old.label, old.text, new.text, others, status, distance)

    if old.unjudged or new.unjudged:
        return verdict(old.unjudged or new.unjudged)
    if old.value == new.value or math.isnan(old.value) and math.isnan(new.value):
        return verdict("same")
    sample = [new.value, *values]
    of_machine = twin is not None and twin.value != new.value
    if of_machine:
        sample.append(twin.value)
    step = max(old.unit, new.unit)
    rounding = abs(old.value - new.value) <= ROUNDING_STEPS * step * (1 + 1e-9) and (step < 1 or "e" in old.text)
    if len(set(sample)) == 1 or len(sample) < 3:
        return verdict("rounding" if rounding else "changed")
    mean, sd, distance = _distance(old.value, sample, step)
    near = 2 * stats.t.sf(distance, len(sample) - 1) >= level
    if of_machine and not near:
        ratio = old.value / mean if mean else math.inf
        near = 1 / MACHINE_FACTOR <= ratio <= MACHINE_FACTOR
    return verdict("within" if near else "changed", f"{mean:.4g} ± {sd:.2g}", distance)


def _distance(value, sample, step):
    """Return mean and standard deviation of a sample, and how far `value` is from being one more draw.

    Numbers of one sign that span more than a factor of 100 (p-values, ratios) are compared by their logarithms.
    """
    everything = [value, *sample]
    logarithms = min(everything) > 0 and max(sample) > 100 * min(sample)
    points, point = ([math.log(x) for x in sample], math.log(value)) if logarithms else (sample, value)
    centre = sum(points) / len(points)
    sd = math.sqrt(sum((x - centre) ** 2 for x in points) / (len(points) - 1))
    rounded = 0.0 if logarithms else step / math.sqrt(12)  # standard deviation of an error of rounding
    spread = math.sqrt(sd**2 + rounded**2) * math.sqrt(1 + 1 / len(points))
    mean = sum(sample) / len(sample)
    return mean, math.sqrt(sum((x - mean) ** 2 for x in sample) / (len(sample) - 1)), abs(point - centre) / spread


def limit(numbers: int, runs: int) -> float:
    """Return how many standard deviations of a further run a number must be off to be reported.

    Parameters
    ----------
    numbers : int
        How many numbers the notebook has.
    runs : int
        How many fresh runs with different seeds there are.
    """
    return float(stats.t.isf(FALSE_ALARM / max(1, numbers) / 2, runs - 1))


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
    RuntimeError
        If a cell fails, with the last lines of what was printed.
    """
    # CI: no progress bars, as in what is stored.
    variables = {**{name: value for name, value in os.environ.items() if name != "MLM_SEED"}, "CI": "true"}
    if seed is not None:
        variables["MLM_SEED"] = str(seed)
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / "fresh.ipynb"
        execute = [sys.executable, "-m", "jupytext", "--to", "ipynb", "--execute", "--run-path", str(source.parent)]
        process = subprocess.run([*execute, "--output", str(draft), str(source)], env=variables, capture_output=True)
        if process.returncode:
            lines = process.stderr.decode(errors="replace").splitlines()[-15:]
            raise RuntimeError("\n".join(lines))
        return read_outputs(json.loads(draft.read_text(encoding="utf-8")))


def examine(source: Path, n_seeds: int, run=run_fresh) -> dict:
    """Run one notebook as often as needed and return what became of its outputs.

    Parameters
    ----------
    source : pathlib.Path
        The .py file; the .ipynb with the stored outputs lies beside it.
    n_seeds : int
        How many other seeds to try where something differs.
    run : callable, optional
        Gives the outputs for a source and a seed.

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
        except RuntimeError as error:
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
    return [name, len(result["verdicts"]), *numbers, named, result["runs"], result["seconds"], circumstances()["date"]]


def details(results: dict) -> list[list]:
    """Return the rows of everything that is neither the same nor a matter of seconds or versions."""
    quiet = ("same", "seconds", "versions", "dates")
    return [
        [name, verdict.cell, verdict.where[-60:], verdict.stored, verdict.fresh, verdict.others, verdict.status]
        for name, result in results.items()
        for verdict in result["verdicts"]
        if verdict.status not in quiet
    ]


def keep_results(rows: list[list], seeds: int, results: Path = RESULTS) -> None:
    """Store rows of the table for the site, and leave those of other notebooks as they are.

    Parameters
    ----------
    rows : list of list
        As :func:`row_of` gives them.
    seeds : int
        How many other seeds were tried where something differed.
    results : pathlib.Path, optional
        Folder of what was measured.
    """
    path = results / "drift.json"
    stored = json.loads(path.read_text(encoding="utf-8"))["notebooks"] if path.exists() else {}
    notebooks = {name: row for name, row in stored.items() if (NOTEBOOKS / f"{name}.py").exists()}
    for name, *values in rows:
        notebooks[name] = {**circumstances(), "seeds": seeds, **dict(zip(HEADER[1:], values, strict=True))}
    notebooks = dict(sorted(notebooks.items()))
    table = [[name, *(row[column] for column in HEADER[1:])] for name, row in notebooks.items()]
    store("drift", {"notebooks": notebooks}, markdown_table(HEADER, table), results)


def main(arguments: list[str] | None = None) -> int:
    """Compare notebooks, print two tables, and return 1 where something changed or failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--store", action="store_true")
    options = parser.parse_args(arguments)
    names = tuple(Path(name).name for name in options.names) or ("",)
    sources = [path for path in sorted(NOTEBOOKS.glob("*.py")) if path.name.startswith(names)]
    if not sources:
        parser.error(f"no notebook's name starts with {' or '.join(names)}")
    with only_writer(RESULTS / "drift.json", "comparing notebooks") if options.store else nullcontext():
        return compare_notebooks(sources, options)


def compare_notebooks(sources: list[Path], options: argparse.Namespace) -> int:
    """Compare notebooks one after another, print what was found, and store it where asked."""
    results = {source.stem: examine(source, options.seeds) for source in sources}
    rows, changes = [row_of(name, result) for name, result in results.items()], details(results)
    print(markdown_table(HEADER, rows) + ("\n" + markdown_table(DETAIL, changes) if changes else ""))
    for name, result in results.items():
        numbers = sum(verdict.status in JUDGED for verdict in result["verdicts"])
        if result["runs"] > 1:
            far = limit(numbers, options.seeds + 1)
            print(f"{name}: a number counts as changed when it is more than {far:.1f} standard deviations off")
        for message in result["failed"]:
            print(f"{name} failed, {message}", file=sys.stderr)
    if options.store:
        keep_results(rows, options.seeds)
    bad = any(result["failed"] or any(v.status == "changed" for v in result["verdicts"]) for result in results.values())
    return int(bad)


if __name__ == "__main__":
    exit_with(main)
