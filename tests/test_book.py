"""The rendered book, in a real headless browser: every page whole, offline, searchable, dark or light, wide or narrow.

The book is rendered of the committed notebooks if it is not there. Without a Chromium these tests are skipped, or fail
where REQUIRE_BROWSER is set.
"""

import ast
import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import axe_playwright_python
import nbformat
import pytest
from filelock import FileLock
from playwright.sync_api import Browser, BrowserContext, Page, Route, ViewportSize

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parent.parent
HTML = ROOT / "book" / "_build" / "html"
CHAPTERS = [f"chapters/{path.stem}" for path in sorted((ROOT / "notebooks").glob("[0-9a]*.py"))]
PAGES = ["intro", *CHAPTERS, "live", "reproduce", "commands", "tested", "cluster", "api", "bibliography"]
DESKTOP, PHONE = ViewportSize(width=1280, height=900), ViewportSize(width=390, height=844)
LARGE = ViewportSize(width=1920, height=1080)


@pytest.fixture(scope="module")
def html() -> Path:
    """The folder of the rendered book, which is made now if it is not there."""
    (ROOT / "build").mkdir(exist_ok=True)
    with FileLock(ROOT / "build" / "pages.lock"):  # two processes may run these tests
        if not (HTML / "index.html").exists():
            settings = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL")}
            made = subprocess.run(["make", "pdf"], cwd=ROOT, env=settings, capture_output=True, text=True)
            assert made.returncode == 0, made.stdout + made.stderr
    return HTML


class Visit:
    """A browser window that may read files only, and remembers what went wrong in it."""

    def __init__(self, browser: Browser, viewport: Any = DESKTOP) -> None:
        self.context: BrowserContext = browser.new_context(viewport=viewport)
        self.context.set_default_timeout(120_000)  # of milliseconds: others may be at work on the machine
        self.problems: list[str] = []
        self.files = set[Path]()
        self.context.route("**/*", self._only_files)
        self.page: Page = self.context.new_page()
        self.page.on("console", lambda each: self._note(each.type in ("error", "warning"), f"console: {each.text}"))
        self.page.on("pageerror", lambda error: self._note(True, f"error: {error}"))
        self.page.on("requestfinished", lambda request: self.files.add(_path(request.url)))
        self.page.on("requestfailed", lambda request: self._note(True, f"failed request: {request.url}"))

    def open(self, path: Path, query: str = "") -> Page:
        """Open a file of the book and wait until it is drawn, formulas included."""
        self.page.goto(path.as_uri() + query, wait_until="load")
        self.page.evaluate("() => window.MathJax?.startup?.promise")
        return self.page

    def _only_files(self, route: Route) -> None:
        if route.request.url.startswith(("file:", "data:", "blob:")):
            route.continue_()
        else:
            self._note(True, f"asked the network for {route.request.url}")
            route.abort()

    def _note(self, happened: bool, problem: str) -> None:
        if happened:
            self.problems.append(problem)


def _path(url: str) -> Path:
    return Path(unquote(urlparse(url).path))


@pytest.fixture(scope="module", params=PAGES)
def visit(request: pytest.FixtureRequest, browser: Browser, html: Path) -> Iterator[Visit]:
    """Each page of the book in turn, open at desktop width; ``files`` are those that came before anybody scrolled."""
    visit = Visit(browser)
    visit.open(html / f"{request.param}.html").wait_for_load_state("networkidle")
    visit.files = visit.files.copy()
    yield visit
    visit.context.close()


@pytest.fixture
def window(browser: Browser, html: Path) -> Iterator[Visit]:
    """A fresh window on the book's first page."""
    visit = Visit(browser)
    visit.open(html / "intro.html")
    yield visit
    visit.context.close()


def test_the_book_has_the_pages_that_are_tested_here_and_no_others(html: Path) -> None:
    pages = {
        str(path.relative_to(html).with_suffix("")) for path in html.rglob("*.html") if "_static" not in path.parts
    }
    assert pages - {"index", "genindex", "search"} == set(PAGES)


def test_a_page_asks_the_network_for_nothing_and_reports_no_error(visit: Visit) -> None:
    visit.page.mouse.wheel(0, 20_000)  # what is loaded when it comes into view, too
    visit.page.wait_for_function("() => [...document.images].every((image) => image.complete)")
    visit.page.wait_for_timeout(500)
    assert visit.problems == []


def test_a_page_has_a_title_and_one_first_heading(visit: Visit) -> None:
    assert visit.page.locator("main h1:visible").count() == 1
    assert visit.page.title().strip() != ""


def test_every_figure_is_there_and_described(visit: Visit) -> None:
    images = visit.page.eval_on_selector_all(
        "article img", "all => all.map(one => [one.src.slice(-60), one.complete && one.naturalWidth, one.alt.trim()])"
    )
    assert [source for source, width, _ in images if not width] == [], "images that did not load"
    bare = [source for source, _, alt in images if len(alt) < 15 or re.fullmatch(r".*\.(png|svg)", alt)]
    assert bare == [], "images without a description"


def test_every_figure_has_a_number_and_a_caption(visit: Visit) -> None:
    captions = visit.page.locator("article figure figcaption").all_inner_texts()
    images = visit.page.locator("article img:not(.surfaces-live > img)")  # that one is for paper
    assert images.count() == visit.page.locator("article figure").count() == len(captions)
    assert [each for each in captions if not re.match(r"Figure [A-Z]?\d+(\.\d+)?\s+\S", each)] == []


def test_figures_and_formulas_have_the_numbers_of_the_notebook(visit: Visit) -> None:
    page = _path(visit.page.url).stem
    chapter = re.match(r"0?(\w+?)_", page)
    if not chapter:
        pytest.skip("not a chapter")
    for numbers in ("figcaption .caption-number", "article .eqno"):
        found = [re.sub(r"Figure|[()#\s]", "", each) for each in visit.page.locator(numbers).all_text_contents()]
        assert found == [f"{chapter[1].upper()}.{count}" for count in range(1, len(found) + 1)]


def test_every_formula_is_rendered(visit: Visit) -> None:
    # outside hidden solutions, MathJax has replaced every source by a drawing, and drawn no error
    formulas = visit.page.locator("article .math")
    for number in range(formulas.count()):
        assert formulas.nth(number).locator("mjx-container").count() >= 1, formulas.nth(number).inner_text()
    assert visit.page.locator("mjx-merror, [data-mjx-error]").count() == 0


def test_no_source_of_formulas_references_or_directives_is_left_in_the_text(visit: Visit) -> None:
    text = visit.page.evaluate(
        """() => { const copy = document.querySelector("article").cloneNode(true);
                   copy.querySelectorAll("pre, code, mjx-container, script, style").forEach(one => one.remove());
                   return copy.textContent }"""
    )
    left = re.findall(
        r".{0,20}(?:\$\$|\$[^$\n]+\$|\\\(|\\\[|\\frac|\\mathcal|\{(?:numref|eq|cite)\S*\}|:::|```|\?\?).{0,20}", text
    )
    assert left == []


def test_every_link_inside_the_book_leads_somewhere(visit: Visit) -> None:
    here = _path(visit.page.url)
    links = visit.page.eval_on_selector_all("a[href]", "all => all.map(one => one.getAttribute('href'))")
    for link in links:
        target = urlparse(link)
        if target.scheme or link == "#":
            continue
        page = (here.parent / unquote(target.path)).resolve() if target.path else here
        assert page.exists(), link
        if target.fragment and page.suffix == ".html":
            assert f'id="{unquote(target.fragment)}"' in page.read_text(encoding="utf-8"), link


def test_nothing_sticks_out_of_a_phone(visit: Visit) -> None:
    visit.page.set_viewport_size(PHONE)
    widths = visit.page.evaluate("() => [document.documentElement.scrollWidth, window.innerWidth]")
    visit.page.set_viewport_size(DESKTOP)
    assert widths[0] <= widths[1] == PHONE["width"]


def test_on_a_desktop_no_table_is_cut_off(visit: Visit) -> None:
    cut = visit.page.eval_on_selector_all(
        "article :is(table.table, .output.text_html):visible",
        "all => all.filter(one => one.scrollWidth > one.clientWidth + 1).map(one => one.innerText.slice(0, 80))",
    )
    assert cut == []


def test_on_a_large_screen_no_line_of_a_cell_is_broken(visit: Visit) -> None:
    visit.page.set_viewport_size(LARGE)
    broken = visit.page.eval_on_selector_all(
        "article .cell_input pre",
        """all => all.filter((one) => {
            const style = getComputedStyle(one);
            const height = one.clientHeight - parseFloat(style.paddingTop) - parseFloat(style.paddingBottom);
            return height > (one.textContent.trimEnd().split("\\n").length + 0.5) * parseFloat(style.lineHeight);
        }).map((one) => one.textContent)""",
    )
    widths = visit.page.evaluate("() => [document.documentElement.scrollWidth, window.innerWidth]")
    visit.page.set_viewport_size(DESKTOP)
    assert broken == []
    assert widths[0] <= widths[1]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_on_its_background(visit: Visit, scheme: str) -> None:
    visit.page.evaluate("scheme => document.documentElement.setAttribute('data-theme', scheme)", scheme)
    colours = visit.page.evaluate(
        """() => ["color", "backgroundColor"].map((name, which) =>
               getComputedStyle(which ? document.body : document.querySelector("article p"))[name])"""
    )
    ink, paper = ([int(each) for each in re.findall(r"\d+", colour)[:3]] for colour in colours)
    assert _contrast(ink, paper) >= 7, colours


# Each kind of word in a code cell looks the same wherever it stands: one of each is enough to measure, and axe is slow.
ONE_WORD_OF_EACH_KIND = """() => {
    const seen = new Set();
    for (const word of document.querySelectorAll("pre span")) {
        const place = word.closest("details, .cell_output, .cell_input, .highlight")?.className;
        const kind = [place, word.className, word.parentElement.className].join();
        seen.has(kind) ? word.remove() : seen.add(kind);
    }
}"""


# Colours come from the same styles on every page, and nothing else differs in the dark: these have every kind of part.
IN_THE_DARK = ["intro", "live", "api", "bibliography", "chapters/03_plain_and_residual", "chapters/06_speed"]


@pytest.mark.parametrize("page", [*PAGES, "genindex", "search"])
def test_axe_finds_nothing_wrong_with_a_page_in_light_and_dark(page: str, browser: Browser, html: Path) -> None:
    visit = Visit(browser)
    shown = visit.open(html / f"{page}.html")
    shown.add_style_tag(content="*, *::before, *::after { transition: none !important; animation: none !important }")
    shown.evaluate(ONE_WORD_OF_EACH_KIND)
    shown.evaluate((Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8"))
    for scheme, rules in {"light": None, **({"dark": ["color-contrast"]} if page in IN_THE_DARK else {})}.items():
        shown.evaluate("scheme => document.documentElement.setAttribute('data-theme', scheme)", scheme)
        options = {"preload": False, "resultTypes": ["violations"]} | ({"runOnly": rules} if rules else {})
        # inside a formula are MathJax's own elements, with a text beside them for who cannot see
        found = shown.evaluate("options => axe.run({exclude: [['mjx-container']]}, options)", options)
        assert found["passes"], "axe has looked at nothing"
        assert [(each["id"], each["help"], each["nodes"][0]["html"][:200]) for each in found["violations"]] == [], (
            scheme
        )
    visit.context.close()


TOO_HEAVY = {"chapters/04_features": 1_900_000}  # its pictures


def test_a_page_is_opened_with_less_than_1500_kilobytes_of_its_own(visit: Visit, html: Path) -> None:
    here = _path(visit.page.url)
    shared = {path for path in visit.files if html / "_static" in path.parents}  # fetched once for all pages
    own = {path: path.stat().st_size for path in visit.files - shared if path.is_file()}
    assert here in own
    page = here.relative_to(html).with_suffix("").as_posix()
    assert sum(own.values()) < TOO_HEAVY.get(page, 1_500_000), own
    assert sum(path.stat().st_size for path in shared) < 2_500_000


def _contrast(first: list[int], second: list[int]) -> float:
    """Contrast ratio of two sRGB colours as WCAG 2 defines it, from 1 to 21."""

    def luminance(colour: list[int]) -> float:
        linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in (each / 255 for each in colour)]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


def test_each_header_of_a_table_says_what_it_heads_and_each_row_of_data_has_one(visit: Visit) -> None:
    wrong = visit.page.evaluate(
        """() => [...document.querySelectorAll("article table:not(.indextable)")].flatMap((table) =>
            [...table.tBodies].flatMap((body) => [...body.rows])
                .filter((row) => row.querySelector("td") && !row.querySelector("th[scope]"))
            .concat([...table.querySelectorAll("tbody th:not([scope]), table.dataframe thead th:not([scope])")])
            .map((each) => each.textContent))"""
    )
    assert wrong == []


def test_code_and_what_it_prints_are_told_apart_by_name(visit: Visit) -> None:
    for part, name in ((".cell_input", "code"), (".output.text_plain, .output.stream", "output")):
        names = visit.page.locator(part).evaluate_all("all => all.map((each) => each.role + each.ariaLabel)")
        assert set(names) <= {f"group{name}"}


def test_no_formula_and_no_output_takes_the_focus(visit: Visit) -> None:
    assert visit.page.evaluate(FOCUSABLE) == []


# Chrome gives the focus to what scrolls, too.
FOCUSABLE = """() => [...document.querySelectorAll(":is(.math, mjx-container, .output:not(.text_html))")]
    .flatMap((each) => [each, ...each.querySelectorAll("*")])
    .filter((each) => each.checkVisibility({ visibilityProperty: true }))
    .filter((each) => each.tabIndex >= 0 || (/auto|scroll/.test(getComputedStyle(each).overflow)
        && (each.scrollWidth > each.clientWidth || each.scrollHeight > each.clientHeight)))
    .map((each) => each.outerHTML.slice(0, 200))"""


@pytest.mark.parametrize("page", ["intro", "api", "chapters/03_plain_and_residual", "chapters/05_training"])
def test_the_tab_key_stops_at_no_formula_and_no_output(page: str, window: Visit, html: Path) -> None:
    window.open(html / f"{page}.html")
    stops = list[str]()
    while len(stops) < 400:
        window.page.keyboard.press("Tab")
        stops.append(window.page.evaluate(STOP))
        if stops[-1] in ("", "again"):
            break
    assert len(stops) > 25
    assert [stop for stop in stops if re.match("math|output", stop)] == []


STOP = """() => {
    const element = document.activeElement, again = element.dataset.seen;
    element.dataset.seen = "";
    if (element === document.body) return "";
    if (again !== undefined) return "again";
    if (element.closest(".math, mjx-container")) return `math ${element.textContent}`;
    return element.closest(".output:not(.text_html)") ? `output ${element.textContent}` : element.tagName;
}"""


def test_a_link_or_heading_is_understood_without_what_stands_around_it(visit: Visit) -> None:
    links = visit.page.locator("article a:not(.headerlink)").all_text_contents()
    assert {
        text for text in links if re.fullmatch(r"\d{1,2}|here|this|link|page", text.strip(), re.IGNORECASE)
    } == set()
    assert visit.page.locator("article :is(h1, h2, h3, h4, h5) .math").count() == 0  # is left out of a heading's name


@pytest.mark.parametrize("page", ["intro", "live", "chapters/03_plain_and_residual", "chapters/09_the_landscape"])
def test_nothing_sticks_out_at_a_zoom_of_400_percent(page: str, browser: Browser, html: Path) -> None:
    visit = Visit(browser, {"width": 320, "height": 640})
    shown = visit.open(html / f"{page}.html")
    if shown.locator(".live-network").count():
        shown.locator(".live-network").scroll_into_view_if_needed()
        shown.wait_for_selector(".live-bars li")
    assert shown.evaluate("document.documentElement.scrollWidth") <= 320
    visit.context.close()


def test_with_forced_colours_the_bars_of_the_network_are_seen(browser: Browser, html: Path) -> None:
    context = browser.new_context(forced_colors="active")
    page = context.new_page()
    page.goto((html / "live.html").as_uri())
    bar = page.locator(".live-winner .live-bar")
    colours = bar.evaluate("bar => [bar, bar.parentElement].map((each) => getComputedStyle(each).backgroundColor)")
    assert len(set(colours)) == 2
    context.close()


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE])
def test_buttons_of_the_theme_keep_the_focus_of_who_uses_the_keyboard(
    viewport: Any, browser: Browser, html: Path
) -> None:
    visit = Visit(browser, viewport)
    page = visit.open(html / "chapters" / "01_dataset.html")
    for name in ("Color mode", "Search", "Toggle primary sidebar"):
        button = page.get_by_role("button", name=name).first
        button.press("Enter")
        opened = page.locator("dialog[open]")
        if opened.count():
            assert opened.get_attribute("aria-label")
            page.keyboard.press("Escape")
        page.wait_for_function("each => each === document.activeElement", arg=button.element_handle())
    visit.context.close()


def test_the_focus_is_seen_on_every_button_above_the_text(window: Visit) -> None:
    window.page.keyboard.press("Tab")  # the keyboard is in use
    for button in window.page.locator(".bd-header-article button:visible").all():
        button.focus()
        assert button.evaluate("each => getComputedStyle(each).outlineStyle") == "solid", button.inner_html()


def test_the_button_of_the_side_bar_says_whether_it_is_there(window: Visit) -> None:
    button = window.page.get_by_role("button", name="Toggle primary sidebar")
    assert button.get_attribute("aria-expanded") == "true"
    button.click()
    window.page.wait_for_selector(".primary-toggle[aria-expanded=false]")


def test_it_is_heard_that_a_cell_was_copied(browser: Browser, html: Path) -> None:
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.goto((html / "chapters" / "01_dataset.html").as_uri())
    page.locator(".copybtn").first.press("Enter")
    page.wait_for_function(
        "[...document.querySelectorAll('[role=status]')].some((each) => each.textContent === 'Copied!')"
    )
    context.close()


def test_next_leads_through_every_page_in_order_and_previous_back(html: Path) -> None:
    def follow(page: Path, arrow: str) -> list[str]:
        seen = [page]
        link = re.compile(rf'<a class="{arrow}"\s+href="([^"]+)"')
        while found := link.search(seen[-1].read_text(encoding="utf-8")):
            seen.append((seen[-1].parent / found[1]).resolve())
            assert len(seen) <= len(PAGES)
        return [each.relative_to(html).with_suffix("").as_posix() for each in seen]

    assert follow(html / f"{PAGES[0]}.html", "right-next") == PAGES
    assert follow(html / f"{PAGES[-1]}.html", "left-prev") == PAGES[::-1]


def test_the_side_bar_leads_to_every_page(window: Visit) -> None:
    links = window.page.locator("nav.bd-links a.internal, nav.bd-links li.current > a")
    targets = {each.get_attribute("href") or "" for each in links.all()}
    assert {f"{page}.html" for page in PAGES if page != "intro"} <= targets


def test_a_search_for_a_word_finds_its_page(window: Visit) -> None:
    window.page.locator("button.search-button, .search-button__button").first.click()
    box = window.page.locator("dialog input[type=search]:visible, .search-button__search-container input:visible").first
    box.fill("checkpoint")
    box.press("Enter")
    window.page.wait_for_url("**/search.html?q=checkpoint*")
    window.page.wait_for_selector("ul.search li a")
    window.page.locator("ul.search li a", has_text="How to reproduce everything").first.click()
    window.page.wait_for_url("**/reproduce.html*")
    assert window.problems == []


def test_a_search_for_a_word_that_is_nowhere_says_so(window: Visit, html: Path) -> None:
    page = window.open(html / "search.html", "?q=xylophone")
    page.wait_for_function(
        "() => /did not match any documents/.test(document.querySelector('#search-results').innerText)"
    )
    assert page.locator("ul.search li").count() == 0


def test_the_theme_button_switches_to_dark_and_light_and_is_remembered(window: Visit, html: Path) -> None:
    def theme() -> tuple[str | None, str]:
        root = window.page.locator("html")
        return root.get_attribute("data-theme"), window.page.evaluate(
            "() => getComputedStyle(document.body).backgroundColor"
        )

    seen = {theme()}
    for _ in range(3):
        window.page.locator("button.theme-switch-button:visible").first.click()
        seen.add(theme())
    assert {name for name, _ in seen} == {"light", "dark"}
    assert len({colour for _, colour in seen}) == 2

    while theme()[0] != "dark":
        window.page.locator("button.theme-switch-button:visible").first.click()
    window.open(html / "reproduce.html")
    assert theme()[0] == "dark"
    assert window.problems == []


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_chapter_offers_its_executed_notebook_for_download(html: Path, chapter: str) -> None:
    page = (html / f"{chapter}.html").read_text(encoding="utf-8")
    links = re.findall(r'<a href="([^"]+\.ipynb)"[^>]*btn-download-source-button', page)
    assert len(links) == 1
    offered, committed = (html / chapter).parent / links[0], ROOT / "notebooks" / f"{Path(chapter).name}.ipynb"
    assert len(nbformat.read(offered, as_version=4).cells) == len(nbformat.read(committed, as_version=4).cells)


def test_the_front_page_shows_the_recorded_results(html: Path) -> None:
    page = (html / "intro.html").read_text(encoding="utf-8")
    for path in (ROOT / "results").glob("*-cifar10-short/seed0.json"):
        error = json.loads(path.read_text(encoding="utf-8"))["epochs"][-1]["test_error"]
        if len(list(path.parent.glob("seed*.json"))) == 1:
            assert re.search(rf"<p>{error:.2f}( \(1 run\))?</p>", page), path


def test_the_front_page_has_a_map_of_the_chapters_with_a_question_and_minutes_for_each(window: Visit) -> None:
    rows = window.page.locator("#what-is-in-it tbody tr").all()
    links = [row.locator("a").get_attribute("href") for row in rows]
    assert links == [f"{chapter}.html" for chapter in CHAPTERS]
    for row in rows:
        _, question, minutes = row.locator("th, td").all_inner_texts()
        assert question.endswith("?")
        assert 5 <= int(minutes) <= 45


def test_the_whole_book_is_one_pdf_whose_bookmarks_are_the_chapters(html: Path, window: Visit) -> None:
    assert (html / "resnet-book.pdf").exists(), "the pages were rendered without it: `make pdf`"
    content = (html / "resnet-book.pdf").read_bytes()
    assert content.startswith(b"%PDF-")
    assert len(re.findall(rb"/Type /Page\b", content)) > 10 * len(CHAPTERS)
    bookmarks = re.findall(rb"/Title \((\d+)\. [^)]+\)", content)
    numbered = [path for path in CHAPTERS if path.startswith("chapters/0") or path.startswith("chapters/1")]
    assert [int(number) for number in bookmarks] == list(range(1, len(numbered) + 1))
    first_sections = re.findall(rb"/Title \((\d+)\.1\. ", content)
    assert [int(number) for number in first_sections] == list(range(1, len(numbered) + 1))
    titles = re.findall(rb"/Title \(((?:[^()\\]|\\.)*)\)", content)
    assert [title for title in titles if re.match(rb"([\d.]+ )\1|(.+)\2$", title)] == []
    assert b"(file:" not in content  # a link to a file of the machine that made it
    assert window.page.locator("a[href='resnet-book.pdf']").count() == 1


def test_the_bibliography_lists_every_work_of_the_file_once(html: Path) -> None:
    keys = re.findall(r"^@\w+\{(\w+),", (ROOT / "book" / "references.bib").read_text(encoding="utf-8"), re.MULTILINE)
    page = (html / "bibliography.html").read_text(encoding="utf-8")
    assert len(re.findall(r'<div class="citation"', page)) == len(set(keys)) == len(keys)


def test_the_package_page_has_every_documented_function_and_class_of_the_core(html: Path) -> None:
    page = (html / "api.html").read_text(encoding="utf-8")
    missing = []
    for module in ("data", "cifar", "shapes", "augment", "models", "recipe", "train", "features"):
        tree = ast.parse((ROOT / "resnet_book" / f"{module}.py").read_text(encoding="utf-8"))
        for each in tree.body:
            if isinstance(each, ast.FunctionDef | ast.ClassDef) and not each.name.startswith("_"):
                documented = ast.get_docstring(each) is not None
                missing += [each.name] if documented and f'id="resnet_book.{module}.{each.name}"' not in page else []
    assert missing == []
    assert 'id="resnet_book.experiments.trained.load_trained"' in page
    assert "Should be overridden by all subclasses" not in page, "torch's own words"


@pytest.mark.parametrize("page", ["intro", "live", "chapters/03_plain_and_residual", "chapters/08_take_it_apart"])
@pytest.mark.parametrize("viewport", [DESKTOP, PHONE])
def test_the_network_in_the_page_answers(page: str, viewport: Any, browser: Browser, html: Path) -> None:
    visit = Visit(browser, viewport)
    shown = visit.open(html / f"{page}.html")
    shown.locator(".live-network").scroll_into_view_if_needed()
    shown.wait_for_selector(".live-bars li")
    shown.get_by_role("button", name="horse").click()
    assert "says of “horse”: horse" in shown.inner_text(".live-answer")
    shown.get_by_label("ask me first").uncheck()
    shown.get_by_label("block 2: its layers").uncheck()
    assert "resnet20 without the layers of block 2 says" in shown.inner_text(".live-answer")
    shown.get_by_label("Network:").select_option("plain20")
    shown.wait_for_function("document.querySelector('.live-answer').textContent.startsWith('plain20 says of')")
    wide = shown.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0
    assert visit.problems == []
    visit.context.close()
