"""Decomposing sums: find the distribution of every contributor to a total, and split a total into its parts.

Every public name is an attribute of this package, ``mlm.cell_model`` for instance. Names load on first use, because
PyMC takes seconds to import and simulating totals does not need it (Scientific Python's SPEC 1).
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "layers": ["Layer", "LayeredSum", "PRESETS", "draw_layered_sum"],
        "datasets": [
            "load_airlines",
            "load_flights",
            "load_gauge",
            "load_paste",
            "load_penicillin",
            "load_radon",
        ],
        "cells": ["Cells", "cell_statistics"],
        "identifiability": ["UnidentifiedWarning", "identification"],
        "distributions": ["NormalCells", "StandardNormal"],
        "transforms": ["IdentifiedScales", "PooledMeans", "PooledVariances"],
        "notebook": ["notebook_seed", "quiz", "version_line"],
        "priors": ["Priors"],
        "models": ["CellModel", "LayeredModel", "cell_model", "observation_model"],
        "sampling": ["CompiledModel", "compile_model", "sample"],
        "diagnostics": [
            "ConvergenceError",
            "check_convergence",
            "efficiency",
            "recovery",
        ],
        "calibration": ["calibrate"],
        "decomposition": ["VarianceMismatchWarning", "decompose", "variance_shares"],
        "prediction": ["log_predictive_density", "predict"],
        "exercises": ["check"],
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
    },
)
