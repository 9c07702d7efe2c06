"""Decisions: which of several recipes wins at a larger scale, and which size is best there.

Tables become ladders: one loss per recipe and scale. A case shows the first scales and asks for the last.
Left out: tables of one recipe (olmo_ladder), of two (pythia_evals, xlstm_isoflop), without a second size per
shape (gemstones), with losses on different data (colpret_curves), or that no loss law takes (sldbench_vocab).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import product
from typing import Any

import numpy as np

from scalefit import datasets, laws
from scalefit.bench.records import Case, Data, Task
from scalefit.bench.scores import LOG_RMS, PAIRS
from scalefit.bench.sources import SIMULATED, SOURCES
from scalefit.bench.splits import by_budget, grouped, named, starting
from scalefit.decisions.allocation import closed
from scalefit.decisions.optimal import optimal
from scalefit.frames import Frame, columns_frame, frame
from scalefit.laws.simulate import simulate

__all__ = ["SETS", "TASKS", "optima", "thinned"]

LAW = laws.get("power_floor").rename(x="C")
# Recipes of a ladder at most, drawn with a fixed key: pairs go with the square.
MOST = 80

# A ladder: its name, the recipes, budgets ascending, and losses (recipes, budgets).
Ladder = tuple[str, Sequence[str], np.ndarray, np.ndarray]


def cases(ladders: Iterable[Ladder]) -> Iterator[Case]:
    """The last scale of each ladder from its first ones: two at least, or one where no ladder has three."""
    every = [thinned(ladder) for ladder in ladders]
    least = min(2, max(len(C) for _, _, C, _ in every) - 1)
    for name, recipes, C, loss in every:
        for K in range(least, len(C)):
            train, test = (_rows(recipes, C[part], loss[:, part]) for part in (slice(K), slice(-1, None)))
            yield Case(f"{name}, {K} scales", train, test, ("C",), law=LAW, label="recipe")


def thinned(ladder: Ladder) -> Ladder:
    """The same with at most so many recipes."""
    name, recipes, C, loss = ladder
    if len(recipes) <= MOST:
        return ladder
    kept = np.sort(np.random.default_rng(0).choice(len(recipes), MOST, replace=False))
    return name, [recipes[k] for k in kept], C, loss[kept]


def _rows(recipes: Sequence[str], C: np.ndarray, loss: np.ndarray) -> Frame:
    recipe = np.repeat(np.array(recipes, object), len(C))
    return columns_frame({"recipe": recipe, "C": np.tile(C, len(recipes)), "y": loss.ravel()})


def _ladders(
    table: Frame, name: str, recipe: str | list[str], metrics: Iterable[str], C: str = "C"
) -> Iterator[Ladder]:
    """One per metric, of recipes that were run at every scale; the lowest loss where there are several."""
    keys = [recipe] if isinstance(recipe, str) else recipe
    labels = table[keys].astype(str).agg(" ".join, axis=1)
    for metric in metrics:
        wide = (
            table.assign(_r=labels).pivot_table(index="_r", columns=C, values=metric, aggfunc="min").dropna()
        )
        if len(wide) > 1:
            yield (
                f"{name} {metric}".strip(),
                list(wide.index),
                wide.columns.to_numpy(float),
                wide.to_numpy(float),
            )


def _compute(table: Frame, N: str = "n_params", D: str = "n_tokens") -> Frame:
    return table.assign(C=6.0 * table[N] * table[D])


def mixture_slimpajama() -> Iterator[Ladder]:
    """Mixtures of seven domains, to 0.9B, 1.2B and 2.7B parameters."""
    t = datasets.fetch("mixture_slimpajama")
    losses = starting(t, "loss_")
    recipe = t[starting(t, "weight_")].round(5).astype(str).agg("|".join, axis=1)
    t = _compute(t.assign(loss_mean=t[losses[:7]].mean(axis=1), recipe=recipe))
    t = t[t.n_tokens == t.groupby("n_params").n_tokens.transform("max")]
    top = t.groupby("recipe").n_params.transform("max")
    for size, name in ((1.235e9, "to 1.2B"), (9.37e8, "to 0.9B"), (2.718e9, "to 2.7B")):
        own = t[top == size]
        own = own[own.groupby("recipe").n_params.transform("nunique") >= 4]
        yield from _ladders(own, name, "recipe", ["loss_mean", *losses])


def regmix() -> Iterator[Ladder]:
    """256 mixtures of 17 domains, at 1M and 60M parameters."""
    small, large = (datasets.fetch("regmix", f"test_{size}.csv") for size in ("1m", "60m"))
    for loss in starting(small, "loss_"):
        yield (
            loss,
            list(small.run.astype(str)),
            np.array([6e15, 3.6e17]),
            np.stack([small[loss], large[loss]], 1),
        )


def mixing_laws() -> Iterator[Ladder]:
    """Mixtures of RedPajama, 70M to 410M parameters."""
    sizes = {"70m": 7e7, "160m": 1.6e8, "305m": 3.05e8, "410m": 4.1e8}
    t = datasets.fetch("mixing_laws", "redpajama.csv.gz").query("step == 30000")
    t = t.assign(C=6.0 * 30000 * 1024 * 4096 * t.model.map(sizes)).dropna(subset="C")
    t = t.pivot_table(index=["mix_id", "C"], columns="valid", values="loss").reset_index()
    domains = [str(name) for name in t if name not in ("mix_id", "C")]
    t["mean"] = t[domains].mean(axis=1)
    yield from _ladders(
        t[t.groupby("mix_id").C.transform("nunique") == 4], "", "mix_id", ["mean", *map(str, domains)]
    )


def loss_to_loss() -> Iterator[Ladder]:
    """Six corpora, by losses and by tasks."""
    t = datasets.fetch("loss_to_loss", "sweep.csv.gz")
    metrics = [*starting(t, "loss_val_"), *starting(t, "ce_")]
    return _ladders(t, "", "train_set", metrics, "isoflop_budget")


def llm_line() -> Iterator[Ladder]:
    """Architectures on the Pile, and corpora for one architecture."""
    t = datasets.fetch("llm_line")
    metrics = [
        *starting(t, "bpb_val_"),
        *(name for name in starting(t, "loss_") if not name.startswith("loss_val")),
    ]
    levels = np.array([1.27e8, 3.65e8, 1.34e9, 2.7e9])
    pile = t[(t.pretraining_data == "The Pile") & (t.tokenizer == "gpt-neox")]
    near = np.abs(np.log(pile.n_params.to_numpy()[:, None] / levels))
    pile = pile.assign(C=6 * 3e11 * levels[near.argmin(axis=1)])[near.min(axis=1) < 0.06]
    yield from _ladders(pile, "architectures", "architecture", metrics)
    llama = t[t.architecture == "Llama"]
    llama = llama.assign(C=6 * llama.n_params * llama.n_tokens.round(-9))
    yield from _ladders(llama, "corpora", "pretraining_data", metrics)


def misfitting() -> Iterator[Ladder]:
    """Learning rates of dense models, and of mixtures of experts."""
    t = datasets.fetch("misfitting", "dense_lr_sweep.csv")
    t = _compute(t[t.groupby(["n_params", "n_tokens"]).peak_lr.transform("nunique") == 8])
    yield from _ladders(t, "rates", "peak_lr", ["c4_eval_loss", "wiki_eval_loss", "train_loss"])
    m = datasets.fetch("misfitting", "moe.csv").query("router == 'spm' and n_experts < 256")
    m = m.assign(
        C=6e6 * m.n_tokens * m.model.str[:-1].astype(float), c4=np.log(m.c4_ppl), wiki=np.log(m.wiki_ppl)
    )
    yield from _ladders(m, "experts and rates", ["n_experts", "peak_lr"], ["c4", "wiki", "train_loss"])


def porian_isoflop() -> Iterator[Ladder]:
    """Five recipes of hyperparameters."""
    for name, own in grouped(
        datasets.fetch("porian_isoflop", "isoflop_points.csv"), ["dataset", "param_count", "eval"]
    ):
        yield from _ladders(own, name, ["hparams", "warmup", "decay"], ["loss"], "flops")


def dclm_models() -> Iterator[Ladder]:
    """Data sets by downstream error, over two and three scales."""
    t = _compute(datasets.fetch("dclm_models"))
    t = t.assign(core=1 - t.core, extended=1 - t.extended)
    scales = [(411616256, 8232325120), (1439795200, 28795904000), (6889410560, 137788211200)]
    for name, cells in (("three scales", scales), ("two scales", scales[1:])):
        own = _in_cells(t, cells, "n_params")
        whole = own.groupby("dataset").C.transform("nunique") == len(cells)
        yield from _ladders(own[whole], name, "dataset", ["core", "extended"])


def _in_cells(t: Frame, cells: Sequence[tuple[float, float]], N: str) -> Frame:
    return t[[cell in cells for cell in zip(t[N], t.n_tokens, strict=True)]]


def steplaw() -> Iterator[Ladder]:
    """Learning rates and batch sizes; those that diverged at a small scale are out."""
    t, N, recipe = datasets.fetch("steplaw", "dense.csv"), "n_params_no_embed", ["peak_lr", "batch_size_seqs"]
    t = _compute(t, N)
    chains = {
        "20 tokens per parameter": [(214663680, 4e9), (268304384, 5e9), (429260800, 8e9), (536872960, 1e10),
                                    (1073741824, 2e10)],
        "0.21B": [(214663680, 4e9), (214663680, 1.14e10), (214663680, 1e11)],
        "0.27B": [(268304384, 5e9), (268304384, 1.42e10), (268304384, 8e10)],
    }  # fmt: skip
    for name, cells in chains.items():
        own = _in_cells(t, cells, N)
        wild = own[(own.C.max() > own.C) & (own.smooth_train_loss > 4)][recipe].apply(tuple, axis=1)
        own = own[~own[recipe].apply(tuple, axis=1).isin(set(wild))]
        yield from _ladders(own, name, recipe, ["smooth_train_loss"])


def quest_quantization() -> Iterator[Ladder]:
    """Quantisers and bits, 30M to 800M parameters."""
    t, recipe = datasets.fetch("quest_quantization"), ["w_quant", "a_quant", "w_bits", "a_bits"]
    t = t[np.abs(t.n_tokens / (t.model_m * 1e8) - 1) < 0.1]
    t = t.assign(C=600.0 * (t.model_m * 1e6) ** 2)
    top = t.groupby(recipe).model_m.transform("max")
    large, small = t[top >= 800], t[(top >= 200) & (top < 800)]
    yield from _ladders(large[large.model_m.isin((30, 50, 100, 200, 430, 800))], "to 0.8B", recipe, ["loss"])
    yield from _ladders(small[small.model_m.isin((30, 50, 100, 200))], "to 0.2B", recipe, ["loss"])


def gadre_overtraining() -> Iterator[Ladder]:
    """Three corpora at 20, 80 and 320 tokens per parameter."""
    t = datasets.fetch("gadre_overtraining")
    metrics = [*starting(t, "loss_"), "err_avg_17", "err_avg_46"]
    for m in (1.0, 4.0, 16.0):
        own = t[t.chinchilla_multiplier == m]
        own = own[own.groupby("n_params").train_set.transform("nunique") == 3]
        own = own.assign(C=6.0 * own.n_params * own.groupby("n_params").n_tokens.transform("max"))
        yield from _ladders(own, f"{20 * m:g} tokens per parameter", "train_set", metrics)


def sft_rectified() -> Iterator[Ladder]:
    """Models to fine-tune, by numbers of examples."""
    for task, own in grouped(datasets.fetch("sft_rectified", "curves.csv").query("n_samples > 0"), "task"):
        yield from _ladders(own, task, "model", ["loss"], "n_samples")


def alabdulmohsin_curves() -> Iterator[Ladder]:
    """Image models by examples seen, at powers of two below the end of the shortest curve."""
    for task, own in grouped(datasets.fetch("alabdulmohsin_curves").query("domain == 'IC'"), "task"):
        curves = {model: rows.sort_values("n_seen") for model, rows in grouped(own, "model")}
        lo = max(rows.n_seen.min() for rows in curves.values())
        hi = min(rows.n_seen.max() for rows in curves.values())
        yield task, list(curves), *_read_off(list(curves.values()), lo, hi)


def _read_off(curves: Sequence[Frame], lo: float, hi: float) -> tuple[np.ndarray, np.ndarray]:
    """Budgets and losses, read between the neighbouring points in logarithms."""
    C = hi / 2.0 ** np.arange(int(np.log2(hi / lo)), -1, -1)
    return C, np.array([np.exp(np.interp(np.log(C), np.log(c.n_seen), np.log(c.loss))) for c in curves])


SETS = (
    mixture_slimpajama,
    regmix,
    mixing_laws,
    loss_to_loss,
    llm_line,
    misfitting,
    porian_isoflop,
    dclm_models,
    steplaw,
    quest_quantization,
    gadre_overtraining,
    sft_rectified,
    alabdulmohsin_curves,
)
METHODS = ("last value", "sf.decide", "power", "power_floor")


def of_set(ladders) -> Iterator[Case]:
    """Which of each pair of recipes has the lower loss at the largest scale."""
    return cases(ladders())


# ----------------------------------------------------------------------- the best size at larger budgets

NEAR = np.log(6)  # sizes this many e-folds about the best one are fitted by a parabola
APART = 1.2  # 6 N D of one budget of xlstm differ by less than this factor from one run to the next
Z = 1.6448536269514722


def optima() -> Iterator[Case]:
    """The best size measured at the two largest budgets of isoFLOP sweeps, foretold from smaller budgets."""
    for name, runs in _sweeps():
        budgets = np.sort(runs.budget.unique())
        known = {budget: _optimum(runs[runs.budget == budget]) for budget in budgets}
        for part in by_budget(name, runs, "budget", (1 / 3, 1 / 2, 2 / 3), fewest=2):
            later = [known[budget] for budget in budgets[part.train.budget.nunique() :][-2:]]
            test, sizes = [], {}
            for C, best, error in filter(None, later):
                test.append({"quantity": f"N at {C:.3g}", "y": np.exp(best)})
                sizes[f"N at {C:.3g}"] = partial(_best_size, C, error)
            if test:
                yield Case(part.name, part.train, frame(test), part.inputs, law=part.law, quantities=sizes)


def _sweeps() -> Iterator[tuple[str, Frame]]:
    points = datasets.fetch("porian_isoflop", "isoflop_points.csv").rename(columns={"flops": "budget"})
    keys = ["dataset", "hparams", "warmup", "decay", "param_count"]
    for name, runs in grouped(points[points.param_count != "attention"], keys):
        yield f"porian {name}", _whole(runs, "loss")
    points = datasets.fetch("isoflops").fillna({"condition": "", "model": "", "dataset": ""})
    points = points[points.is_outlier_by_repo == 0].rename(columns={"flops_budget": "budget"})
    for name, runs in grouped(points, ["source", "dataset", "model", "condition"]):
        yield f"isoflops {name}", _whole(runs, "loss")
    for name, runs in grouped(datasets.fetch("xlstm_isoflop"), ["arch", "context_length"]):
        table = _whole(runs, "val_loss")
        compute = np.log((table.N * table.D).to_numpy())
        order = np.argsort(compute)
        budget = np.empty(len(table))
        for rows in np.split(order, np.flatnonzero(np.diff(compute[order]) > np.log(APART)) + 1):
            budget[rows] = 6 * np.exp(np.mean(compute[rows]))
        yield f"xlstm {name}", table.assign(budget=budget)


def _whole(runs: Frame, y: str) -> Frame:
    """As floats: 6 N D of whole numbers overflows."""
    return named(runs, y).astype({"N": float, "D": float})


def _optimum(runs: Frame) -> tuple[float, float, float] | None:
    """6 N D at the optimum of one budget, log of the best size and its standard error, by a robust parabola.

    None where the sweep does not show it: the parabola opens downwards, or the optimum lies at an edge.
    """
    n, loss = np.log(runs.N.to_numpy()), np.log(runs.y.to_numpy())
    near = np.abs(n - n[np.argmin(loss)]) < NEAR
    if near.sum() < 5:
        return None
    centre = np.mean(n[near])
    design = np.vander(n[near] - centre, 3, increasing=True)
    weight = np.ones(near.sum())
    for _ in range(30):
        root = np.sqrt(weight)
        bowl = np.linalg.lstsq(design * root[:, None], loss[near] * root, rcond=None)[0]
        off = loss[near] - design @ bowl
        weight = 1 / np.maximum(1.0, np.abs(off) / (3 * np.median(np.abs(off)) + 1e-9))
    at = -bowl[1] / (2 * bowl[2])
    if bowl[2] <= 0 or not design[:, 1].min() + 0.1 < at < design[:, 1].max() - 0.1:
        return None
    noise = np.sum(weight * off**2) / max(len(off) - 3, 1)
    slope = np.array([0.0, -1 / (2 * bowl[2]), bowl[1] / (2 * bowl[2] ** 2)])
    spread = noise * slope @ np.linalg.inv((design * weight[:, None]).T @ design) @ slope
    order = np.argsort(n)
    compute = np.interp(centre + at, n[order], np.log((6 * runs.N * runs.D).to_numpy())[order])
    return float(np.exp(compute)), float(centre + at), float(np.sqrt(spread))


def _best_size(C: float, error: float, fit: Any, level: float | None, model_error: bool) -> Any:
    """The best N at a budget; its interval is of the size measured there, with the measurement's error."""
    if level is None:
        return optimal(fit, C).loc[0, "N"]
    found = optimal(fit, C, level=level, model_error=model_error).loc[0, ["N", "N_lo", "N_hi"]]
    with np.errstate(divide="ignore"):
        middle, lo, hi = np.log(found.to_numpy(float))
    reach = np.hypot([middle - lo, hi - middle], Z * error)
    return np.exp([middle, middle - reach[0], middle + reach[1]])


OPTIMA = Task(
    "decisions/optima",
    Data(
        "isoFLOP sweeps of three public tables", "see each", ("porian_isoflop", "isoflops", "xlstm_isoflop")
    ),
    "the two largest budgets from those up to 1/3, 1/2, 2/3 of the range",
    optima,
    LOG_RMS,
    ("sf.fit", "sf.fit, law as right"),
    asks="quantities",
    tuned="how a departure from the law moves the optimum (joint.LENGTH), with these sweeps in view",
)


# ------------------------------------------------------------------- how far off each approach is by itself

# Even, chinchilla and uneven (alpha / beta = 3) are surfaces of Czech et al. 2026 (arXiv:2603.22339);
# llama 3 is their fit to the digitised Llama 3 runs.
SURFACES = {
    "even": {"E": 1.69, "A": 400.0, "B": 400.0, "alpha": 0.31, "beta": 0.31},
    "chinchilla": dict(laws.get("chinchilla").published["hoffmann2022"]),
    "llama 3": {"E": 0.6048, "A": 59.14, "B": 156.22, "alpha": 0.310, "beta": 0.314},
    "uneven": {"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.465, "beta": 0.155},
}
# Five budgets, fifteen sizes within a factor of the centre, as there.
BUDGETS, FAR = np.geomspace(1e17, 1e21, 5), (10, 100)
# Centres of the sweep over the optimum, at the smallest and the largest budget.
CENTRES = {"centred": (1.0, 1.0), "2x too large": (2.0, 2.0), "drifting to 0.4x": (1.0, 0.4)}


def sweeps(noise: float, studies: int) -> Iterator[Case]:
    """The best size at 10 and 100 times the largest of five simulated isoFLOP sweeps."""
    law = laws.get("chinchilla")
    for (name, coefs), width, (centre, ends) in product(SURFACES.items(), (4, 16), CENTRES.items()):
        known = {coef: np.array(value) for coef, value in coefs.items()}
        best = closed(known, BUDGETS) * np.geomspace(*ends, len(BUDGETS))
        N = (best[:, None] * np.geomspace(1 / width, width, 15)).ravel()
        C = BUDGETS.repeat(15)
        x = {"N": N, "D": C / 6 / N}
        tables = [simulate(law, coefs, x, noise=noise, key=key) for key in range(studies)]
        train = {column: np.concatenate([table[column] for table in tables]) for column in tables[0]}
        train |= {"flops": np.tile(C, studies), "study": np.arange(studies).repeat(len(C))}
        far = {f"N at {times}x": times * BUDGETS[-1] for times in FAR}
        test = frame(
            {"study": study, "quantity": what, "y": closed(known, np.array(at))}
            for study in range(studies)
            for what, at in far.items()
        )
        sizes = {what: partial(_size_at, at) for what, at in far.items()}
        options: dict[str, Any] = {"law": law, "label": "study", "quantities": sizes}
        yield Case(
            f"{name}, {width}x, {centre}",
            columns_frame(train),
            test,
            law.inputs,
            given={"budget": "flops"},
            **options,
        )


def _size_at(C: float, fit: Any, level: float | None, model_error: bool) -> float:
    """The best N at a budget by an isoFLOP analysis or a joint law."""
    return float((optimal(fit, C) if "alpha" in fit.coefs else fit.predict(C))["N"][0])


PRIORS = "priors of sf.decide (USUAL), chosen on all of these sets; one left out, they stay the same"
FOLLOWED = (
    "gaps between fine-tuned models keep moving as they moved (changes correlate by 0.7), and a law of each "
    "follows that; the priors of sf.decide, from tables where they mostly stay, hold them back"
)
TASKS = (
    *(
        Task(
            f"decisions/{ladders.__name__}",
            SOURCES[ladders.__name__],
            (ladders.__doc__ or "").rstrip("."),
            partial(of_set, ladders),
            PAIRS,
            METHODS,
            tuned=PRIORS,
            why=FOLLOWED if ladders is sft_rectified else "",
            intervals=False,
        )
        for ladders in SETS
    ),
    OPTIMA,
    *(
        Task(
            f"decisions/{name}",
            SIMULATED,
            f"10 and 100 times the largest budget; {words}",
            partial(sweeps, noise, studies),
            LOG_RMS,
            ("sf.isoflop", "sf.isoflop, parabola", "sf.isoflop, cubic", "sf.fit, law as right"),
            asks="quantities",
            intervals=False,
            why="surfaces are of the very law that is fitted" if noise else "",
        )
        for name, words, noise, studies in (
            ("bias", "no noise", 0.0, 1),
            ("bias_noisy", "errors of 0.3 %, ten sweeps each", 0.003, 10),
        )
    ),
)
