"""A figure with sliders that needs no kernel: every position is drawn beforehand and stored in the output.

A widget of ipywidgets asks the kernel for each figure. Once its kernel has ended, JupyterLab shows an error in its
place, and a website shows nothing.
"""

import base64
import html
import io
import itertools
import json
import math
from collections.abc import Callable, Mapping, Sequence

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

__all__ = ["slider"]

#: Figures that one output may hold, ten to twenty kilobytes each.
MOST_FIGURES = 100
_DPI = 100  # as the figures of `use_style`

# Handlers in attributes: JupyterLab and websites run them without a script that has to find its place on the page.
_MOVED = (
    "var box = this.closest('.mlm-slider'), at = 0;"
    "box.querySelectorAll('input').forEach(function (input) {"
    " var labels = JSON.parse(input.dataset.labels);"
    " at = at * labels.length + Number(input.value);"
    " input.setAttribute('aria-valuetext', labels[input.value]);"
    " input.nextElementSibling.textContent = labels[input.value]; });"
    "box.querySelector('img').src = 'data:image/webp;base64,' + box.dataset.figures.split(' ')[at];"
)


# JupyterLab runs no handler of outputs that it does not trust: then the sliders stay hidden, and a figure is there.
_LOADED = "this.parentNode.querySelectorAll('label').forEach(function (row) { row.style.display = 'flex'; });"


def slider(
    draw: Callable[..., Figure], *, alt: str, start: Mapping[str, object] | None = None, **positions: Sequence
) -> None:
    """Show a figure with a slider for each argument of the function that draws it.

    Every position is drawn at once, so the sliders also move in a stored notebook and on a website.

    Parameters
    ----------
    draw : function
        Returns a figure of Matplotlib, of the same size for all positions.
    alt : str
        Text that says what the figures show.
    start : mapping of str to object, optional
        Positions at first. Default: the first of each slider.
    **positions : sequence
        Values of each argument of `draw`, in the order of the slider.

    Raises
    ------
    TypeError
        If `draw` does not return a figure.
    ValueError
        If there is no slider, one without positions, a start that is none of the positions, or more than 100
        combinations.
    """
    from IPython.display import display

    values = {name: list(choices) for name, choices in positions.items()}
    combinations = math.prod(map(len, values.values())) if values else 0
    if not 1 <= combinations <= MOST_FIGURES:
        raise ValueError(f"expected 1 to {MOST_FIGURES} combinations of positions, got {combinations}")
    first = {name: choices[0] for name, choices in values.items()} | dict(start or {})
    for name, value in first.items():
        if value not in values.get(name, []):
            raise ValueError(f"the start {name}={value!r} is not one of the positions")
    figures = []
    for choice in itertools.product(*values.values()):
        figure = draw(**dict(zip(values, choice, strict=True)))
        if not isinstance(figure, Figure):
            plt.close()
            raise TypeError(f"the function that draws must return its figure, got {type(figure).__name__}")
        figures.append(_encoded(figure, "webp", pil_kwargs={"quality": 80}))
        if dict(zip(values, choice, strict=True)) == first:
            shown, picture = figures[-1], _encoded(figure, "png")
        plt.close(figure)
    content = {"text/plain": alt, "text/html": _page(values, first, figures, shown, alt), "image/png": picture}
    display(content, raw=True)


def _encoded(figure: Figure, kind: str, **options) -> str:
    file = io.BytesIO()
    figure.savefig(file, format=kind, dpi=_DPI, facecolor="white", **options)
    return base64.b64encode(file.getvalue()).decode("ascii")


def _page(values: dict[str, list], first: dict, figures: list[str], shown: str, alt: str) -> str:
    """Return HTML: the sliders, and below them one figure that they replace."""
    rows = []
    for name, choices in values.items():
        labels = [f"{value:g}" if isinstance(value, float) else str(value) for value in choices]
        at = choices.index(first[name])
        rows.append(
            '<label style="display: none; gap: 0.6em; align-items: center; max-width: 36em">'
            f'<span style="min-width: 8em">{html.escape(name.replace("_", " "))}</span>'
            # JupyterLab would take the arrow keys for its own.
            f'<input type="range" data-lm-suppress-shortcuts="true" min="0" max="{len(choices) - 1}" value="{at}"'
            f' style="flex: 1" aria-valuetext="{html.escape(labels[at])}"'
            f' data-labels="{html.escape(json.dumps(labels))}"'
            f' oninput="{html.escape(_MOVED)}"><output style="min-width: 4em">{html.escape(labels[at])}</output>'
            "</label>"
        )
    return (
        f'<div class="mlm-slider" data-figures="{" ".join(figures)}">'
        f'{"".join(rows)}<img alt="{html.escape(alt)}" src="data:image/webp;base64,{shown}" style="max-width: 100%"'
        f' onload="{html.escape(_LOADED)}"></div>'
    )
