"""The libraries that the course depends on, their installed versions, and a digest of the package's own code."""
# Only the standard library, so that a machine where something is missing still gets an answer.

import hashlib
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

#: Named at the end of every notebook.
IN_NOTEBOOKS = ("mlm-tutorial", "pymc", "nutpie", "arviz", "numpy", "pandas", "seaborn")
#: Named by the check of a machine and by the site.
OF_THE_COURSE = (*IN_NOTEBOOKS[1:], "pytensor", "scipy", "xarray", "jupyterlab", "jupytext", "nbval")
#: Named beside measurements: libraries for sampling and for tables, including those that are compared.
IN_BENCHMARKS = (
    *("pymc", "pytensor", "nutpie", "numpyro", "jax", "numpy", "polars", "duckdb", "pyarrow", "dask", "pyspark"),
    *("statsmodels", "mixedlm", "gpboost"),
)


def versions(names: Iterable[str]) -> dict[str, str]:
    """Return the versions of libraries by name; those that are not installed are left out."""
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def package_digest() -> str:
    """Return a digest of the modules of this package, for results that depend on their code."""
    sources = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"\0".join(source.read_bytes() for source in sources)).hexdigest()[:16]


def in_words(names: Iterable[str]) -> str:
    """Return names and versions of libraries in one line."""
    return ", ".join(f"{name} {found}" for name, found in versions(names).items())
