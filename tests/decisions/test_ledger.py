"""Kept forecasts settled and counted."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

import scalefit as sf

TRUTH = {"E": 1.8, "A": 480.0, "B": 2000.0, "alpha": 0.35, "beta": 0.37}
AT = {"N": [2e9, 4e9], "D": [4e10, 8e10]}


@pytest.fixture(scope="module")
def fit() -> sf.Fit:
    N, D = (g.ravel() for g in np.meshgrid(np.geomspace(1e7, 1e9, 5), np.geomspace(1e9, 1e10, 4)))
    made = sf.simulate(sf.laws.chinchilla, TRUTH, {"N": N, "D": D}, noise=0.003, key=3)
    return sf.fit("chinchilla", {"N": N, "D": D, "loss": made["y"]})


@pytest.fixture
def kept(fit, tmp_path):
    return sf.preregister(fit, tmp_path / "two.json", AT, name=["small", "large"], date="2026-01-01")


def test_scores_are_of_the_forecast(kept, tmp_path):
    small = kept.predictive()["small"]
    value = small.intervals[0.9][1] * 1.0001
    told = sf.settle(kept.path, {"small": value}, date="2026-01-31")
    (score,) = told.scores
    assert score.inside == {0.5: False, 0.8: False, 0.9: False, 0.95: True}
    assert score.pit == small.pit(value)
    assert 0.95 < score.pit < 0.975
    assert score.log_score == small.log_score(value)
    assert score.interval_score == small.interval_scores(value)
    assert score.error == pytest.approx(100 * (score.mean / value - 1))
    assert score.days == 30
    assert told.open == ("large",)
    assert "inside the 95% interval" in repr(told).splitlines()[0]
    assert "not measured yet: large" in repr(told)


def test_the_forecast_is_not_touched(kept):
    before = kept.path.read_bytes()
    sf.settle(kept.path, [2.2, 2.1], date="2026-02-01")
    assert kept.path.read_bytes() == before


def test_settled_once(kept):
    first = sf.settle(kept.path, {"small": 2.2}, date="2026-02-01")
    beside = kept.path.with_name("two.settled.json")
    before = beside.read_bytes()
    # The same again is the same record, whatever the day.
    again = sf.settle(kept.path, {"small": 2.2}, date="2026-03-01")
    assert again.scores == first.scores
    assert beside.read_bytes() == before
    with pytest.raises(
        ValueError, match=r"'small' is settled at 2.2 already, and a second settlement at 2.3"
    ):
        sf.settle(kept.path, {"small": 2.3, "large": 2.1})
    assert beside.read_bytes() == before
    # Another run may follow later, with its own day.
    both = sf.settle(kept.path, {"large": 2.1}, date="2026-04-01")
    assert [score.days for score in both.scores] == [31, 90]
    assert both.open == ()


@pytest.mark.parametrize(
    ("measured", "options", "error", "said"),
    [
        (2.2, {}, ValueError, "plans 2 runs and 1 value was measured"),
        ([2.2, 2.1, 2.0], {}, ValueError, "plans 2 runs and 3 values were measured"),
        ({"medium": 2.2}, {}, KeyError, "plans no run 'medium'; it plans small and large"),
        ({}, {}, ValueError, "measured is empty"),
        (None, {}, ValueError, "plans 2 runs and 0 values"),
        ({"small": -1.0}, {}, ValueError, "measured must be a positive number, got -1.0 for 'small'"),
        ({"small": "2.2"}, {}, ValueError, "measured must be a positive number, got '2.2'"),
        ({"small": float("nan")}, {}, ValueError, "measured must be a positive number, got nan"),
        ({"small": True}, {}, ValueError, "measured must be a positive number"),
        ({"small": 2.2}, {"date": "2025-12-31"}, ValueError, "a forecast made after the measurement is none"),
        ({"small": 2.2}, {"date": "soon"}, ValueError, "date must be like"),
    ],
)
def test_what_cannot_be_settled(kept, measured, options, error, said):
    with pytest.raises(error) as refused:
        sf.settle(kept.path, measured, **options)
    assert said in str(refused.value.args[0])
    assert not kept.path.with_name("two.settled.json").exists()


def test_no_such_forecast(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no file"):
        sf.settle(tmp_path / "none.json", 2.2)


def test_accuracies_are_scored_as_they_are(tmp_path):
    """Where errors are of y itself, so are the scores, and 0 may be measured."""
    x = np.geomspace(1e18, 1e21, 12)
    y = 0.1 * np.log10(x / 1e17) + 0.01 * np.random.default_rng(0).standard_normal(12)
    fit = sf.fit("log_linear", {"x": x, "accuracy": y})
    kept = sf.preregister(fit, tmp_path / "acc.json", {"x": 1e22})
    assert kept.target == "accuracy"
    (score,) = sf.settle(kept.path, 0.0).scores
    lo, hi = kept.content["runs"][0]["intervals"]["0.9"]
    assert score.interval_score[0.9] == pytest.approx(hi - lo + 20 * lo)
    assert score.error == score.mean


def test_the_ledger_counts(fit, tmp_path):
    """Thirty simulated runs under the law that is fitted: the shares are those counted by hand."""
    random = np.random.default_rng(5)
    values = {}
    for k in range(30):
        x = {"N": 2e9 * (1 + k % 3), "D": 4e10}
        kept = sf.preregister(fit, tmp_path / f"run{k:02}.json", x, date=f"2026-01-{k + 1:02}")
        values[k] = float(sf.laws.chinchilla(TRUTH, x)) * np.exp(0.003 * random.standard_normal())
        if k < 28:
            sf.settle(kept.path, values[k], date="2026-02-01")
    book = sf.ledger(tmp_path)
    assert book.settled == 28
    assert book.frame["name"].tolist() == [f"run{k:02}" for k in range(30)]
    rows = book.frame.iloc[:28]
    held = (rows["lo"] <= rows["measured"]) & (rows["measured"] <= rows["hi"])
    assert rows["inside"].tolist() == held.tolist()
    line = book.calibration.set_index("level").loc[0.9]
    assert line["n"] == 28
    assert line["inside"] == held.sum()
    assert line["share"] == held.mean()
    assert line["lo"] <= line["share"] <= line["hi"]
    assert line["score"] == pytest.approx(rows["score"].mean())
    assert line["share"] > 0.7
    assert book.frame["inside"].tolist()[28:] == [None, None]
    assert book.frame["measured"].isna().tolist() == [False] * 28 + [True] * 2
    half = sf.ledger(tmp_path, level=0.5)
    assert (half.frame["hi"] - half.frame["lo"] < book.frame["hi"] - book.frame["lo"]).all()
    assert repr(book).startswith(f"{held.sum()} of 28 settled forecasts inside their 90% interval")
    assert "2 open" in repr(book).splitlines()[0]


def test_what_is_left_out_is_named(fit, kept, tmp_path):
    sub = tmp_path / "older"
    sub.mkdir()
    sf.preregister(fit, sub / "good.json", {"N": 1e9, "D": 2e10}, date="2026-01-01")
    good = (sub / "good.json").read_text()
    (tmp_path / "edited.json").write_text(good.replace('"status": "', '"status": "very '))
    (tmp_path / "cut.json").write_text(good[:200])
    (tmp_path / "copy.json").write_text(good)
    fit.save(tmp_path / "fit.json")
    (tmp_path / "lost.settled.json").write_text("{}")
    (tmp_path / "notes.txt").write_text("not looked at")
    sf.settle(kept.path, [2.2, 2.1])
    book = sf.ledger(tmp_path)
    reasons = {
        "edited.json": "edited",
        "cut.json": "damaged",
        "fit.json": "holds no forecast",
        "lost.settled.json": "the forecast that it settles is not there",
        "older/good.json": "copy of copy.json",
    }
    assert set(book.refused) == set(reasons)
    for name, reason in reasons.items():
        assert reason in book.refused[name]
        assert book.refused[name].startswith(name)
        assert book.refused[name] in repr(book)
    assert set(book.frame["file"]) == {"two.json", "copy.json"}


@pytest.mark.parametrize("harm", ["edited", "of another", "cut"])
def test_a_settlement_that_cannot_be_used(fit, kept, tmp_path, harm):
    sf.settle(kept.path, [2.2, 2.1])
    beside = tmp_path / "two.settled.json"
    if harm == "edited":
        saved = json.loads(beside.read_text())
        saved["measured"]["small"]["value"] = 2.15
        beside.write_text(json.dumps(saved))
    elif harm == "of another":
        sf.preregister(fit, tmp_path / "other.json", AT, name=["small", "large"])
        shutil.copy(beside, tmp_path / "other.settled.json")
    else:
        beside.write_text(beside.read_text()[:50])
    book = sf.ledger(tmp_path)
    (name,) = book.refused
    assert name == ("other.json" if harm == "of another" else "two.json")
    assert book.settled == (2 if harm == "of another" else 0)
    with pytest.raises(ValueError, match=r"settled\.json"):
        sf.settle(tmp_path / name, [2.2, 2.1])


def test_an_empty_folder_and_none_settled(kept, tmp_path):
    (tmp_path / "empty").mkdir()
    empty = sf.ledger(tmp_path / "empty")
    assert repr(empty).startswith("no forecasts in")
    assert list(empty.frame.columns) == list(sf.ledger(tmp_path).frame.columns)
    assert repr(sf.ledger(tmp_path)).startswith("2 forecasts, none settled")
    assert len(sf.ledger(tmp_path).calibration) == 0
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        sf.ledger(tmp_path / "none")
    with pytest.raises(ValueError, match=r"level must be one of 0.5, 0.8, 0.9, 0.95, got 0.7"):
        sf.ledger(tmp_path, level=0.7)


def test_html_is_escaped(fit, tmp_path):
    path = tmp_path / "a.json"
    sf.preregister(fit, path, {"N": 1e9, "D": 2e10}, name="<script>")
    told = sf.settle(path, 2.2)
    (tmp_path / "<i>.json").write_text("")
    for page in (told._repr_html_(), sf.ledger(tmp_path)._repr_html_()):
        assert "<script>" not in page
        assert "&lt;script&gt;" in page
    assert "<i>" not in page
