"""The page in a real browser, where there is one (see browsing.py)."""

import numpy as np
import pytest
from browsing import headless, inaccessible, resize
from pages import table

import scalefit as sf


@pytest.fixture(scope="module")
def browser():
    yield from headless()


@pytest.fixture
def page(browser, page_path):
    """The page, loaded afresh at the width of a desk."""
    return load(browser, page_path)


def load(browser, path, width=1100, mobile=False):
    resize(browser, width, mobile)
    browser.get(path.as_uri())
    assert browser.execute_script("return document.documentElement.dataset.ready") == "true"
    return browser


def text(browser, name):
    return browser.find_element("id", name).text


def count(word):
    """4.81M as a number."""
    sizes = {"k": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}
    return float(word[:-1]) * sizes[word[-1]] if word[-1] in sizes else float(word)


def shown(browser):
    """What stands under the slider, as `sf.optimal` names it."""
    found = {}
    for name in ("N", "D", "ratio", "loss"):
        found[name] = count(text(browser, f"best-{name}"))
        found[f"{name}_lo"], found[f"{name}_hi"] = map(count, text(browser, f"ends-{name}").split(" to "))
    return found


def agrees(browser, fit, budget, rel=6e-3):
    """Three digits of sizes and four of losses are shown."""
    wanted = sf.optimal(fit, budget, level=0.9).iloc[0]
    for name, value in shown(browser).items():
        assert value == pytest.approx(wanted[name], rel=rel), name


def enter(browser, words):
    from selenium.webdriver.common.keys import Keys

    box = browser.find_element("id", "budget-number")
    box.clear()
    box.send_keys(words, Keys.ENTER)


def test_it_loads_without_an_error(page):
    assert [entry for entry in page.get_log("browser") if entry["level"] == "SEVERE"] == []


def test_the_slider_begins_at_the_target(page, fit):
    assert page.find_element("id", "budget-number").get_attribute("value") == "1e23"
    agrees(page, fit, 1e23)


def test_a_budget_typed_in(page, fit):
    # Between two budgets of the grid, which has twelve in a decade about 1e23.
    enter(page, "3e21")
    agrees(page, fit, 3e21)
    enter(page, "1,000e18")
    agrees(page, fit, 1e21)
    enter(page, "many")
    assert "Write a budget as a number" in text(page, "budget-note")
    agrees(page, fit, 1e21)
    enter(page, "1e40")
    assert "reaches from" in text(page, "budget-note")


def test_the_keyboard_moves_the_budget(page, fit):
    from selenium.webdriver.common.keys import Keys

    slider = page.find_element("id", "log-budget")
    page.execute_script("arguments[0].focus()", slider)
    before = shown(page)
    slider.send_keys(*[Keys.ARROW_RIGHT] * 8)
    # Eight steps of an eighth: one budget of the grid, a twelfth of a decade.
    agrees(page, fit, 1e23 * 10 ** (1 / 12))
    assert shown(page)["N"] > before["N"]
    slider.send_keys(Keys.HOME)
    lowest = page.execute_script(
        "return JSON.parse(document.getElementById('data').textContent).grid.columns.C[0]"
    )
    agrees(page, fit, lowest)
    assert slider.get_attribute("aria-valuetext").endswith("FLOPs")


def test_the_keyboard_reaches_everything(page):
    from selenium.webdriver.common.keys import Keys

    page.execute_script("document.activeElement.blur()")
    seen = []
    for _ in range(40):
        page.switch_to.active_element.send_keys(Keys.TAB)
        seen.append(page.switch_to.active_element.get_attribute("id"))
    # In the order of the page.
    ids = [
        name
        for name in seen
        if name in ("theme", "log-budget", "budget-number", "x-input", "x-log", "scatter", "snippet")
    ]
    assert list(dict.fromkeys(ids)) == [
        "theme",
        "log-budget",
        "budget-number",
        "x-input",
        "x-log",
        "scatter",
        "snippet",
    ]


def test_a_run_is_told_by_pointer_and_by_keys(page, fit):
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    point = page.find_element("css selector", '[data-run="5"]')
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", point)
    ActionChains(page).move_to_element(point).perform()
    assert text(page, "run-note").startswith("Run 5:")
    assert f"loss {fit.data.y[5]:.4g}" in text(page, "run-note")
    chart = page.find_element("id", "scatter")
    page.execute_script("arguments[0].focus()", chart)
    chart.send_keys(Keys.HOME)
    # The cheapest run is the first on the axis of budgets.
    cheapest = int(np.argmin(fit.data.x["N"] * fit.data.x["D"]))
    assert text(page, "run-note").startswith(f"Run {cheapest}:")
    chart.send_keys(Keys.ARROW_RIGHT)
    assert not text(page, "run-note").startswith(f"Run {cheapest}:")


def test_axes_switch(page):
    from selenium.webdriver.support.ui import Select

    def places():
        return [c.get_attribute("cx") for c in page.find_elements("css selector", "circle.run")]

    log = places()
    page.find_element("id", "x-log").click()
    straight = places()
    assert len(straight) == len(log) == 16
    assert straight != log
    Select(page.find_element("id", "x-input")).select_by_value("N")
    assert page.find_element("id", "x-log").is_selected()
    # Four sizes.
    assert len(set(places())) == 4


def colours(browser):
    return browser.execute_script(
        "const s = getComputedStyle(document.body); return [s.color, s.backgroundColor]"
    )


def test_light_and_dark(page):
    light = colours(page)
    page.find_element("id", "theme").click()
    dark = colours(page)
    assert light != dark
    page.find_element("id", "theme").click()
    assert colours(page) == light
    scheme = [{"name": "prefers-color-scheme", "value": "dark"}]
    try:
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": scheme})
        page.refresh()
        assert colours(page) == dark
    finally:
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1100, 390])
def test_accessibility(browser, page_path, width, dark):
    load(browser, page_path, width, mobile=width < 500)
    if dark:
        browser.find_element("id", "theme").click()
    browser.execute_script("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    assert inaccessible(browser) == []


def test_nothing_is_wider_than_a_phone(browser, page_path):
    load(browser, page_path, 390, mobile=True)
    assert browser.execute_script("return document.documentElement.scrollWidth") == 390


def test_it_prints(browser, page_path):
    load(browser, page_path)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        assert not browser.find_element("id", "slider").is_displayed()
        assert browser.find_element("css selector", "#budget table").is_displayed()
        assert browser.find_element("id", "scatter").is_displayed()
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def test_without_scripts_the_numbers_are_there(browser, page_path):
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.get(page_path.as_uri())
        assert not browser.find_element("id", "slider").is_displayed()
        assert browser.find_element("css selector", "#budget table").is_displayed()
        assert "needs scripts" in browser.find_element("css selector", "noscript").text
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_hostile_names_run_nothing(browser, tmp_path):
    hostile = (
        '</script><script>document.title = "taken"</script><img src=x onerror="document.title=\'taken\'">'
    )
    runs = table(hostile) | {"N": table()["N"]}
    fit = sf.fit("chinchilla", runs, y=hostile)
    load(browser, sf.report(fit, tmp_path / "report.html", refits=False))
    assert browser.title == f"Scaling law of {hostile}: chinchilla"
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
    assert hostile in browser.find_element("css selector", "h1").text
