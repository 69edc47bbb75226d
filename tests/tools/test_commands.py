"""Commands: what each one installs and starts."""

import os
import re

import pytest

from tools import cli, commands, environment, install, machine, npm, project


def test_folder_without_notebooks_is_reported(incomplete_copy, monkeypatch, capsys):
    monkeypatch.setattr(install, "set_up", lambda *wanted: None)
    assert cli.main(["open", "--no-browser"]) == 1
    assert "not complete" in capsys.readouterr().err


def test_first_notebook_is_opened(monkeypatch):
    monkeypatch.setattr(install, "set_up", lambda *wanted: None)
    monkeypatch.setattr(environment.Environment, "replace_this_process", lambda self, *command: list(command))
    started = []
    monkeypatch.setattr("subprocess.Popen", lambda command, **options: started.append(command))
    command = cli.main(["open", "--no-browser", "--port", "8899", "--ServerApp.token=abc"])
    assert started[0][1:5] == ["-m", "mlm_tutorial.warming", "--beside-server", str(project.ROOT)]
    warmed = [os.path.basename(path) for path in started[0][5:]]  # in the order in which they are read
    assert warmed == sorted(path.name for path in project.NOTEBOOKS.glob("[0-9]*.ipynb"))
    assert len(warmed) >= 14
    cli.main(["open", "--no-browser", "--no-warming"])
    assert len(started) == 1
    assert any(part.startswith("--LabApp.default_url=/lab/tree/notebooks/01_") for part in command)
    assert "--no-browser" in command
    assert (f"--ServerApp.contents_manager_class={commands.CONTENTS_MANAGER}" in command) == (os.name == "posix")
    assert command[command.index("--port") + 1] == "8899"
    assert command[-1] == "--ServerApp.token=abc"


def test_the_options_of_grading_reach_it_with_their_defaults(tmp_path, monkeypatch):
    monkeypatch.setattr(install, "set_up", lambda *wanted: None)
    monkeypatch.setattr(environment.Environment, "replace_this_process", lambda self, *command: list(command))
    start = ["-m", "tools.grading", str(tmp_path)]
    numbers = ["--cell-seconds=60", "--seconds=600", "--memory=4.0", "--processes=24", "--disk=1.0", "--jobs=2"]
    assert cli.main(["grade", str(tmp_path)]) == [*start, *numbers]
    command = cli.main(["grade", str(tmp_path), "--jobs", "1", "--again", "--output", str(tmp_path / "out")])
    assert command == [*start, "--output", str(tmp_path / "out"), *numbers[:-1], "--jobs=1", "--again"]


def test_help_of_grading_says_each_default_and_what_it_counts(capsys):
    with pytest.raises(SystemExit):
        cli.main(["grade", "--help"])
    text = " ".join(capsys.readouterr().out.partition("options:")[2].split())
    found = re.findall(r"--([\w-]+) (?:N|GB) (?:(seconds|gigabytes|processes|notebooks) [^()]*)\(([\d.]+)\)", text)
    assert found == [
        ("cell-seconds", "seconds", "60"),
        ("seconds", "seconds", "600"),
        ("memory", "gigabytes", "4"),
        ("processes", "processes", "24"),
        ("disk", "gigabytes", "1"),
        ("jobs", "notebooks", "2"),
    ]


def test_arguments_reach_pytest_in_their_order(monkeypatch):
    monkeypatch.setattr(install, "set_up", lambda *wanted: None)
    monkeypatch.setattr(npm, "fetch_proxy", lambda: None)
    monkeypatch.setattr(environment.Environment, "replace_this_process", lambda self, *command: list(command))
    monkeypatch.setattr(machine, "memory", lambda: 8e9)
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    by_file = ["-n", "2", "--dist", "loadfile", "--no-loadscope-reorder"]
    slowest = ["--durations=30", "--durations-min=5"]
    assert cli.main(["test"]) == ["-m", "pytest", *by_file, *slowest, "-m", "not rare"]
    assert cli.main(["test", "--all"]) == ["-m", "pytest", *by_file, *slowest]
    assert cli.main(["test", "tests/tools/test_npm.py"]) == ["-m", "pytest", "tests/tools/test_npm.py"]
    monkeypatch.setattr(machine, "memory", lambda: 64e9)
    assert cli.main(["test", "--fast"])[2:4] == ["-n", "6"]  # two more than there are cores
    command = cli.main(["test", "--fast", "-x", "-k", "cells and not slow", "--durations=3"])
    assert command == [
        "-m",
        "pytest",
        "--ignore-glob=*.ipynb",
        "-m",
        "not slow",
        "-x",
        "-k",
        "cells and not slow",
        "--durations=3",
    ]


@pytest.mark.parametrize(
    ("arguments", "in_ci", "extras"),
    [
        (["test"], False, ["dev"]),
        (["test"], True, ["dev", "big", "hub"]),
        (["test", "--all"], False, ["dev", "big", "hub"]),
        (["test", "--fast"], True, ["dev"]),
        (["bench", "rows"], False, ["dev", "site", "bench"]),
    ],
)
def test_large_packages_are_installed_only_where_used(monkeypatch, arguments, in_ci, extras):
    asked, fetched = [], []
    monkeypatch.delenv("CI", raising=False)
    if in_ci:
        monkeypatch.setenv("CI", "true")
    monkeypatch.setattr(install, "set_up", lambda *wanted: asked.extend(wanted))
    monkeypatch.setattr(npm, "fetch_proxy", lambda: fetched.append(True))
    monkeypatch.setattr(environment.Environment, "replace_this_process", lambda self, *command: list(command))
    cli.main(arguments)
    assert asked == extras
    assert bool(fetched) == ("hub" in extras)


def test_subsets_reach_the_benchmarks(monkeypatch):
    monkeypatch.setattr(install, "set_up", lambda *wanted: None)
    monkeypatch.setattr(environment.Environment, "replace_this_process", lambda self, *command: list(command))
    assert cli.main(["bench", "rows", "cold", "--quick"]) == ["-m", "tools.benchmarks", "rows", "cold", "--quick"]
