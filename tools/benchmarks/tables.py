"""What the results say, as sentences and tables; the site and the command line show the same."""

from collections.abc import Callable

from tools.benchmarks import ratings, reml
from tools.benchmarks.samplers import FASTEST, LEAST, OF_SLOWEST, SLOWEST, WAY
from tools.benchmarks.words import Table, number, size, spread

STAGES = {
    "import": "importing",
    "cells": "simulating and reducing rows",
    "model": "building the model",
    "compile": "compiling",
    "sample": "sampling",
    "check": "checking convergence",
}


def samplers(content: dict) -> Table:
    """Return the table of ways to sample one posterior, fastest first within each data set."""
    header = (
        "data", "likelihood of", "coordinates", "sampler", "tuning + draws a chain, target", "compiling, s",
        "sampling, s", "bulk ESS a second", "tail ESS a second", "bulk ESS in 1,000 gradients",
        "tail ESS in 1,000 gradients",
    )  # fmt: skip
    rows = []
    for row in sorted(content["rows"], key=lambda row: (row["data"], -_speed(row))):
        about = (_data(row), row["likelihood"], row["coordinates"], row["sampler"])
        about += (f"{row['tune']:,} + {row['draws']:,}, {row['target_accept']:g}",)
        if not row["passed"]:
            kinds = {"no answer": "not finished", "error": "error"}
            reason = next((kinds[sign] for sign in kinds if row["problem"].startswith(sign)), "not converged")
            rows.append((*about, "", reason, "failed", "failed", "failed", "failed"))
            continue
        costs = [spread(row[name]) for name in ("compile_seconds", "sampling_seconds")]
        costs += [spread(row[f"ess_{kind}_per_second"]) for kind in ("bulk", "tail")]
        costs += [number(1_000 * row[f"ess_{kind}_per_gradient"]["median"]) for kind in ("bulk", "tail")]
        rows.append((*about, *costs))
    return header, rows


def _speed(row: dict) -> float:
    return row["ess_bulk_per_second"]["median"] if row["passed"] else 0.0


def _data(row: dict) -> str:
    name, *n = row["data"].split()
    return f"{name}, {int(n[0]):,} rows" if n else name


def rows(content: dict) -> Table:
    """Return the table of seconds of the pass against rows, a column for each backend."""
    return _by_backend(content, lambda row: spread(row["seconds"]))


def memory(content: dict) -> Table:
    """Return the table of peaks of memory against rows, a column for each backend."""
    return _by_backend(content, lambda row: size(row["peak_bytes"]["median"]))


def _by_backend(content: dict, write: Callable[[dict], str]) -> Table:
    found = {(row["rows"], row["backend"]): row for row in content["rows"] if row["goal"] == "cells"}
    backends = list(dict.fromkeys(backend for _, backend in found))

    def cell(row):
        return "not tried" if row is None else "not finished" if row["problem"] else write(row)

    sizes = dict.fromkeys(n for n, _ in found)
    return ("rows", *backends), [(f"{n:,}", *(cell(found.get((n, name))) for name in backends)) for n in sizes]


def posteriors(content: dict) -> Table:
    """Return the table of the whole way from a file to a posterior, in a new process."""
    header = ("rows", "backend", "all, s", "pass, s", "compiling, s", "sampling, s", "peak of memory")
    table = []
    for row in content["rows"]:
        if row["goal"] == "posterior":
            start = (f"{row['rows']:,}", row["backend"])
            if row["problem"]:
                table.append((*start, "not finished", "", "", "", ""))
                continue
            names = ("seconds", "pass_seconds", "compile_seconds", "sampling_seconds")
            table.append((*start, *(spread(row[name]) for name in names), spread(row["peak_bytes"], size)))
    return header, table


def contributors(content: dict) -> Table:
    """Return the table of costs against the number of contributors."""
    header = (
        "contributors", "counts", "prior", "rows", "cells", "compiling, s", "sampling, s", "least bulk ESS", "passed"
    )  # fmt: skip
    table = []
    for row in content["rows"]:
        start = kind_of(row)
        passed = f"{row['passed']} of {row['repeats']}"
        if not row["passed"]:
            table.append((*start, "", "", "", "failed", "failed", passed))
            continue
        sizes = [f"{row[name]['median']:,.0f}" for name in ("rows", "cells")]
        costs = [spread(row[name]) for name in ("compile_seconds", "sampling_seconds", "min_ess_bulk")]
        table.append((*start, *sizes, *costs, passed))
    return header, table


def kind_of(row: dict) -> tuple[str, str, str]:
    """Return the sizes of a case's layers, how rows are spread among contributors, and whether these pool."""
    sizes = " x ".join(f"{n:,}" for n in row["sizes"])
    return sizes, row["counts"], "pooled" if row["pooled"] else "not pooled"


def calibration(content: dict) -> Table:
    """Return the table of what calibration costs."""
    header = ("replicates", "rows", "all, s", "of which compiling, s", "a replicate, s", "replicates that failed")
    names = ("seconds", "compile_seconds", "seconds_per_replicate")
    return header, [
        (f"{row['replicates']:,}", f"{row['rows']:,}", *(number(row[name]) for name in names), f"{row['failed']:,}")
        for row in content["rows"]
    ]


def cold(content: dict) -> Table:
    """Return the table of stages from a cold kernel to a posterior."""
    header = ("stage", *(f"{row['cache']} cache, s" for row in content["rows"]))
    table = [(text, *(spread(row[name]) for row in content["rows"])) for name, text in STAGES.items()]
    return header, [*table, ("together", *(spread(row["seconds"]) for row in content["rows"]))]


#: The tables of each subset, each with a caption.
TABLES = {
    "samplers": [("Effective draws, and what they cost", samplers)],
    "rows": [
        ("Seconds of the pass over the rows", rows),
        ("Peak of memory of the pass", memory),
        ("From a file to a posterior", posteriors),
    ],
    "contributors": [("Sampling at default settings", contributors)],
    "calibration": [("Simulation-based calibration", calibration)],
    "cold": [("Stages of a first posterior", cold)],
    "reml": reml.TABLES,
    "ratings": ratings.TABLES,
}


def tables(subset: str, content: dict) -> list[tuple[str, Table]]:
    """Return captions and tables of one subset's results."""
    return [(caption, make(content)) for caption, make in TABLES[subset]]


# Sentences


def _find(content: dict, **wanted) -> dict | None:
    """Return the first row with these values, if it has been measured and passed."""
    for row in content["rows"]:
        if all(row.get(key) == value for key, value in wanted.items()) and not (
            row.get("problem") and not row["passed"]
        ):
            return row
    return None


def speed_up(content: dict, data: str, settings: str = OF_SLOWEST) -> float | None:
    """Return how many times the bulk ESS per second grows from rows in log to cells in identified coordinates.

    The latter are sampled at `settings`, the former at the least at which they pass.
    """
    best = _find(content, data=data, settings=settings, **dict(zip(WAY, FASTEST, strict=True)))
    naive = _find(content, data=data, settings=LEAST, **dict(zip(WAY, SLOWEST, strict=True)))
    return _speed(best) / _speed(naive) if best and naive else None


def claims(subset: str, content: dict) -> list[str]:
    """Return what one subset's results say, in sentences."""
    return {
        "samplers": _samplers_claims,
        "rows": _rows_claims,
        "contributors": _contributors_claims,
        "calibration": _calibration_claims,
        "cold": _cold_claims,
        "reml": reml.claims,
        "ratings": ratings.claims,
    }[subset](content)


#: What is said of a comparison, by the settings of the fastest way.
COMPARED = {
    OF_SLOWEST: "at the same settings",
    LEAST: "where each has the least settings at which it passes",
}


def _samplers_claims(content: dict) -> list[str]:
    sentences = []
    for data in dict.fromkeys(row["data"] for row in content["rows"]):
        name = _data({"data": data})
        found = {words: speed_up(content, data, settings) for settings, words in COMPARED.items()}
        said = [f"{number(times)} times {words}" for words, times in found.items() if times is not None]
        if said:
            sentences.append(
                f"On {name}, cells in identified coordinates have more bulk ESS a second than rows in log coordinates, "
                f"both sampled with nutpie: {', and '.join(said)}."
            )
        else:
            sentences.append(f"On {name}, no two runs that pass can be compared.")
    return sentences


def _rows_claims(content: dict) -> list[str]:
    done = [row for row in content["rows"] if row["goal"] == "posterior" and not row["problem"]]
    if not done:
        return []
    small, large = done[0], done[-1]
    times = [f"{number(row['sampling_seconds']['median'])} s" for row in (small, large)]
    return [
        f"From {large['rows']:,} rows in a Parquet file to a converged posterior, in a new process, "
        f"{large['backend']} took {number(large['seconds']['median'])} s and {size(large['peak_bytes']['median'])}.",
        f"Sampling took {times[0]} for {small['rows']:,} rows and {times[1]} for {large['rows']:,}.",
    ]


def _contributors_claims(content: dict) -> list[str]:
    sentences = []
    for row in content["rows"]:
        if max(row["sizes"]) >= 1_000:
            seconds = number(row["sampling_seconds"]["median"]) if row["passed"] else ""
            how = f"took {seconds} s" if row["passed"] else "did not converge"
            prior = "pooled variances" if row["pooled"] else "independent variances"
            sentences.append(f"Layers of {kind_of(row)[0]} contributors with {row['counts']} counts and {prior} {how}.")
    return sentences


def _calibration_claims(content: dict) -> list[str]:
    row = content["rows"][0]
    return [
        f"{row['replicates']:,} replicates took {number(row['seconds'] / 60)} minutes. "
        f"The least p-value for uniform ranks among {row['parameters']} parameters is {number(row['least_p'])}, "
        "corrected for their number."
    ]


def _cold_claims(content: dict) -> list[str]:
    sentences = []
    for row in content["rows"]:
        longest = sorted(STAGES, key=lambda name: -row[name]["median"])[:2]
        shares = " and ".join(f"{STAGES[x]} {row[x]['median'] / row['seconds']['median']:.0%}" for x in longest)
        together = number(row["seconds"]["median"])
        sentences.append(
            f"With an {row['cache']} cache, {together} s pass: {shares}."
            if row["cache"] == "empty"
            else f"With a {row['cache']} cache, {together} s pass: {shares}."
        )
    return sentences


def conditions(content: dict) -> str:
    """Return when and on what the results were measured."""
    machine = content["machine"]
    busy = f", while {machine['load']} processes on average wanted to run" if machine["load"] is not None else ""
    versions = ", ".join(f"{name} {number_}" for name, number_ in machine["versions"].items())
    return (
        f"Measured on {content['date']} with {machine['cores']} cores, {machine['system']} and Python "
        f"{machine['python']}{busy}. {versions}."
    )
