"""Workflows pin what they use by digest and ask for the least rights; a bot knows every lock file."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tools import cli, npm

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.y*ml"))
#: Triggers that run foreign code with the repository's own rights.
DANGEROUS = {"pull_request_target", "workflow_run", "issue_comment"}


def faults(text):
    """Return what is wrong with the text of a workflow."""
    workflow = yaml.safe_load(text)
    triggers = workflow.get("on", workflow.get(True))  # YAML 1.1 reads `on` as true
    found = [f"trigger {name}" for name in DANGEROUS & set(triggers if not isinstance(triggers, str) else [triggers])]
    if workflow.get("permissions") not in ({}, {"contents": "read"}):
        found.append("permissions of the workflow")
    uses = re.findall(r"^\s*(?:- )?uses: *(.*)$", text, re.MULTILINE)
    found += [f"not pinned: {use}" for use in uses if not re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\S*", use)]
    for name, job in workflow["jobs"].items():
        if "permissions" in job and job["permissions"] not in ({}, {"contents": "read"}):
            found.append(f"permissions of job {name}")
        if "timeout-minutes" not in job:
            found.append(f"no time limit in job {name}")
        if "container" in job or "services" in job:
            found.append(f"an image in job {name}")  # would have to be pinned as well
        if "steps" not in job:
            found.append(f"another workflow in job {name}")
        for step in job.get("steps", []):
            checks_out = step.get("uses", "").startswith("actions/checkout@")
            if checks_out and step.get("with", {}).get("persist-credentials") is not False:
                found.append(f"credentials stay in job {name}")
            if "${{" in step.get("run", ""):  # text from elsewhere would become a command
                found.append(f"an expression inside a command of job {name}")
    return found


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflow_pins_what_it_uses_and_asks_for_the_least_rights(path):
    assert faults(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        (r"@[0-9a-f]{40} # v6.0.2", "@v6", "not pinned: actions/checkout@v6"),
        (r"@[0-9a-f]{40} # v6.0.2", "@main", "not pinned: actions/checkout@main"),
        (" # v6.0.2", "", "not pinned: actions/checkout@"),
        ("contents: read", "contents: write", "permissions of the workflow"),
        (r"permissions:\n  contents: read\n", "", "permissions of the workflow"),
        ("    runs-on:", "    permissions: write-all\n    runs-on:", "permissions of job"),
        ("persist-credentials: false", "fetch-depth: 1", "credentials stay in job"),
        ("    timeout-minutes: .*\n", "", "no time limit in job"),
        ("workflow_dispatch:|push:", "pull_request_target:", "trigger pull_request_target"),
        ("run: python", 'run: echo "${{ github.head_ref }}"; python', "an expression inside a command"),
    ],
)
def test_fault_of_a_workflow_is_found(old, new, fault):
    text = (ROOT / ".github" / "workflows" / "audit.yml").read_text(encoding="utf-8")
    broken = re.sub(old, new, text)
    assert broken != text
    assert any(found.startswith(fault) for found in faults(broken)), faults(broken)


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


def test_the_tests_may_make_the_namespaces_that_close_off_notebooks():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "test.yml").read_text(encoding="utf-8"))
    commands = [step.get("run", "") for step in workflow["jobs"]["test"]["steps"]]
    assert "kernel.apparmor_restrict_unprivileged_userns=0" in " ".join(commands[: commands.index(".ci/run")])


@pytest.mark.skipif(shutil.which("bash") is None, reason="runs what a workflow gives to bash")
@pytest.mark.parametrize(("found", "shown"), [("## highest-3.12", "## highest-3.12"), (None, "No tests ran.\n")])
def test_the_difference_is_shown_also_where_the_installation_failed(tmp_path, found, shown):
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "versions.yml").read_text(encoding="utf-8"))
    (command,) = [step["run"] for step in workflow["jobs"]["try"]["steps"] if "GITHUB_STEP_SUMMARY" in str(step)]
    if found:
        folder = tmp_path / ".course" / "versions" / "highest-3.12"
        folder.mkdir(parents=True)
        (folder / "summary.md").write_text(found)
    variables = os.environ | {"GITHUB_STEP_SUMMARY": str(tmp_path / "shown.md")}
    subprocess.run(["bash", "-e", "-o", "pipefail", "-c", command], cwd=tmp_path, env=variables, check=True)
    assert (tmp_path / "shown.md").read_text() == shown
