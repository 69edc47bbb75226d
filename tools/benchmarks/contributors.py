"""Cost against the number of contributors: one layer from 5 to 1,000, and several large layers."""

from tools.benchmarks.store import spreads
from tools.benchmarks.words import MARKERS, Table, number, spread
from tools.benchmarks.workers import OutOfTimeError, Worker

SIZES = [5, 20, 100, 300, 1_000]
#: Seconds for one answer, and for all repeats of a case together; slow cases are repeated less often.
LIMIT, BUDGET = 400, 200


def cases(quick: bool) -> list[dict]:
    """Return the cases to measure: contributors of each layer, distribution of rows among them, and pooling."""
    if quick:
        return [{"sizes": [5, 10], "counts": "equal", "pooled": False}]
    kinds = (("equal", False), ("unequal", False), ("unequal", True))
    grid = [{"sizes": [n, 10], "counts": counts, "pooled": pooled} for n in SIZES for counts, pooled in kinds]
    large = [{"sizes": [1_000, 20], "counts": "unequal in both", "pooled": pooled} for pooled in (False, True)]
    return [*grid, *large, {"sizes": [3_000, 1_000], "counts": "crossed", "pooled": True}]


def run(quick: bool = False, repeats: int = 3, report=print) -> list[dict]:
    """Measure every case; return a row for each."""
    rows = []
    for case in cases(quick):
        row = case | {"problem": "", "repeats": 0}
        passed = []
        with Worker("tools.benchmarks.contributors:prepare", **case) as worker:
            try:
                while row["repeats"] < repeats:
                    row["repeats"] += 1
                    answer = worker.ask(LIMIT, seed=row["repeats"])
                    row["problem"] = row["problem"] or answer["problem"]
                    if not answer["problem"]:
                        passed.append(answer)
                    if (1 + row["repeats"]) * answer["sampling_seconds"] > BUDGET:
                        break
            except OutOfTimeError as error:
                row["problem"] = str(error)
        row["passed"] = len(passed)
        row |= spreads(passed)
        told = f"{row['sampling_seconds']['median']:.1f} s" if passed else row["problem"]
        sizes, counts, prior = kind_of(row)
        report(f"{sizes} contributors, {counts} counts, {prior}: {told}")
        rows.append(row)
    return rows


def prepare(sizes: list[int], counts: str, pooled: bool):
    """Compile the model of one case; return a function that samples it at the course's default settings."""
    import mlm_tutorial as mlm
    from tools.benchmarks import problems

    if counts == "crossed":
        cells = problems.crossed_layers(sizes)
    elif counts == "unequal in both":
        cells = problems.unequal_layers(sizes)
    else:
        cells = problems.one_large_layer(sizes[0], counts == "unequal")
    compiled = mlm.compile_model(mlm.cell_model(cells, mlm.Priors.from_cells(cells, pooled=pooled)))

    def answer(seed: int) -> dict:
        tree = mlm.sample(compiled, seed=seed, progress=False)
        found = mlm.efficiency(tree).iloc[0]
        result = {
            "problem": "",
            "cells": len(cells),
            "rows": cells.n_observations,
            "compile_seconds": compiled.compile_seconds,
            "sampling_seconds": float(found["sampling_seconds"]),
        }
        try:
            mlm.check_convergence(tree)
        except mlm.ConvergenceError as error:
            return result | {"problem": str(error)}
        return result | {
            name: float(found[name])
            for name in ("min_ess_bulk", "min_ess_tail", "ess_bulk_per_second", "ess_bulk_per_gradient")
        }

    return answer


def kind_of(row: dict) -> tuple[str, str, str]:
    """Return the sizes of a case's layers, the distribution of rows among contributors, and the kind of prior."""
    sizes = " x ".join(f"{n:,}" for n in row["sizes"])
    return sizes, row["counts"], "pooled" if row["pooled"] else "not pooled"


def costs(content: dict) -> Table:
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
        measured = [spread(row[name]) for name in ("compile_seconds", "sampling_seconds", "min_ess_bulk")]
        table.append((*start, *sizes, *measured, passed))
    return header, table


TABLES = [("Sampling at default settings", costs)]


def claims(content: dict) -> list[str]:
    """Return the results in sentences."""
    sentences = []
    for row in content["rows"]:
        if max(row["sizes"]) >= 1_000:
            seconds = number(row["sampling_seconds"]["median"]) if row["passed"] else ""
            how = f"took {seconds} s" if row["passed"] else "did not converge"
            prior = "pooled variances" if row["pooled"] else "independent variances"
            sentences.append(f"Layers of {kind_of(row)[0]} contributors with {row['counts']} counts and {prior} {how}.")
    return sentences


DRAWN = (
    "Seconds of sampling against the number of contributors, both axes logarithmic, a line for equal counts, one for "
    "unequal counts, and one for unequal counts with a pooled prior."
)


def draw(content: dict, plt):
    """Return the figure."""
    figure, axis = plt.subplots(figsize=(7, 4), layout="constrained")
    kinds = (("equal", False), ("unequal", False), ("unequal", True))
    for i, (counts, pooled) in enumerate(kinds):
        shown = [row for row in content["rows"] if (row["counts"], row["pooled"]) == (counts, pooled) and row["passed"]]
        n = [row["sizes"][0] for row in shown]
        found = [row["sampling_seconds"] for row in shown]
        label = f"{counts} counts, pooled" if pooled else f"{counts} counts"
        axis.plot(n, [x["median"] for x in found], marker=MARKERS[i], label=label)
        axis.vlines(n, [x["min"] for x in found], [x["max"] for x in found], color=f"C{i}")
    axis.set(xscale="log", yscale="log", xlabel="contributors of the layer", ylabel="seconds of sampling")
    axis.legend(frameon=False)
    return figure
