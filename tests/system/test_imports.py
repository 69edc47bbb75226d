"""The code imports in one direction: no circle, no tools in the package, no private names of other modules."""

import ast
from graphlib import TopologicalSorter

import pytest

from tools.project import ROOT

#: What starts the course, the package, and the tools.
FILES = [ROOT / "course.py", *(path for name in ("mlm_tutorial", "tools") for path in (ROOT / name).glob("**/*.py"))]
#: Lines of the longest module of the tools.
LONGEST = 350


def module_of(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_of(path): path for path in FILES}


def imports_of(source, module="", is_package=False):
    """Return pairs of a module and a name imported from it, None for the module as a whole; also inside functions."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {(alias.name, None) for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parts = module.split(".")
            base = parts[: len(parts) - node.level + is_package] if node.level else []
            found |= {(".".join([*base, *filter(None, [node.module])]), alias.name) for alias in node.names}
    return found


def imports(module):
    """Return the project's modules that one of them imports."""
    path = MODULES[module]
    pairs = imports_of(path.read_text(encoding="utf-8"), module, path.name == "__init__.py")
    inside = {f"{name}.{part}" if f"{name}.{part}" in MODULES else name for name, part in pairs}
    return {name for name in inside if name in MODULES} - {module}


def test_the_graph_of_imports_has_no_circle():
    # `import mlm_tutorial as mlm` loads modules of the package when a name is first used.
    graph = {module: imports(module) - {"mlm_tutorial"} for module in MODULES}
    assert len(list(TopologicalSorter(graph).static_order())) == len(MODULES)


@pytest.mark.parametrize(
    ("part", "allowed"), [("mlm_tutorial", {"mlm_tutorial"}), ("tools", {"mlm_tutorial", "tools"})]
)
def test_a_part_imports_only_from_those_below_it(part, allowed):
    modules = [module for module in MODULES if module.split(".")[0] == part]
    assert {name.split(".")[0] for module in modules for name in imports(module)} <= allowed


def is_private(name):
    """Return whether a name is a module's own; one with an underscore at its end, too, is a protocol's."""
    return name.startswith("_") and not name.endswith("_")


def private_names(source):
    """Return the private names that a module gives to functions, classes, variables and attributes, and those it uses.

    Used ones are attributes of anything; names alone can only be a module's own, or imported.
    """
    given, used = set(), set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            given.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            given.add(node.id)
        elif isinstance(node, ast.Attribute):
            (given if isinstance(node.ctx, ast.Store) else used).add(node.attr)
    return set(filter(is_private, given)), set(filter(is_private, used))


PRIVATE = {module: private_names(path.read_text(encoding="utf-8")) for module, path in MODULES.items()}
TESTS = {module_of(path): path for path in (ROOT / "tests").glob("**/*.py")}


@pytest.mark.parametrize("module", sorted([*MODULES, *TESTS]))
def test_no_private_name_of_another_module_is_imported_or_used(module):
    source = (MODULES | TESTS)[module].read_text(encoding="utf-8")
    pairs = imports_of(source, module)
    parts = ("course", "mlm_tutorial", "tools", "tests")
    assert {name for base, name in pairs if base.split(".")[0] in parts and name and is_private(name)} == set()
    own, used = private_names(source)
    others = set().union(*(given for other, (given, _) in PRIVATE.items() if other != module))
    assert (used - own) & others == set()


@pytest.mark.parametrize("module", sorted(name for name in MODULES if name.split(".")[0] in ("course", "tools")))
def test_a_module_of_the_tools_is_short(module):
    assert len(MODULES[module].read_text(encoding="utf-8").splitlines()) <= (80 if module == "course" else LONGEST)


def test_set_up_needs_only_the_standard_library():
    import sys

    waiting, seen = ["course"], set()
    while waiting:
        module = waiting.pop()
        seen.add(module)
        source = MODULES[module].read_text(encoding="utf-8")
        for name in {name.split(".")[0] for name, _ in imports_of(source, module)}:
            assert name in sys.stdlib_module_names | {"tools", "mlm_tutorial"}, f"{module} imports {name}"
        waiting += imports(module) - seen - {"mlm_tutorial"}
    assert {"tools.install", "tools.versions", "tools.site", "mlm_tutorial.atomic"} <= seen


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("from tools.site import build", ("tools.site", "build")),
        ("def f():\n    import tools.site as s", ("tools.site", None)),
        ("from .site import build", ("tools.site", "build")),
        ("from . import site", ("tools", "site")),
    ],
)
def test_every_form_of_import_is_seen(source, found):
    assert found in imports_of(source, "tools.cli")
