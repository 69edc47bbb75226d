"""What pages remember in the browser: predictions, quizzes, chapters read; and that nothing fails without memory."""

import re

from tests.support.browsing import opened
from tests.support.built_site import NEEDS_SITE, serious_problems
from tests.support.pages import NOTEBOOKS
from tools import project

pytestmark = NEEDS_SITE
SITE = project.SITE.as_uri() + "/"


def test_answers_fold_and_the_browser_remembers_predictions_quizzes_and_chapters(browser, server):
    with opened(browser, server + NOTEBOOKS[0], "phone") as page:
        boxes = page.locator(".predict")
        assert boxes.count() == page.locator("p > strong", has_text="Predict first").count() >= 4
        # An open question has a field, one with choices has buttons.
        first, choice = boxes.first, boxes.filter(has=page.get_by_role("button", name="the drivers", exact=True))
        output = page.locator(".predict + div.cell img").first
        assert not output.is_visible()
        first.locator("input").fill("four fifths")
        first.locator("button.predict-show").click()  # straight from the field
        assert output.is_visible()
        first.get_by_role("button", name="yes", exact=True).click()
        assert choice.get_by_role("button", name="the road", exact=True).get_attribute("aria-pressed") == "false"
        choice.get_by_role("button", name="the road", exact=True).click()
        assert serious_problems(page, ".predict") == []

        panel = page.locator(".course-progress")
        assert "You have not read" in panel.inner_text()
        page.locator(".MCButton").first.click()
        panel.scroll_into_view_if_needed()
        page.wait_for_function("document.querySelector('.course-progress').innerText.includes('You have read')")
        page.reload()
        page.wait_for_selector(".course-progress")
        text = panel.inner_text()
        assert "You have read this chapter" in text
        assert re.search(r"Quiz: 1 of \d+ questions answered", text)
        assert re.search(r"Predictions: 2 of \d+ made, 1 of them right", text)
        assert "1 of 17 chapters" in text
        assert output.is_visible()
        assert first.locator("input").input_value() == "four fifths"
        # The quiz is blank again; a note at the question says that it was answered.
        assert page.locator(".Feedback.correct, .Feedback.incorrect").count() == 0
        note = page.locator(".Quiz .quiz-before")
        assert re.fullmatch(r"Answered before: (not right yet|right)\.", note.inner_text())
        assert serious_problems(page, ".Quiz") == []
        link = page.locator("nav.bd-links li.current > a")
        assert "read to the end, 1 quiz question answered" in link.text_content()
        page.get_by_role("button", name="Clear my progress").click()
        assert "read to the end" not in link.text_content()
        assert "0 of 17 chapters" in panel.inner_text()
        assert page.evaluate("localStorage.getItem('course.progress')") is None
        assert not note.is_visible()
        page.get_by_role("button", name="Cleared. Undo").click()
        assert "1 of 17 chapters" in panel.inner_text()
        assert note.is_visible()
        page.locator(".MCButton").first.click()
        assert note.count() == 0


REFUSE = """() => Object.defineProperty(Storage.prototype, 'setItem', {
    value() { throw new DOMException('refused', 'SecurityError'); }
})"""


def test_pages_work_where_the_browser_refuses_to_remember(browser):
    with opened(browser, SITE + NOTEBOOKS[0]) as page:
        page.add_init_script(f"({REFUSE})()")
        page.reload()
        page.wait_for_selector(".course-progress")
        output = page.locator(".predict + div.cell img").first
        page.locator(".predict-show").first.press("Enter")
        assert output.is_visible()
        page.locator(".MCButton").first.click()
        assert page.locator(".Feedback.correct, .Feedback.incorrect").count() == 1
