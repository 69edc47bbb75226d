"""Workflows pass the audit of zizmor; a bot updates every lock file."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tools import cli, npm

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.y*ml"))


def audit(folder):
    """Return the findings of zizmor in a folder, without the network."""
    zizmor = Path(sys.executable).with_name("zizmor")
    command = [zizmor, "--offline", "--no-progress", "--format", "plain", folder]
    return subprocess.run(list(map(str, command)), capture_output=True, text=True)


def test_zizmor_finds_nothing_in_the_workflows():
    found = audit(ROOT / ".github")
    assert found.returncode == 0, found.stdout


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        (r"@[0-9a-f]{40} # v6.0.2", "@v6", "unpinned-uses"),
        (r"permissions:\n  contents: read\n", "", "excessive-permissions"),
        ("persist-credentials: false", "fetch-depth: 1", "artipacked"),
        ("workflow_dispatch:|push:", "pull_request_target:", "dangerous-triggers"),
        ("run: python", 'run: echo "${{ github.head_ref }}"; python', "template-injection"),
    ],
)
def test_fault_of_a_workflow_is_found(tmp_path, old, new, fault):
    text = (ROOT / ".github" / "workflows" / "audit.yml").read_text(encoding="utf-8")
    broken = re.sub(old, new, text)
    assert broken != text
    (tmp_path / ".github" / "workflows").mkdir(parents=True)
    (tmp_path / ".github" / "workflows" / "audit.yml").write_text(broken, encoding="utf-8")
    found = audit(tmp_path)
    assert found.returncode != 0
    assert fault in found.stdout


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_every_job_has_a_time_limit(path):
    jobs = yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"]
    assert [name for name, job in jobs.items() if "timeout-minutes" not in job] == []


def test_a_bot_knows_every_lock_file():
    updates = yaml.safe_load((ROOT / ".github" / "dependabot.yml").read_text(encoding="utf-8"))["updates"]
    known = {(update["package-ecosystem"], update["directory"]) for update in updates}
    npm = {("npm", f"/{folder}") for folder in npm_folders()}
    assert len(npm) >= 2
    assert known == {("uv", "/"), ("github-actions", "/")} | npm
    assert (ROOT / "uv.lock").exists()


def test_the_audit_looks_up_every_lock_file_and_runs_when_one_changes():
    assert set(npm.FOLDERS) == npm_folders()
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "audit.yml").read_text(encoding="utf-8"))
    assert {"uv.lock", "**/package-lock.json"} <= set(workflow[True]["pull_request"]["paths"])


def npm_folders():
    """Return the folders of the repository that hold a lock file of npm."""
    found = {path.parent.relative_to(ROOT) for path in ROOT.glob("[!.]*/**/package-lock.json")}
    return {folder.as_posix() for folder in found if not {"node_modules", "_build"} & set(folder.parts)}


def test_scheduled_workflow_tries_both_ends_of_the_versions():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "versions.yml").read_text(encoding="utf-8"))
    matrix = workflow["jobs"]["try"]["strategy"]["matrix"]
    assert matrix == {"resolution": ["lowest-direct", "highest"], "python": ["3.12", "3.13"]}
    assert "schedule" in workflow[True]
    steps = " ".join(step.get("run", "") + str(step.get("with", "")) for step in workflow["jobs"]["try"]["steps"])
    for shown in ("GITHUB_STEP_SUMMARY", "summary.md", "tests.xml"):
        assert shown in steps
    command = next(step["run"] for step in workflow["jobs"]["try"]["steps"] if "versions" in step.get("run", ""))
    options, _ = cli.parse(command.split()[2:3] + ["--resolution", "lowest-direct"])
    assert options.command == "versions"


def test_workflows_allow_namespaces_for_sandboxes():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "test.yml").read_text(encoding="utf-8"))
    commands = [step.get("run", "") for step in workflow["jobs"]["test"]["steps"]]
    assert "kernel.apparmor_restrict_unprivileged_userns=0" in " ".join(commands[: commands.index(".ci/run")])


@pytest.mark.skipif(shutil.which("bash") is None, reason="runs what a workflow gives to bash")
@pytest.mark.parametrize(("found", "shown"), [("## highest-3.12", "## highest-3.12"), (None, "No tests ran.\n")])
def test_the_difference_is_shown_after_a_failed_installation(tmp_path, found, shown):
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "versions.yml").read_text(encoding="utf-8"))
    (command,) = [step["run"] for step in workflow["jobs"]["try"]["steps"] if "GITHUB_STEP_SUMMARY" in str(step)]
    if found:
        folder = tmp_path / ".course" / "versions" / "highest-3.12"
        folder.mkdir(parents=True)
        (folder / "summary.md").write_text(found)
    variables = os.environ | {"GITHUB_STEP_SUMMARY": str(tmp_path / "shown.md")}
    subprocess.run(["bash", "-e", "-o", "pipefail", "-c", command], cwd=tmp_path, env=variables, check=True)
    assert (tmp_path / "shown.md").read_text() == shown
