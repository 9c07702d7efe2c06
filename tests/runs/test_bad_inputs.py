"""Bad tables and arguments: each is refused in one clear sentence,
or fitted with a warning that names the weakness."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest

import scalefit as sf

Table = pd.DataFrame


def clean() -> Table:
    """A good sweep: 5 sizes x 6 token counts from the published Chinchilla law, 0.3 % noise."""
    N, D = (
        a.ravel() for a in np.meshgrid(np.geomspace(5e7, 1e10, 5), np.geomspace(1e9, 2e11, 6), indexing="ij")
    )
    law = sf.laws.chinchilla
    loss = law(law.published["hoffmann2022"], {"N": N, "D": D})
    noise = 0.003 * np.random.default_rng(0).standard_normal(len(N))
    return Table({"n_params": N, "n_tokens": D, "loss": loss * np.exp(noise)})


class Refuses(NamedTuple):
    """An error with a message that matches, one sentence."""

    match: str
    error: type[Exception] = ValueError


class Warns(NamedTuple):
    """A fit that comes back with this caution, whose text matches."""

    code: str
    severity: str
    match: str


class Case(NamedTuple):
    name: str
    call: Callable[[Table], Any]
    expect: Refuses | Warns


def fit(table: Any, **options: Any) -> sf.Fit:
    return sf.fit("chinchilla", table, **options)


def put(table: Table, column: str, rows: Any, value: Any) -> Table:
    """A copy with `value` in these rows, the column's type giving way where it must."""
    out = table.copy()
    kept = isinstance(value, float) or (isinstance(value, np.ndarray) and value.dtype.kind == "f")
    values = out[column].to_numpy(float if kept else object, copy=True)
    values[rows] = value
    return out.assign(**{column: values})


def scaled(table: Table, column: str, rows: Any, factor: float) -> Table:
    return put(table, column, rows, table[column].to_numpy()[rows] * factor)


def columns(table: Table) -> dict[str, Any]:
    return {str(name): table[name].to_numpy() for name in table}


def masked(table: Table) -> dict[str, Any]:
    return columns(table) | {"loss": np.ma.masked_greater(table.loss, 3.4)}


def ragged(table: Table) -> dict[str, Any]:
    return columns(table) | {"loss": [[2.5, 2.6], *table.loss.tolist()[1:]]}


def wrapped(table: Table) -> Table:
    """Tokens counted in 32-bit integers, which cannot hold more than 2.1e9 of them."""
    with np.errstate(all="ignore"):
        return table.assign(n_tokens=table.n_tokens.to_numpy().astype(np.int64).astype(np.int32))


def shuffled(table: Table) -> Table:
    return table.assign(loss=np.random.default_rng(1).permutation(table.loss))


def collinear(table: Table, jitter: float) -> Table:
    N = np.geomspace(5e7, 1e10, len(table))
    D = 20 * N * np.exp(jitter * np.random.default_rng(2).standard_normal(len(N)))
    law = sf.laws.chinchilla
    return Table({"n_params": N, "n_tokens": D, "loss": law(law.published["hoffmann2022"], {"N": N, "D": D})})


def one_budget(table: Table) -> Table:
    out = collinear(table, 0.0).assign(n_tokens=lambda t: 1e20 / t.n_params)
    law = sf.laws.chinchilla
    return out.assign(loss=law(law.published["hoffmann2022"], {"N": out.n_params, "D": out.n_tokens}))


def few_points(table: Table) -> Table:
    return pd.concat([table[::10]] * 4).assign(loss=lambda t: t.loss * np.linspace(0.999, 1.001, len(t)))


def write(name: str, content: bytes) -> Path:
    """A file in the working folder, which is a fresh one for every case."""
    Path(name).write_bytes(content)
    return Path(name)


def write_csv(table: Table, name: str) -> str:
    table.to_csv(name, index=False)
    return name


def published(**changes: Any) -> dict[str, Any]:
    return dict(sf.laws.chinchilla.published["hoffmann2022"]) | changes


def first_curve(table: Table) -> Table:
    return table[::6].assign(x=lambda t: t.n_params)


CELLS = [
    Case(
        "NaN loss",
        lambda t: fit(put(t, "loss", 3, np.nan)),
        Refuses(r"'loss' \(y\) has no value \(NaN\) in row 3 .*drop"),
    ),
    Case(
        "NaN sizes",
        lambda t: fit(put(t, "n_params", [3, 7], np.nan)),
        Refuses(r"'n_params'.* in rows 3, 7 .*dropna"),
    ),
    Case(
        "many NaN",
        lambda t: fit(put(t, "n_tokens", slice(9), np.nan)),
        Refuses(r"rows 0, 1, 2, 3, 4 and 4 more \(co"),
    ),
    Case(
        "None",
        lambda t: fit(put(t, "loss", 4, None)),
        Refuses(r"'loss' \(y\) has no value \(NaN\) in row 4 "),
    ),
    Case(
        "pandas.NA",
        lambda t: fit(put(t, "loss", 5, pd.NA)),
        Refuses(r"'loss' \(y\) has no value \(NaN\) in row 5 "),
    ),
    Case(
        "nullable floats",
        lambda t: fit(put(t, "loss", 5, pd.NA).astype({"loss": "Float64"})),
        Refuses(r"'loss'.*row 5 "),
    ),
    Case(
        "infinite loss",
        lambda t: fit(put(t, "loss", 6, np.inf)),
        Refuses(r"'loss'.*infinite in row 6 .*diverged.*drop"),
    ),
    Case("-infinite loss", lambda t: fit(put(t, "loss", 6, -np.inf)), Refuses(r"'loss'.*infinite in row 6 ")),
    Case(
        "half precision",
        lambda t: fit(t.assign(n_params=np.full(30, np.inf, np.float16))),
        Refuses(r"'n_params'.*overflow"),
    ),
    Case(
        "zero loss",
        lambda t: fit(put(t, "loss", 7, 0.0)),
        Refuses(r"'loss' \(y\) is zero in row 7 .*drop.*linear"),
    ),
    Case(
        "zero tokens",
        lambda t: fit(put(t, "n_tokens", 8, 0.0)),
        Refuses(r"'n_tokens' .*zero in row 8 .*must be positive"),
    ),
    Case(
        "negative loss",
        lambda t: fit(put(t, "loss", 9, -2.0)),
        Refuses(r"'loss' \(y\) is negative in row 9 "),
    ),
    Case(
        "zero and negative",
        lambda t: fit(put(t, "loss", [1, 2], np.array([0.0, -1]))),
        Refuses(r"zero or negative in rows 1, 2"),
    ),
    Case(
        "integer overflow",
        lambda t: fit(wrapped(t)),
        Refuses(r"'n_tokens'.*negative in rows? .*integer overflow.*float"),
    ),
    Case(
        "text numbers",
        lambda t: fit(t.assign(n_params=[f"{v:.3e}" for v in t.n_params])),
        Refuses(r"'n_params'.* has '5.000e\+07' in rows 0, .*to_numeric"),
    ),
    Case(
        "n/a",
        lambda t: fit(put(t, "loss", 11, "n/a")),
        Refuses(r"'loss' \(y\) has 'n/a' in row 11 .*not a number; .*to_numeric"),
    ),
    Case(
        "n/a in a list",
        lambda t: fit(columns(t) | {"loss": [*t.loss[:-1], "n/a"]}),
        Refuses(r"'loss' .*'n/a' in row 29 "),
    ),
    Case(
        "numbers with units",
        lambda t: fit(put(t, "n_params", 2, "1.3B")),
        Refuses(r"'n_params' .*'1.3B' in row 2 "),
    ),
    Case(
        "true and false",
        lambda t: fit(t.assign(loss=t.loss > 3)),
        Refuses(r"'loss' .*true/false values; give one real number"),
    ),
    Case("one true", lambda t: fit(put(t, "loss", 2, True)), Refuses(r"'loss' .*True in row 2 ")),
    Case(
        "dates",
        lambda t: fit(t.assign(loss=pd.date_range("2024-01-01", periods=30))),
        Refuses(r"'loss' .*dates; give one real"),
    ),
    Case(
        "a date",
        lambda t: fit(put(t, "loss", 3, datetime.date(2024, 1, 1))),
        Refuses(r"'loss' .*date.* in row 3 "),
    ),
    Case(
        "complex",
        lambda t: fit(t.assign(loss=t.loss + 0j)),
        Refuses(r"'loss' .*complex numbers; give one real number"),
    ),
    Case("masked", lambda t: fit(masked(t)), Refuses(r"'loss' \(y\) is masked in rows? 0, .*drop")),
]

SHAPES = [
    Case(
        "two-dimensional",
        lambda t: fit(columns(t) | {"loss": t[["loss"]].to_numpy()}),
        Refuses(r"'loss' .*shape \(30, 1\); give one number per row"),
    ),
    Case(
        "single value",
        lambda t: fit(columns(t) | {"n_params": 1e9}),
        Refuses(r"'n_params' .*single value; give one number per row"),
    ),
    Case("ragged", lambda t: fit(ragged(t)), Refuses(r"'loss' .*ragged.*give one number per row")),
    Case(
        "lists in cells",
        lambda t: fit(t.assign(loss=[[v, v] for v in t.loss])),
        Refuses(r"'loss' .* in rows 0, "),
    ),
    Case(
        "unequal columns",
        lambda t: fit(columns(t) | {"n_params": t.n_params[:-1].to_numpy()}),
        Refuses(r"'n_params' has 29 rows and column 'loss' 30; give columns of equal"),
    ),
    Case("empty dict", lambda t: fit({}), Refuses(r"for N \(there are no columns\); say which")),
    Case("empty frame", lambda t: fit(Table()), Refuses(r"for N \(there are no columns\)")),
    Case("no rows", lambda t: fit(t[:0]), Refuses(r"table has no rows; a fit needs")),
    Case("one row", lambda t: fit(t[:1]), Refuses(r"table has one row; a fit needs")),
    Case(
        "two rows",
        lambda t: fit(t[:2]),
        Refuses(r"2 rows cannot determine 5 coefficients \(E, .*add runs, or hold some"),
    ),
    Case(
        "fewer rows than coefficients",
        lambda t: fit(t[:4]),
        Refuses(r"4 rows cannot determine 5 coefficients"),
    ),
    Case("no table", lambda t: fit(None), Refuses(r"runs must be a frame, .*NoneType", TypeError)),
    Case(
        "list of lists",
        lambda t: fit(t.to_numpy().tolist()),
        Refuses(r"runs must be a frame.*list; .*pandas.DataFrame", TypeError),
    ),
    Case(
        "bare array",
        lambda t: fit(t.to_numpy()),
        Refuses(r"runs must be a frame.*ndarray; .*DataFrame", TypeError),
    ),
    Case(
        "list of records",
        lambda t: fit(t.to_dict("records")),
        Refuses(r"runs must be a frame.*list; .*pandas\.json_normalize\(runs\)", TypeError),
    ),
    Case(
        "records by name",
        lambda t: fit({"small": {"N": 1e7, "loss": 3.0}, "large": {"N": 1e9, "loss": 2.5}}),
        Refuses(
            r"a record by name \('small', ...\).*DataFrame.from_dict\(runs, orient=\"index\"\)", TypeError
        ),
    ),
]

NAMES = [
    Case(
        "misspelt column",
        lambda t: fit(t, y="los"),
        Refuses(r"no column 'los' \(for y\); did you mean 'loss'"),
    ),
    Case(
        "absent column",
        lambda t: fit(t, inputs={"N": "width"}),
        Refuses(r"no column 'width' \(for N\); choose one of n_params, n_tok"),
    ),
    Case(
        "wrong input",
        lambda t: fit(t, inputs={"n": "n_params"}),
        Refuses(r"'chinchilla' has no input 'n'; its inputs are N, D"),
    ),
    Case(
        "inputs as a list",
        lambda t: fit(t, inputs=["n_params", "n_tokens"]),
        Refuses(r"inputs must map .*\"N\": \"\.\.\.\", .*got \['n_p", TypeError),
    ),
    Case(
        "array for a name",
        lambda t: fit(t, inputs={"N": t.n_params.to_numpy()}),
        Refuses(r"N must be the name of a column, not ndarray", TypeError),
    ),
    Case(
        "column used twice",
        lambda t: fit(t, inputs={"N": "n_tokens"}),
        Refuses(r"N and D are both column 'n_tokens'; give each its own"),
    ),
    Case("input as output", lambda t: fit(t, y="n_params"), Refuses(r"N and y are both column 'n_params'")),
    Case(
        "duplicate names",
        lambda t: fit(t.set_axis(["n_params", "n_params", "loss"], axis=1)),
        Refuses(r"more than one column 'n_params'; rename"),
    ),
    Case(
        "ambiguous",
        lambda t: fit(t.assign(params=1.0)),
        Refuses(r"'n_params' and 'params' could each be N; say .*inputs="),
    ),
    Case(
        "nothing recognised",
        lambda t: fit(t.set_axis(list("abc"), axis=1)),
        Refuses(r"usual name for N \(there are a, b, c\); say .*inputs="),
    ),
    Case(
        "several losses by a word of their name",
        lambda t: fit(t.rename(columns={"loss": "loss_c4"}).assign(loss_pile=1.0, loss_std=0.1)),
        Refuses(r"columns 'loss_c4' and 'loss_pile' could each be y; say .*y="),
    ),
    Case(
        "millions by name",
        lambda t: fit(t.rename(columns={"n_params": "Params (M)"})),
        Refuses(r"'Params \(M\)' seems to hold N in millions, and laws take counts: multiply it"),
    ),
    Case(
        "billions by name",
        lambda t: fit(t.rename(columns={"n_tokens": "tokens_b"})),
        Refuses(r"'tokens_b' seems to hold D in billions"),
    ),
    Case(
        "no loss column",
        lambda t: fit(t.rename(columns={"loss": "bleu"})),
        Refuses(r"usual name for y \(there are .*bleu\); say .*y="),
    ),
    Case("group absent", lambda t: fit(t, group="family"), Refuses(r"no column 'family' \(for group\)")),
    Case(
        "group unlabelled",
        lambda t: fit(t.assign(run=[*"ab" * 14, None, "a"]), group="run"),
        Refuses(r"'run' \(group\) has no label in row 28 "),
    ),
    Case(
        "unknown law",
        lambda t: sf.fit("chinchila", t),
        Refuses(r"no law 'chinchila'; did you mean chinchilla", KeyError),
    ),
    Case(
        "law of wrong type",
        lambda t: sf.fit(lambda N: N, t),
        Refuses(r"law must be .*sf\.law\(fn\)", TypeError),
    ),
]

OPTIONS = [
    Case(
        "negative weight",
        lambda t: fit(t, weight=[*[1.0] * 29, -1.0]),
        Refuses(r"weight is negative in row 29 .*zero or positive"),
    ),
    Case(
        "NaN weight",
        lambda t: fit(put(t.assign(w=1.0), "w", 2, np.nan), weight="w"),
        Refuses(r"'w' \(weight\) has no value \(NaN\) in row 2 "),
    ),
    Case(
        "zero weights",
        lambda t: fit(t, weight=np.zeros(30)),
        Refuses(r"weight is zero in every row; .*must count"),
    ),
    Case(
        "short weight",
        lambda t: fit(t, weight=[1.0, 2.0]),
        Refuses(r"weight has 2 rows and the data 30; give"),
    ),
    Case(
        "too few weights",
        lambda t: fit(t, weight=[0.0] * 26 + [1.0] * 4),
        Refuses(r"4 rows with weight cannot determine 5 coeff"),
    ),
    Case(
        "weight as a mask",
        lambda t: fit(t, weight=t.loss < 3),
        Refuses(r"weight holds true/false values; give one real number per row"),
    ),
    Case(
        "one weight",
        lambda t: fit(t, weight=1.0),
        Refuses(r"weight is a single value; give one number per row"),
    ),
    Case("weight absent", lambda t: fit(t, weight="w"), Refuses(r"no column 'w' \(for weight\)")),
    Case(
        "objective by name",
        lambda t: fit(t, objective="huber"),
        Refuses(r"objective must be made .*sf\.huber\(1e-3\).*got 'huber'", TypeError),
    ),
    Case(
        "objective not called",
        lambda t: fit(t, objective=sf.square),
        Refuses(r"objective must be made by a call", TypeError),
    ),
    Case(
        "negative delta",
        lambda t: fit(t, objective=sf.huber(-1)),
        Refuses(r"delta must be a positive number, got -1"),
    ),
    Case(
        "unknown space",
        lambda t: fit(t, objective=sf.huber(space="ln")),
        Refuses(r"space must be one of \"log\", \"linear\", got 'ln'"),
    ),
    Case(
        "unknown method",
        lambda t: fit(t, method="newton"),
        Refuses(r"method must be one of \"auto\", \"lm\", \"lbfgs\", got 'newton'"),
    ),
    Case(
        "no starts",
        lambda t: fit(t, n_starts=0),
        Refuses(r"n_starts must be a whole number of at least 1, got 0"),
    ),
    Case("key of wrong type", lambda t: fit(t, key="a"), Refuses(r"key must be a whole number .*got 'a'")),
    Case(
        "incomplete start",
        lambda t: fit(t, starts={"E": 1.7}),
        Refuses(r"start 0 lacks A; give exactly E, A, B, alpha, beta"),
    ),
    Case(
        "start with a stranger",
        lambda t: fit(t, starts=[published(), published(gamma=1)]),
        Refuses(r"start 1 has 'gamma', which .*give exactly"),
    ),
    Case(
        "start out of support",
        lambda t: fit(t, starts=published(E=-1)),
        Refuses(r"start 0 has E = -1; it must be .*positive"),
    ),
    Case(
        "NaN start",
        lambda t: fit(t, starts=published(alpha=np.nan)),
        Refuses(r"start 0 has alpha = nan; it must be a finite"),
    ),
    Case(
        "text start",
        lambda t: fit(t, starts=published() | {"E": "a"}),
        Refuses(r"start 0 has E = 'a'; it must be a finite"),
    ),
    Case(
        "start as numbers",
        lambda t: fit(t, starts=[1.7, 400, 400, 0.3, 0.3]),
        Refuses(r"start 0 is 1.7; give a dict with E, A, B", TypeError),
    ),
    Case("empty starts", lambda t: fit(t, starts=[]), Refuses(r"starts is empty; leave it out")),
    Case(
        "starts of wrong type",
        lambda t: fit(t, starts="random"),
        Refuses(r"starts must be a dict .*got 'random'", TypeError),
    ),
    Case("around a bad start", lambda t: fit(t, starts=sf.around({"E": 1.0})), Refuses(r"start 0 lacks A")),
    Case("around too tightly", lambda t: sf.around(published(), factor=1), Refuses(r"factor above 1, got 1")),
    Case(
        "level too high",
        lambda t: fit(t).predict(t, level=95),
        Refuses(r"level must lie between 0 and 1, got 95"),
    ),
    Case(
        "predict without D",
        lambda t: fit(t).predict({"N": 1e9}),
        Refuses(r"predict needs 'D' \(or 'n_tokens'\)", KeyError),
    ),
    Case(
        "groups by nothing",
        lambda t: sf.fit_groups("chinchilla", t, by=[]),
        Refuses(r"by names no column; .*sf\.fit"),
    ),
    Case(
        "groups by a stranger",
        lambda t: sf.fit_groups("chinchilla", t, by="family"),
        Refuses(r"no column 'family' \(for by\)"),
    ),
    Case(
        "groups by NaN",
        lambda t: sf.fit_groups("chinchilla", t.assign(run=[np.nan, *[1.0] * 29]), by="run"),
        Refuses(r"'run' \(by\) has no label in row 0 "),
    ),
    Case(
        "fix a stranger",
        lambda t: sf.laws.chinchilla.fix(gamma=1),
        Refuses(r"'chinchilla' has no 'gamma'; it has E, A, B"),
    ),
    Case(
        "tie to a stranger",
        lambda t: sf.laws.chinchilla.tie(beta="gamma"),
        Refuses(r"'chinchilla' has no 'gamma'; it has E, A, B"),
    ),
    Case(
        "rename clash",
        lambda t: sf.laws.chinchilla.rename(alpha="beta"),
        Refuses(r"one name: .*beta; use tie"),
    ),
    Case(
        "sum that clashes",
        lambda t: sf.laws.power_floor + sf.laws.power_floor.bound(E=(0, 1)),
        Refuses(r"'E' is declared differently in .*rename one"),
    ),
]

FILES = [
    Case("missing file", lambda t: fit("runs.csv"), Refuses(r"no file 'runs\.csv'", FileNotFoundError)),
    Case("folder", lambda t: fit(Path.cwd()), Refuses(r"is a directory; give the path of one table")),
    Case("empty file", lambda t: fit(write("runs.csv", b"")), Refuses(r"'runs\.csv' is empty")),
    Case(
        "blank file",
        lambda t: fit(write("runs.csv", b"\n\n")),
        Refuses(r"'runs\.csv' cannot be read as a table .*check the file"),
    ),
    Case(
        "broken lines",
        lambda t: fit(write("runs.csv", b"a,b\n1,2\n1,2,3\n")),
        Refuses(r"'runs\.csv' cannot be read .*line 3"),
    ),
    Case(
        "not a text",
        lambda t: fit(write("runs.csv", b"\xff\xfe\x00\x80")),
        Refuses(r"'runs\.csv' cannot be read as a table"),
    ),
    Case(
        "not JSON",
        lambda t: fit(write("runs.jsonl", b"loss: 3\n")),
        Refuses(r"'runs\.jsonl' cannot be read as a table"),
    ),
    Case(
        "unknown ending",
        lambda t: fit(write("runs.xls", b"a")),
        Refuses(r"'runs\.xls': give a file ending in \.csv"),
    ),
    Case(
        "file without the column",
        lambda t: fit(write_csv(t.rename(columns={"loss": "bleu"}), "runs.csv")),
        Refuses(r"usual name for y \(there are n_params, n_tokens, bleu"),
    ),
    Case(
        "file with a header only", lambda t: fit(write_csv(t[:0], "runs.csv")), Refuses(r"table has no rows")
    ),
    Case(
        "file with a gap",
        lambda t: fit(write_csv(put(t, "loss", 3, np.nan), "runs.csv")),
        Refuses(r"'loss' \(y\) has no value \(NaN\) in row 3 "),
    ),
]

WEAK = [
    Case(
        "as many rows as coefficients",
        lambda t: fit(t[::7]),
        Warns("no-spare-rows", "serious", "5 rows and 5 coefficients.*add runs"),
    ),
    Case("few rows", lambda t: fit(t[::4]), Warns("few-rows", "warning", "only 8 rows for 5 coefficients")),
    Case(
        "few distinct points",
        lambda t: fit(few_points(t)),
        Warns("too-few-points", "serious", "3 distinct settings of N, D"),
    ),
    Case(
        "few weighted rows",
        lambda t: fit(t, weight=1.0 * (np.arange(30) % 7 == 0)),
        Warns("no-spare-rows", "serious", "5 rows and 5"),
    ),
    Case(
        "constant N",
        lambda t: fit(t.assign(n_params=1e9)),
        Warns("constant-input", "serious", r"N \(column 'n_params'\) is 1e\+09 in every row"),
    ),
    Case(
        "sizes of one scale",
        lambda t: fit(t.assign(n_params=1e9 * (1 + 0.001 * (np.arange(len(t)) % 5)))),
        Warns("narrow-input", "warning", r"N \(column 'n_params'\) differs by only 0\.40%.*inputs="),
    ),
    Case(
        "constant D",
        lambda t: fit(t.assign(n_tokens=1e10)),
        Warns("constant-input", "serious", "'n_tokens'.*in every row"),
    ),
    Case(
        "constant x",
        lambda t: sf.fit("power_floor", first_curve(t).assign(x=1e9)),
        Warns("constant-input", "serious", "x is 1e"),
    ),
    Case(
        "constant loss",
        lambda t: fit(t.assign(loss=2.5)),
        Warns("constant-output", "serious", r"y \(column 'loss'\) is the same"),
    ),
    Case(
        "two sizes",
        lambda t: fit(t[t.n_params.isin([5e7, 1e10])]),
        Warns("few-scales", "warning", "'n_params'.*only 2 values"),
    ),
    Case(
        "repeated rows",
        lambda t: fit(pd.concat([t[:-2], t[:2]])),
        Warns("duplicated-rows", "warning", "rows 28, 29 .*repeat earlier rows"),
    ),
    Case(
        "one repeated row",
        lambda t: fit(pd.concat([t[:-1], t[:1]])),
        Warns("duplicated-rows", "warning", "row 29 .*repeats an earlier row"),
    ),
    Case(
        "all the same run",
        lambda t: fit(t.iloc[[0] * 30]),
        Warns("too-few-points", "serious", "1 distinct setting of N, D"),
    ),
    Case(
        "D = 20 N",
        lambda t: fit(collinear(t, 0.0)),
        Warns("collinear", "serious", "'n_params'.* and .*'n_tokens'.* move together"),
    ),
    Case(
        "nearly D = 20 N",
        lambda t: fit(collinear(t, 0.05)),
        Warns("collinear", "warning", "'n_params'.* and .*'n_tokens'"),
    ),
    Case(
        "one compute budget",
        lambda t: fit(one_budget(t)),
        Warns("collinear", "serious", "one compute budget"),
    ),
]

UNITS = [
    Case(
        "N in billions in some rows",
        lambda t: fit(scaled(t, "n_params", slice(4, 9), 1e-9)),
        Warns("mixed-units", "serious", "'n_params'.*rows 4, 5, 6, 7, 8 .*one"),
    ),
    Case(
        "D in billions in half the rows",
        lambda t: fit(scaled(t, "n_tokens", slice(15), 1e-9)),
        Warns("mixed-units", "serious", "'n_tokens'.*1 to 200 in the others.*give all in one"),
    ),
    Case(
        "N in millions in one row",
        lambda t: fit(scaled(t, "n_params", [12], 1e-6)),
        Warns("mixed-units", "serious", r"'n_params'.* in row 12 \("),
    ),
    Case(
        "D in thousands in one row",
        lambda t: fit(scaled(t, "n_tokens", [14], 1e-3)),
        Warns("outliers", "warning", "row 14 .*lies far off"),
    ),
    Case(
        "N in billions throughout",
        lambda t: fit(scaled(t, "n_params", slice(None), 1e-9)),
        Warns("odd-units", "warning", "'n_params'.*0.05 to 10.*billions"),
    ),
    Case(
        "loss in bits in one row",
        lambda t: fit(scaled(t, "loss", [5], 1 / np.log(2))),
        Warns("mixed-units", "warning", "row 5 .*lies a factor 1.44 above"),
    ),
    Case(
        "loss in bits in 3 rows",
        lambda t: fit(scaled(t, "loss", [5, 17, 28], 1 / np.log(2))),
        Warns("mixed-units", "serious", "rows 5, 17, 28 .*lie .*bits and nats"),
    ),
    Case(
        "loss in bits in most rows",
        lambda t: fit(scaled(t, "loss", np.arange(30) % 5 > 0, 1 / np.log(2))),
        Warns("mixed-units", "serious", "rows 0, 5, 10, 15, 20 and 1 more .*below"),
    ),
    Case(
        "perplexity",
        lambda t: fit(t.assign(loss=np.exp(t.loss))),
        Warns("odd-loss", "warning", "'loss'.* reaches .*perplexity"),
    ),
    Case(
        "percent",
        lambda t: fit(t.assign(loss=100 * t.loss)),
        Warns("odd-loss", "warning", "'loss'.* reaches .*percent"),
    ),
    Case(
        "rising loss",
        lambda t: fit(t.assign(loss=8 - t.loss)),
        Warns("rising-loss", "serious", "'loss'.* rises with [ND] .*; check"),
    ),
    Case(
        "rising with tokens",
        lambda t: fit(t.assign(loss=t.loss[::-1].to_numpy().reshape(5, 6)[::-1].ravel())),
        Warns("rising-loss", "serious", "'loss'.* rises with D .*'n_tokens'"),
    ),
    Case(
        "shuffled loss",
        lambda t: fit(shuffled(t)),
        Warns("poor-fit", "serious", "almost none of the variation of y .*'loss'.*check"),
    ),
    Case(
        "one outlier",
        lambda t: fit(scaled(t, "loss", [20], 1.2)),
        Warns("outliers", "warning", r"row 20 .*lies far off the curve \(by \+(19|20|21)%.*check that run"),
    ),
    Case(
        "huge outlier",
        lambda t: fit(scaled(t, "loss", [20], 50.0)),
        Warns("outliers", "warning", "row 20 .*lies far off the curve"),
    ),
    Case(
        "two outliers",
        lambda t: fit(scaled(t, "loss", [3, 20], 1.2)),
        Warns("outliers", "warning", r"rows 3, 20 .*lie far off.*check those runs"),
    ),
    Case(
        "outlier, linear",
        lambda t: fit(scaled(t, "loss", [20], 1.2), objective=sf.huber(1e-3, "linear")),
        Warns("outliers", "warning", "row 20 .*lies"),
    ),
]

CASES = [*CELLS, *SHAPES, *NAMES, *OPTIONS, *FILES, *WEAK, *UNITS]


def only(kind: type) -> Any:
    return pytest.mark.parametrize(
        "case", [c for c in CASES if isinstance(c.expect, kind)], ids=lambda c: c.name
    )


def one_sentence(text: str) -> bool:
    """No line break, nothing that starts a second sentence,
    and no words that only a programmer of ours knows."""
    ends = re.search(r"[.!?]\s+[A-Z]|\n", text) or text.endswith(".")
    jargon = re.search(
        r"Traceback|ufunc|dtype|inhomogeneous|broadcast|Tracer|NoneType: None|object at 0x", text
    )
    return 15 < len(text) < 300 and not ends and not jargon


@pytest.fixture(scope="module")
def table() -> Table:
    return clean()


@only(Refuses)
def test_refuses_in_one_sentence(
    case: Case, table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    expected: Refuses = case.expect  # type: ignore[assignment]
    with pytest.raises(expected.error, match=expected.match) as caught:
        case.call(table)
    assert type(caught.value) is expected.error
    assert one_sentence(str(caught.value.args[0])), caught.value


@only(Warns)
def test_fits_and_names_the_weakness(case: Case, table: Table) -> None:
    expected: Warns = case.expect  # type: ignore[assignment]
    fit = case.call(table)
    found = {caution.code: caution for caution in fit.warnings}
    assert expected.code in found, fit.summary()
    caution = found[expected.code]
    assert caution.severity == expected.severity
    assert re.search(expected.match, caution.text), caution.text
    assert all(one_sentence(c.text) for c in fit.warnings), fit.summary()
    assert np.all(np.isfinite(list(fit.coefs.values())))
    assert (fit.status.trust == "good") == (expected.severity == "info"), fit.summary()
    assert caution.text in fit.summary()


def test_there_are_many_cases() -> None:
    assert len(CASES) >= 45
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize(
    "same",
    [
        pytest.param(lambda t: {name: t[name].tolist() for name in t}, id="lists"),
        pytest.param(lambda t: t.convert_dtypes(), id="nullable types"),
        pytest.param(lambda t: t.assign(loss=[Decimal(repr(v)) for v in t.loss.tolist()]), id="decimals"),
        pytest.param(lambda t: t.set_index(np.arange(30) % 3), id="an index that repeats"),
        pytest.param(lambda t: write_csv(t, "runs.csv"), id="path"),
        pytest.param(
            lambda t: pd.concat([t, t[:1].assign(loss=9.0)]).assign(w=[1.0] * 30 + [0.0]), id="no weight"
        ),
    ],
)
def test_takes_other_forms(
    same: Callable[[Table], Any], table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Uncommon but sound forms of one table give one fit."""
    monkeypatch.chdir(tmp_path)
    runs = same(table)
    weight = "w" if "w" in runs else None
    result, plain = fit(runs, weight=weight), fit(table)
    assert result.coefs == pytest.approx(plain.coefs, rel=1e-6)
    assert result.status.trust == plain.status.trust == "good", result.summary()


@pytest.mark.parametrize("seed", range(3))
def test_no_false_alarm(seed: int, table: Table) -> None:
    """The clean table under other noise, and a plain curve of 12 runs, are called good."""
    rng = np.random.default_rng(seed)
    again = table.assign(loss=table.loss * np.exp(0.003 * rng.standard_normal(len(table))))
    x = np.geomspace(1e8, 1e12, 12)
    curve = {"x": x, "loss": (1.7 + 400 / x**0.28) * np.exp(0.003 * rng.standard_normal(12))}
    for result in (sf.fit("chinchilla", again), sf.fit("power_floor", curve)):
        assert result.status.trust == "good", result.summary()
        assert all(caution.severity == "info" for caution in result.warnings)
