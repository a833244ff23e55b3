"""The site in a real browser: sorting, filtering, slider, keyboard, narrow windows, nothing outside."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from refbench.leaderboard.examples.example import write_example
from refbench.leaderboard.site.publish import publish_site
from refbench.metrics.catalogue import OFFLINE, PROTOCOLS
from toy_boards import uneven_records
from toys import store_of

pytestmark = pytest.mark.slow
ARGUMENTS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
AXE = Path(os.environ.get("REFBENCH_AXE", "node_modules/axe-core/axe.min.js"))
Page = Any


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("browser")
    declared = {name: PROTOCOLS[name] for name in OFFLINE}
    store, chosen, folders = write_example(root / "scene", declared, models=5, identities=24, size=96)
    return publish_site(store, root / "site", [chosen], submissions=folders).parent


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no Chromium on this machine (apt install chromium)")
    with api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Page]:
    """A page that fails the test on any console error and on any request that is not for a file."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    opened = context.new_page()
    complaints: list[str] = []
    opened.on(
        "console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None
    )
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on(
        "requestfailed", lambda r: None if r.failure == "net::ERR_ABORTED" else complaints.append(r.url)
    )
    opened.on("request", lambda r: None if r.url.startswith(("file:", "data:")) else complaints.append(r.url))
    yield opened
    context.close()
    assert complaints == []


def visit(page: Page, path: Path, fragment: str = "") -> None:
    page.goto(path.resolve().as_uri() + fragment)


def visible_models(page: Page) -> list[str]:
    found: list[str] = page.locator(
        ".benchmark:not([hidden]) tbody:first-of-type tr:visible .model a"
    ).all_inner_texts()
    return found


def column_values(page: Page, column: str) -> list[float]:
    place = page.locator(f".benchmark:not([hidden]) th[data-c='{column}']").evaluate("head => head.cellIndex")
    rows = page.locator(".benchmark:not([hidden]) tbody:first-of-type tr:visible")
    values = rows.evaluate_all(f"rows => rows.map(row => row.cells[{place}].dataset.v)")
    return [float(value) for value in values]


def test_tables_sort_by_any_column_both_ways_on_exact_values(page: Page, site: Path) -> None:
    visit(page, site / "index.html")
    heads = page.locator(".benchmark:not([hidden]) thead th[data-c]")
    assert heads.count() == len(OFFLINE) + 1
    for number, protocol in enumerate(OFFLINE):
        button = page.locator(f".benchmark:not([hidden]) thead th[data-c='{number}'] button")
        button.click()
        upwards = PROTOCOLS[protocol].higher_is_better
        assert column_values(page, str(number)) == sorted(column_values(page, str(number)), reverse=upwards)
        assert page.locator("tr:visible .rank b").first.inner_text() == "1"
        button.click()
        assert column_values(page, str(number)) == sorted(
            column_values(page, str(number)), reverse=not upwards
        )
        sorted_heads = page.locator(".benchmark:not([hidden]) th[aria-sort]")
        assert sorted_heads.count() == 1
    page.get_by_role("button", name="Model", exact=True).first.click()
    assert visible_models(page) == sorted(visible_models(page))


def rows_shown(page: Page) -> list[Any]:
    """Of each row in order: what is read, and of its cells value, rank, style and class."""
    script = """rows => rows.map(row => [row.innerText, [...row.cells].map(cell =>
        [cell.dataset.v, cell.dataset.r, cell.getAttribute("style"), cell.className])])"""
    found: list[Any] = page.locator(".benchmark tbody:first-of-type tr").evaluate_all(script)
    return found


def test_the_switch_shows_the_board_of_the_other_mean_and_back(page: Page, tmp_path: Path) -> None:
    store = store_of(tmp_path / "store", uneven_records(5))
    images, people = (publish_site(store, tmp_path / over, over=over) for over in ("images", "people"))
    visit(page, people)
    expected = rows_shown(page)
    assert page.locator("[data-of='people']").is_visible()
    visit(page, images)
    first = rows_shown(page)
    assert first != expected
    page.locator("[data-over]").select_option("people")
    page.wait_for_function("document.querySelector('[data-of=images]').hidden")
    assert rows_shown(page) == expected
    assert "Means are over people" in page.locator("[data-of='people']").inner_text()
    assert not page.locator("[data-of='images']").is_visible()
    page.locator("[data-over]").select_option("images")
    assert rows_shown(page) == first


def test_the_filter_narrows_and_escape_clears(page: Page, site: Path) -> None:
    visit(page, site / "index.html")
    every = visible_models(page)
    box = page.locator("[data-filter]:visible")
    box.fill("TEAM-3")
    assert visible_models(page) == ["Model C"]
    assert page.locator("[data-count]:visible").inner_text() == f"1 of {len(every)} models"
    box.fill("team nobody")
    assert visible_models(page) == []
    box.press("Escape")
    assert visible_models(page) == every


def test_tabs_work_by_mouse_keyboard_and_address(page: Page, site: Path) -> None:
    visit(page, site / "index.html")
    tabs = page.get_by_role("tab")
    assert tabs.count() == 2
    assert page.locator(".benchmark:visible").count() == 1
    tabs.nth(0).focus()
    page.keyboard.press("ArrowRight")
    assert tabs.nth(1).get_attribute("aria-selected") == "true"
    assert page.locator(".benchmark:visible h2").inner_text() == tabs.nth(1).inner_text()
    address = page.url
    page.goto("about:blank")
    page.goto(address)
    assert page.get_by_role("tab").nth(1).get_attribute("aria-selected") == "true"


def test_sorting_works_by_keyboard_alone(page: Page, site: Path) -> None:
    visit(page, site / "index.html")
    page.locator("[data-filter]:visible").focus()
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.dataset.sort") == "0":
            break
    page.keyboard.press("Enter")
    assert page.locator(".benchmark:not([hidden]) th[data-c='0']").get_attribute("aria-sort") == "descending"


def clip(page: Page, selector: str) -> float:
    shown: str = page.locator(f"{selector} .over").evaluate("e => getComputedStyle(e).clipPath")
    found = re.search(r"inset\(0px ([\d.]+)(%|px)?", shown)
    return float(found.group(1)) if found else 0.0


def test_the_slider_moves_by_pointer_and_by_keys(page: Page, site: Path) -> None:
    visit(page, site / "index.html")
    box = page.locator(".hero .slider").bounding_box()
    middle = clip(page, ".hero .slider")
    page.mouse.click(box["x"] + 0.9 * box["width"], box["y"] + box["height"] / 2)
    assert clip(page, ".hero .slider") < middle
    page.locator(".hero .slider input").focus()
    page.keyboard.press("Home")
    assert page.locator(".hero .slider input").input_value() == "0"
    page.keyboard.press("ArrowRight")
    assert page.locator(".hero .slider input").input_value() == "1"


def album(site: Path) -> tuple[Path, dict[str, Any]]:
    data = sorted(site.glob("compare/*severe*/album.js"))[0]
    text = data.read_text("utf-8")
    return data.parent.with_suffix(".html"), json.loads(text[text.index("{") : text.rindex("}") + 1])


def test_any_two_sides_can_be_compared_with_their_numbers(page: Page, site: Path) -> None:
    path, told = album(site)
    visit(page, path)
    page.wait_for_function("document.querySelectorAll('[data-numbers] tbody tr').length > 0")
    page.select_option("[data-side=left]", "Model-B@1")
    page.select_option("[data-side=right]", "hq")
    page.wait_for_function("document.querySelector('[data-head=left]').textContent === 'Model B'")
    scores = (path.with_suffix("") / "Model-B@1.js").read_text("utf-8")
    values = json.loads(scores[scores.rindex("= ") + 2 : scores.rindex(";")])
    decimals = told["metrics"][0]["decimals"]
    first = page.locator("[data-numbers] tbody tr").first.locator("td").first.inner_text()
    assert float(first.replace("−", "-")) == pytest.approx(values[0][0] / 10**decimals)
    sources = page.locator("#stage img").evaluate_all("list => list.map(e => [e.src, e.naturalWidth])")
    assert all(width > 0 for _, width in sources)
    assert "/hq/" in sources[0][0]
    page.click("[data-swap]")
    assert page.input_value("[data-side=left]") == "hq"
    assert page.locator("[data-references] img").count() == len(told["references"][0])


def test_pictures_are_walked_by_keys_and_the_address_remembers(page: Page, site: Path) -> None:
    path, told = album(site)
    keys = told["keys"].split(" ")
    visit(page, path)
    for _ in range(2):
        page.keyboard.press("n")
    assert page.locator("[data-name]").inner_text() == keys[2]
    page.keyboard.press("p")
    assert page.locator("[data-name]").inner_text() == keys[1]
    page.keyboard.press("x")
    assert page.input_value("[data-side=right]") == "lq"
    address = page.url
    page.goto("about:blank")
    page.goto(address)
    assert page.locator("[data-name]").inner_text() == keys[1]
    assert page.input_value("[data-side=right]") == "lq"


def test_pictures_are_paged_ordered_and_found(page: Page, site: Path) -> None:
    path, told = album(site)
    keys = told["keys"].split(" ")
    visit(page, path)
    shown = page.locator("[data-film] button")
    assert shown.count() == 36 < len(keys)
    page.get_by_role("button", name="Later").click()
    assert shown.count() == len(keys) - 36
    page.fill("[data-find]", "p0003")
    assert shown.count() == sum("p0003" in key for key in keys)
    page.fill("[data-find]", "")
    page.select_option("[data-order]", "worst")
    assert shown.first.get_attribute("data-at") == str(told["groups"]["worst"][0])
    page.select_option("[data-side=left]", "Model-A@1")
    page.select_option("[data-side=right]", "Model-E@1")
    page.select_option("[data-order]", "gap:0")
    page.wait_for_function("document.querySelectorAll('[data-film] button').length === 36")
    values = []
    for name in ("Model-A@1", "Model-E@1"):
        text = (path.with_suffix("") / f"{name}.js").read_text("utf-8")
        values.append(json.loads(text[text.rindex("= ") + 2 : text.rindex(";")])[0])
    gaps = [a - b for a, b in zip(*values, strict=True)]
    page.wait_for_function(
        f"document.querySelector('[data-film] button').dataset.at === '{gaps.index(max(gaps))}'"
    )


EVERY_PAGE = ("index.html", "how.html", "reported.html", "models/Model-A@1.html")


def every_page(site: Path) -> list[Path]:
    path, _ = album(site)
    return [*(site / name for name in EVERY_PAGE), path, site / "gallery" / path.name]


@pytest.mark.parametrize("width", [360, 390, 768, 1280, 1920])
def test_no_page_scrolls_sideways(page: Page, site: Path, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    for path in every_page(site):
        visit(page, path)
        page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, f"{path.name} is {wide} pixels wide in a window of {width}"


def test_a_narrow_window_shows_one_metric_and_lets_one_choose(page: Page, site: Path) -> None:
    page.set_viewport_size({"width": 390, "height": 800})
    visit(page, site / "index.html")
    assert page.locator(".benchmark:not([hidden]) thead th[data-c]:visible").count() == 1
    page.select_option(".benchmark:not([hidden]) [data-pick]", "2")
    heads = page.locator(".benchmark:not([hidden]) thead th[data-c]:visible")
    assert heads.count() == 1
    assert PROTOCOLS[OFFLINE[2]].title in heads.first.inner_text()
    assert column_values(page, "2") == sorted(column_values(page, "2"))


def test_everything_can_be_read_without_scripts(browser: Any, site: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    visit(page, site / "index.html")
    assert page.locator(".benchmark:visible").count() == 2
    assert page.locator(".plot svg:visible").count() >= 2
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_serious_stands_in_the_way_of_anyone(browser: Any, site: Path, scheme: str) -> None:
    if not AXE.is_file():
        pytest.skip(f"axe-core is absent ({AXE}); npm pack axe-core and name its axe.min.js in REFBENCH_AXE")
    context = browser.new_context(color_scheme=scheme, viewport={"width": 1280, "height": 900})
    page = context.new_page()
    for path in every_page(site):
        visit(page, path)
        page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        page.evaluate(AXE.read_text("utf-8"))
        found = page.evaluate(
            "axe.run().then(r => r.violations.map(v => [v.impact, v.id, v.nodes[0].html, v.nodes.length]))"
        )
        assert [v for v in found if v[0] in ("serious", "critical")] == [], path.name
    context.close()


def test_a_study_is_answered_by_keys_and_saved_as_a_file(page: Page, tmp_path: Path) -> None:
    from refbench.leaderboard.study.create import create_study
    from refbench.leaderboard.study.study import StudyKey
    from refbench.leaderboard.study.votes import is_attentive, read_votes
    from refbench.leaderboard.submission.submission import read_submission

    declared = {"psnr/rgb": PROTOCOLS["psnr/rgb"]}
    store, chosen, folders = write_example(tmp_path / "scene", declared, models=2, identities=4, size=48)
    given = [read_submission(folder) for folder in folders if "severe" in folder.parent.name]
    html, key_file = create_study(
        store, chosen, given, recipe="refldm-severe", items=6, out=tmp_path / "study"
    )
    key = StudyKey.read(key_file)
    trials = {trial.id: trial for trial in key.trials}
    page.set_viewport_size({"width": 390, "height": 800})
    visit(page, html)
    page.fill("[name=participant]", "Reader 7")
    page.press("[name=participant]", "Enter")
    expected = {}
    for number in range(len(trials)):
        page.wait_for_function(
            "document.querySelector('[data-a]').complete && document.querySelector('[data-b]').complete"
        )
        name, letter = re.search(
            r"/(\w+)-([ab])\.webp$", page.locator("[data-a]").get_attribute("src")
        ).groups()
        trial = trials[name]
        left_is_first = letter == "a"
        wanted = trial.first if not trial.check else "hq"
        go_left = (trial.first == wanted) == left_is_first
        expected[name] = "first" if trial.first == wanted else "second"
        if number == 2:
            page.keyboard.press("ArrowRight" if go_left else "ArrowLeft")
            page.keyboard.press("Backspace")
        page.keyboard.press("ArrowLeft" if go_left else "ArrowRight")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    with page.expect_download() as started:
        page.click("[data-save]")
    saved = tmp_path / "votes.json"
    started.value.save_as(saved)
    (file,) = read_votes([saved], key)
    assert file.participant == "Reader 7"
    assert {vote.trial: vote.choice for vote in file.votes} == expected
    assert is_attentive(file, key)
