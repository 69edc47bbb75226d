"""Decomposing sums: find the distribution of every contributor to a total, and split a total into its parts.

Every public name is an attribute of this package, ``mlm.cell_model`` for instance. Names load on first use, because
PyMC takes seconds to import and simulating totals does not need it. ``__init__.pyi`` lists them for type checkers.
"""

import importlib
import sys

#: Public names by the module that defines them.
_NAMES = {
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
    "identifiability": ["UnidentifiedWarning", "identification"],
    "distributions": ["NormalCells", "RegressionCells", "StandardNormal"],
    "inverse_gaussian": ["NormalInverseGaussian"],
    "transforms": ["IdentifiedScales", "LearnedScale", "PooledMeans", "PooledVariances", "SlopesAndMeans"],
    "notebook": ["notebook_seed", "quiz", "version_line"],
    "sliders": ["slider"],
    "priors": ["Priors"],
    "models": ["CellModel", "LayeredModel", "cell_model", "observation_model"],
    "tails": ["TotalCounts", "count_totals", "tail_model"],
    "sampling": ["CompiledModel", "compile_model", "sample"],
    "diagnostics": ["ConvergenceError", "check_convergence", "efficiency", "recovery"],
    "calibration": ["calibrate"],
    "decomposition": ["VarianceMismatchWarning", "decompose", "variance_shares"],
    "prediction": ["log_predictive_density", "predict"],
    "criticism": ["predictive_check"],
    "claiming": ["claims", "prior_variants"],
    "exercises": ["check"],
    "exercises.capstone": ["Capstone", "capstone"],
    "files": ["save_posterior"],
    "plots": [
        "COLORS",
        "component_colors",
        "plot_calibration",
        "plot_contributors",
        "plot_decomposition",
        "plot_recovery",
        "use_style",
    ],
}
_MODULES = {name: module for module, names in _NAMES.items() for name in names}
__all__ = sorted(_MODULES)


def __getattr__(name: str):
    if name == "__version__":
        from importlib.metadata import version

        return version("mlm-tutorial")
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value  # the next access does not come here
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]


if "IPython" in sys.modules:  # a notebook
    importlib.import_module(f"{__name__}.undefined").explain_in_ipython()
