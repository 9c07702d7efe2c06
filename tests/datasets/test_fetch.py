"""Public tables by download: originals are served on this machine, in their authors' form."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO
from pathlib import Path

import pandas as pd
import pytest

import scalefit as sf
from scalefit.datasets import download, parsing
from scalefit.datasets.originals import ORIGINALS, Original
from scalefit.datasets.sources import SOURCES

ROWS = [
    {"C": "6e18", "N": "1e7", "D": "1e11", "loss": "3.25"},
    {"C": "6e19", "N": "2e8", "D": "5e10", "loss": "2.5"},
]


def text_of(rows: list[dict], head: list[str] | None = None) -> str:
    text = StringIO()
    writer = csv.DictWriter(text, head or list(rows[0]), restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


class Served:
    """Files by the last part of their address, and the addresses asked for."""

    def __init__(self) -> None:
        self.files: dict[str, str | bytes] = {}
        self.asked: list[str] = []


@pytest.fixture
def served(monkeypatch, tmp_path) -> Iterator[Served]:
    """A server of originals in the place of the real one, no folder of tables, and an empty cache."""
    store = Served()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            store.asked.append(self.path)
            found = store.files.get(self.path.rpartition("/")[2])
            self.send_response(404 if found is None else 200)
            self.end_headers()
            self.wfile.write((found or "").encode() if not isinstance(found, bytes) else found)

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
    monkeypatch.setattr(download, "HOST", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("SCALEFIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("SCALEFIT_DATA", raising=False)
    yield store
    server.shutdown()
    server.server_close()


@pytest.fixture
def known(served, monkeypatch) -> Served:
    """The sweep of two known runs in the place of a public one."""
    table = ORIGINALS["kyo_chinchilla_runs"].tables["runs.csv"]
    cells = [["flops", "n_params", "n_tokens", "loss"], *(list(row.values()) for row in ROWS)]
    own = table._replace(digest=parsing.digest(cells))
    monkeypatch.setitem(ORIGINALS, "kyo_chinchilla_runs", Original("c" * 40, {"runs.csv": own}))
    served.files["df.csv"] = text_of(ROWS)
    return served


def test_a_table_is_downloaded_once(known):
    runs = sf.datasets.fetch("kyo_chinchilla_runs")
    assert runs.to_dict("list") == {
        "flops": [6e18, 6e19],
        "n_params": [10**7, 2 * 10**8],
        "n_tokens": [10**11, 5 * 10**10],
        "loss": [3.25, 2.5],
    }
    assert known.asked == [f"/kyo-takano/chinchilla/{'c' * 40}/examples/llm/df.csv"]
    pd.testing.assert_frame_equal(sf.datasets.fetch("kyo_chinchilla_runs", "runs"), runs)
    assert len(known.asked) == 1
    assert sf.datasets.folder("kyo_chinchilla_runs").parent == download.cache()


def test_a_table_cut_short_in_the_cache_is_downloaded_again(known):
    runs = sf.datasets.fetch("kyo_chinchilla_runs")
    path = download.cache() / "kyo_chinchilla_runs" / "runs.csv"
    path.write_text(path.read_text()[:-9])
    pd.testing.assert_frame_equal(sf.datasets.fetch("kyo_chinchilla_runs"), runs)
    assert len(known.asked) == 2


@pytest.mark.parametrize(
    "other", ["<html>log in</html>", "", text_of(ROWS[:1]), text_of(ROWS).replace("2.5", "2.6")]
)
def test_another_table_is_refused_and_not_kept(known, other):
    known.files["df.csv"] = other
    with pytest.raises(
        ValueError, match=r"df\.csv does not make the runs\.csv of kyo_chinchilla_runs .* SCALEFIT_DATA"
    ):
        sf.datasets.fetch("kyo_chinchilla_runs")
    assert not (download.cache() / "kyo_chinchilla_runs").exists()


def test_bytes_that_are_no_text_are_refused(known):
    known.files["df.csv"] = b"\xff\xfe\x00\x80" * 9
    with pytest.raises(ValueError, match="does not make"):
        sf.datasets.fetch("kyo_chinchilla_runs")


def test_without_a_network_it_says_what_to_do(known, monkeypatch):
    with monkeypatch.context() as there:
        there.setattr(download, "HOST", "http://127.0.0.1:9")  # the port that discards; nothing listens
        with pytest.raises(
            ConnectionError, match=r"gave no answer .*: fetch it with a network, or copy .*tables/kyo_chin"
        ):
            sf.datasets.fetch("kyo_chinchilla_runs")
    known.files.clear()
    with pytest.raises(ConnectionError, match=r"df\.csv answered 404"):
        sf.datasets.fetch("kyo_chinchilla_runs")


def test_the_folder_of_tables_comes_first(known, monkeypatch, tmp_path):
    (tmp_path / "data" / "kyo_chinchilla_runs").mkdir(parents=True)
    (tmp_path / "data" / "kyo_chinchilla_runs" / "runs.csv").write_text("N,loss\n1,2\n")
    monkeypatch.setenv("SCALEFIT_DATA", str(tmp_path / "data"))
    assert sf.datasets.fetch("kyo_chinchilla_runs").loss.tolist() == [2]
    assert not known.asked
    # What it does not hold is downloaded all the same.
    (tmp_path / "data" / "kyo_chinchilla_runs").rename(tmp_path / "data" / "other")
    assert sf.datasets.fetch("kyo_chinchilla_runs").loss.tolist() == [3.25, 2.5]


def test_sets_that_are_not_downloaded_say_why_and_where_to_get_them(served):
    with pytest.raises(
        FileNotFoundError, match=r"states no licence: take it from https://github\.com/epoch-research/"
    ):
        sf.datasets.fetch("chinchilla_epoch")
    with pytest.raises(FileNotFoundError, match=r"pickle, which could run any code .*/formll/"):
        sf.datasets.folder("porian_isoflop")
    assert not served.asked
    public = sf.datasets.public().set_index("name")
    assert set(public.index) == set(SOURCES)
    for name in SOURCES:  # a set is downloaded, or says why not, never both
        assert (name in ORIGINALS) == (public.not_downloaded[name] == "")
        assert name not in ORIGINALS or public.licence[name] != "none stated"


def test_names_misspelt(served):
    with pytest.raises(KeyError, match="no public data set 'gemstone'; did you mean gemstones"):
        sf.datasets.fetch("gemstone")
    with pytest.raises(KeyError, match="did you mean pythia_evals"):
        sf.datasets.fetch("Pythia")
    with pytest.raises(KeyError, match=r"load\(.tiny_lm.\) reads the bundled one"):
        sf.datasets.fetch("tiny_lm")
    with pytest.raises(KeyError, match=r'fetch\("gemstones"\) gives the public one'):
        sf.datasets.load("gemstones")
    with pytest.raises(
        KeyError, match=r"no single table; .*: test_1b\.csv, test_1m\.csv, test_60m\.csv, train_1m\.csv"
    ):
        sf.datasets.fetch("regmix")
    with pytest.raises(KeyError, match=r"no table .*train\.csv"):
        sf.datasets.fetch("regmix", "train.csv")
    with pytest.raises(TypeError, match="by a string, got 3"):
        sf.datasets.fetch(3)
    with pytest.raises(
        FileNotFoundError, match=r'neither in SCALEFIT_DATA nor fetched before; .*fetch\("gemstones"'
    ):
        sf.datasets.folder("gemstones")
    assert not served.asked


def test_a_cache_that_cannot_be_written_to_is_said(known, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("SCALEFIT_CACHE", str(tmp_path / "file"))
    for _ in range(2):
        with pytest.warns(UserWarning, match="cannot be kept .* let SCALEFIT_CACHE name a folder"):
            assert len(sf.datasets.fetch("kyo_chinchilla_runs")) == 2
    monkeypatch.setenv("SCALEFIT_CACHE", "off")
    assert len(sf.datasets.fetch("kyo_chinchilla_runs")) == 2
    assert len(known.asked) == 3


def test_without_pooch_it_says_what_to_install(known, monkeypatch):
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(ImportError, match=r"scalefit-jax\[data\]"):
        sf.datasets.fetch("kyo_chinchilla_runs")


def test_processes_fetch_at_once(data_dir, served, tmp_path):
    """Three processes, one empty cache: all read the whole table."""
    served.files["df.csv"] = rebuilt("kyo_chinchilla_runs", data_dir)["df.csv"]
    code = (
        "import scalefit as sf; from scalefit.datasets import download; "
        f"download.HOST = {download.HOST!r}; print(len(sf.datasets.fetch('kyo_chinchilla_runs')))"
    )
    running = [
        subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    for process in running:
        out, err = process.communicate(timeout=100)
        assert (out, err) == ("234\n", "")
    assert os.listdir(download.cache() / "kyo_chinchilla_runs") == ["runs.csv"]


# The originals' own names of the tidy columns, in the tidy tables' order.
HEADS = {
    "DCLM_model_database.csv": "Dataset,model,params,tokens,Core,Extended,mmlu_fewshot,hellaswag,"
    "hellaswag_zeroshot,arc_easy,arc_challenge,piqa,winogrande,lambada_openai,boolq,copa,jeopardy,squad,coqa,"
    "commonsense_qa,openbook_qa,siqa,bigbench_qa_wikidata,gsm8k",
    "df.csv": "C,N,D,loss",
    "scaling-laws.csv": "Paper,Date,Category,Task,Task details,Architecture,Loss,Dependent Variable,"
    "Scaling Variable 1,Scaling Variable 2,Type,Functional form,Exponent 1,Exponent 2,Irreducible loss,"
    "Parameter values",
    "latest_pm_hf.csv": "Name,Architecture,Pretraining Data,Tokenizer,Size,Tokens,Steps,C4 Validation Loss,"
    "C4 Validation BPB,The Pile UC Validation Loss,The Pile UC Validation BPB,RefineWeb Validation Loss,"
    "RefineWeb Validation BPB,Slimpajama Validation Loss,Slimpajama Validation BPB,"
    "FineWeb-Edu Validation Loss,FineWeb-Edu Validation BPB,ARC-Challenge Accuracy,ARC-Challenge Loss,"
    "ARC-Easy Accuracy,ARC-Easy Loss,HellaSwag Accuracy,HellaSwag Loss,MMLU Accuracy,Winogrande Accuracy,"
    "Winogrande Loss,PIQA Accuracy,PIQA Loss,Social IQa Accuracy,Social IQa Loss,"
    "CommonSenseQA Accuracy,CommonSenseQA Loss,COPA Accuracy,COPA Loss,OpenBookQA Accuracy,OpenBookQA Loss",
    "benchmark": "Model,Model Family,Model Size (B),Pretraining Data Size (T),FLOPs (1E21),MMLU,ARC-C,"
    "HellaSwag,Winograd,TruthfulQA,GSM8K,XWinograd,HumanEval",
    "emergent": "parsinlu_qa_2_acc,word_unscrambling_2_exact_match,ipa_transliterate_2_exact_match,"
    "ipa_transliterate_2_bleu,arithmetic_3ds_2_acc,arithmetic_3da_2_acc,arithmetic_2dm_2_acc,arithmetic_2da_2_acc",
}


def renamed(table: pd.DataFrame, head: str) -> list[dict]:
    return table.set_axis(head.split(","), axis=1).to_dict("records")


def cells(path: Path) -> pd.DataFrame:
    """A tidy table as text, as it was written."""
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def rebuilt(name: str, data: Path) -> dict[str, str]:
    """The originals of a set in the form they have: the tidy numbers, and rows that must be left out."""
    tables = {path.name.removesuffix(".gz"): cells(path) for path in (data / name).iterdir()}
    (first, *_) = tables.values()
    match name:
        case "dclm_models":
            return {
                "DCLM_model_database.csv": text_of(
                    renamed(first.drop(columns="run"), HEADS["DCLM_model_database.csv"])
                )
            }
        case "kyo_chinchilla_runs":
            return {"df.csv": text_of(renamed(first, HEADS["df.csv"]))}
        case "literature_laws":
            return {"scaling-laws.csv": text_of(renamed(first, HEADS["scaling-laws.csv"]))}
        case "llm_line":
            head = HEADS["latest_pm_hf.csv"]
            rows = [
                {"Size": "Context Length"},
                *renamed(first, head),
            ]  # the file's second line names no model
            twice = text_of(rows, [*head.split(","), "Intervention"])
            return {"latest_pm_hf.csv": twice.replace("Intervention\n", "Intervention,Intervention\n", 1)}
        case "obs_scaling":
            n = HEADS["benchmark"].count(",") + 1
            own = renamed(first.iloc[:, n:], HEADS["emergent"])
            models = [{"Model": model} | row for model, row in zip(first.model, own, strict=True)]
            some = [
                row for row in reversed(models) if len(set(row.values())) > 2
            ]  # in another order, and not all
            return {
                "base_llm_benchmark_eval.csv": text_of(renamed(first.iloc[:, :n], HEADS["benchmark"])),
                "base_llm_emergent_capability_eval.csv": text_of(some),
            }
        case "regmix":
            found = {}
            names = {"train_1m": ("train", "1m"), "test_1m": ("test", "1m"), "test_60m": ("test", "60m")}
            for file, (split, size) in (names | {"test_1b": ("test", "1B")}).items():
                table = tables[f"{file}.csv"].rename(columns={"run": "index"})
                weights = table.filter(regex="index|weight_").rename(
                    columns=lambda c: c.replace("weight_", "train_the_pile_")
                )
                told = table.filter(regex="index|loss_").rename(
                    columns=lambda c: (
                        c if c == "index" else f"metric/the_pile_{c.removeprefix('loss_')}_val_loss"
                    )
                )
                found[f"{split}_mixture_{size}.csv"] = text_of(weights.to_dict("records"))
                found[f"{split}_pile_loss_{size}.csv"] = text_of(told.to_dict("records"))
            return found
        case "gemstones":
            names = {
                "run_name": "run",
                "width": "width",
                "depth": "depth",
                "tokens": "n_tokens",
                "step": "step",
            }
            names |= {"params_active_precise": "n_params", "final_loss": "loss"}
            shuffled = first.sample(frac=1, random_state=0)
            return {
                f"fineweb_{word}_losses_combined.jsonl": "".join(
                    json.dumps(
                        {k: row[v] if k == "run_name" else json.loads(row[v]) for k, v in names.items()}
                        | {"num_nodes": None}
                    )
                    + "\n"
                    for row in shuffled[shuffled.eval_set == which].to_dict("records")
                )
                for word, which in (("dclm", "dclm"), ("edu", "fineweb_edu"))
            }
        case "alabdulmohsin_curves":
            rows = [
                {
                    "Domain": row["domain"],
                    "Task": task_of(row),
                    "Model": row["model"],
                    "Seen Examples": f"{row['n_seen']}.0",
                }
                | {"Loss": row["loss"], "Training": str(int(row["split"] == "train"))}
                for row in first.sample(frac=1, random_state=0).to_dict("records")
            ]
            no = [
                rows[0] | {"Domain": "LM", "Task": "val_loss"},
                rows[0] | {"Domain": "IC", "Task": "inet_5"},
            ]
            seen = [row for row in rows if row["Domain"] == "IC"]
            return {
                "benchmark.vision.csv": text_of(no[1:] + seen),
                "benchmark.lang.csv": text_of([*no[:1], *(row for row in rows if row["Domain"] != "IC")]),
            }
        case "sldbench_data_constrained":
            head = "id,params,unique_tokens,tokens,loss"  # the two counts of tokens are swapped in the file
            own = first[["run", "n_params", "n_tokens", "n_unique_tokens", "loss"]]
            return {"data.csv": text_of(renamed(own, head))}
        case "sft_rectified":
            found = {}
            for task, own in tables["curves.csv"].groupby("task"):
                wide = own.pivot(index=["model", "n_params", "family"], columns="n_samples", values="loss")
                wide = wide[sorted(wide, key=int)].reset_index()
                wide = wide.rename(columns={"model": "config name", "n_params": "size"})
                more = wide.head(1).assign(**{"config name": "t5-small"})
                order = ["config name", *(c for c in wide if c.isdecimal()), "size", "family"]
                found[f"{task}.csv"] = text_of(pd.concat([more, wide])[order].to_dict("records"))
            told = renamed(
                tables["published_rmsd.csv"], "dataset,model,our_rmsd_under_log,vanilla_rmsd_under_log"
            )
            told = [row | {"dataset": row["dataset"].upper()} for row in told]
            return found | {"rmsd.csv": text_of([told[0] | {"model": "gpt2"}, *told])}
        case "critical_batch_size":
            size = {m: m.upper() + ("-ablation" if m == "151m" else "") for m in first.model.unique()}
            lines = [
                f"Learning rate:  0.00316\nMinimum goal step {row.steps_to_target} for batch size "
                f"{row.batch_size_seqs} (Model Size {size[row.model]}, Run Name bs64, Run ID n0wjhnb6\n"
                for row in first.itertuples()
            ]
            goals = {
                c: {
                    size[row.model]: float(row[c]) if c == "target_loss" else int(row[c])
                    for _, row in first.iterrows()
                }
                for c in ("target_loss", "goal_steps_b256")
            }
            source = f"goal_losses = {goals['target_loss']} \ngoal_steps = {goals['goal_steps_b256']}\n"
            run = {
                "cell_type": "code",
                "outputs": [{"text": lines}],
                "source": source.splitlines(keepends=True),
            }
            again = {"cell_type": "code", "outputs": [{"text": lines[:1]}], "source": []}
            return {
                "chinchilla.ipynb": json.dumps(
                    {"cells": [{"cell_type": "markdown", "source": []}, run, again]}
                )
            }
    raise AssertionError(name)


def task_of(row: dict) -> str:
    """BIG-Bench's tasks are written as Python tuples."""
    return (
        repr(tuple(row["task"].replace("_shot", "-shot").split("_")))
        if row["domain"] == "BB"
        else row["task"]
    )


@pytest.mark.parametrize("name", sorted(ORIGINALS))
def test_originals_give_the_tidy_tables(name, data_dir, served, monkeypatch):
    """Downloaded and read, they are what the folder of tables holds, which was made apart from this."""
    served.files |= rebuilt(name, data_dir)
    for file in ORIGINALS[name].tables:
        found = sf.datasets.fetch(name, file)
        with monkeypatch.context() as there:
            there.setenv("SCALEFIT_DATA", str(data_dir))
            pd.testing.assert_frame_equal(found, sf.datasets.fetch(name, file))


def test_addresses_are_of_whole_commits():
    for name, original in ORIGINALS.items():
        assert len(original.commit) == 40
        assert int(original.commit, 16)
        told = sf.datasets.about(name)
        assert told["source"] == f"https://github.com/{SOURCES[name].repository}"
        for addresses in told["tables"].values():
            for address in addresses:
                assert address.startswith(f"{download.HOST}/{SOURCES[name].repository}/{original.commit}/")


def test_the_page_names_every_set():
    page = (Path(__file__).parents[2] / "docs" / "data.md").read_text()
    for source in SOURCES.values():
        row = (
            f"| `{source.name}` | {source.paper} | [{source.repository}]({source.page}) | {source.licence} | "
        )
        assert row + ("no: " if source.kept else "yes |") in page


def test_a_fingerprint_is_of_the_table_not_of_its_writing():
    cells = [["a", "b"], ["1e3", "x"], ["0.10", ""]]
    assert parsing.digest(cells) == parsing.digest([["a", "b"], ["0.1", ""], ["1000.0", "x"]])
    for other in ([["a", "c"], *cells[1:]], cells[:2], [*cells[:2], ["0.11", ""]], [*cells[:2], ["", "0.1"]]):
        assert parsing.digest(other) != parsing.digest(cells)


def test_numbers_are_written_to_the_digits_known():
    rows = [{"flops": "1.23456789012e18", "n": "12345678901.0", "loss": "2.123456789", "word": " x "}]
    assert parsing.row_texts(rows, 8)[1] == ["1.2345679e+18", "12345678901", "2.1234568", "x"]
