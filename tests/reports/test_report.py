import re
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
from pages import TRUTH, Page, read, table

import scalefit as sf

HOSTILE = '</script><script>alert("1")</script>\'"<img src=x onerror=alert(2)>&amp;{{7*7}}$\\frac$'


@pytest.fixture(scope="module")
def page(page_path):
    return read(page_path)


def test_it_stands_alone_and_is_small(page_path, page):
    text = page_path.read_text(encoding="utf-8")
    assert len(text.encode()) < 2_000_000
    for tag, attributes, _ in page.elements:
        for name in ("src", "href", "action", "poster", "srcset", "data"):
            value = attributes.get(name, "#")
            assert value.startswith(("#", "data:")), f"{tag} asks for {value[:80]}"
    (style,) = page.all("style")
    assert "url(" not in style[2]
    assert "@import" not in style[2]
    for word in ("fetch(", "XMLHttpRequest", "import(", "WebSocket", "sendBeacon"):
        assert word not in text


def test_headings_are_in_order_and_ids_unique(page):
    assert page.all("html")[0][1]["lang"] == "en"
    levels = [int(tag[1]) for tag, _, _ in page.all("h1", "h2", "h3", "h4")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    ids = [attributes["id"] for _, attributes, _ in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes, _ in page.all("a"):
        assert attributes["href"][1:] in ids
    for _, attributes, _ in page.elements:
        for name in ("aria-labelledby", "aria-describedby", "for"):
            assert set(attributes.get(name, "").split()) <= set(ids)


def test_images_have_words_and_inputs_labels(page):
    images = page.all("img")
    # Two curves, three residuals, the floor's profile, and the formula.
    assert len(images) == 7
    assert all(len(attributes["alt"]) > 10 for _, attributes, _ in images)
    labelled = {attributes.get("for") for _, attributes, _ in page.all("label")}
    inside = "".join(re.findall(r"<label>.*?</label>", page.text))
    inputs = page.all("input", "select")
    assert len(inputs) == 5
    for _, attributes, _ in inputs:
        assert attributes["id"] in labelled or f'id="{attributes["id"]}"' in inside
    for _, _, words in page.all("table"):
        assert words.strip()


def test_the_answer_stands_first(page, fit):
    titles = [words for _, _, words in page.all("h2")]
    assert titles == [
        "The answer",
        "Budget",
        "The runs",
        "Pictures",
        "Checks",
        "Coefficients",
        "Repeat it",
        "Fit card",
    ]
    (answer,) = [words for _, a, words in page.elements if a.get("id") == "answer"]
    best = sf.optimal(fit, 1e23, level=0.9).iloc[0]
    said = " ".join(answer.split())
    assert f"{best['loss']:.4g}" in said
    assert f"{best['loss_lo']:.4g} to {best['loss_hi']:.4g}" in said
    assert str(fit.status) in said
    for caution in fit.cautions({"N": [best["N"]], "D": [best["D"]]}):
        assert caution.text in said


def test_numbers_of_the_slider_are_those_of_optimal(page, fit):
    columns = page.data["grid"]["columns"]
    table = sf.optimal(fit, columns["C"], level=0.9)
    assert set(columns) == set(table.columns)
    for name in table.columns:
        assert columns[name] == table[name].tolist(), name
    assert page.data["grid"]["target"] == 1e23
    assert 1e23 in columns["C"]
    # From the smallest run to a decade beyond the target; 12 budgets per decade.
    logs = np.log10(columns["C"])
    assert logs[0] <= np.log10(6 * 1e7 * 1e9)
    assert logs[-1] >= 24
    assert np.diff(logs) == pytest.approx(1 / 12)


def test_interpolating_in_logarithms_is_close_enough(page, fit):
    """Half-way between two budgets, where a straight line in logs is worst."""
    columns = page.data["grid"]["columns"]
    middle = np.sqrt(np.array(columns["C"][:-1:7]) * np.array(columns["C"][1::7]))
    table = sf.optimal(fit, middle, level=0.9)
    for name in ("N", "D", "ratio", "loss"):
        guessed = np.sqrt(np.array(columns[name][:-1:7]) * np.array(columns[name][1::7]))
        # Three digits are shown.
        assert guessed == pytest.approx(table[name].to_numpy(), rel=1e-3)


def test_the_runs_are_all_there(page, fit):
    runs = page.data["runs"]
    assert runs["y"] == fit.data.y.tolist()
    assert runs["fitted"] == fit.fitted().tolist()
    assert runs["x"]["N"] == fit.data.x["N"].tolist()
    assert runs["x"]["C"] == (6 * fit.data.x["N"] * fit.data.x["D"]).tolist()


def test_coefficients_in_full_precision(page, fit):
    words = page.by_id("coefficients")[2]
    for name, value in fit.coefs.items():
        assert repr(float(value)) in words
        for end in fit.interval(name, 0.9):
            assert repr(end) in words


def test_the_card(page, fit):
    card = page.by_id("card")[2]
    for word in (
        fit.data.hash(),
        str(fit.objective),
        repr(fit.value),
        f"{fit.status.n_agree} within",
        "6 N D",
    ):
        assert word in card
    assert f"tau = {fit.model_error.tau:.5g}" in card


def test_checks_say_what_the_functions_return(page, fit):
    said = " ".join(page.by_id("checks")[2].split())
    frame = table()
    back = sf.backtest("chinchilla", frame, y="loss", inputs={"N": "N", "D": "D"})
    line = back.line("chinchilla")
    assert f"foretold {line['predictions']} losses" in said
    assert f"median error of {100 * line['median']:.2g} %" in said
    spread = sf.specification(fit, target=1e23)
    assert f"{spread['loss'].min():.4g}" in said
    assert f"{spread['loss'].max():.4g}" in said


def execute(page, tmp_path):
    script = tmp_path / "again.py"
    script.write_text(page.by_id("snippet")[2], encoding="utf-8")
    return subprocess.run([sys.executable, script], capture_output=True, text=True, cwd=tmp_path, timeout=300)


def test_the_snippet_repeats_the_fit(page, fit, tmp_path):
    done = execute(page, tmp_path)
    assert done.returncode == 0, done.stderr
    assert str(fit.status) in done.stdout
    best = sf.optimal(fit, 1e23, level=0.9).iloc[0]
    assert f"loss_hi                    {best['loss_hi']:.6f}" in done.stdout


def test_the_same_fit_gives_the_same_bytes(fit, tmp_path):
    one, two = (
        sf.report(fit, tmp_path / name, {"C": 1e22}, refits=False).read_bytes() for name in ("a", "b")
    )
    assert one == two


def test_hostile_names_are_words_and_nothing_else(tmp_path):
    runs = {HOSTILE if name == "loss" else f"{name}{HOSTILE}": values for name, values in table().items()}
    law = sf.law(chinchilla, name=HOSTILE, positive="all")
    fit = sf.fit(law, runs, inputs={"N": f"N{HOSTILE}", "D": f"D{HOSTILE}"}, y=HOSTILE)
    path = sf.report(fit, tmp_path / "report.html", {"C": 1e22}, refits=False)
    page = read(path)
    assert [tag for tag, _, _ in page.all("script")] == ["script", "script"]
    assert all("onerror" not in attributes for _, attributes, _ in page.elements)
    (_, _, title) = page.all("title")[0]
    assert HOSTILE in title
    assert "{{7*7}}" in title
    assert "</script><script>" not in path.read_text(encoding="utf-8")
    assert page.data["runs"]["output"] == HOSTILE
    assert "\\u003c" in page.text
    # A function of one's own cannot travel in a page, and the page says so.
    assert "a law of your own" in page.by_id("repeat")[2]


def chinchilla(N, D, *, E, A, B, alpha, beta):
    return E + A / N**alpha + B / D**beta


def test_hostile_row_names(tmp_path):
    pandas = pytest.importorskip("pandas")
    runs = pandas.DataFrame(table(), index=[f"{HOSTILE}{k}" for k in range(16)])
    fit = sf.fit("chinchilla", runs)
    page = read(sf.report(fit, tmp_path / "report.html", refits=False))
    assert page.data["runs"]["labels"] == list(runs.index)
    assert len(page.all("script")) == 2


def test_an_ensemble(tmp_path):
    runs = {
        name: np.concatenate([values, values * (1 if name != "loss" else 1.001)])
        for name, values in table().items()
    }
    ahead = sf.extrapolate(runs)
    page = read(sf.report(ahead, tmp_path / "report.html", refits=False))
    assert ahead.summary().splitlines()[0] in page.by_id("answer")[2]
    columns = page.data["grid"]["columns"]
    assert columns["N_hi"] == sf.optimal(ahead, columns["C"], level=0.9)["N_hi"].tolist()
    # No target was named: ten times the compute of the largest run.
    assert page.data["grid"]["target"] == pytest.approx(10 * 6 * 1e10 * 1e11)
    assert "no target was named" in page.text
    done = execute(page, tmp_path)
    assert done.returncode == 0, done.stderr


def test_few_runs_repeat_themselves(tmp_path):
    """The snippet of an answer that rests on priors: the same forecast, a row of weight zero left out."""
    runs = {name: values[:7] for name, values in table().items()} | {"w": [1, 1, 1, 0, 1, 1, 1]}
    ahead = sf.extrapolate(runs, weight="w")
    page = read(sf.report(ahead, tmp_path / "report.html", target={"N": 1e11, "D": 1e12}, refits=False))
    done = execute(page, tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"{float(ahead.predict({'N': 1e11, 'D': 1e12})):.4f}" in done.stdout


def test_a_law_without_sizes_and_tokens(tmp_path):
    x = np.geomspace(1e3, 1e6, 12)
    fit = sf.fit("power_floor", sf.simulate(sf.laws.power_floor, None, {"x": x}, noise=0.01, key=3))
    page = read(sf.report(fit, tmp_path / "report.html", refits=False))
    assert page.data["grid"] is None
    assert "Budget" not in [words for _, _, words in page.all("h2")]
    assert "is no law of N and D" in page.by_id("answer")[2]
    ahead = fit.predict({"x": [1e7]}, level=0.9).iloc[0]
    assert f"{ahead['lo']:.4g} to {ahead['hi']:.4g}" in page.by_id("answer")[2]
    assert execute(page, tmp_path).returncode == 0


def test_a_target_of_inputs_keeps_the_slider(fit, tmp_path):
    page = read(sf.report(fit, tmp_path / "report.html", {"N": 7e10, "D": 1.4e12}, refits=False))
    assert page.data["grid"]["target"] == 6 * 7e10 * 1.4e12
    row = fit.predict({"N": [7e10], "D": [1.4e12]}, level=0.9).iloc[0]
    assert f"{row['lo']:.4g} to {row['hi']:.4g}" in page.by_id("answer")[2]


def test_rows_left_out_are_named(tmp_path):
    weight = np.ones(16)
    weight[3] = 0
    fit = sf.fit("chinchilla", table(), weight=weight)
    page = read(sf.report(fit, tmp_path / "report.html", refits=False))
    assert "row 3 (counting from 0) had weight zero" in page.by_id("checks")[2]
    assert page.data["runs"]["weight"][3] == 0


def test_a_bad_fit_says_so_first(tmp_path):
    """One input, and the same loss everywhere: nothing to fit."""
    fit = sf.fit("power_floor", {"x": np.geomspace(1, 1e4, 12), "loss": np.full(12, 2.0)})
    assert fit.status.trust == "bad"
    page = read(sf.report(fit, tmp_path / "report.html", refits=False))
    assert [words for _, a, words in page.elements if a.get("class") == "headline"] == ["No"]


def test_a_page_that_is_there_is_replaced_whole(fit, tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    path.write_text("what was there")
    with pytest.raises(ValueError, match="target"):
        sf.report(fit, path, {"C": -1.0})
    assert path.read_text() == "what was there"
    sf.report(fit, path, {"C": 1e22}, refits=False)
    assert Page(path.read_text(encoding="utf-8")).all("h1")
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"target": {"C": 0}}, "target C must be a positive number"),
        ({"target": {"U": 1e9}}, "has no input 'U'"),
        ({"target": {"N": 1e9}}, "target lacks D"),
        ({"target": 1e24}, "target must be a dict"),
        ({"level": 1.0}, "level must lie between 0 and 1"),
        ({"key": -1}, "key must be a whole number"),
    ],
)
def test_refusals(fit, tmp_path, change, said):
    with pytest.raises((ValueError, TypeError), match=said):
        sf.report(fit, tmp_path / "report.html", **change)
    assert list(tmp_path.iterdir()) == []


def test_where_it_cannot_be_written(fit, tmp_path):
    with pytest.raises(ValueError, match="is a folder"):
        sf.report(fit, tmp_path)
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        sf.report(fit, tmp_path / "no" / "report.html")
    with pytest.raises(TypeError, match="path must say"):
        sf.report(fit, None)


def test_many_runs_make_a_small_page(tmp_path):
    N, D = np.geomspace(1e7, 1e10, 6000), np.tile(np.geomspace(1e9, 1e11, 60), 100)
    law = sf.laws.chinchilla
    fit = sf.fit("chinchilla", {"N": N, "D": D, "loss": np.asarray(law(TRUTH, {"N": N, "D": D}))}, n_starts=4)
    path = sf.report(fit, tmp_path / "report.html", {"C": 1e23})
    page = read(path)
    assert path.stat().st_size < 2_000_000
    assert len(page.data["runs"]["y"]) <= 1500
    assert "6000 runs are shown, evenly thinned" in " ".join(page.by_id("runs")[2].split())
    assert "it would take minutes" in page.by_id("checks")[2]
    assert "6000 rows are too many" in page.by_id("repeat")[2]


def test_answers_with_a_picture_have_a_page(tmp_path):
    """What it prints, escaped, and the picture with words; nothing that it cannot be asked."""
    pairs = {"recipe": ["<b>", "b"], "C": [1e18, 1e18], "loss": [3.0, 2.9]}
    gated = sf.gate(pairs, recipe="b", baseline="<b>")
    path = sf.report(gated, tmp_path / "gate.html")
    page = Page(path.read_text(encoding="utf-8"))
    assert "<b>" not in path.read_text(encoding="utf-8")
    assert "promote: b against &lt;b&gt;" in path.read_text(encoding="utf-8")
    (image,) = page.all("img")
    assert image[1]["src"].startswith("data:image/svg+xml;base64,")
    assert image[1]["alt"].startswith("May the recipe replace the baseline?")
    assert path.read_bytes() == sf.report(gated, tmp_path / "again.html").read_bytes()
    with pytest.raises(ValueError, match="leave out target and at"):
        sf.report(gated, path, {"C": 1e22})
    with pytest.raises(TypeError, match="fit"):
        sf.report(3, path)
