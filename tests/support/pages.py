"""The built site's pages: their names, their text and their links."""

import os
import re
from html.parser import HTMLParser

import pytest
import yaml

from tools import project

BUILT = (project.SITE / "index.html").exists()
site_is_built = pytest.mark.skipif(not BUILT and "CI" not in os.environ, reason="needs `python course.py book`")


def files_of_toc(entries):
    """Return the pages of a list of entries in the order of the table of contents, each before those under it."""
    found = []
    for entry in entries:
        found += [entry["file"], *files_of_toc(entry.get("sections", []))]
    return found


def pages_of_toc():
    """Return the names of all pages of the table of contents."""
    toc = yaml.safe_load((project.BOOK / "_toc.yml").read_text(encoding="utf-8"))
    chapters = [name for part in toc["parts"] for name in files_of_toc(part["chapters"])]
    return [f"{name}.html" for name in (toc["root"], *chapters)]


PAGES = pages_of_toc()
NOTEBOOKS = [page for page in PAGES if re.match(r"notebooks/\d\d_", page)]
EXERCISES = [page for page in PAGES if page.startswith("notebooks/solutions/")]


def page_text(name):
    """Return the HTML of a page."""
    return (project.SITE / name).read_text(encoding="utf-8")


class Links(HTMLParser):
    """Targets and anchors of a page."""

    def __init__(self, text):
        super().__init__()
        self.targets, self.anchors = [], {""}
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        """Keep what a tag leads to, and the anchors that it has."""
        attrs = dict(attrs)
        self.anchors |= {attrs.get("id"), attrs.get("name")}
        attribute = {"a": "href", "link": "href", "script": "src", "img": "src"}.get(tag)
        if attribute and attrs.get(attribute):
            self.targets.append(attrs[attribute])
