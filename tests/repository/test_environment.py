"""The files that describe the environment agree, and name nothing private."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from tools import commands
from tools.environment import Environment

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def lock():
    return tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))


def test_environment_yml_matches_pyproject(tmp_path, monkeypatch):
    monkeypatch.setattr(Environment, "python", sys.executable)  # tests run in other environments too
    output = tmp_path / "environment.yml"
    subprocess.run(commands.conda_command(output), cwd=ROOT, check=True, capture_output=True)
    message = "run `python course.py environment`"
    assert (ROOT / "environment.yml").read_text(encoding="utf-8") == output.read_text(encoding="utf-8"), message


def test_lock_names_only_the_public_index():
    urls = re.findall(r'"(\w+://[^/"]+)', (ROOT / "uv.lock").read_text(encoding="utf-8"))
    assert set(urls) == {"https://pypi.org", "https://files.pythonhosted.org"}


def test_lock_holds_the_requirements_of_pyproject(project, lock):
    wanted = {(entry, None) for entry in map(normal, project["dependencies"])}
    for extra, entries in project["optional-dependencies"].items():
        wanted |= {(entry, extra) for entry in map(normal, entries)}

    own = next(package for package in lock["package"] if package["name"] == project["name"])
    locked = set()
    for entry in own["metadata"]["requires-dist"]:
        extras = f"[{','.join(entry['extras'])}]" if "extras" in entry else ""
        marker = re.search(r"extra == '(\w+)'", entry.get("marker", ""))
        locked.add((normal(entry["name"] + extras + entry.get("specifier", "")), marker and marker.group(1)))
    assert locked == wanted, "run `uv lock`"
    assert lock["requires-python"] == project["requires-python"], "run `uv lock`"


def test_a_slow_parser_is_not_installed(lock):
    """Importing rfc3987-syntax takes 1.2 s, and jsonschema imports it in each process that reads a notebook."""
    lists = [
        entries
        for package in lock["package"]
        for entries in [package.get("dependencies", []), *package.get("optional-dependencies", {}).values()]
    ]
    asks_for_it = [entry for entries in lists for entry in entries if entry["name"] == "rfc3987-syntax"]
    assert asks_for_it
    assert {entry.get("marker") for entry in asks_for_it} == {"sys_platform == 'never'"}


def normal(requirement):
    """Write a requirement the one way that two equal ones share."""
    return str(Requirement(requirement))


def test_every_locked_version_is_allowed(project, lock):
    versions = {package["name"]: package["version"] for package in lock["package"] if "version" in package}
    for text in (*project["dependencies"], *sum(project["optional-dependencies"].values(), [])):
        requirement = Requirement(text)
        if requirement.name != project["name"]:
            assert requirement.specifier.contains(versions[requirement.name]), text


def test_binder_installs_only_locked_digests():
    steps = (ROOT / ".binder" / "postBuild").read_text(encoding="utf-8")
    assert "--no-hashes" not in steps
    assert re.search(r"uv pip install .*--require-hashes --requirements", steps)


@pytest.mark.skipif(os.name != "posix" or not shutil.which("bash"), reason="needs bash")
def test_binder_starts_with_the_settings_that_the_course_opens_with():
    start = [ROOT / ".binder" / "start", sys.executable, "-c", "import json, os; print(json.dumps(dict(os.environ)))"]
    assert os.access(start[0], os.X_OK)
    names = ("JUPYTER_CONFIG_PATH", "JUPYTER_PATH")
    before = {name: value for name, value in os.environ.items() if name not in names}
    found = json.loads(subprocess.run(start, env=before, check=True, capture_output=True, text=True).stdout)
    assert {found[name] for name in names} == {str(ROOT / "tools" / "jupyter")}
    found = json.loads(subprocess.run(start, env=found, check=True, capture_output=True, text=True).stdout)
    assert len(found["JUPYTER_PATH"].split(":")) == 2  # what was set before stays


def test_citation_has_the_version_and_authors_of_pyproject(project):
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert str(citation["version"]) == project["version"]
    assert [author["name"] for author in citation["authors"]] == [author["name"] for author in project["authors"]]


def test_every_python_that_is_promised_is_tested(project):
    named = {x.rsplit(" ", 1)[1] for x in project["classifiers"] if re.search(r"Python :: 3\.\d+$", x)}
    for name in ("test", "versions"):
        workflow = yaml.safe_load((ROOT / ".github" / "workflows" / f"{name}.yml").read_text(encoding="utf-8"))
        (job,) = workflow["jobs"].values()
        assert set(job["strategy"]["matrix"]["python"]) == named


def files_of_the_project():
    """Return the paths of all files that git knows or would add."""
    if not (ROOT / ".git").exists() or not shutil.which("git"):
        pytest.skip("not a git repository")
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout.decode().split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


def test_drafts_of_killed_writers_are_ignored():
    before = files_of_the_project()
    draft = ROOT / "results" / f"times.json.{os.getpid()}.part"  # as mlm_tutorial.atomic names it
    try:
        draft.touch()
        assert files_of_the_project() == before
    finally:
        draft.unlink()


# Written in pieces, so that this file does not name what it looks for.
MACHINE_PATH = re.compile(
    r"(?<![\w.:/~-])(?:/" + r"(?:home|Users|root|work|tmp|mnt|opt|srv|private)/[\w.-]+" + r"|[A-Z]:\\+Users\\+\w+)"
)
PRIVATE_HOST = re.compile(
    r"\w+://(?:[^/\s@\"']+@|(?:10|192\.168|172\.(?:1[6-9]|2\d|3[01]))\.\d|[\w-]+(?:\.[\w-]+)*\."
    r"(?:internal|local|lan|corp|intranet|home)\b)"
)


def test_no_file_names_a_private_host_or_a_path_of_a_machine():
    found = []
    for path in files_of_the_project():
        content = path.read_bytes()
        if b"\0" in content:
            continue
        for number, line in enumerate(content.decode("utf-8").splitlines(), 1):
            if "image/png" in line:
                continue
            found += [
                f"{path.relative_to(ROOT)}:{number}: {match.group()}"
                for pattern in (MACHINE_PATH, PRIVATE_HOST)
                for match in pattern.finditer(line)
            ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "text",
    [
        "/" + "home/anna/course",
        '"/' + "tmp/ipykernel_12/3.py",
        "C:" + "\\Users\\anna",
        "https:" + "//user:pw@host.org",
        "http:" + "//pypi.lan/simple",
        "http:" + "//10.0.0.7:8000",
    ],
)
def test_the_patterns_find_what_they_should(text):
    assert MACHINE_PATH.search(text) or PRIVATE_HOST.search(text)


@pytest.mark.parametrize("text", ["https://pypi.org/simple", "book/images/x.png", "http://127.0.0.1:9/", "a/tmp/b"])
def test_the_patterns_leave_the_rest_alone(text):
    assert not MACHINE_PATH.search(text)
    assert not PRIVATE_HOST.search(text)
