"""Fit random structures, and report for each whether it can be trusted: ``python -m tools.stress.structures``.

Layers, contributors, rows, frequencies and scales are random. Each structure either passes the convergence check or is
reported with a reason, and the reason is checked by independent code. Results are written after
each structure, so a run that was stopped continues. Each structure is compiled: 200 take an hour or more.
"""

import argparse
import collections
import json
import math
import multiprocessing
import re
import sys
import time
import warnings
from pathlib import Path

import arviz as az
import numpy as np
import pandas as pd

import mlm_tutorial as mlm
from mlm_tutorial.atomic import write_atomically
from mlm_tutorial.libraries import package_digest
from mlm_tutorial.names import OWN
from tools import machine, project, results
from tools.lock import exit_with, only_writer

OUTPUT = results.path_of("structures")
TABLES = project.RESULTS / "tables"
LIMITS = {"layers": (1, 5), "contributors": (2, 20), "rows": (10, 100_000), "scale": (1e-6, 1e6)}
INTERVAL = 0.9
# Options of a run: whether contributors are pooled, and target acceptance rates to try beside the default.
ASKED = {"pooled": True, "targets": []}
OUTCOMES = {
    "converged": "passed the convergence check",
    "not converged": "refused by the convergence check",
    "refused": "refused before sampling",
    "out of time": "stopped after the time limit",
    "failed": "failed in another way",
}
# The form of a message of the convergence check.
THRESHOLD = re.compile(
    r"(R-hat|bulk ESS|tail ESS) should be .*?, but (\d+) of (\d+) parameters miss it: \S+ (nan|[-+.\de]*\d)"
)
DIVERGENCES = re.compile(r"(\d+) divergent transitions")


def draw_structure(seed, number):
    """Return a random truth, a table simulated from it, and a description of them."""
    rng = np.random.default_rng([seed, number])

    def log_uniform(low, high):
        return float(np.exp(rng.uniform(math.log(low), math.log(high))))

    sizes = rng.integers(*LIMITS["contributors"], endpoint=True, size=rng.integers(*LIMITS["layers"], endpoint=True))
    rows, scale = round(log_uniform(*LIMITS["rows"])), log_uniform(*LIMITS["scale"])
    # Components differ from one another, too: by up to a factor of ten either way.
    parts = [scale * log_uniform(0.1, 10) for _ in range(1 + len(sizes))]
    truth = mlm.LayeredSum.from_coefficients(
        [
            {k: (rng.normal(0, part), part * np.exp(rng.normal(0, 0.5))) for k in range(m)}
            for m, part in zip([1, *sizes], parts, strict=True)
        ]
    )
    even = bool(rng.random() < 0.5)
    names = [layer.name for layer in truth.layers]
    weights = {} if even else {name: rng.dirichlet(np.ones(m)) for name, m in zip(names, sizes, strict=True)}
    frame = truth.simulate(rows, rng, weights)
    row = {"number": number, "contributors": sizes.tolist(), "rows": rows, "scale": scale, "even": even}
    return truth, frame, names, row


def fit_structure(seed, number, asked=ASKED, sender=None):
    """Fit one structure; return, or send, the result."""
    truth, frame, names, row = draw_structure(seed, number)
    started = time.monotonic()
    try:
        row |= _fit(truth, frame, names, number, asked)
    except Exception as error:  # any failure belongs in the report
        row |= {"outcome": "failed", "reason": f"{type(error).__name__}: {error}"[:500], "true": False}
    row["seconds"] = round(time.monotonic() - started, 1)
    if sender:
        sender.send(row)
    return row


def _fit(truth, frame, names, number, asked):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", mlm.UnidentifiedWarning)
        try:
            cells = mlm.cell_statistics(frame, layers=names)
            model = mlm.cell_model(cells, mlm.Priors.from_cells(cells, pooled=asked["pooled"]))
        except ValueError as error:
            return {"outcome": "refused", "reason": str(error), "true": refusal_is_true(str(error), frame, names)}
    compiled = mlm.compile_model(model)
    idata = mlm.sample(compiled, seed=number, progress=False)
    row = {"cells": len(cells), "warned": any(issubclass(x.category, mlm.UnidentifiedWarning) for x in caught)}
    row |= {"compile": round(compiled.compile_seconds, 2)} | _judged(idata)
    for target in asked["targets"]:
        other = mlm.sample(compiled, seed=number, progress=False, target_accept=target)
        row[f"at {target:g}"] = _judged(other)
    row["true"] = verdict_is_true(row["outcome"] == "converged", idata) and reason_is_true(row.get("reason", ""), idata)
    if all(len(cells.labels[layer.name]) == len(layer) for layer in truth.layers):  # else means are about others
        # Without standard deviations: the prior decides how they are shared, and these truths are not drawn from it.
        recovery = mlm.recovery(idata, truth, ci_prob=INTERVAL).filter(like="mu_", axis="index")
        row |= {"means": len(recovery), "means_covered": int(recovery["covered"].sum())}
    return row


def _judged(idata):
    """Return the seconds and gradients of sampling, and the outcome of the convergence check."""
    row = {"sampling": round(idata.attrs["sampling_seconds"], 2), "gradients": int(idata.attrs["gradients"])}
    try:
        return row | {"outcome": "converged"} | {k: float(v) for k, v in mlm.check_convergence(idata).items()}
    except mlm.ConvergenceError as error:
        return row | {"outcome": "not converged", "reason": str(error)}


def refusal_is_true(reason, frame, names):
    """Return whether the data have the defect for which they were refused."""
    lonely = [name for name in names if len(set(frame[name])) == 1]
    return any(reason.startswith(f"layer {name!r} has a single contributor") for name in lonely)


def readers_variables(idata):
    """Return the posterior's variables that a reader asks about, without those that are the package's own."""
    posterior = idata["posterior"].to_dataset()
    return posterior[[name for name in posterior if not name.startswith(OWN)]]


def verdict_is_true(converged, idata):
    """Return whether ArviZ, asked for each statistic alone, comes to the same verdict at the same thresholds."""
    posterior = readers_variables(idata)
    quantiles = {"method": "tail", "prob": (0.05, 0.95)}
    rhat, bulk, tail = az.rhat(posterior), az.ess(posterior, method="bulk"), az.ess(posterior, **quantiles)
    good = all(bool((rhat[x] <= 1.01).all() and (bulk[x] >= 400).all() and (tail[x] >= 400).all()) for x in posterior)
    return bool(converged == (good and not int(idata["sample_stats"]["diverging"].sum())))


def reason_is_true(reason, idata):
    """Return whether a reason is complete: counts of parameters that miss a threshold, worst values, divergences."""
    posterior = readers_variables(idata)
    statistics = {
        "R-hat": (az.rhat(posterior), lambda x: x <= 1.01, np.max),
        "bulk ESS": (az.ess(posterior, method="bulk"), lambda x: x >= 400, np.min),
        "tail ESS": (az.ess(posterior, method="tail", prob=(0.05, 0.95)), lambda x: x >= 400, np.min),
    }
    found = []
    for title, (values, passes, worst) in statistics.items():
        values = np.concatenate([values[name].values.ravel() for name in values])
        missed = int((~passes(values)).sum())
        found += [(title, str(missed), str(len(values)), f"{worst(values):.4g}")] if missed else []
    divergences = int(idata["sample_stats"]["diverging"].sum())
    return (THRESHOLD.findall(reason), DIVERGENCES.findall(reason)) == (found, [str(divergences)] * (divergences > 0))


def fit_apart(seed, number, seconds, asked=ASKED):
    """Fit one structure in a process of its own, with a limit of `seconds`."""
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=fit_structure, args=(seed, number, asked, sender))
    process.start()
    sender.close()
    started = time.monotonic()
    row = draw_structure(seed, number)[-1]
    try:
        if receiver.poll(seconds):
            return receiver.recv()
        row |= {"outcome": "out of time", "reason": f"not done after {seconds} s", "true": True}
    except EOFError:
        process.join(10)
        row |= {"outcome": "failed", "reason": f"its process ended with code {process.exitcode}", "true": False}
    finally:
        process.kill()
        process.join()
    return row | {"seconds": round(time.monotonic() - started, 1)}


def read_results(path, seed, asked=ASKED):
    """Return the rows of an earlier run with the same seed, code and options."""
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    same = (stored["seed"], stored["code"], stored.get("asked")) == (seed, package_digest(), asked)
    return stored["structures"] if same else []


def write_results(path, rows, seed, asked=ASKED):
    """Write all rows so far, with a summary."""
    rows = sorted(rows, key=lambda row: row["number"])
    counts = collections.Counter(row["outcome"] for row in rows)
    content = {
        "date": machine.today(),
        "machine": machine.record(),
        "seed": seed,
        "asked": asked,
        "code": package_digest(),
        "limits": LIMITS,
        "counts": dict(counts),
        "reasons_not_true": [row["number"] for row in rows if not row["true"]],
        "structures": rows,
    }
    lines = ",\n".join("  " + json.dumps(row) for row in rows)
    head = json.dumps({**content, "structures": []}, indent=1).removesuffix("[]\n}")
    write_atomically(path, f"{head}[\n{lines}\n ]\n}}\n".encode())
    return content


def kind_of(row):
    """Return the kind of reason with which a structure was reported, in words."""
    if row["outcome"] != "not converged":
        return re.sub(r" '.*?'", "", row["reason"].split(",")[0])
    kinds = [title for title, *_ in THRESHOLD.findall(row["reason"])]
    return ", ".join(kinds + ["divergent transitions"] * len(DIVERGENCES.findall(row["reason"])))


def table(content):
    """Return tables in Markdown: outcomes, and kinds of reasons; then results on the means and of the checks."""
    rows = pd.DataFrame(content["structures"])
    limits = ", ".join(f"{low:,g} to {high:,g} {name}" for name, (low, high) in content["limits"].items())
    lines = [f"Limits: {limits}."]
    lines[0] += f" Priors are {'pooled' if content['asked']['pooled'] else 'not pooled'}."
    lines += ["", "| Structures | | seconds each, median and longest |", "|---:|---|---|"]
    for outcome, words in OUTCOMES.items():
        part = rows[rows["outcome"] == outcome]
        if len(part):
            lines.append(f"| {len(part)} | {words} | {part['seconds'].median():.1f}, {part['seconds'].max():.1f} |")
    reported = [row for row in content["structures"] if row["outcome"] != "converged"]
    lines += ["", "| Structures | what is wrong with them |", "|---:|---|"]
    lines += [f"| {n} | {kind} |" for kind, n in collections.Counter(map(kind_of, reported)).most_common()]
    single = sum(DIVERGENCES.findall(row["reason"]) == ["1"] for row in reported if not THRESHOLD.search(row["reason"]))
    lines += ["", f"Of those with divergent transitions alone, {single} have a single one."]
    if content["asked"]["targets"]:
        lines += ["", *targets_table(content["structures"], content["asked"]["targets"])]
    untrue = content["reasons_not_true"]
    if "means" in rows:
        share = rows["means_covered"].sum() / rows["means"].sum()
        words = f"true means, {100 * share:.0f} % lie in their {100 * INTERVAL:.0f} % interval."
        lines += ["", f"Of {rows['means'].sum():.0f} {words}"]
    lines += ["", f"Of {len(rows)} verdicts, {len(untrue)} did not hold when checked by other means."]
    return "\n".join(lines) + "\n"


def targets_table(rows, targets):
    """Return lines of a table: refused fits, and gradients, of the default target acceptance rate and of others."""
    sampled = [row for row in rows if "gradients" in row]
    cells = {"the default": sampled} | {f"{target:g}": [row[f"at {target:g}"] for row in sampled] for target in targets}
    lines = ["| Target acceptance rate | refused by the convergence check | gradients, relative to the default |"]
    lines += ["|---|---:|---:|"]
    for name, fits in cells.items():
        refused = sum(fit["outcome"] != "converged" for fit in fits)
        ratio = sum(fit["gradients"] for fit in fits) / sum(fit["gradients"] for fit in sampled)
        lines.append(f"| {name} | {refused} of {len(fits)} | {ratio:.2f} |")
    return lines


def main(arguments=None):
    """Fit structures that were not fitted yet; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=200, help="structures (200)")
    parser.add_argument("--seed", type=int, default=1, help="seed of all structures (1)")
    parser.add_argument("--seconds", type=int, default=600, help="time that one structure may take (600)")
    parser.add_argument("--minutes", type=float, default=math.inf, help="start no structure after so many minutes")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="results (results/structures.json)")
    parser.add_argument("--no-pooling", action="store_true", help="priors whose scales are fixed, not learned")
    parser.add_argument(
        "--targets", type=float, nargs="*", default=[], help="target acceptance rates to try beside the default"
    )
    options = parser.parse_args(arguments)
    with only_writer(options.output, "fitting structures"):
        return fit_structures(options)


def fit_structures(options):
    """Fit one structure after the other, and store each; return 0 if every verdict is true."""
    started = time.monotonic()
    asked = {"pooled": not options.no_pooling, "targets": options.targets}
    rows = read_results(options.output, options.seed, asked)
    done = {row["number"] for row in rows}
    for number in range(options.n):
        if number in done or time.monotonic() - started > 60 * options.minutes:
            continue
        row = fit_apart(options.seed, number, options.seconds, asked)
        rows.append(row)
        content = write_results(options.output, rows, options.seed, asked)
        size = f"{row['contributors']} contributors, {row['rows']:,} rows, scale {row['scale']:.1e}"
        print(f"[{len(rows)}/{options.n}] {number}: {size}: {row['outcome']}, {row['seconds']} s", flush=True)
        if row["outcome"] != "converged" or not row["true"]:
            print(f"    {row.get('reason', '')}; true: {row['true']}", flush=True)
    content = write_results(options.output, rows, options.seed, asked)
    if options.output.parent == OUTPUT.parent:
        write_atomically(TABLES / f"{options.output.stem}.md", table(content).encode("utf-8"))
    print(table(content))
    return int(bool(content["reasons_not_true"]))


if __name__ == "__main__":
    exit_with(main)
