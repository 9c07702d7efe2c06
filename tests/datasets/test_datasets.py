import json
from pathlib import Path

import pytest

import scalefit as sf


def test_bundled_runs_are_finished_runs():
    runs = sf.datasets.load("tiny_lm")
    assert {"run", "n_params", "n_params_no_embed", "n_tokens", "schedule", "lr", "seed", "loss"} <= set(
        runs.columns
    )
    assert runs.run.is_unique
    assert runs.loss.between(0, 8).all()  # nats per byte; a uniform guess over 256 bytes costs 5.5
    assert len(runs) == sf.datasets.about("tiny_lm")["n_runs"]


def test_other_tables():
    runs, curves = sf.datasets.load("tiny_lm"), sf.datasets.load("tiny_lm", "curves")
    assert set(curves.run) <= set(runs.run) | set(sf.datasets.load("tiny_lm", "lr_sweep").run)
    assert len(curves) > len(runs)


def test_bundled_data_are_small():
    folder = Path(sf.datasets.__file__).parent
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < 1e6


def test_unknown_names_list_what_exists():
    assert sf.datasets.names() == ("tiny_lm",)
    with pytest.raises(KeyError, match="there are tiny_lm"):
        sf.datasets.load("tiny")
    with pytest.raises(KeyError, match="there are tiny_lm"):
        sf.datasets.about("tiny")
    with pytest.raises(KeyError, match="it has curves, lr_sweep, runs"):
        sf.datasets.load("tiny_lm", "losses")


def test_about_is_the_meta_record():
    folder = Path(sf.datasets.__file__).parent
    assert sf.datasets.about("tiny_lm") == json.loads((folder / "tiny_lm" / "meta.json").read_text())


def test_fetch_reads_from_the_named_folder(tmp_path, monkeypatch):
    for file in ("one/runs.csv", "two/a.csv", "two/b.csv", "two/notes.txt"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text("N,loss\n1,2.5\n")
    monkeypatch.setenv("SCALEFIT_DATA", str(tmp_path))
    assert sf.datasets.fetch("one").loss.tolist() == [2.5]
    assert sf.datasets.fetch("two", "b.csv").N.tolist() == [1]
    with pytest.raises(KeyError, match=r"no single table; .*: a\.csv, b\.csv"):
        sf.datasets.fetch("two")
    with pytest.raises(KeyError, match=r"no table .*c\.csv.*: a\.csv, b\.csv"):
        sf.datasets.fetch("two", "c.csv")
    with pytest.raises(KeyError, match="has no folder 'three'; it has one, two"):
        sf.datasets.fetch("three")


def test_fetch_says_how_to_name_the_folder(tmp_path, monkeypatch):
    monkeypatch.delenv("SCALEFIT_DATA", raising=False)
    with pytest.raises(FileNotFoundError, match="a folder that the environment variable SCALEFIT_DATA names"):
        sf.datasets.fetch("chinchilla_epoch")
    monkeypatch.setenv("SCALEFIT_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(FileNotFoundError, match="not a folder"):
        sf.datasets.fetch("chinchilla_epoch")


def test_public_tables(data_dir):
    assert len(sf.datasets.fetch("chinchilla_epoch")) == 245  # as its README says
    assert len(sf.datasets.fetch("olmo_ladder", "final.csv")) == 30
