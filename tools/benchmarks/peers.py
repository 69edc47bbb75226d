"""The same data with Stan and lme4, if R has them: ``python -m tools.benchmarks.peers``."""

import argparse
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from tools.benchmarks import problems
from tools.benchmarks.samplers import LADDER

SCRIPT = Path(__file__).with_name("peers.R")


def main(arguments=None) -> None:
    """Run peers.R on a simulation of the course's own problem, and print what it found."""
    import mlm_tutorial as mlm

    parser = argparse.ArgumentParser(prog="python -m tools.benchmarks.peers", description=main.__doc__)
    parser.add_argument("--rows", type=int, default=10_000, help="rows to simulate")
    parser.add_argument("--rung", type=int, default=0, choices=range(len(LADDER)), help="tuning, draws, acceptance")
    options = parser.parse_args(arguments)
    if shutil.which("Rscript") is None:
        raise SystemExit(f"Rscript was not found. {SCRIPT.name} lists the Debian packages that it needs.")
    frame, total, layers = problems.data(f"cc_27 {options.rows}")
    # peers.R writes the same priors out for Stan; their scales are fixed.
    priors = mlm.Priors.from_cells(mlm.cell_statistics(frame, total, layers), pooled=False)
    names = {"b_mu": "baseline_mu", "b_sd": "baseline_mu_sd", "mu_sd": "mu_sd", "s": "sigma_scale"}
    given = {"cores": os.cpu_count(), "priors": {name: getattr(priors, of) for name, of in names.items()}}
    given |= dict(zip(("tune", "draws", "target_accept"), LADDER[options.rung], strict=True))
    with tempfile.TemporaryDirectory() as folder:
        frame.to_csv(Path(folder) / "rows.csv", index=False)
        (Path(folder) / "priors.json").write_text(json.dumps(given), encoding="utf-8")
        subprocess.run(["Rscript", str(SCRIPT), folder], check=True)
        print((Path(folder) / "result.json").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
