"""What tests share that walk the built site in a browser: whether it is there, and checks of one page."""

import os

import pytest

from tests.support.browsing import BROWSER
from tools import project

AXE = project.CACHE / "npm" / "node_modules" / "axe-core" / "axe.min.js"
MISSING = [
    what
    for what, there in (
        ("the site (python course.py book)", (project.SITE / "index.html").exists()),
        ("Chromium", BROWSER is not None),
    )
    if not there
]
#: Marks of every file that walks the site.
NEEDS_SITE = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(MISSING) and "CI" not in os.environ, reason="needs " + " and ".join(MISSING)),
]


def typeset(page):
    """Wait until mathematics is typeset."""
    page.evaluate("() => window.MathJax && MathJax.startup ? MathJax.startup.promise.then(() => true) : true")


def serious_problems(page, part, rules=()):
    """Return the serious and critical findings of axe-core in a part of a page, by all of its rules or by some."""
    page.add_script_tag(path=str(AXE))
    # Nothing is loaded ahead: axe may not read the style sheets of a page in a folder, and the course has no audio.
    options = {"resultTypes": ["violations"], "preload": False} | ({"runOnly": list(rules)} if rules else {})
    found = page.evaluate("([part, options]) => axe.run(part, options)", [part, options])["violations"]
    return [
        f"{problem['id']}: {problem['help']}: {[node['html'][:150] for node in problem['nodes'][:3]]}"
        for problem in found
        if problem["impact"] in ("serious", "critical")
    ]
