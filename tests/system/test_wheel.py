"""The wheel, installed in an empty environment outside the project, is enough to fit, to check and to load data."""

import os
import shutil
import subprocess
import zipfile

import pytest

from tools import environment, install, project

CODE = """
import importlib.resources
import mlm_tutorial as mlm
from pathlib import Path
assert Path(mlm.__file__).is_relative_to(ENVIRONMENT), mlm.__file__
assert len(mlm.load_radon()) > 900 and len(mlm.load_flights()) > 300_000
truth = mlm.PRESETS["cc_12"]
cells = mlm.cell_statistics(truth.simulate(400, rng=1), layers=truth.names)  # fewer than 500: shorter steps
idata = mlm.sample(mlm.cell_model(cells), seed=1, progress=False)
mlm.check_convergence(idata)
mlm.check("01.1", lambda a, b: (a**2 + sum(x**2 for x in b)) ** 0.5)
assert (importlib.resources.files("mlm_tutorial") / "py.typed").is_file()
print("works", mlm.__version__)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Build the wheel; return its path."""
    uv = next((name for name in (shutil.which("uv"), str(project.CACHE / "uv" / "bin" / "uv")) if name), None)
    if not uv or install.uv_version(uv) < install.OLDEST_UV:
        give_up = pytest.fail if "CI" in os.environ else pytest.skip
        give_up("no uv: this environment was not made by course.py")
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([uv, "build", "--wheel", "--out-dir", folder, project.ROOT], check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    return uv, path


@pytest.mark.slow
def test_the_wheel_holds_only_the_package_and_its_data(wheel):
    names = zipfile.ZipFile(wheel[1]).namelist()
    assert {name.split("/")[0].split("-")[0] for name in names} == {"mlm_tutorial"}
    stored = {
        path.relative_to(project.ROOT).as_posix() for path in (project.ROOT / "mlm_tutorial" / "data").rglob("*.*")
    }
    assert stored <= set(names)


@pytest.mark.slow
def test_an_installed_wheel_fits_checks_and_loads_data(wheel, tmp_path):
    uv, path = wheel
    where = environment.Environment(tmp_path / "an environment")
    requirements = tmp_path / "requirements.txt"
    variables = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    export = [uv, "export", "--frozen", "--no-emit-project", "--quiet", "--output-file", requirements]
    base = environment.base_python()
    for command in (
        export,
        [uv, "venv", "--python", base, where.folder],
        [uv, "pip", "install", "--python", where.python, "--constraint", requirements, path],
    ):
        done = subprocess.run(list(map(str, command)), cwd=project.ROOT, env=variables, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    code = f"ENVIRONMENT = {str(where.folder)!r}\n" + CODE
    done = subprocess.run([where.python, "-c", code], cwd=tmp_path, env=variables, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("works")
