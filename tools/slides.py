"""Slides from the notebooks' own cells: which of them a deck shows, and how.

The rule: a notebook opens with its title, its story and what one learns. A section that has a figure or a question to
the class gives its heading with the first paragraph, then each question and its answer: the next figure with the
sentences that read it, or these sentences alone. A figure before the first question is shown, too. "What to remember"
closes. What a section says besides goes into the speaker's notes.
"""

import copy
import re
from collections.abc import Iterator, Sequence

#: Words of a paragraph on a slide; it ends with a sentence.
MOST_WORDS = 60
#: Sections without a slide of their own.
LEFT_OUT = ("Check yourself", "Going further")
REMEMBER, PREDICT = "What to remember", "**Predict first.**"


def deck(caption: str, notebooks: Sequence[tuple[str, dict]]) -> list[dict]:
    """Return the cells of a deck, with the metadata by which nbconvert makes slides.

    Parameters
    ----------
    caption : str
        Title of the part.
    notebooks : sequence of (str, dict)
        Name without ending, and content, of each notebook.
    """
    titles = [blocks_of(text_of(notebook["cells"][0]))[0].lstrip("# ") for _, notebook in notebooks]
    contents = "\n".join(f"- {title}" for title in titles)
    cells = [words(f"# {caption}\n\n{contents}", "slide")]
    for name, notebook in notebooks:
        cells += of_notebook(name, notebook)
    return cells


def of_notebook(name: str, notebook: dict) -> Iterator[dict]:
    """Yield the cells of a notebook's slides."""
    title, *blocks = blocks_of(text_of(notebook["cells"][0]))
    story = next((block for block in blocks if is_paragraph(block)), "")
    yield words(f"{title}\n\n{shortened(story)}\n\n[the notebook](../notebooks/{name}.html)", "slide")
    aims = [block for block in blocks if re.match(r"1\. ", block)]
    yield words("## You will learn\n\n" + "\n\n".join(aims), "subslide")
    for heading, cells in sections_of(notebook):
        if heading in LEFT_OUT:
            continue
        said = [block for cell in cells if cell["cell_type"] == "markdown" for block in blocks_of(text_of(cell))]
        if heading == REMEMBER:
            for items in portions(re.split(r"\n(?=[-*] )", said[0]) if said else []):
                yield words(f"## {heading}\n\n" + "\n".join(items), "subslide")
            continue
        steps = list(steps_of(cells))
        if len(steps) > 1 or any(figure_of(cell) for cell in cells):
            yield from of_section(heading, steps, said)


def steps_of(cells: Sequence[dict]) -> Iterator[tuple[str, list]]:
    """Yield a section's questions to the class, each with what follows: blocks of text, and cells of code.

    The first is empty, with what stands before any question.
    """
    question = ""
    after: list[str | dict] = []
    for cell in cells:
        for part in blocks_of(text_of(cell)) if cell["cell_type"] == "markdown" else [cell]:
            if isinstance(part, str) and part.startswith(PREDICT):
                yield question, after
                question, after = part, []
            else:
                after.append(part)
    yield question, after


def of_section(heading: str, steps: Sequence[tuple[str, list]], said: Sequence[str]) -> Iterator[dict]:
    """Yield the slides of a section, given its steps and all blocks of its text."""
    first = next((block for block in said if is_paragraph(block)), "")
    yield words(f"## {heading}\n\n{shortened(first)}", "subslide")
    shown = [first]
    for question, after in steps:
        if question:
            yield words(f"### Predict first\n\n{question.removeprefix(PREDICT).strip()}", "subslide")
            shown.append(question)
        codes = [k for k, part in enumerate(after) if not isinstance(part, str)]
        at = next((k for k in codes if figure_of(after[k])), None)
        if at is None and not question:
            continue
        answers_from = at if at is not None else codes[0] if codes else -1
        texts = [part for part in after[answers_from + 1 :] if isinstance(part, str) and part != first]
        reading = next(filter(is_paragraph, texts), "")
        if at is not None or reading:
            yield words(f"### {heading}", "subslide")
        if at is not None:
            yield figure_of(after[at])
        if reading:
            yield words(shortened(reading, MOST_WORDS // 2 if at is not None else MOST_WORDS), "-")
            shown.append(reading)
    rest = [block for block in said if block not in shown]
    if rest:
        yield words("\n\n".join(rest), "notes")


def portions(items: Sequence[str], most: int = 80) -> list[list[str]]:
    """Return items of a list in portions of at most `most` words, and of one item at least."""
    found: list[list[str]] = []
    for item in items:
        if found and sum(len(text.split()) for text in (*found[-1], item)) <= most:
            found[-1].append(item)
        else:
            found.append([item])
    return found


def sections_of(notebook: dict) -> list[tuple[str, list[dict]]]:
    """Return the sections of a notebook: heading and cells; cells of text are cut at headings."""
    found: list[tuple[str, list[dict]]] = []
    for cell in notebook["cells"][1:]:
        if cell["cell_type"] != "markdown":
            if found:
                found[-1][1].append(cell)
            continue
        before, *parts = re.split(r"^## +(.*)$", text_of(cell), flags=re.MULTILINE)
        if before.strip() and found:
            found[-1][1].append(dict(cell, source=before))
        for heading, text in zip(parts[::2], parts[1::2], strict=True):
            found.append((heading.strip(), [dict(cell, source=text)] if text.strip() else []))
    return found


def figure_of(cell: dict) -> dict | None:
    """Return a cell without code that shows the first figure of a cell; None if it has none."""
    for output in cell.get("outputs", []):
        picture = output.get("data", {}).get("image/png")
        if picture:
            alt = cell["metadata"].get("mystnb", {}).get("image", {}).get("alt")
            alt = alt or "".join(output["data"].get("text/plain", "")) or "A figure of the notebook"
            shown = {"output_type": "display_data", "data": {"image/png": picture}}
            shown["metadata"] = {"image/png": {"alt": alt}}
            made = copy.deepcopy(cell)
            made.update(source="", outputs=[shown], metadata={"slideshow": {"slide_type": "-"}})
            return made
    return None


def words(text: str, kind: str) -> dict:
    """Return a cell of text that starts a slide, goes on with one, or is a note: the names are nbconvert's."""
    return {"cell_type": "markdown", "metadata": {"slideshow": {"slide_type": kind}}, "source": linked(text)}


def linked(text: str) -> str:
    """Return a text whose links lead from the folder of the slides to pages of the site."""
    text = re.sub(r"\]\(exercises/(\w+)_exercises\.ipynb", r"](../notebooks/solutions/\1_solutions.html", text)
    text = re.sub(r"\]\((\w+)\.ipynb", r"](../notebooks/\1.html", text)
    return re.sub(r"\]\(\.\./book/(\w+)\.md", r"](../book/\1.html", text)


def text_of(cell: dict) -> str:
    """Return the source of a cell as one text."""
    return "".join(cell["source"])


def blocks_of(text: str) -> list[str]:
    """Return the blocks of a text: what blank lines separate."""
    return [block.strip() for block in re.split(r"\n\s*\n", text) if block.strip()]


def is_paragraph(block: str) -> bool:
    """Return whether a block is plain sentences; not a list, a table, a heading, a fold, mathematics or a question."""
    return not re.match(r"[-*+] |\d+\. |[|#<`>:]|\$\$|\*\*|\\begin|\[\^", block) and block[-1:] in ".!?"


def shortened(block: str, most: int = MOST_WORDS) -> str:
    """Return the first sentences of a paragraph: as many as have at most `most` words, and one at least."""
    kept: list[str] = []
    for sentence in re.split(r"(?<=[.!?])\s+(?=[A-Z$*\[`])", block):
        if kept and sum(len(part.split()) for part in (*kept, sentence)) > most:
            break
        kept.append(sentence)
    return " ".join(kept)
