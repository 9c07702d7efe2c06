"""Learning curves over data: fine-tuning, one sharp break, many benchmarks extrapolated, double descent."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from rows import Row

import scalefit as sf

# At most this many rows of a curve are fitted, evenly spaced by index; tests always use all of them.
MOST = 64


def thin(table: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """At most MOST rows of each group, evenly spaced, ends included."""
    chosen = [
        part.iloc[np.unique(np.linspace(0, len(part) - 1, MOST).round().astype(int))]
        for _, part in table.groupby(by)
    ]
    return pd.concat(chosen)  # fmt: skip


def spread(fits: Mapping, table: pd.DataFrame, by: list[str], x: dict[str, str], y: str) -> pd.Series:
    """Root mean square of log residuals, by group."""

    def one(part):
        law = {name: part[column].to_numpy() for name, column in x.items()}
        label = tuple(part[by].iloc[0]) if len(by) > 1 else part[by[0]].iloc[0]
        with np.errstate(invalid="ignore"):
            return float(np.sqrt(np.mean(np.log(fits[label].predict(law) / part[y].to_numpy()) ** 2)))

    return pd.Series({label: one(part) for label, part in table.groupby(by)})  # fmt: skip


def sft_rectified(data: Path) -> list[Row]:
    folder, by, x = data / "sft_rectified", ["task", "model"], {"D_F": "n_samples"}
    curves = pd.read_csv(folder / "curves.csv")
    curves = curves[curves.n_samples > 0]
    printed = pd.read_csv(folder / "published_rmsd.csv")
    rows = []
    for law, column, name in (
        ("rectified_ft", "rmsd_log_rectified", "rectified"),
        (sf.laws.power_floor.rename(x="D_F"), "rmsd_log_vanilla", "power law with floor"),
    ):
        for objective, how in (
            (sf.square("log"), "squares of log loss, as published"),
            (sf.huber(1e-3), "Huber 1e-3"),
        ):
            fits = sf.fit_groups(law, curves, by, x, "loss", objective)
            ours = spread(fits, curves, by, x, "loss")
            theirs = printed.set_index(by)[column].reindex(ours.index)
            note = f"{how}; ours no worse than published (+1 %) on {int(np.sum(ours <= 1.01 * theirs))} of {len(ours)} curves"
            rows.append(
                Row(
                    f"{name}: mean RMSD of log loss over 48 curves",
                    float(theirs.mean()),
                    float(ours.mean()),
                    note,
                )
            )
    return rows  # fmt: skip


def bnsl_addition(data: Path) -> list[Row]:
    points = pd.read_csv(data / "bnsl_addition" / "points.csv")
    train, test = points[points.split == "train"], points[points.split == "test"]
    printed = sf.laws.bnsl.published["caballero2023_addition"]
    x, y = {"x": "dataset_size"}, "test_cross_entropy"
    rows = []
    for objective in (sf.square("log"), sf.huber(1e-3)):
        fit = sf.fit("bnsl", train, x, y, objective=objective)
        for what, part, published in (("14 fitted", train, 0.0006), ("last three", test, 0.0109)):
            off = np.log(fit.predict({"x": part.dataset_size}) / part[y])
            note = f"{objective}; a {fit.coefs['a']:.4g} (re-run: {printed['a']}, by squares of log(y + 1))"
            rows.append(
                Row(
                    f"root mean square of log residuals, {what}",
                    published,
                    float(np.sqrt(np.mean(off**2))),
                    note,
                )
            )
    return rows  # fmt: skip


def _extrapolated(laws, train, test, by, x, y, objective=None) -> pd.DataFrame:
    """Root mean square of log residuals on the test rows, one row per curve, one column per law."""
    return pd.DataFrame({
        name: spread(sf.fit_groups(law, train, by, {law.inputs[0]: x}, y, objective), test, by, {law.inputs[0]: x}, y)
        for name, law in laws.items()
    })  # fmt: skip


def _m(k: int) -> sf.Law:
    return sf.laws[f"alabdulmohsin_m{k}"]


def alabdulmohsin_curves(data: Path) -> list[Row]:
    curves = pd.read_csv(data / "alabdulmohsin_curves" / "curves.csv.gz")
    by = ["domain", "task", "model"]
    train, test = thin(curves[curves.split == "train"], by), curves[curves.split == "test"]
    laws = {"M1": _m(1), "M2": _m(2), "M3": _m(3), "M4": _m(4).fix(e_0=0.999), "BNSL": sf.laws.bnsl}
    found = _extrapolated(laws, train, test, by, "n_seen", "loss", sf.square("log"))
    domain = found.index.get_level_values(0)
    task = found.index.get_level_values(1).astype(str)
    birds = np.array(["bird" in name.lower() for name in task])
    groups = {"BIG-Bench": domain == "BB", "images, Birds": (domain == "IC") & birds,
              "images, CIFAR-100": (domain == "IC") & ~birds, "translation": domain == "NMT",
              "all": np.ones(len(found), bool)}  # fmt: skip
    printed = {
        "BIG-Bench": (0.0171, 0.0171, 0.0086, 0.0165), "images, Birds": (0.0749, 0.0728, 0.0555, 0.0301),
        "images, CIFAR-100": (0.0803, 0.0626, 0.0436, 0.0314), "translation": (0.2217, 0.0341, 0.0471, 0.0208),
        "all": (0.0852, 0.0577, 0.0440, 0.0279),
    }  # fmt: skip
    rows = []
    for group, chosen in groups.items():
        part = found[chosen]
        best = part.idxmin(axis=1)
        for name, published in zip(laws, (*printed[group], "no figure on these curves"), strict=True):
            note = f"best on {int(np.sum(best == name))} of {len(part)}, median {part[name].median():.4f}"
            rows.append(
                Row(
                    f"{group}: {name}, mean RMSE of log loss on the held-out end",
                    published,
                    float(part[name].mean()),
                    note,
                )
            )
    return rows  # fmt: skip


def colpret_curves(data: Path) -> list[Row]:
    curves = pd.read_csv(data / "colpret_curves" / "curves.csv.gz").sort_values(["curve", "n_tokens"])
    curves = curves[(curves.n_tokens > 0) & (curves.loss > 0)]
    curves = curves[curves.groupby("curve").loss.transform("size") >= 24]
    place = curves.groupby("curve").cumcount() / curves.groupby("curve").loss.transform("size")
    train, test = thin(curves[place < 0.5], ["curve"]), curves[place >= 0.5]
    laws = {"power_floor": sf.laws.power_floor, "M3": _m(3), "M4": _m(4), "BNSL": sf.laws.bnsl}
    found = _extrapolated(laws, train, test, ["curve"], "n_tokens", "loss")
    best = found.idxmin(axis=1)
    return [
        Row(f"{name}: median RMSE of log loss on the second half", "no figure", float(found[name].median()),
            f"mean {found[name].mean():.4f}, best on {int(np.sum(best == name))} of {len(found)} curves of 24 points or more")
        for name in laws
    ]  # fmt: skip


def double_descent(data: Path) -> list[Row]:
    curves = pd.read_csv(data / "double_descent" / "curves.csv")
    train, test = curves[curves.split == "train"], curves[curves.split == "test"]
    rows = []
    for name, law in (("power with floor", sf.laws.power_floor), ("BNSL, 1 break", sf.laws.bnsl),
                      ("BNSL, 2 breaks", sf.laws.bnsl.sized(breaks=2))):  # fmt: skip
        fits = sf.fit_groups(law, train, ["task"], {"x": "x"}, "y")
        inside, ahead = (spread(fits, part, ["task"], {"x": "x"}, "y") for part in (train, test))
        rows.append(
            Row(f"{name}: median RMSE of log error, fitted half", "no figure", float(inside.median()))
        )
        rows.append(Row(f"{name}: median RMSE of log error, other half", "no figure", float(ahead.median()),
                        f"mean {ahead.mean():.3f}; {len(ahead)} curves"))  # fmt: skip
    return rows


ROWS = (sft_rectified, bnsl_addition, double_descent)
# A minute together; the runner takes ROWS.
SLOW = (colpret_curves, alabdulmohsin_curves)
