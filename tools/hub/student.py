"""A simulated student of a JupyterHub, who sends the requests of a browser with JupyterLab.

Logs in by the form, follows the redirects of OAuth to the student's server, opens a notebook through the contents API,
runs its cells over the kernel's websocket and saves the whole notebook. As in a browser, the open notebook is in the
student's memory (`Student.notebook`), and a server that stopped is started again by hand.
"""

import asyncio
import contextlib
import copy
import json
import time
import uuid

import aiohttp
import nbformat
from jupyter_server.services.kernels.connection.base import deserialize_binary_message
from yarl import URL

NOTEBOOK = "01_simulating_sums.ipynb"
CELL_SECONDS = 300
ANSWER_SECONDS = 10  # after this time a kernel is asked again
SERVER_SECONDS = 300
OUTPUTS = ("stream", "display_data", "execute_result", "error")


class KernelDied(Exception):
    """The kernel died while or before it ran a cell; the server has started another one."""


class CellFailed(Exception):
    """A cell raised; the text is its traceback."""


class Student:
    """A student with a browser.

    Parameters
    ----------
    url : str
        Address of the hub as students see it, with a slash at its end.
    name, password : str
        What the student logs in with.

    Attributes
    ----------
    notebook : nbformat.NotebookNode
        The notebook as the student sees it, saved or not.
    seconds : dict of str to float
        How long each step took last: log_in, server, kernel, open, save, and run, the sum of all cells.
    """

    def __init__(self, url, name, password):
        self.url = URL(url)
        self.server = self.url / "user" / name
        self.name = name
        self.password = password
        self.notebook = None
        self.kernel = None
        self.seconds = {"run": 0.0}
        self.running = False  # whether the kernel is known to run a cell now
        self._socket = self._messages = self._listening = None
        self._saving = asyncio.Lock()  # one save after the other, as JupyterLab does
        # unsafe: a browser keeps the cookies of an address without a name as well
        self._browser = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))

    async def __aenter__(self):
        return self

    async def __aexit__(self, *error):
        await self._browser.close()

    # The hub

    async def log_in(self):
        """Log in by the hub's form."""
        began = time.monotonic()
        login = self.url / "hub" / "login"
        await self._ask("GET", login)
        form = {"username": self.name, "password": self.password, "_xsrf": self._xsrf(login)}
        # The redirect leads to a page that starts the server, which `start_server` does and measures.
        await self._ask("POST", login, data=form, allow_redirects=False)
        self.seconds["log_in"] = time.monotonic() - began

    async def start_server(self):
        """Let the hub start the student's server, wait until it answers, and log in to it."""
        began = time.monotonic()
        user = self.url / "hub" / "api" / "users" / self.name
        while not (server := (await self._ask("GET", user))["servers"].get("", {})).get("ready"):
            if not server:
                await self._ask("POST", user / "server", json={})
            if time.monotonic() - began > SERVER_SECONDS:
                raise TimeoutError(f"the server of {self.name} did not start in {SERVER_SECONDS} s")
            await asyncio.sleep(0.5)
        await self.enter()
        self.seconds["server"] = time.monotonic() - began

    async def enter(self):
        """Log in to a server that is running, by the redirects of OAuth."""
        await self._ask("GET", self.server / "lab")

    # The student's server

    async def read(self):
        """Return the notebook that the server has stored."""
        model = await self._ask("GET", self.server / "api" / "contents" / NOTEBOOK, params={"content": "1"})
        return nbformat.from_dict(model["content"])

    async def open(self):
        """Open the notebook, as it is stored."""
        began = time.monotonic()
        self.notebook = await self.read()
        self.seconds["open"] = time.monotonic() - began

    async def save(self):
        """Save the notebook as the student sees it."""
        async with self._saving:
            began = time.monotonic()
            model = {"type": "notebook", "format": "json", "content": self.notebook}
            await self._ask("PUT", self.server / "api" / "contents" / NOTEBOOK, json=model)
            self.seconds["save"] = time.monotonic() - began

    def write(self, text):
        """Write a remark, in a cell of its own at the end of the notebook or in place of the last remark."""
        if not self.remark():
            self.notebook.cells.append(nbformat.v4.new_markdown_cell())
            self.notebook.cells[-1].metadata["tags"] = ["remark"]
        self.notebook.cells[-1].source = text

    def remark(self):
        """Return the remark in the notebook as the student sees it; empty when there is none."""
        last = self.notebook.cells[-1]
        return last.source if "remark" in last.metadata.get("tags", []) else ""

    async def start_kernel(self):
        """Start a kernel for the notebook, or find the one that it has, and connect to it."""
        began = time.monotonic()
        session = {"path": NOTEBOOK, "name": NOTEBOOK, "type": "notebook", "kernel": {"name": "python3"}}
        self.kernel = (await self._ask("POST", self.server / "api" / "sessions", json=session))["kernel"]["id"]
        await self.connect()
        await self._wait_for_kernel()
        self.seconds["kernel"] = time.monotonic() - began

    async def _wait_for_kernel(self):
        """Ask until the kernel answers, as JupyterLab does: messages to a kernel that is restarting may be lost."""
        async with asyncio.timeout(CELL_SECONDS):
            while True:
                with contextlib.suppress(TimeoutError, KernelDied):
                    async with asyncio.timeout(ANSWER_SECONDS):
                        await self.execute("")
                        return

    async def connect(self):
        """Connect to the kernel of the notebook."""
        channels = self.server / "api" / "kernels" / self.kernel / "channels" % {"session_id": uuid.uuid4().hex}
        self._socket = await self._browser.ws_connect(channels, max_msg_size=0)
        self._messages = asyncio.Queue()
        self._listening = asyncio.create_task(self._listen(self._socket, self._messages))

    async def execute(self, code):
        """Run code in the kernel; return the count and the outputs of the cell.

        Raises
        ------
        KernelDied
            If the kernel is gone.
        ConnectionError
            If the server is gone.
        """
        message = uuid.uuid4().hex
        header = {"msg_id": message, "msg_type": "execute_request", "session": self.name, "username": self.name}
        content = {"code": code, "silent": False, "store_history": True, "allow_stdin": False, "stop_on_error": True}
        request = {"header": {**header, "version": "5.3", "date": ""}, "parent_header": {}, "metadata": {}}
        await self._socket.send_json({**request, "content": content, "channel": "shell", "buffers": []})
        outputs, count, done = [], None, set()
        try:
            async with asyncio.timeout(CELL_SECONDS):
                while done != {"reply", "idle"}:
                    answer = await self._receive()
                    kind, told = answer["msg_type"], answer["content"]
                    if kind == "status" and told["execution_state"] in ("restarting", "dead"):
                        raise KernelDied(self.name)
                    if answer["parent_header"].get("msg_id") != message:
                        continue
                    if kind == "execute_reply":
                        count = told.get("execution_count")
                        done.add("reply")
                    elif kind == "status":
                        self.running = told["execution_state"] == "busy"
                        done |= {told["execution_state"]} & {"idle"}
                    elif kind in OUTPUTS:
                        outputs.append(nbformat.v4.output_from_msg(answer))
        finally:
            self.running = False
        return count, outputs

    async def run(self, first=0, last=None):
        """Run the code cells from `first` to before `last`, one after the other, and keep their outputs.

        Raises
        ------
        CellFailed
            If a cell raises.
        """
        for cell in self.code_cells()[first:last]:
            began = time.monotonic()
            cell.execution_count, cell.outputs = await self.execute(cell.source)
            self.seconds["run"] += time.monotonic() - began
            for output in cell.outputs:
                if output.output_type == "error":
                    raise CellFailed("\n".join(output.traceback))

    def code_cells(self):
        """Return the code cells of the notebook as the student sees it."""
        return [cell for cell in self.notebook.cells if cell.cell_type == "code"]

    def clear(self):
        """Remove all outputs, so that later outputs are known to be new."""
        for cell in self.code_cells():
            cell.execution_count, cell.outputs = None, []

    def copy(self):
        """Return a copy of the notebook as the student sees it."""
        return copy.deepcopy(self.notebook)

    # The browser

    async def _listen(self, connection, messages):
        """Collect the kernel's messages at all times: a server closes connections that do not answer its pings."""
        async for message in connection:
            if message.type is aiohttp.WSMsgType.TEXT:
                messages.put_nowait(json.loads(message.data))
            elif message.type is aiohttp.WSMsgType.BINARY:
                messages.put_nowait(deserialize_binary_message(message.data))
        messages.put_nowait(None)

    async def _receive(self):
        """Return the next message of the kernel."""
        message = await self._messages.get()
        if message is None:
            raise ConnectionError(f"the server of {self.name} closed the connection")
        return message

    async def _ask(self, method, address, **more):
        """Send a request as a page of the hub or of the server would; return what a JSON answer holds."""
        headers = {"X-XSRFToken": self._xsrf(address), "Referer": str(address)}
        async with self._browser.request(method, address, headers=headers, **more) as answer:
            text = await answer.text()
            if answer.status >= 400:
                raise aiohttp.ClientResponseError(
                    answer.request_info, answer.history, status=answer.status, message=text[:2000]
                )
            return json.loads(text) if text and answer.content_type == "application/json" else None

    def _xsrf(self, address):
        """Return the token against cross-site requests that belongs to an address; empty before the first visit."""
        cookie = self._browser.cookie_jar.filter_cookies(address).get("_xsrf")
        return cookie.value if cookie else ""
