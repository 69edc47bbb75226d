"""A feedback page shows what it should, in a real browser, and reaches nobody, whatever a submission wrote into it.

The attacks ask a listener of the test's own on this machine for what they want; no request may arrive.
"""

import html
import re
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress
from pathlib import Path

import nbformat
import pytest

from tests.support.classroom import NAME, RIGHT, hand_in, notebook_with
from tools.grading.feedback import SHOWN, framed, sanitized

ROOT = Path(__file__).resolve().parents[2]
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi"
#: Each by a name, with a port; a reader's click on a link or a button is part of the test.
ATTACKS = {
    "redirect": '<meta http-equiv="refresh" content="0; url=http://127.0.0.1:{port}/redirect">',
    "redirect in odd letters": '<MeTa/http-equiv=refresh\ncontent="0;url=http://127.0.0.1:{port}/odd">',
    "base": '<base href="http://127.0.0.1:{port}/"><img src="base.png"><a href="base">click</a>',
    "form": '<form action="http://127.0.0.1:{port}/form"><input name="a"><button>click</button></form>',
    "form of a button": '<button formaction="http://127.0.0.1:{port}/b" form="f">click</button><form id="f"></form>',
    "link": '<a href="http://127.0.0.1:{port}/link">click</a>',
    "link of the whole window": '<a href="http://127.0.0.1:{port}/top" target="_top">click</a>',
    "link to a new window": '<a href="http://127.0.0.1:{port}/new" target="_blank">click</a>',
    "ping": '<a href="#here" ping="http://127.0.0.1:{port}/ping">click</a>',
    "picture": '<img src="http://127.0.0.1:{port}/a.png" srcset="http://127.0.0.1:{port}/b.png 2x">',
    "background": '<body background="http://127.0.0.1:{port}/c.png"><p style="background:url(http://127.0.0.1:{port}/d)">',
    "style": '<style>@import "http://127.0.0.1:{port}/e.css"; p {{background: url(http://127.0.0.1:{port}/f)}}</style>',
    "style sheet": '<link rel="stylesheet" href="http://127.0.0.1:{port}/g.css">',
    "hints": '<link rel="preconnect" href="http://127.0.0.1:{port}"><link rel="prefetch" href="http://127.0.0.1:{port}/h">',
    "icon": '<link rel="icon" href="http://127.0.0.1:{port}/i.png">',
    "frame": '<iframe src="http://127.0.0.1:{port}/j"></iframe><embed src="http://127.0.0.1:{port}/k">',
    "object": '<object data="http://127.0.0.1:{port}/l"></object>',
    "media": '<video src="http://127.0.0.1:{port}/m" poster="http://127.0.0.1:{port}/n"></video>',
    "drawing": '<svg><image href="http://127.0.0.1:{port}/o"/><use href="http://127.0.0.1:{port}/p#x"/></svg>',
    "script": "<script>fetch('http://127.0.0.1:{port}/q')</script>",
    "script of a picture": "<img src=x onerror=\"fetch('http://127.0.0.1:{port}/r')\">",
    "script of a drawing": "<svg onload=\"fetch('http://127.0.0.1:{port}/s')\"></svg>",
    "script of a link": "<a href=\"javascript:fetch('http://127.0.0.1:{port}/t')\">click</a>",
    "end of the frame": "\"></iframe><script>fetch('http://127.0.0.1:{port}/u')</script><iframe srcdoc=\"",
    "comment": "<!-- --!><script>fetch('http://127.0.0.1:{port}/v')</script><!-- -->",
}
#: Harmless without anything that guards a page: a browser does none of these by itself from a file.
QUIET = {"icon", "ping", "end of the frame", "drawing", "link to a new window"}


@contextmanager
def listening():
    """Answer requests on this machine; yield the port and the list of what was asked for."""
    asked = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.settimeout(2)
                    try:
                        asked.append(connection.recv(1000).split(b"\r\n")[0])
                        connection.sendall(ANSWER)
                    except OSError:
                        asked.append(b"a connection")

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1], asked
        listener.shutdown(socket.SHUT_RDWR)


def visit(browser, path):
    """Open a page, click what can be clicked, and wait; return its address then, and the text of its frame."""
    from playwright.sync_api import Error

    view = browser.new_page()
    view.goto(path.as_uri())
    for frame in view.frames:
        with suppress(Error):  # the page may have gone where the attack leads
            for element in frame.query_selector_all("a, button")[:1]:
                element.click(timeout=1000, force=True, no_wait_after=True)
    view.wait_for_timeout(400)
    address = view.url
    text = view.frames[1].inner_text("body") if len(view.frames) > 1 else ""
    view.close()
    return address, text


@pytest.mark.slow(2)
@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_on_a_page_reaches_nobody(tmp_path, browser, name):
    start = "<html><body><p>hello</p>"
    with listening() as (port, asked):
        (tmp_path / "bare.html").write_text(start + ATTACKS[name].format(port=port))
        visit(browser, tmp_path / "bare.html")
        assert asked or name in QUIET, "this attack would prove nothing"
    with listening() as (port, asked):  # another one, because a browser may have kept a connection to the first
        attack = start + ATTACKS[name].format(port=port)
        pages = [framed(attack.encode())]
        if "link" not in name:  # the frame alone has to hold, too, where nobody clicks
            pages.append(framed(b"hello").replace("hello", html.escape(attack)))
        for alone, page in enumerate(pages):
            (tmp_path / "page.html").write_text(page, encoding="utf-8")
            address, text = visit(browser, tmp_path / "page.html")
            # A busy browser may open a connection for a frame before the policy stops it, and ask for nothing.
            assert [request for request in asked if request or not alone] == []
            assert address == (tmp_path / "page.html").as_uri()
            assert "hello" in text


def test_the_policy_names_what_the_default_does_not_cover():
    page = framed(b"")
    for part in ("default-src 'none'", "form-action 'none'", "base-uri 'none'"):
        assert part in page.partition("<body>")[0]
    assert re.findall(r"<iframe[^>]*?sandbox(?:=\"[^\"]*\")?", page) == ["<iframe sandbox"]


@pytest.mark.parametrize("name", ATTACKS)
def test_tags_of_an_attack_are_shown_as_text(name):
    page = sanitized(ATTACKS[name].format(port=1))
    assert {tag.lower() for tag in re.findall(r"<\s*/?\s*([a-z]+)", page, re.IGNORECASE)} <= SHOWN


def test_links_lead_to_other_parts_of_the_page_only():
    inside = '<a href="#top">x</a><a name="top"></a><a class="anchor-link" href="#Title">x</a>'
    assert sanitized(inside) == inside
    for outside in ('<a href="//x">', "<A HREF=x>", '<a href="x" name="#">', "<a\nhref='x'>", '<a/href="x">'):
        assert sanitized(outside).startswith("<span"), outside
    assert sanitized("<abbr>") == "<abbr>"


def test_what_an_ordinary_page_is_made_of_stays():
    page = '<h1 id="a">A &lt;b&gt;</h1><table><tr><td class="x">1 < 2</td></tr></table>'
    page += '<img src="data:image/png;base64,A=">'
    assert sanitized(page) == page


@pytest.mark.slow
def test_a_page_of_a_graded_notebook_shows_points_and_code_and_reaches_nobody(tmp_path, browser):
    pytest.importorskip("nbgrader", reason="grading needs the extra `teach`")
    with listening() as (port, asked):
        notebook = notebook_with(RIGHT)
        attacks = {name: text.format(port=port) for name, text in ATTACKS.items()}
        notebook.cells.insert(1, nbformat.v4.new_markdown_cell("\n\n".join(attacks.values())))
        shown = "from IPython.display import HTML, Markdown, SVG, display\n"
        shown += "".join(f"display(HTML({x!r}), Markdown({x!r}))\n" for x in attacks.values())
        notebook.cells.insert(2, nbformat.v4.new_code_cell(shown))
        hand_in(tmp_path / "class", "Eve")
        nbformat.write(notebook, tmp_path / "class" / "Eve" / NAME)
        command = [sys.executable, "-m", "tools.grading", str(tmp_path / "class"), "--output", str(tmp_path / "out")]
        result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
        assert "Eve: set 01, 7 of 7 points" in result.stdout, result.stdout + result.stderr
        (page,) = (tmp_path / "out" / "feedback").glob("*.html")
        address, text = visit(browser, page)
        assert asked == []
        assert address == page.as_uri()
        for words in ("Score: 7.0 / 7.0", "Student's answer", "def "):
            assert words in text
        assert "bootstrap" not in text
        assert "MathJax" not in text
