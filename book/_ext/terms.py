"""Link the terms of ``book/glossary.md`` where they occur in the chapters, each with its meaning.

The first occurrence in each section, of common words the first on a page, becomes a link to the passage of the
glossary; ``terms.js`` shows the meaning.
Code, headings, links, emphasized words (a term that is being explained) and questions stay as they are.
"""

import html
import re
from pathlib import Path

from docutils import nodes

GLOSSARY = Path(__file__).resolve().parents[1] / "glossary.md"
_ENTRY = re.compile(r"^- \*\*(?P<term>[^*]+)\*\*: (?P<meaning>.+)$", re.MULTILINE)
_APART = (nodes.literal, nodes.literal_block, nodes.reference, nodes.title, nodes.strong, nodes.emphasis, nodes.math)
_APART += (nodes.math_block, nodes.raw, nodes.image, nodes.caption, nodes.footnote, nodes.citation, nodes.table)
#: Words of everyday language besides being terms: a link wherever they occur would distract.
EVERYDAY = {
    "cell",
    "combination",
    "component",
    "draw",
    "energy",
    "label",
    "spread",
    "step",
    "graph",
    "interaction",
    "weight",
    "power",
    "slope",
}
#: Words that every section uses: a link once a page is enough.
COMMON = {"Baseline", "Chain", "Contribution", "Contributor", "Layer", "Posterior", "Prior", "Sampler", "Total"}


def anchor(term):
    """Return the name of a term's place in the glossary.

    >>> anchor("Effective sample size (ESS)")
    'term-effective-sample-size-ess'
    """
    return "term-" + re.sub(r"[^a-z0-9]+", "-", term.lower()).strip("-")


def forms(term):
    """Return the forms in which a term occurs in a text, in small letters.

    >>> forms("Effective sample size (ESS)")
    ['effective sample size', 'ess']
    >>> forms("Graph (of PyTensor)")
    ['graph']
    """
    bare = re.sub(r"\s*\(.*\)", "", term).strip()
    short = re.search(r"\(([A-Z][A-Za-z&-]+)\)", term)
    return [bare.lower(), *([short.group(1).lower()] if short else [])]


def plain(meaning):
    """Return a meaning without links and markup.

    >>> plain("What a *layer* adds. ([01](../notebooks/01_simulating_sums.ipynb))")
    'What a layer adds.'
    """
    text = re.sub(r"\s*\((?:\[[^\]]+\]\([^)]+\)(?:, )?)+\)\.?\s*$", "", meaning.strip())
    text = re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", text)
    return re.sub(r"[*`$]", "", text)


def entries(text):
    """Return the meaning of each term of a glossary in Markdown."""
    return {found["term"]: plain(found["meaning"]) for found in _ENTRY.finditer(text)}


def pattern_of(terms):
    """Return a pattern that finds any form of the terms, singular or plural, and the term of each form."""
    of_form = {form: term for term in terms for form in forms(term) if form not in EVERYDAY}
    longest_first = sorted(of_form, key=len, reverse=True)
    return re.compile(rf"(?<![\w-])({'|'.join(map(re.escape, longest_first))})(s|es)?(?![\w-])", re.IGNORECASE), of_form


def anchor_entries(app, doctree):
    """Give each entry of the glossary a name, to which links lead."""
    if app.env.docname != "book/glossary":
        return
    for item in doctree.findall(nodes.list_item):
        term = next((child for child in item[0] if child.astext()), None)  # MyST puts an empty text first
        if isinstance(term, nodes.strong):
            item["ids"].append(anchor(term.astext()))


def link_terms(app, doctree, docname):
    """Link the first occurrence of each term in each section of a chapter."""
    if app.builder.format != "html" or not re.match(r"notebooks/\d\d_", docname):
        return
    meanings = entries(GLOSSARY.read_text(encoding="utf-8"))
    pattern, of_form = pattern_of(meanings)
    there = app.builder.get_relative_uri(docname, "book/glossary")
    on_page, in_section = set(), {}
    for text in list(doctree.findall(nodes.Text)):
        parents = _parents(text)
        if any(isinstance(parent, _APART) or "cell" in parent.get("classes", ()) for parent in parents):
            continue
        if not any(isinstance(parent, nodes.paragraph) for parent in parents) or "Predict first" in parents[0].astext():
            continue
        section = next((parent for parent in parents if isinstance(parent, nodes.section)), doctree)
        done = in_section.setdefault(id(section), set())
        parts, at = [], 0
        for found in pattern.finditer(text):
            term = of_form[found.group(1).lower()]
            where = on_page if term in COMMON else done
            if term in where:
                continue
            where.add(term)
            parts += [nodes.Text(text[at : found.start()]), _link(found.group(), there, term, meanings[term])]
            at = found.end()
        if parts:
            text.parent.replace(text, [part for part in (*parts, nodes.Text(text[at:])) if part.astext()])


def _parents(node):
    """Return the ancestors of a node, the nearest first."""
    found = []
    while (node := node.parent) is not None:
        found.append(node)
    return found


def _link(words, there, term, meaning):
    """Return a link to an entry of the glossary that carries its meaning."""
    text, target, title = map(html.escape, (words, f"{there}#{anchor(term)}", f"{term}: {meaning}"))
    link = f'<a class="term-of-glossary" href="{target}" data-meaning="{title}">{text}</a>'
    return nodes.raw("", link, format="html")


def setup(app):
    """Register with Sphinx."""
    app.connect("doctree-read", anchor_entries)
    app.connect("doctree-resolved", link_terms)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
