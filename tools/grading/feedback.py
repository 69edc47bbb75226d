"""Feedback pages, which run no script, load nothing, and lead nowhere, whatever a submission wrote into them."""

import html
import re

from tools.grading.text import clean_lines

#: Elements that show something. Others start scripts, load files, send forms, or lead to another page.
SHOWN = frozenset(
    """
    a abbr b blockquote body br caption code col colgroup dd del details div dl dt em figcaption figure footer h1 h2 h3
    h4 h5 h6 head header hr html i img ins kbd li main mark ol p pre s samp section small span strong style sub summary
    sup table tbody td tfoot th thead title tr tt u ul var
    svg g path rect circle ellipse line polyline polygon text tspan defs clippath
    """.split()  # noqa: SIM905
)
_TAG = re.compile(r"<(?=/?([a-z][^\s/>]*))", re.IGNORECASE)
_LINK = re.compile(
    r"""<a(?=[\s/>])(?!(?:\s+(?:class="anchor-link"|href="\#[^"<>]*"|(?:name|id)="[^"<>]*"))+>)""", re.IGNORECASE
)
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; form-action 'none'; base-uri 'none'"
)
#: The page around a page. The frame has a sandbox that allows nothing, and inherits the policy of what is around it.
_FRAME = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta http-equiv="x-dns-prefetch-control" content="off">
<meta name="referrer" content="no-referrer">
<title>Feedback</title>
<style>
html, body {{ margin: 0; height: 100% }}
iframe {{ border: 0; width: 100%; height: 100%; display: block }}
</style>
</head>
<body><iframe sandbox title="Feedback" srcdoc="{page}"></iframe></body>
</html>
"""


def sanitized(page: str) -> str:
    """Return a page in which every tag of an element that is not known to be harmless is shown as text.

    A tag starts with ``<`` and a letter, or ``</`` and a letter; the name decides, however the rest is written. Links
    lead to other parts of the page only: a browser gets in touch with a host when a link to it is merely touched.
    """
    page = _TAG.sub(lambda tag: "<" if tag.group(1).lower() in SHOWN else "&lt;", page)
    return _LINK.sub("<span", page)


def framed(page: bytes) -> str:
    """Return a page of feedback made of what a grading process left, which may be anything."""
    text = sanitized(clean_lines(page.decode("utf-8", errors="replace")))
    return _FRAME.format(policy=_POLICY, page=html.escape(text))
