"""Cost against contributors: one layer from 5 to 1,000, with equal and very unequal counts."""

from benchmarks.store import spread
from benchmarks.workers import OutOfTimeError, Worker

SIZES = [5, 20, 100, 300, 1_000]
LIMIT = 240


def run(quick: bool = False, repeats: int = 3, report=print) -> list[dict]:
    """Measure every size with both kinds of counts; return a row for each."""
    rows = []
    for n in [5] if quick else SIZES:
        for unequal in (False,) if quick else (False, True):
            row = {"contributors": n, "counts": "unequal" if unequal else "equal", "problem": ""}
            passed = []
            with Worker("benchmarks.contributors:prepare", n_contributors=n, unequal=unequal) as worker:
                try:
                    for repeat in range(repeats):
                        answer = worker.ask(LIMIT, seed=1 + repeat)
                        row["problem"] = row["problem"] or answer["problem"]
                        if not answer["problem"]:
                            passed.append(answer)
                except OutOfTimeError as error:
                    row["problem"] = str(error)
            row |= {"repeats": repeats, "passed": len(passed)}
            for name in passed[0] if passed else ():
                if name not in ("problem", "prepare_seconds"):
                    row[name] = spread([answer[name] for answer in passed])
            told = f"{row['sampling_seconds']['median']:.1f} s" if passed else row["problem"]
            report(f"{n:>5} contributors, {row['counts']} counts: {told}")
            rows.append(row)
    return rows


def prepare(n_contributors: int, unequal: bool):
    """Compile the model of one size; return what samples it at the course's default settings."""
    import mlm_tutorial as mlm
    from benchmarks.problems import one_large_layer

    cells = one_large_layer(n_contributors, unequal)
    compiled = mlm.compile_model(mlm.cell_model(cells))

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
