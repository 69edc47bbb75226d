"""Where the course can be had: the zip file that the site ships, and the buttons that follow a repository's address."""

import hashlib
import io
import json
import os
import re
import runpy
import shutil
import stat
import subprocess
import sys
import zipfile
from types import SimpleNamespace

import pytest

from tests.support.pages import EXERCISES, NOTEBOOKS, PAGES, Links, page_text, site_is_built
from tools import bundle, colab, environment, project
from tools.console import CourseError

sys.path.append(str(project.BOOK / "_ext"))
MADE_UP = "https://github.com/someone/sums"


@pytest.fixture(scope="module")
def packed():
    """Return the bytes of the zip file."""
    return bundle.content()


@pytest.fixture(scope="module")
def unpacked(packed, tmp_path_factory):
    """Unpack the zip file in a folder whose name has a space; return the folder of the course."""
    folder = tmp_path_factory.mktemp("some place") / "my downloads"
    with zipfile.ZipFile(io.BytesIO(packed)) as opened:
        opened.extractall(folder)
    if unzip := shutil.which("unzip"):  # it keeps what Python's module drops: which files are executable
        (folder / "it.zip").write_bytes(packed)
        subprocess.run([unzip, "-qqo", "it.zip"], cwd=folder, check=True)
    return folder / bundle.FOLDER


# The zip file


def test_equal_files_give_equal_bytes(packed):
    assert hashlib.sha256(packed).digest() == hashlib.sha256(bundle.content()).digest()
    with zipfile.ZipFile(io.BytesIO(packed)) as opened:
        names = opened.namelist()
        assert names == sorted(names)
        assert {entry.date_time for entry in opened.infolist()} == {(2026, 1, 1, 0, 0, 0)}


def test_executable_files_stay_executable(packed):
    with zipfile.ZipFile(io.BytesIO(packed)) as opened:
        modes = {entry.filename: entry.external_attr >> 16 for entry in opened.infolist()}
    executable = {name.removeprefix(f"{bundle.FOLDER}/") for name, mode in modes.items() if mode & stat.S_IXUSR}
    assert {".binder/postBuild", ".binder/start", ".ci/run"} <= executable
    assert "course.py" not in executable


def test_a_course_from_the_zip_file_makes_the_same_zip_file(unpacked, packed):
    assert bundle.content(unpacked) == packed


@pytest.mark.parametrize(
    "name",
    [
        "week-1/Ada Lovelace/01_exercises.ipynb",
        "week-1_graded/grades.csv",
        "notebooks/week-1/Ada Lovelace.ipynb",
        "notebooks/exercises/01_exercises_Ada.ipynb",
        "class-copy/decomposing-sums/course.py",
        ".venv/bin/python",
        "book/_build/html/index.html",
    ],
)
def test_nothing_that_came_later_is_packed_without_git(unpacked, tmp_path, name):
    # What students handed in lies where the guide for instructors puts it, or anywhere else.
    shutil.copytree(unpacked / "tools", tmp_path / "tools")
    shutil.copy(unpacked / "course.py", tmp_path)
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text("whose it is")
    found = bundle.files(tmp_path)
    assert "course.py" in found
    assert name not in found


def test_a_folder_of_which_nobody_knows_what_is_the_courses_is_not_packed(tmp_path):
    (tmp_path / "course.py").write_text("")
    (tmp_path / ".git").mkdir()  # one that git cannot read
    with pytest.raises(CourseError, match="git does not list them"):
        bundle.files(tmp_path)


def test_the_zip_file_holds_what_open_needs(unpacked):
    wanted = ["course.py", "pyproject.toml", "uv.lock", "README.md", "LICENSE", "LICENSE-text"]
    wanted += [path.relative_to(project.ROOT).as_posix() for path in project.NOTEBOOKS.rglob("*_exercises.ipynb")]
    wanted += [page.replace(".html", ".ipynb") for page in NOTEBOOKS]
    wanted += [path.relative_to(project.ROOT).as_posix() for path in (project.ROOT / "mlm_tutorial").rglob("*.py")]
    assert len(NOTEBOOKS) > 10
    assert [name for name in wanted if not (unpacked / name).is_file()] == []
    # In a Python of its own: what `open` looks at before it installs anything.
    code = (
        "from tools import install, project; install.require_space(); print(install.wanted_state()['folder']); "
        "print(len(list(project.NOTEBOOKS.glob('01_*.ipynb'))))"
    )
    done = subprocess.run([sys.executable, "-S", "-c", code], cwd=unpacked, capture_output=True, text=True)
    assert done.stdout.splitlines() == [str(unpacked), "1"], done.stderr


def test_commands_start_from_the_zip_file(unpacked):
    command = [sys.executable, "-S", "-E", unpacked / "course.py", "--help"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0
    assert "\n    open" in done.stdout


@pytest.mark.slow
def test_the_course_installs_from_the_zip_file_and_jupyterlab_starts(unpacked):
    variables = {name: text for name, text in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    uv = project.CACHE / "uv" / "bin"
    if uv.exists():
        variables["PATH"] = f"{uv}{os.pathsep}{variables['PATH']}"
    command = [environment.base_python(), unpacked / "course.py", "open", "--no-warming", "--version"]
    done = subprocess.run(command, cwd=unpacked.parent, env=variables, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.fullmatch(r"4\.\d+\.\d+", done.stdout.splitlines()[-1])
    where = environment.Environment(unpacked / ".venv")
    code = "import mlm_tutorial; print(mlm_tutorial.__file__)"
    done = subprocess.run(
        [where.python, "-c", code], cwd=unpacked.parent, env=variables, capture_output=True, text=True
    )
    assert done.stdout.startswith(str(unpacked / "mlm_tutorial")), done.stderr


# On the site


@site_is_built
def test_the_site_ships_the_course():
    with zipfile.ZipFile(project.SITE / bundle.NAME) as packed:
        assert packed.testzip() is None
        names = {name.removeprefix(f"{bundle.FOLDER}/") for name in packed.namelist()}
    assert {"course.py", "uv.lock", *(page.replace(".html", ".ipynb") for page in NOTEBOOKS)} <= names


@site_is_built
@pytest.mark.parametrize("name", ["book/index.html", "book/setup.html", *NOTEBOOKS, *EXERCISES])
def test_a_page_from_which_one_starts_links_the_course(name):
    up = "../" * name.count("/")
    assert f"{up}{bundle.NAME}" in Links(page_text(name)).targets


@site_is_built
@pytest.mark.parametrize("name", [*NOTEBOOKS, *EXERCISES])
def test_a_download_says_what_the_notebook_needs(name):
    text = page_text(name)
    assert re.search(r"To run it</strong> you need the package of the course: .*\(zip, \d+ MB\)", text)
    menu = re.findall(r'class="btn btn-sm btn-(download-[\w-]+)', text)
    assert menu[:2] == ["download-source-button", "download-course-button"]


# The repository


def stub(repository):
    config = SimpleNamespace(html_theme_options={}, course_repository=repository, course_site_branch="gh-pages")
    return SimpleNamespace(config=config)


def address_in_settings():
    """Return the address of the repository that the site's settings name."""
    return runpy.run_path(str(project.BOOK / "conf.py"))["course_repository"]


def test_buttons_follow_the_one_address():
    pytest.importorskip("docutils")
    from course_sources import add_colab, add_repository

    for address in ("", MADE_UP):
        app = stub(address)
        add_repository(app, app.config)
        options = app.config.html_theme_options
        assert ("launch_buttons" in options) == bool(address)
        for name in ("repository", "issues", "edit_page"):
            assert options.get(f"use_{name}_button", False) == bool(address)
        group = {"label": "launch-buttons", "buttons": []}
        add_colab(app, "notebooks/01_simulating_sums", "page.html", {"header_buttons": [group]}, None)
        assert [button["text"] for button in group["buttons"]] == (["Colab"] if address else [])


def test_the_command_line_can_replace_the_address(monkeypatch):
    monkeypatch.setenv("COURSE_REPOSITORY", MADE_UP)
    assert address_in_settings() == MADE_UP


@site_is_built
@pytest.mark.parametrize("name", PAGES)
def test_without_an_address_no_page_leads_to_a_repository(name):
    if address_in_settings():
        pytest.skip("there is a public repository")
    targets = " ".join(Links(page_text(name)).targets)
    assert not re.search(r"mybinder|colab\.research|/edit/main|/issues/new|executablebooks", targets)


@pytest.mark.parametrize(
    ("repository", "branch", "address"),
    [
        (MADE_UP, "gh-pages", "https://colab.research.google.com/github/someone/sums/blob/gh-pages/colab/01_x.ipynb"),
        (MADE_UP + ".git", "web", "https://colab.research.google.com/github/someone/sums/blob/web/colab/01_x.ipynb"),
        (MADE_UP, "", ""),
        ("https://gitlab.com/someone/sums", "gh-pages", ""),
        ("", "gh-pages", ""),
    ],
)
def test_colab_opens_notebooks_of_github_only(repository, branch, address):
    assert colab.link(repository, branch, "01_x") == address


@pytest.mark.parametrize(
    ("address", "installed"),
    [(MADE_UP, f"git+{MADE_UP}"), ("https://example.org/sums/x.zip", "https://example.org/sums/x.zip")],
)
def test_a_copy_for_colab_installs_the_course_first(address, installed):
    nbformat = pytest.importorskip("nbformat")
    from packaging.requirements import Requirement

    notebook = json.loads((project.ROOT / NOTEBOOKS[0].replace(".html", ".ipynb")).read_text(encoding="utf-8"))
    made = colab.for_colab(notebook, address)
    nbformat.validate(made)
    assert made["cells"][1:] == notebook["cells"]
    command = made["cells"][0]["source"].splitlines()[-1]
    asked = Requirement(re.fullmatch(r'%pip install --quiet "(.*)"', command).group(1))
    assert (asked.name, asked.extras, asked.url) == ("mlm-tutorial", {"student"}, installed)
