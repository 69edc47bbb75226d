"""The package loads fast, gives every public name, and its modules import in one direction."""

import ast
import importlib
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from statistics import median

import pytest

import mlm_tutorial as mlm

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "mlm_tutorial"

# What others rely on (the design's section 2): module and its names.
PUBLIC = {
    "layers": ["Layer", "LayeredSum", "PRESETS", "draw_layered_sum"],
    "datasets": [
        "load_airlines",
        "load_distances",
        "load_flights",
        "load_gauge",
        "load_paste",
        "load_penicillin",
        "load_radon",
    ],
    "cells": ["Cells", "cell_statistics"],
    "distributions": ["StandardNormal", "NormalCells"],
    "transforms": ["IdentifiedScales"],
    "identifiability": ["identification"],
    "priors": ["Priors"],
    "models": ["observation_model", "cell_model"],
    "inverse_gaussian": ["NormalInverseGaussian"],
    "tails": ["count_totals", "tail_model"],
    "sampling": ["compile_model", "sample"],
    "diagnostics": ["check_convergence", "ConvergenceError", "efficiency", "recovery"],
    "calibration": ["calibrate"],
    "prediction": ["log_predictive_density", "predict"],
    "decomposition": ["decompose", "variance_shares"],
    "exercises": ["check"],
}
# A module imports only from those before its group.
ORDER = [
    {"names", "datasets", "atomic", "levy", "libraries", "progress", "undefined"},
    {"notebook", "files", "saving", "callbacks", "constants", "sliders", "warming"},
    {"layers", "tables"},
    {"cells", "rows"},
    {"known", "costs"},
    {"directions"},
    {"wording"},
    {"signs"},
    {"identifiability"},
    {"moments"},
    {"priors", "distributions", "inverse_gaussian", "transforms"},
    {"builders"},
    {"models"},
    {"sampling", "tails"},
    {"parameters"},
    {"new_rows"},
    {"diagnostics", "decomposition", "prediction", "calibration", "criticism", "claiming"},
    {"plots"},
]
OUTSIDE = {"__init__", "__main__"}
RANK = {name: rank for rank, group in enumerate(ORDER) for name in group}


def run(code):
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True).stdout


def test_importing_adds_under_300_ms():
    # NumPy and pandas come first in each process, so that only what is added is timed.
    code = """if True:
        import numpy, pandas, time
        start = time.perf_counter()
        import mlm_tutorial
        print(time.perf_counter() - start)"""
    assert median(float(run(code)) for _ in range(3)) < 0.3


def test_simulating_does_not_import_pymc():
    code = """if True:
        import sys
        import mlm_tutorial as mlm
        heavy = {"pymc", "pytensor", "nutpie", "arviz", "matplotlib", "scipy"}
        assert not heavy & set(sys.modules), "import"
        mlm.PRESETS["cc_343"].simulate(10, rng=0)
        assert not heavy & set(sys.modules), "simulate"
        mlm.cell_statistics, mlm.load_radon()
        assert not heavy - {"scipy"} & set(sys.modules), "cells"
        assert mlm.check("01.1", lambda a, b: (a**2 + sum(x**2 for x in b)) ** 0.5)
        assert not heavy - {"scipy"} & set(sys.modules), "check"
        print("light")"""
    assert run(code).strip() == "light"


@pytest.mark.parametrize(("module", "name"), [(m, name) for m, names in PUBLIC.items() for name in names])
def test_public_name_is_an_attribute_of_the_package(module, name):
    assert getattr(mlm, name) is getattr(importlib.import_module(f"mlm_tutorial.{module}"), name)
    assert name in mlm.__all__
    assert name in dir(mlm)


@pytest.mark.parametrize("name", sorted(mlm.__all__))
def test_every_name_that_the_package_promises_resolves(name):
    assert getattr(mlm, name) is not None


def test_type_checkers_see_the_same_names():
    tree = ast.parse((PACKAGE / "__init__.pyi").read_text(encoding="utf-8"))
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    names = {(node.module, alias.name) for node in imports for alias in node.names if alias.asname == alias.name}
    assert {name for _, name in names} == set(mlm.__all__)
    for module, name in names:
        assert hasattr(importlib.import_module(module), name)


def test_there_is_a_plot():
    assert any(name.startswith("plot_") for name in mlm.__all__)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no_such_name"):
        mlm.no_such_name  # noqa: B018


def test_the_version_is_that_of_the_installed_package():
    assert mlm.__version__ == version("mlm-tutorial")


def modules_imported_by(source):
    """Return the names of the package's modules that a module imports, at its top or anywhere inside."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(filter(None, ["mlm_tutorial" if node.level else "", node.module]))
            names = [base, *(f"{base}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            package, *rest = name.split(".")
            if package == "mlm_tutorial":
                found.add(rest[0] if rest else "__init__")
    return found


def modules_of_the_package():
    return sorted(path.stem for path in PACKAGE.glob("*.py"))


@pytest.mark.parametrize("module", sorted(set(modules_of_the_package()) - OUTSIDE))
def test_a_module_imports_only_from_modules_before_it(module):
    assert module in RANK, f"{module} has no place in the order of modules"
    imported = modules_imported_by((PACKAGE / f"{module}.py").read_text(encoding="utf-8"))
    assert {name for name in imported if RANK.get(name, len(ORDER)) >= RANK[module]} == set()


@pytest.mark.parametrize(
    ("source", "imported"),
    [
        ("from mlm_tutorial.cells import Cells", "cells"),
        ("def f():\n    import mlm_tutorial.models as m", "models"),
        ("from .plots import use_style", "plots"),
        ("from . import plots", "plots"),
        ("from mlm_tutorial import sampling", "sampling"),
        ("import mlm_tutorial as mlm", "__init__"),
    ],
)
def test_every_form_of_import_is_seen(source, imported):
    assert imported in modules_imported_by(source)


@pytest.mark.slow
def test_python_m_mlm_tutorial_prints_versions_and_ok():
    result = subprocess.run([sys.executable, "-m", "mlm_tutorial"], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    for library in ("pymc", "nutpie", "numpy"):
        assert f"{library} {version(library)}" in result.stdout
    assert result.stdout.strip().splitlines()[-1].startswith("OK")


def test_documentation_names_exactly_the_public_names():
    page = (ROOT / "book" / "api.md").read_text(encoding="utf-8")
    documented = [name for line in re.findall(r":members: (.*)", page) for name in line.split(", ")]
    assert sorted(documented) == sorted(mlm.__all__)
