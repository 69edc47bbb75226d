"""The commands of ``course.py``; each returns an exit code. The docstrings are their help texts."""

import argparse
import os
import subprocess

from tools import environment, install, machine, notebooks, npm, project, site
from tools.console import CourseError, say
from tools.grading import options as grading_options
from tools.lock import project_lock
from tools.steps import run_step

#: Bytes per process of tests, including the kernel of a notebook; measured: 2 to 3 GB.
MEMORY_OF_TESTS = 3.5e9
#: Contents manager whose saves are atomic: a server that is killed while it saves loses no work.
CONTENTS_MANAGER = "mlm_tutorial.saving.AtomicContentsManager"


def open_course(options: argparse.Namespace, more: list[str]) -> int:
    """Open JupyterLab on the first notebook."""
    install.set_up("student")
    first = next(iter(sorted(project.NOTEBOOKS.glob("01_*.ipynb"))), None)
    if first is None:
        raise CourseError(f"There is no notebook 01 in {project.NOTEBOOKS}: the folder of the course is not complete.")
    command = ["-m", "jupyterlab", "--LabApp.default_url=/lab/tree/notebooks/" + first.name]
    command += [f"--ServerApp.root_dir={project.ROOT}", "--ServerApp.answer_yes=True"]
    command += ["--ServerApp.contents_manager_class=" + CONTENTS_MANAGER] if os.name == "posix" else []
    command += ["--no-browser"] if options.no_browser else []
    command += ["--port", str(options.port)] if options.port else []
    command += ["--allow-root"] if os.name == "posix" and os.getuid() == 0 else []
    say("starting JupyterLab; it prints its address below, and Ctrl-C stops it")
    if not options.no_warming:
        warm_in_background()
    return environment.of_project().replace_this_process(*command, *more)


def warm_in_background() -> None:
    """Start a process that compiles the notebooks' models, in their order, and ends with the server."""
    where, found = environment.of_project(), sorted(project.NOTEBOOKS.glob("*.ipynb"))
    command = [where.python, "-m", "mlm_tutorial.warming", "--beside-server", project.ROOT, *found]
    subprocess.Popen([str(part) for part in command], cwd=project.ROOT, env=where.variables())


def test(options: argparse.Namespace, more: list[str]) -> int:
    """Run the unit tests and every notebook."""
    # Tests of Dask, Spark and JupyterHub, which need another gigabyte, run only with `test --all`.
    everything = options.all or ("CI" in os.environ and not options.fast)
    install.set_up("dev", *(["big", "hub"] if everything else []))
    if everything:
        npm.fetch_proxy()
    say("running the tests" + ("" if options.fast or more else " and every notebook, which takes minutes"))
    which = ["--ignore-glob=*.ipynb", "-m", "not slow"] if options.fast else []
    if not which and not more:
        which = ["--durations=30", "--durations-min=5"]  # a whole run ends with what is worth making faster
        which += [] if options.all else ["-m", "not rare"]
    return environment.of_project().replace_this_process("-m", "pytest", *parallel(more), *which, *more)


def parallel(more: list[str]) -> list[str]:
    """Return the options of pytest that run two more files at a time than there are cores, or as many as memory allows.

    If `more` names a file or an option that needs a single process, tests run one after another.
    """
    alone = {"-x", "--exitfirst", "-s", "--pdb", "--lf", "--last-failed", "-n"}
    if alone & set(more) or any(part.split("::")[0].endswith((".py", ".ipynb")) for part in more):
        return []
    # More than there are cores, since tests wait for servers, browsers and other processes.
    workers = min((os.cpu_count() or 1) + 2, int(machine.memory() / MEMORY_OF_TESTS))
    # By file: a notebook is one file, and slow fixtures are shared within a file. conftest.py sets the order.
    return ["-n", str(workers), "--dist", "loadfile", "--no-loadscope-reorder"] if workers > 1 else []


def check(options: argparse.Namespace, more: list[str]) -> int:
    """Check whether this machine is ready."""
    install.set_up("student")
    say("sampling a small model (up to a minute the first time)")
    return environment.of_project().replace_this_process("-m", "mlm_tutorial")


def lint(options: argparse.Namespace, more: list[str]) -> int:
    """Check style, spelling, types and workflows."""
    install.set_up("dev")
    where = environment.of_project()
    commands = (
        ["ruff", "check"],
        ["ruff", "format", "--check"],
        ["codespell"],
        ["mypy"],
        ["zizmor", "--offline", "--quiet", "--no-progress", ".github"],
    )
    for name, *arguments in commands:
        say(" ".join([name, *arguments]))
        command = [str(where.program(name)), *arguments]
        if code := subprocess.call(command, cwd=project.ROOT, env=where.variables()):
            return code
    return 0


def conda_environment(options: argparse.Namespace, more: list[str]) -> int:
    """Write environment.yml from pyproject.toml."""
    install.set_up("dev")
    where = environment.of_project()
    run_step("writing environment.yml", conda_command("environment.yml"), where.variables())
    return 0


def conda_command(output: object) -> list:
    """Return the command that writes the conda environment of pyproject.toml to the file `output`."""
    choices = ["--extra", "dev", "--name", "decomposing-sums", "--channel", "conda-forge"]
    choices += ["--python-include", "infer", "--pip-dep=-e .", "--no-header", "--overwrite", "force"]
    return [environment.of_project().python, "-m", "pyproject2conda", "yaml", *choices, "--output", output]


def run(options: argparse.Namespace, more: list[str]) -> int:
    """Run notebooks from their .py source and store the outputs in the .ipynb."""
    sources = notebooks.find(options.names)
    install.set_up("dev")
    with project_lock("notebooks", "running notebooks"):
        measured = notebooks.run_and_measure(sources, options.times)
    rows = {**measured, "together": {"seconds": sum(row["seconds"] for row in measured.values())}}
    for name, row in rows.items():
        print(f"{name:<40} {row['seconds']:6.1f} s" + (f" {row['peak_gb']:5.2f} GB" if "peak_gb" in row else ""))
    return 0


def bench(options: argparse.Namespace, more: list[str]) -> int:
    """Measure speed, memory and accuracy; results and figures go to the site."""
    install.set_up("dev", "site", "bench")
    # Other programs are measured as their users run them: a matrix operation may take all cores.
    for name in environment.THREADS:
        os.environ.setdefault(name, str(os.cpu_count() or 1))
    return environment.of_project().replace_this_process("-m", "tools.benchmarks", *more)


def versions(options: argparse.Namespace, more: list[str]) -> int:
    """Run the tests with the oldest or the newest versions, in an environment of its own."""
    from tools.versions import try_versions

    return try_versions(options.resolution, options.python, options.store, more)


def drift(options: argparse.Namespace, more: list[str]) -> int:
    """Run notebooks again and report which stored outputs changed beyond Monte Carlo error."""
    install.set_up("dev")
    arguments = [*options.names, "--seeds", options.seeds, *(["--store"] if options.store else [])]
    return environment.of_project().replace_this_process("-m", "tools.drift", *arguments)


def audit(options: argparse.Namespace, more: list[str]) -> int:
    """Look up every package of uv.lock and package-lock.json among known vulnerabilities."""
    install.set_up("dev", "site")
    arguments = [install.find_uv(), *(["--store"] if options.store else [])]
    return environment.of_project().replace_this_process("-m", "tools.audit", *arguments)


def book(options: argparse.Namespace, more: list[str]) -> int:
    """Build the site from stored outputs; with --open, serve it on this machine."""
    install.set_up("site")
    with project_lock("site", "building the site"):
        if options.pdf:
            say(f"the PDF is {site.build_pdf(options.repository)}")
            return 0
        built = site.build(repository=options.repository)
    say(f"the site is in {built}; its first page is {built / 'index.html'}")
    if not options.open:
        return 0
    port = options.port or 8000
    say("serving it on this machine; Ctrl-C stops")
    say(f"open http://127.0.0.1:{port}/book/index.html")
    serve = ["-m", "http.server", port, "--bind", "127.0.0.1", "--directory", built]
    return environment.of_project().replace_this_process(*serve)


def exercises(options: argparse.Namespace, more: list[str]) -> int:
    """Make the notebooks of stubs and solutions from notebooks/exercise_sources; run solutions that changed."""
    install.set_up("dev")
    with project_lock("notebooks", "making the notebooks of exercises"):
        notebooks.make_exercises(options.all)
    return 0


def grade(options: argparse.Namespace, more: list[str]) -> int:
    """Grade a class: a folder of submitted notebooks in, a table of grades and feedback pages out."""
    install.set_up("teach")
    output = ["--output", os.path.abspath(options.output)] if options.output else []
    command = ["-m", "tools.grading", os.path.abspath(options.folder), *output]
    command += grading_options.arguments(options)
    return environment.of_project().replace_this_process(*command)


def class_of_students(options: argparse.Namespace, more: list[str]) -> int:
    """Start a JupyterHub on this machine, and let simulated students use it."""
    if os.name != "posix":
        raise CourseError("JupyterHub needs Linux or macOS. On Windows, run this in WSL.")
    install.set_up("hub")
    npm.fetch_proxy()
    say("starting the hub; everything happens on this machine and in a temporary folder")
    return environment.of_project().replace_this_process("-m", "tools.hub", *more)
