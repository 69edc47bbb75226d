"""The funnel's picture is in one piece at any number of observations, and more data never look wider."""

import io

import numpy as np
import pytest

from tests.support.browsing import opened
from tests.support.pages import page_text, site_is_built
from tools import project

PAGE = f"{project.SITE.as_uri()}/book/explore.html"
COUNTS = ["50", "500", "2,000", "10,000"]


@pytest.fixture(scope="module")
def pictures(browser):
    """Return which pixels inside each frame are drawn, by figure and number of observations."""
    image_of = pytest.importorskip("PIL.Image").open
    found = {}
    with opened(browser, PAGE) as page:
        page.wait_for_selector("#funnel-noncentered svg")
        slider = page.locator("#funnel-count")
        slider.focus()
        for _ in range(int(slider.get_attribute("max"))):
            page.keyboard.press("ArrowRight")
            count = f"{int(page.locator('#funnel-value').inner_text().replace(',', '')):,}"
            if count in COUNTS:
                for name in ("centered", "noncentered"):
                    frame = page.locator(f"#funnel-{name} svg > rect, #funnel-{name} svg > g > rect").last
                    frame.scroll_into_view_if_needed()
                    gray = np.asarray(image_of(io.BytesIO(frame.screenshot())).convert("L"))
                    found[name, count] = gray[3:-3, 3:-3] < 235
    return found


@site_is_built
@pytest.mark.parametrize("count", COUNTS[1:])
@pytest.mark.parametrize("name", ["centered", "noncentered"])
def test_the_drawn_ridge_is_in_one_piece(pictures, name, count):
    from scipy import ndimage

    assert (name, count) in pictures, f"the slider does not reach {count}"
    pieces, number = ndimage.label(pictures[name, count], structure=np.ones((3, 3)))
    sizes = ndimage.sum_labels(pieces > 0, pieces, range(1, number + 1))
    assert max(sizes) > 100
    assert number == 1, f"{number} pieces"


@site_is_built
def test_more_data_never_look_wider(pictures):
    widths = {count: int(np.ptp(np.nonzero(pictures["centered", count].any(axis=0))[0])) for count in COUNTS}
    assert list(widths.values()) == sorted(widths.values(), reverse=True), widths
    assert widths["10,000"] < widths["50"] / 4


@site_is_built
def test_a_zoom_happens_only_when_asked_for_and_is_announced(browser):
    with opened(browser, PAGE, "phone") as page:
        page.wait_for_selector("#funnel-centered svg")

        def ticks():
            return page.eval_on_selector_all("#funnel-centered svg text", "all => all.map(t => t.textContent)")

        before = ticks()
        page.locator("#funnel-count").focus()
        page.keyboard.press("End")
        assert ticks() == before
        assert "enlarged" not in page.locator("#funnel-summary").inner_text()
        page.locator("#funnel-zoom").check()
        assert ticks() != before
        assert "its axis goes from 0 to 2" in page.locator("#funnel-summary").inner_text()


# Sliders inside chapters

WITH_SLIDERS = [
    path.stem for path in sorted(project.NOTEBOOKS.glob("[0-9][0-9]_*.py")) if "mlm.slider(" in path.read_text("utf-8")
]


@pytest.mark.slow(3)
@site_is_built
@pytest.mark.parametrize("name", WITH_SLIDERS)
def test_a_chapters_slider_moves_its_figure_without_a_kernel_and_no_dead_widget_is_shown(browser, name):
    assert "application/vnd.jupyter.widget-view" not in page_text(f"notebooks/{name}.html")
    with opened(browser, f"{project.SITE.as_uri()}/notebooks/{name}.html", "phone") as page:
        for button in page.locator(".predict-show").all():  # the figure may be the answer to a question
            button.click()
        box = page.locator(".mlm-slider").first
        box.scroll_into_view_if_needed()
        slider, picture = box.locator("input").first, box.locator("img")
        assert slider.is_visible()
        before, label = picture.get_attribute("src"), box.locator("output").first.inner_text()
        at = int(slider.input_value())
        slider.fill(str(at - 1 if at else 1))
        assert picture.get_attribute("src") != before
        assert box.locator("output").first.inner_text() != label
