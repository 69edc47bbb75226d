"""A server for tests of the built site."""

import http.server
import threading
from functools import partial

import pytest

from tools import project


class Quiet(http.server.SimpleHTTPRequestHandler):
    """A handler that prints no line for a request."""

    def log_message(self, *args):
        """Print nothing."""


@pytest.fixture(scope="module")
def server():
    """Serve the site on a free port of this machine; return its address."""
    handler = partial(Quiet, directory=str(project.SITE))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}/"
        running.shutdown()
