"""Check whether this machine is ready for the course: ``python -m mlm_tutorial``."""

import platform
import sys
import time

from mlm_tutorial.libraries import OF_THE_COURSE, in_words


def main() -> int:
    """Print versions, decompose a small simulation, and say OK or FAIL.

    Returns
    -------
    int
        0 where everything works, else 1.
    """
    print(f"Python {platform.python_version()} on {platform.system()} {platform.machine()}")
    print(in_words(OF_THE_COURSE))
    start = time.perf_counter()
    try:
        print("Compiling and sampling a small model ...", flush=True)
        found = _decompose_a_simulation()
    except Exception as error:  # report any failure in one line
        print(f"FAIL: {type(error).__name__}: {error}")
        return 1
    print(f"{found}; {time.perf_counter() - start:.0f} s")
    print("OK: this machine is ready.")
    return 0


def _decompose_a_simulation() -> str:
    import mlm_tutorial as mlm

    # The course's own problem, so that its notebooks find the shared code compiled.
    truth = mlm.PRESETS["cc_27"]
    cells = mlm.cell_statistics(truth.simulate(10_000, rng=1), layers=truth.names)
    priors = mlm.Priors.from_cells(cells, pooled=False)
    idata = mlm.sample(mlm.cell_model(cells, priors), seed=1, progress=False)
    mlm.check_convergence(idata)
    table = mlm.recovery(idata, truth, ci_prob=0.9999).filter(like="mu_layer", axis="index")
    if not table["covered"].all():
        raise RuntimeError(f"the sampler ran but did not find the known means:\n{table}")
    farthest = (table["mean"] - table["truth"]).abs().max()
    return f"The means of {len(table)} contributors found, each within {farthest:.2f}"


if __name__ == "__main__":
    sys.exit(main())
