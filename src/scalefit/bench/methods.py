"""The methods that come with the suite, and how anything else becomes one.

A method takes what a case lets it see and foretells the test rows. A function of one's own is
`method(train, inputs, y, test, level, key)` and returns a frame, or a dict, with `mean`, `lo` and `hi`.
"""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cache, partial
from importlib.metadata import PackageNotFoundError, version
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import numpy as np

import scalefit as sf
from scalefit.bench.peers import PEERS, peer
from scalefit.bench.records import ASKS, Case
from scalefit.frames import Frame, columns_frame
from scalefit.words import short

__all__ = ["METHODS", "Method", "Unsuited", "file_object", "method", "ours"]


class Unsuited(ValueError):
    """This method has no say on this task."""


@dataclass(frozen=True)
class Method:
    """A name, and what answers a case: `answer(case, level, key)` gives the frame; level may be None.

    about: one line; answers: what its rows may ask for; package: what must be installed; made: what tells
    its results from those of another edition of it.
    """

    name: str
    answer: Callable[[Case, float | None, int], Any]
    about: str = ""
    answers: tuple[str, ...] = ("rows",)
    package: str | None = None
    made: str = ""

    def missing(self) -> str | None:
        """Why it cannot run here, or None."""
        if self.package is None or _installed(self.package):
            return None
        return f"{self.package} is not installed; pip install {self.package}"


def method(given: Any) -> Method:
    """A `Method` from its name, the name of a law, a law, a function, or "FILE.py:OBJECT"."""
    if isinstance(given, Method):
        return given
    if isinstance(given, sf.Law):
        return _of_law(given)
    if callable(given):
        name = getattr(given, "__name__", type(given).__name__)
        return Method(
            name, partial(_function, given), (getattr(given, "__doc__", "") or "").partition("\n")[0]
        )
    if not isinstance(given, str):
        raise TypeError(f"a method is a name, a law, a function or FILE.py:OBJECT, got {short(given)}")
    if ".py:" in given:
        found, digest = file_object(given)
        return replace(method(found), name=given.rpartition(":")[2], made=digest)
    if given in METHODS:
        return METHODS[given]
    if given in sf.laws.names():
        return _of_law(sf.laws.get(given))
    near = get_close_matches(given, [*METHODS, *sf.laws.names()], n=3)
    hint = f"did you mean {', '.join(near)}? " if near else ""
    raise KeyError(
        f"there is no method {given!r}; {hint}`scalefit bench list --methods` names all, and laws serve too"
    )


def file_object(given: str) -> tuple[Any, str]:
    """What "FILE.py:OBJECT" names, and a digest of the file."""
    path, _, name = given.rpartition(":")
    file = Path(path)
    if not file.is_file():
        raise FileNotFoundError(f"there is no file {path!r}")
    digest = hashlib.sha256(file.read_bytes()).hexdigest()[:12]
    label = f"scalefit_bench_{file.stem}_{digest}"
    if label not in sys.modules:
        spec = spec_from_file_location(label, file)
        if spec is None or spec.loader is None:
            raise ValueError(f"{path!r} cannot be read as a Python file")
        module = module_from_spec(spec)
        sys.modules[label] = module
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[label]
            raise
    if not hasattr(sys.modules[label], name):
        raise KeyError(f"{path} has no object {name!r}")
    return getattr(sys.modules[label], name), digest


def _installed(package: str) -> bool:
    try:
        return bool(version(package))
    except PackageNotFoundError:
        return False


# ------------------------------------------------------------------------------ functions of one's own


def parts(case: Case) -> Iterator[tuple[Any, Frame, Frame]]:
    """Each label with its training and test rows; None and all of them where the case has none."""
    if case.label is None:
        yield None, case.train, case.test
        return
    for value in case.test[case.label].unique():
        yield value, case.train[case.train[case.label] == value], case.test[case.test[case.label] == value]


def _function(fn: Callable[..., Any], case: Case, level: float | None, key: int) -> Frame:
    """A function asked once per label; it never sees what the test rows measured."""
    out = []
    for _, train, test in parts(case):
        told = fn(train, case.inputs, case.y, test.drop(columns=case.y), level or 0.9, key)
        out.append(_columns(told, test.index, getattr(fn, "__name__", "method")))
    return _joined(out, case)


def _columns(told: Any, index: Any, name: str) -> Frame:
    """mean, lo and hi under this index; lo and hi are empty where they are not given."""
    columns = {}
    for column in ("mean", "lo", "hi"):
        values = told[column] if column in told else np.full(len(index), np.nan)
        columns[column] = (
            np.broadcast_to(np.asarray(values, float).reshape(-1), len(index))
            if np.size(values) in (1, len(index))
            else None
        )
        if columns[column] is None:
            raise ValueError(f"{name} gave {np.size(values)} values of {column} for {len(index)} rows")
    return columns_frame(columns, index)


def _joined(frames: list[Frame], case: Case) -> Frame:
    out = columns_frame(
        {name: np.full(len(case.test), np.nan) for name in ("mean", "lo", "hi")}, case.test.index
    )
    for frame in frames:
        out.loc[frame.index] = frame
    return out


# --------------------------------------------------------------------------------- whatever gives fits

# What a maker of fits gives: one per label, or one under None.
Fits = Mapping[Any, Any]


def _from_fits(
    make: Callable[[Case, int], Fits], model_error: bool, case: Case, level: float | None, key: int
) -> Frame:
    """Answers read off fits: predictions of a new run at rows, or quantities."""
    fits, out = make(case, key), []
    for label, _, test in parts(case):
        told = _quantities if "quantity" in test else _predicted
        out.append(told(fits[label], case, test, level, model_error))
    return _joined(out, case)


def _predicted(
    fit: Any, case: Case, test: Frame, level: float | None, model_error: bool, kind: str = "run"
) -> Frame:
    x = {name: test[name].to_numpy() for name in case.inputs}
    with np.errstate(all="ignore"):
        if level is None:
            return _columns({"mean": fit.predict(x)}, test.index, "predict")
        return _columns(fit.predict(x, level, kind, model_error=model_error), test.index, "predict")


def _quantities(fit: Any, case: Case, test: Frame, level: float | None, model_error: bool) -> Frame:
    out = _columns({"mean": np.nan}, test.index, "quantity")
    what = test["quantity"].str.partition(",")[0]
    for kind, rows in (("mean", test[what == "curve"]), ("run", test[what == "run"])):
        if len(rows):
            out.loc[rows.index] = _predicted(fit, case, rows, level, model_error, kind)
    for row, name in test["quantity"][~what.isin(("curve", "run"))].items():
        out.loc[row] = _quantity(fit, case, name, level, model_error)
    return out


def _quantity(
    fit: Any, case: Case, name: str, level: float | None, model_error: bool
) -> tuple[float, float, float]:
    if name in case.quantities:
        value, lo, hi = np.append(case.quantities[name](fit, level, model_error), [np.nan, np.nan])[:3]
        return value, lo, hi
    if name == "objective":
        return fit.value, np.nan, np.nan
    if name.startswith("sd of "):
        return fit.stderr()[name.removeprefix("sd of ")], np.nan, np.nan
    ends = fit.interval(name, level) if level is not None else (np.nan, np.nan)
    return fit.coefs[name], *ends


def _by_law(law: sf.Law | None, finish: Callable[[Any, int], Any] | None, case: Case, key: int) -> Fits:
    """Fits of one law, the case's own where none is named."""
    chosen = _suited(law, case)
    options: dict[str, Any] = {"objective": case.objective, "weight": case.weight, "key": key}
    named = {name: name for name in chosen.inputs}
    if case.label is None or chosen.whole or "group" in case.given:
        said: dict[str, Any] = {name: case.given.get(name) for name in ("starts", "group")}
        said |= options | {"n_starts": case.n_starts}
        fits = {label: sf.fit(chosen, train, named, case.y, **said) for label, train, _ in parts(case)}
    else:
        groups = sf.fit_groups(
            chosen, case.train, case.label, named, case.y, n_starts=case.n_starts, **options
        )
        fits = {label: groups[label] for label in groups}
    if case.by is not None:
        fits = {label: sf.widen(fit, case.by) for label, fit in fits.items()}
    return fits if finish is None else {label: finish(fit, key) for label, fit in fits.items()}


def _suited(law: sf.Law | None, case: Case) -> sf.Law:
    if law is None:
        if case.law is None:
            raise Unsuited("the task names no usual law")
        return case.law
    if set(law.inputs) == set(case.inputs):
        return law
    if len(law.inputs) == len(case.inputs) == 1 and not law.whole:
        return law.rename(**{law.inputs[0]: case.inputs[0]})
    raise Unsuited(f"law {law.name!r} has inputs {', '.join(law.inputs)}, the task {', '.join(case.inputs)}")


def _of_law(law: sf.Law) -> Method:
    return Method(
        law.name, partial(_from_fits, partial(_by_law, law, None), True), law.about, ASKS, made=ours()
    )


def _extrapolated(case: Case, key: int) -> Fits:
    """`sf.extrapolate`, with its own laws where it has some for these inputs."""
    usual = set(case.inputs) == {"N", "D"} or len(case.inputs) == 1
    usual = usual and case.objective is None
    options: dict[str, Any] = {
        "laws": None if usual else [_suited(None, case)],
        "by": case.by,
        "y": case.y,
        "inputs": {name: name for name in case.inputs},
        "objective": case.objective,
        "weight": case.weight,
        "key": key,
    }
    if case.label is None:
        return {None: sf.extrapolate(case.train, **options)}
    return sf.extrapolate_groups(case.train, case.label, **options)


def _chained(case: Case, key: int) -> Fits:
    """Two fits in sequence: what lies between, and the link from it to what is asked."""
    if "steps" not in case.given:
        raise Unsuited("it is for outputs that depend on a loss which was measured too")
    (law, link), (between,) = case.given["steps"], case.given["steps"][1].inputs
    first = sf.fit(law, case.train, {name: name for name in law.inputs}, between, key=key)
    second = sf.fit(link, case.train, {between: between}, case.y, objective=case.objective, key=key)
    return {None: sf.chain(first, second, case.train, {name: name for name in law.inputs}, case.y)}


def _sandwich(fit: Any, key: int) -> Any:
    return sf.sandwich(fit)


def _resampled(how: str, fit: Any, key: int) -> Any:
    if how == "cluster" and fit.data.group is None:
        raise Unsuited("it is for errors shared within groups")
    return sf.bootstrap(fit, 200, key, how)


def _profiled(case: Case, level: float | None, key: int) -> Frame:
    """Coefficients between the ends of their profiles, all else to first order."""
    fits = _by_law(None, None, case, key)
    out = _from_fits(lambda case, key: fits, False, case, level, key)
    for label, _, test in parts(case):
        for row, name in test["quantity"].items():
            if level is not None and name in fits[label].law.names:
                found = sf.profile(fits[label], name, level, n_values=3)
                out.loc[row, ["lo", "hi"]] = found.lo, found.hi
    return out


def _isoflop(how: str, case: Case, key: int) -> Fits:
    if "budget" not in case.given:
        raise Unsuited("it is for sweeps of sizes at several budgets")
    budget, inputs = case.given["budget"], {name: name for name in case.inputs}
    return {
        label: sf.isoflop(train, inputs, case.y, budget, method=how, key=key)
        for label, train, _ in parts(case)
    }


def _curves(case: Case, key: int) -> Fits:
    if "eta" not in case.inputs:
        raise Unsuited("it is for loss curves under learning-rate schedules")
    return {None: sf.fit_curves(case.train, inputs={name: name for name in case.inputs}, y=case.y, key=key)}


# --------------------------------------------------------------------------------------- other answers


def _last(case: Case, level: float | None, key: int) -> Frame:
    """The value of the largest training row."""
    if case.by is None and not all(case.train[name].dtype.kind in "iuf" for name in case.inputs):
        raise Unsuited("it is for inputs that are numbers")
    out = []
    for _, train, test in parts(case):
        known = train.dropna(subset=[case.y])
        size = known[case.by] if case.by else np.prod([known[name] for name in case.inputs], axis=0)
        out.append(_columns({"mean": known[case.y].iloc[int(np.argmax(size))]}, test.index, "last value"))
    return _joined(out, case)


def _forecast(case: Case, level: float | None, key: int) -> Frame:
    if "steps" not in case.given:
        raise Unsuited("it is for the end of a running curve")
    rates, steps = case.given.get("rates"), case.given["steps"]
    history = {"step": case.train["step"], "loss": case.train[case.y]}
    told = sf.forecast(
        history, rates, level=level or 0.9, steps=None if rates is not None else steps, kind="run", key=key
    )
    if np.isnan(told.loss):
        raise ValueError("too early: " + "; ".join(str(warning) for warning in told.warnings))
    return _columns({"mean": told.loss, "lo": told.lo, "hi": told.hi}, case.test.index, "sf.forecast")


def _decided(case: Case, level: float | None, key: int) -> Frame:
    """Log gaps to the mean over recipes at the target, as losses that stand in this order."""
    if case.label is None or len(case.inputs) != 1:
        raise Unsuited("it compares recipes")
    (by,) = case.inputs
    told = sf.decide(case.train, float(case.test[by].iloc[0]), recipe=case.label, by=by, y=case.y, key=key)
    gap = told.set_index("recipe")["gap"]
    return _columns({"mean": np.exp(gap[case.test[case.label]].to_numpy())}, case.test.index, "sf.decide")


def _peer(name: str, case: Case, key: int) -> Fits:
    """Another package's fit of powers with a floor, one per label."""
    positive = case.law is None or case.law.name in ("chinchilla", "power_floor")
    if not positive or len(case.inputs) > 2 or not np.all(case.train[case.y] > 0):
        raise Unsuited("written for a power of each of one or two inputs with a floor, of positive values")
    if name == "chinchilla package" and len(case.inputs) != 2:
        raise Unsuited("written for N and D")
    found = {}
    for label, train, _ in parts(case):
        x = np.stack([train[n].to_numpy(float) for n in case.inputs])
        found[label] = peer(name, case.inputs, x, train[case.y].to_numpy(float), key)
    return found


# What cannot move a score: words, pictures, the suite itself; docstrings and lines of comments.
_WITHOUT_EFFECT = ("bench", "callbacks", "cli", "plot", "reports")
_WORDS = re.compile(rb'""".*?"""|^[ ]*#[^\n]*\n', re.DOTALL | re.MULTILINE)


@cache
def ours() -> str:
    """The version, and a digest of the sources that compute: results of other sources are told apart."""
    root, digest = Path(sf.__file__).parent, hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        if path.relative_to(root).parts[0] not in _WITHOUT_EFFECT:
            digest.update(_WORDS.sub(b"", path.read_bytes()))
    return f"scalefit {sf.__version__} ({digest.hexdigest()[:8]})"


def _built_in() -> Iterator[Method]:
    def fits(name: str, make: Callable[[Case, int], Fits], about: str, model_error: bool = True) -> Method:
        return Method(name, partial(_from_fits, make, model_error), about, ASKS, made=ours())

    yield fits(
        "sf.extrapolate", _extrapolated, "several laws, weighted by how well they foretold larger runs"
    )
    yield fits(
        "sf.fit", partial(_by_law, None, None), "the task's usual law; intervals allow for its own error"
    )
    yield fits("sf.fit, law as right", partial(_by_law, None, None), "the same with model_error=False", False)
    yield fits(
        "sf.chain", _chained, "a law of the loss, and a link from it to the output, fitted in sequence"
    )
    yield fits("sf.sandwich", partial(_by_law, None, _sandwich), "sandwich covariance, law as right", False)
    profiles = "profile intervals of coefficients, law as right"
    yield Method("sf.profile", _profiled, profiles, ("quantities",), made=ours())
    for how in ("pairs", "residual", "wild", "bayesian", "cluster"):
        about = f"200 resamples ({how}), percentiles, law as right"
        yield fits(f"sf.bootstrap, {how}", partial(_by_law, None, partial(_resampled, how)), about, False)
    for name, how in (
        ("sf.isoflop", "akima"),
        ("sf.isoflop, parabola", "parabola"),
        ("sf.isoflop, cubic", "cubic"),
    ):
        yield fits(name, partial(_isoflop, how), f"approach 2, minima by {how}, 200 resamples")
    yield fits(
        "sf.fit_curves", _curves, "several laws of whole curves, drawn to their usual ranges, averaged"
    )
    yield Method("sf.forecast", _forecast, "the end of a running curve under its schedule", made=ours())
    yield Method("sf.decide", _decided, "gaps between recipes, followed to the target", made=ours())
    yield Method("last value", _last, "the value of the largest run; no interval", made="1")
    for name, (package, about) in PEERS.items():
        made = f"{package} {version(package)}" if _installed(package) else ""
        yield Method(name, partial(_from_fits, partial(_peer, name), True), about, ASKS, package, made)


METHODS: dict[str, Method] = {each.name: each for each in _built_in()}
