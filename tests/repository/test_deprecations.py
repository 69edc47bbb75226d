"""A deprecation that the course's own calls cause fails a test; one that its dependencies cause does not."""

import json
import re
import warnings
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CATEGORIES = [DeprecationWarning, PendingDeprecationWarning, FutureWarning]


def call_from(module, category):
    """Call, as code of `module` would, a function that warns its caller."""

    def old_function():
        warnings.warn("old", category, stacklevel=2)

    exec("old_function()", {"__name__": module, "old_function": old_function})


def modules():
    """Return the name by which each of the course's own files is imported."""
    for path in [ROOT / "course.py", *ROOT.glob("[!.]*/**/*.py")]:
        path = path.relative_to(ROOT)
        if path.parts[0] != "notebooks" and "_build" not in path.parts:
            in_package = (ROOT / path.parts[0] / "__init__.py").exists()
            yield ".".join(path.with_suffix("").parts).removesuffix(".__init__") if in_package else path.stem


@pytest.mark.parametrize("category", CATEGORIES)
def test_deprecated_call_of_our_own_is_an_error(category):
    names = set(modules())
    assert {"course", "mlm_tutorial.exercises.set_01", "tools.drift", "tests.conftest", "trust_hub"} <= names
    for module in names:
        with pytest.raises(category, match="old"):
            call_from(module, category)


@pytest.mark.parametrize("module", ["scipy.stats", "hubs", "jupyterlab.student"])
def test_deprecated_call_of_a_dependency_is_only_noted(module):
    with warnings.catch_warnings(record=True) as caught:
        call_from(module, DeprecationWarning)
    assert [str(warning.message) for warning in caught] == ["old"]


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("**/*.ipynb")), ids=lambda path: path.stem)
def test_no_notebook_stores_a_deprecation(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    streams = [output for cell in cells for output in cell.get("outputs", []) if output["output_type"] == "stream"]
    printed = "".join("".join(output["text"]) for output in streams)
    assert not re.search(r"\b(Pending)?(Deprecation|Future)Warning\b", printed)
