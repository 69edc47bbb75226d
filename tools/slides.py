"""Slides from the notebooks' own cells: which of them a deck shows, and how.

The rule: a notebook opens with its title and its story, as far as the question that it asks, and with what one learns.
A section that has a figure or a question to the class gives its heading with its opening, then each question and its
answer: the next figure, or else a small table or a few printed lines, with the sentences that read it, or these
sentences alone. A figure before the first question is shown, too. A section with neither is shown if its text has
equations or tables: these, and the first small table that it computes. "What to remember" closes.

No slide shows what follows a question in the notebook before that question. What a section says besides goes into the
speaker's notes.
"""

import itertools
import re
from collections.abc import Iterator, Sequence

#: Words of a paragraph on a slide; it ends with a sentence.
MOST_WORDS = 60
#: Words of a slide with sentences and the list to which they lead.
MOST_WITH_LIST = 130
#: Rows of a table on a slide, with those of its head.
MOST_ROWS = 9
#: Sections without a slide of their own.
LEFT_OUT = ("Check yourself", "Going further")
REMEMBER, PREDICT = "What to remember", "**Predict first.**"
#: Whole sentences in parentheses; slides leave them out.
ASIDE = re.compile(r"\s*\((?=[A-Z`$*])(?:[^()]|\([^()]*\))*[.!?]\)")


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
    first, *more = portions(["\n\n".join(unit) for unit in units_of(story_of(blocks))])
    yield words("\n\n".join([title, *first, f"[the notebook](../notebooks/{name}.html)"]), "slide")
    for part in more:
        yield words("\n\n".join([f"##{title}", *part]), "subslide")
    aims = [block for block in blocks if re.match(r"1\. ", block)]
    yield words("## You will learn\n\n" + "\n\n".join(aims), "subslide")
    for heading, cells in sections_of(notebook):
        if heading in LEFT_OUT:
            continue
        said = [block for cell in cells if cell["cell_type"] == "markdown" for block in blocks_of(text_of(cell))]
        if heading == REMEMBER:
            for items in portions(items_of(said[0]) if said else []):
                yield words(f"## {heading}\n\n" + "\n".join(items), "subslide")
            continue
        steps = list(steps_of(cells))
        if len(steps) > 1 or any(figure_of(cell) for cell in cells):
            yield from of_section(heading, steps, said)
        elif any(map(is_formula, said)):
            yield from of_formulas(heading, steps[0][1], said)


def story_of(blocks: Sequence[str]) -> list[str]:
    """Return the blocks with which a notebook opens: as far as the last short one that asks the reader."""
    story = list(itertools.takewhile(lambda block: not block.startswith("**"), blocks))
    asking = [k for k, block in enumerate(story) if re.search(r"\?|^(Write|Decide) ", block, re.MULTILINE)]
    last = max((k for k in asking if len(story[k].split()) <= MOST_WORDS), default=0)
    return story[: last + 1]


def steps_of(cells: Sequence[dict]) -> Iterator[tuple[str, list]]:
    """Yield a section's questions to the class, each with what follows: blocks of text, and cells of code.

    The first is empty, with what stands before any question. A list right below a question is a part of it.
    """
    question = ""
    after: list[str | dict] = []
    for cell in cells:
        for part in blocks_of(text_of(cell)) if cell["cell_type"] == "markdown" else [cell]:
            if isinstance(part, str) and part.startswith(PREDICT):
                yield question, after
                question, after = part, []
            elif isinstance(part, str) and question and not after and is_list(part):
                question += f"\n\n{part}"
            else:
                after.append(part)
    yield question, after


def of_section(heading: str, steps: Sequence[tuple[str, list]], said: Sequence[str]) -> Iterator[dict]:
    """Yield the slides of a section, given its steps and all blocks of its text."""
    opening = opening_of(steps[0][1])
    shown = [on_slide(opening)]
    yield words(f"## {heading}\n\n{shown[0]}".strip(), "subslide")
    bare, before = not opening, opening
    for question, after in steps:
        if question:
            asked = question.removeprefix(PREDICT).strip()
            if before != opening and any(map(is_list, before)):  # what the question chooses from
                asked = f"{on_slide(before)}\n\n{asked}"
            yield words(f"### Predict first\n\n{asked}", "-" if bare else "subslide")
            shown += [question, asked]
            bare = False
        for picture, reading in pictures_of(after, bool(question)):
            if not bare:
                yield words(f"### {heading}", "subslide")
            bare = False
            if picture:
                yield picture
            if reading and reading not in opening:
                shown.append(shortened(reading, MOST_WORDS // 2 if picture and figure_of(picture) else MOST_WORDS))
                yield words(shown[-1], "-")
        texts = list(itertools.takewhile(lambda part: isinstance(part, str), reversed(after)))
        before = units_of(texts[::-1])[-1] if texts else []
    yield from notes(said, shown)


def pictures_of(after: Sequence[str | dict], asked: bool) -> list[tuple[dict | None, str]]:
    """Return the figures, tables and printed lines that slides show after a question, each with the text below it."""

    def reading_after(at: int, end: int | None = None) -> str:
        return next((part for part in after[at + 1 : end] if isinstance(part, str) and is_paragraph(part)), "")

    figures = [k for k, part in enumerate(after) if not isinstance(part, str) and figure_of(part)]
    found = [(figure_of(after[figures[0]]), reading_after(figures[0]))] if figures else []
    codes = [k for k, part in enumerate(after) if not isinstance(part, str)]
    first = codes[0] if codes else -1
    run = list(itertools.takewhile(lambda part: not isinstance(part, str), after[first:] if codes else []))
    # A question that code answers at once has its answer below that code, though a figure may follow later.
    at_once = first == 0 and figures and figures[0] >= len(run)
    if asked and (not figures or at_once):
        small = next(filter(None, [*map(table_of, run), *map(lines_of, reversed(run))]), None)
        found.insert(0, (small, reading_after(first, figures[0] if figures else None)))
    return [(picture, reading) for picture, reading in found if picture or reading]


def of_formulas(heading: str, parts: Sequence[str | dict], said: Sequence[str]) -> Iterator[dict]:
    """Yield the slides of a section without figures and questions, given its blocks of text and cells of code."""
    opening, shown = opening_of(parts), []
    level, table, unread = "##", None, False
    for is_text, group in itertools.groupby(parts, lambda part: isinstance(part, str)):
        found = list(group)
        if not is_text:
            if not table and (table := next(filter(None, map(table_of, found)), None)):
                yield words(f"{level} {heading}", "subslide")
                yield table
                level, unread = "###", True
            continue
        if unread and (reading := next(filter(is_paragraph, found), "")):
            shown.append(shortened(reading))
            yield words(shown[-1], "-")
        unread = False
        for unit in units_of(found):
            if unit == opening or any(map(is_formula, unit)):
                shown.append(on_slide(unit))
                yield words(f"{level} {heading}\n\n{shown[-1]}", "subslide")
                level = "###"
    yield from notes(said, shown)


def notes(said: Sequence[str], shown: Sequence[str]) -> Iterator[dict]:
    """Yield a cell for the speaker with the blocks of text that slides do not show in full, if there are any."""
    flat = " ".join(" ".join(shown).split())
    rest = [block for block in said if " ".join(block.split()) not in flat]
    if rest:
        yield words("\n\n".join(rest), "notes")


def opening_of(parts: Sequence[str | dict]) -> list[str]:
    """Return the unit of text that opens a section, from what stands before its first question; it may be empty."""
    before = itertools.takewhile(lambda part: isinstance(part, str) or not figure_of(part), parts)
    runs = [list(run) for is_text, run in itertools.groupby(before, lambda part: isinstance(part, str)) if is_text]
    return next((unit for run in runs for unit in units_of(run) if is_words(unit[0])), [])


def units_of(blocks: Sequence[str]) -> list[list[str]]:
    """Return blocks in groups that belong together: what leads to a list, an equation or a table goes with it."""
    found: list[list[str]] = []
    for block in blocks:
        last = found[-1][-1] if found else ""
        leads = is_words(last) and not is_paragraph(last) and not block.startswith("#")
        listed = is_words(last) and is_list(block) and len(shortened(last).split() + block.split()) <= MOST_WITH_LIST
        read = last.startswith("|") and is_paragraph(block)
        continued = is_formula(last) and (is_formula(block) or bool(re.match(r"[a-z]|Here ", block)))
        if leads or listed or read or continued:
            found[-1].append(block)
        else:
            found.append([block])
    return found


def on_slide(unit: Sequence[str]) -> str:
    """Return a unit as a slide shows it: the last sentences of what leads to something, the first ones of the rest."""
    texts = []
    for k, block in enumerate(unit):
        if is_list(block):
            texts.append("\n".join(portions(items_of(block), MOST_WITH_LIST)[0]))
        elif is_formula(block):
            texts.append(block)
        elif k == 0:
            texts.append(shortened(block, last=len(unit) > 1))
        else:
            texts.append(shortened(block, MOST_WORDS // 2))
    return "\n\n".join(texts)


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
            return without_code(cell, shown)
    return None


def table_of(cell: dict) -> dict | None:
    """Return a cell without code that shows the first small table of a cell; None if it has none."""
    for output in cell.get("outputs", []):
        table = "".join(output.get("data", {}).get("text/html", ""))
        if "<table" in table and table.count("<tr") <= MOST_ROWS:
            return without_code(cell, {"output_type": "display_data", "data": {"text/html": table}, "metadata": {}})
    return None


def lines_of(cell: dict) -> dict | None:
    """Return a cell without code that shows what a cell prints, if these are few lines; None if not."""
    printed = [output for output in cell.get("outputs", []) if output.get("name") == "stdout"]
    if printed and len("".join(printed[0]["text"]).splitlines()) <= MOST_ROWS:
        return without_code(cell, {**printed[0], "text": "".join(printed[0]["text"])})
    return None


def without_code(cell: dict, output: dict) -> dict:
    """Return a cell that goes on with a slide and has nothing but an output."""
    return {**cell, "source": "", "outputs": [output], "metadata": {"slideshow": {"slide_type": "-"}}}


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


def items_of(block: str) -> list[str]:
    """Return the items of a list."""
    return re.split(r"\n(?=[-*] |\d+\. )", block)


def is_list(block: str) -> bool:
    """Return whether a block is a list."""
    return bool(re.match(r"[-*+] |\d+\. ", block))


def is_formula(block: str) -> bool:
    """Return whether a block is a displayed equation or a table."""
    return block.startswith(("$$", "\\begin", "|"))


def is_words(block: str) -> bool:
    """Return whether a block is sentences; not a list, a table, a heading, a fold, mathematics or a question."""
    special = is_list(block) or is_formula(block) or block.startswith(PREDICT)
    return not special and not re.match(r"[#<>:]|```|\[\^", block) and bool(ASIDE.sub("", block).strip())


def is_paragraph(block: str) -> bool:
    """Return whether a block is sentences that lead to nothing else: the last one is complete."""
    return is_words(block) and ASIDE.sub("", block).rstrip(')"*')[-1:] in tuple(".!?")


def shortened(block: str, most: int = MOST_WORDS, last: bool = False) -> str:
    """Return the first sentences of a paragraph, or the last ones: of at most `most` words, and one at least."""
    sentences = re.split(r"(?<=[.!?])\s+(?=[A-Z$*\[`])", ASIDE.sub("", block).strip())
    kept: list[str] = []
    for sentence in reversed(sentences) if last else sentences:
        if kept and sum(len(part.split()) for part in (*kept, sentence)) > most:
            break
        kept.append(sentence)
    return " ".join(reversed(kept) if last else kept)
