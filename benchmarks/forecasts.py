"""Studies of `sf.forecast`: where its one narrow prior comes from, what finished runs add, stopping, and alarms.

    SCALEFIT_DATA=... python benchmarks/forecasts.py [gain] [like] [stop] [alarms] [plain] [--every 1]      writes forecasts.md

How well it foresees the end of real runs is measured by the suite's foresight/running_*. One set of priors serves all families
(PRIORS in `scalefit.curves.forecast`); the narrow one, what annealing wins, was set with these families in view.

gain: what annealing wins, C / (1 - lam) times the highest rate as a share of the last loss, in every finished run whose rate falls below half
of its peak, with a wide prior in place of the usual one: where the usual one comes from.

like: the end from a part of a run with what smaller models' finished runs say (`like=`): the 100M runs of mpl_curves from three of the 25M ones, the 1B and 3B
runs of olmo_ladder from the 190M and 370M ones; without and with.

stop: runs stopped at the first look, of eight from 20 to 90 %, at which a target is reached with a probability below 0.05 or 0.01. The
target lies 1 % above the run's end (stopping is wrong), or 2 or 5 % below (it is right). Rates known, curve's own loss.

alarms: every run looked at at 5, 10, ..., 100 % of its length. False: a clean run with an alarm. Injected: from 60 % on the loss rises
by 1, 3 or 10 % per 5 % of the run ("divergence"); and runs whose plan was another schedule than the one trained with, the rates not
logged ("wrong rate"). Delay: from the fault to the first alarm, as a share of the run.

plain: the alarms that ask no law (turned-up, curves-part), on all these curves and those of alabdulmohsin_curves, as they are and with the
loss rising from 60 % on; curves-part on training and held-out losses of tiny_lm, as they are and with the held-out loss rising.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd

import scalefit as sf
from scalefit.curves import history
from scalefit.curves.alarms import parted, turned_up

PAGE = Path(__file__).with_suffix(".md")
SHARES = (0.1, 0.2, 0.3, 0.5, 0.8)
LOOKS = np.arange(0.05, 1.001, 0.05)


@dataclass(frozen=True)
class Curve:
    """A finished run; rates: of every step, None where they are not known; model: runs that differ only by their schedule."""

    family: str
    name: str
    step: np.ndarray
    loss: np.ndarray
    rates: np.ndarray | None
    model: str = ""

    def seen(self, share: float) -> dict[str, np.ndarray]:
        upto = self.step <= share * self.step[-1]
        return {"step": self.step[upto], "loss": self.loss[upto]}


def curves() -> Iterator[Curve]:
    for (model, schedule), rows in sf.datasets.fetch("mpl_curves", "curves.csv").groupby(
        ["model", "schedule"]
    ):
        # Logged after the warm-up, which is linear over 2160 steps (data/README.md).
        rates = sf.schedule.from_points(
            [(1, 3e-4 / 2160), (2160, 3e-4), *zip(rows.step, rows.lr, strict=True)]
        )
        yield Curve(
            "mpl_curves", f"{model} {schedule}", *_columns(rows), rates, f"{model} {rows.step.max() > 3e4}"
        )
    for run, rows in sf.datasets.load("tiny_lm", "curves").dropna(subset=["loss"]).groupby("run"):
        rates = sf.schedule.from_points(
            [(1, rows.lr.iloc[0] / rows.step.iloc[0]), *zip(rows.step, rows.lr, strict=True)]
        )
        size, _, tokens, *_ = run.split("-")
        yield Curve("tiny_lm", run, *_columns(rows), rates, f"{size} {tokens}" if run.count("-") == 2 else "")
    for run, rows in sf.datasets.fetch("olmo_ladder", "curves.csv.gz").groupby("run"):
        rates = sf.schedule.from_points(
            [(1, rows.lr.iloc[0] / rows.step.iloc[0]), *zip(rows.step, rows.lr, strict=True)]
        )
        yield Curve("olmo_ladder", run, rows.step.to_numpy(float), rows.loss_c4.to_numpy(float), rates)
    for run, rows in sf.datasets.fetch("colpret_curves", "curves.csv.gz").groupby("curve"):
        rows = rows.drop_duplicates("n_tokens").sort_values("n_tokens")
        tokens = np.round(rows.n_tokens.to_numpy(float) / rows.n_tokens.max() * 1e6)
        if len(rows) >= 20 and np.all(rows.loss > 0) and np.all(np.diff(tokens) > 0):
            yield Curve("colpret_curves", run, tokens, rows.loss.to_numpy(float), None)


def _columns(rows) -> tuple[np.ndarray, np.ndarray]:
    return rows.step.to_numpy(float), rows.loss.to_numpy(float)


def ask(curve: Curve, history, rates=None, **options) -> sf.Forecast:
    rates = curve.rates if rates is None else rates
    return sf.forecast(
        history, rates, steps=None if rates is not None else int(curve.step[-1]), kind="run", **options
    )


def gain(every: int) -> list[dict]:
    internal = import_module("scalefit.curves.forecast")
    usual, lines = internal.PRIORS["lr_annealing"]["C"], []
    internal.PRIORS["lr_annealing"]["C"] = 0.05, 0.1
    for curve in [c for c in curves() if c.rates is not None and c.rates[-1] < 0.5 * c.rates.max()][::every]:
        found = ask(curve, curve.seen(1.0))
        if not np.isnan(found.loss):
            mean, sd = found.learnt["C"]
            lines.append({"family": curve.family, "run": curve.name, "gain": mean, "sd": sd})
    internal.PRIORS["lr_annealing"]["C"] = usual
    return lines


def gain_table(lines: list[dict]) -> str:
    rows = [
        "| family | runs | 10 % | median | 90 % | standard deviation within a run, median |",
        "| --- |" + " ---: |" * 5,
    ]
    for family, part in pd.DataFrame(lines).groupby("family", sort=False):
        lo, middle, hi = part.gain.quantile([0.1, 0.5, 0.9])
        rows.append(
            f"| {family} | {len(part)} | {lo:.3f} | {middle:.3f} | {hi:.3f} | {part.sd.median():.3f} |"
        )
    return "\n".join(rows)


def like(every: int) -> list[dict]:
    known = {curve.name: curve for curve in curves() if curve.family in ("mpl_curves", "olmo_ladder")}
    lesser = [n for n in known if n.startswith(("190m", "370m")) and "rerun" not in n]
    small = {"100m": ["25m constant_24000", "25m cosine_24000", "25m wsdcon_9"], "1b": lesser, "3b": lesser}
    told = {name: ask(known[name], known[name].seen(1.0)) for names in small.values() for name in names}
    lines = []
    for curve in list(known.values())[::every]:
        names = next((names for size, names in small.items() if curve.name.startswith(size)), None)
        for share in SHARES if names else ():
            seen, truth = curve.seen(share), curve.loss[-1]
            alone = ask(curve, seen) if len(seen["step"]) else None
            if alone is None or np.isnan(alone.loss):
                continue
            found = {"alone": alone, "like": ask(curve, seen, like=[told[name] for name in names])}
            line = {"family": curve.family, "run": curve.name, "share": share}
            for way, one in found.items():
                line |= {way: abs(np.log(one.loss / truth)), f"{way} inside": one.lo <= truth <= one.hi,
                         f"{way} width": np.log(one.hi / one.lo)}  # fmt: skip
            lines.append(
                {
                    name: float(v) if isinstance(v, np.floating | np.bool_ | bool) else v
                    for name, v in line.items()
                }
            )
    return lines


def stop(every: int) -> list[dict]:
    lines = []
    for curve in [curve for curve in curves() if curve.rates is not None and len(curve.step) >= 40][::every]:
        told = [
            (share, sf.forecast(curve.seen(share), curve.rates))
            for share in np.arange(0.2, 0.95, 0.1).round(1)
        ]
        for target in (1.01, 0.98, 0.95):
            for least in (0.05, 0.01):
                at = [share for share, one in told if one.chance(curve.loss[-1] * target) < least]
                lines.append({"family": curve.family, "run": curve.name, "target": target, "below": least,
                              "at": float(at[0]) if at else None})  # fmt: skip
    return lines


def first_alarm(curve: Curve, loss: np.ndarray, rates=None) -> tuple[float, str] | None:
    """When the first alarm is raised, as a share of the run, and which."""
    for share in LOOKS:
        upto = curve.step <= share * curve.step[-1]
        if not upto.any():
            continue
        found = ask(curve, {"step": curve.step[upto], "loss": loss[upto]}, rates)
        if found.alarms:
            return float(share), found.alarms[0].code
    return None


def alarms(every: int) -> list[dict]:
    lines, every_curve = [], list(curves())
    counted: dict[str, int] = {}
    for curve in every_curve:
        counted[curve.family] = number = counted.get(curve.family, -1) + 1
        if number % (every * {"tiny_lm": 4, "colpret_curves": 6}.get(curve.family, 1)):
            continue
        line = {"family": curve.family, "run": curve.name}
        lines.append(line | {"fault": "none", "alarm": first_alarm(curve, curve.loss)})
        place = curve.step / curve.step[-1]
        for rise in (0.01, 0.03, 0.1):
            faulty = curve.loss * (1 + rise * np.maximum(place - 0.6, 0) / 0.05)
            lines.append(
                line | {"fault": f"{rise:.0%} per 5 % from 60 % on", "alarm": first_alarm(curve, faulty)}
            )
        others = [o for o in every_curve if o is not curve and o.rates is not None and o.model == curve.model
                  and curve.model and len(o.rates) == len(curve.rates)]  # fmt: skip
        for other in others[:2]:
            # The fault begins where the rates part.
            part = int(np.argmax(np.abs(other.rates - curve.rates) > 0.05 * curve.rates.max())) / len(
                curve.rates
            )
            lines.append(line | {"fault": "wrong rate", "plan": other.name, "from": part,
                                 "alarm": first_alarm(curve, curve.loss, other.rates)})  # fmt: skip
    return lines


def plain(every: int) -> list[dict]:
    lines = []
    for curve in [*curves(), *vision()][::every]:
        place = curve.step / curve.step[-1]
        for rise in (0.0, 0.01, 0.03):
            loss = curve.loss * (1 + rise * np.maximum(place - 0.6, 0) / 0.05)
            line = {"family": curve.family, "run": curve.name, "alarm": "turned-up", "rise": rise}
            lines.append(line | {"at": first_turn(curve, loss)})
    for run, rows in sf.datasets.load("tiny_lm", "curves").dropna(subset=["loss"]).groupby("run"):
        (step, held), train = _columns(rows), rows.train_loss.to_numpy(float)
        for rise in (0.0, 0.01, 0.03):
            apart = held * (1 + rise * np.maximum(step / step[-1] - 0.6, 0) / 0.05)
            at = None
            for share in LOOKS:
                n = step <= share * step[-1]
                if n.any() and parted(step[n], train[n], apart[n], history.SINCE * step[n][-1]):
                    at = float(share)
                    break
            lines.append({"family": "tiny_lm", "run": run, "alarm": "curves-part", "rise": rise, "at": at})
    return lines


def first_turn(curve: Curve, loss: np.ndarray) -> float | None:
    """The first look at which averages of the loss have turned up."""
    for share in LOOKS:
        upto = curve.step <= share * curve.step[-1]
        steps = None if curve.rates is not None else int(curve.step[-1])
        if not upto.any():
            continue
        seen = {"step": curve.step[upto], "loss": loss[upto]}
        run = history.read(seen, curve.rates, steps, "loss", "step", "lr")
        if run.usable >= history.FEWEST and turned_up(*run.blocks(), run.noise, run.rates):
            return float(share)
    return None


def vision() -> Iterator[Curve]:
    """Curves of at least 20 losses of alabdulmohsin_curves."""
    for (task, model), rows in sf.datasets.fetch("alabdulmohsin_curves").groupby(["task", "model"]):
        rows = rows.drop_duplicates("n_seen").sort_values("n_seen")
        seen = np.round(rows.n_seen.to_numpy(float) / rows.n_seen.max() * 1e6)
        if len(rows) >= 20 and np.all(np.diff(seen) > 0):
            yield Curve("alabdulmohsin_curves", f"{task} {model}", seen, rows.loss.to_numpy(float), None)


def plain_table(lines: list[dict]) -> str:
    rows = []
    for (alarm, rise, family), part in pd.DataFrame(lines).groupby(["alarm", "rise", "family"], sort=False):
        late = part["at"].dropna() - (0.6 if rise else 0.0)
        which = ", ".join(part.run[part["at"].notna()]) if not rise else ""
        delay = f"{late[late >= 0].median():.0%}" if rise and (late >= 0).any() else ""
        rows.append(f"| {alarm} | {rise:.0%} | {family} | {len(part)} | {len(late)} | {delay} | {which} |")
    head = ["alarm", "rise per 5 % from 60 % on", "family", "runs", "with alarm", "delay, median", "which"]
    said = (
        "How far and how surely a loss must rise was chosen on these same curves, so the counts of false alarms "
        "are no fresh ones.\n"
    )
    table = ["| " + " | ".join(head) + " |", "| --- | ---: | --- |" + " ---: |" * 3 + " --- |", *rows]
    return "\n".join([said, *table])


def like_table(lines: list[dict]) -> str:
    rows = []
    for (family, share), part in pd.DataFrame(lines).groupby(["family", "share"]):
        mean = part.mean(numeric_only=True)
        cells = [
            f"{mean[way]:.4f} | {mean[f'{way} width']:.4f} | {mean[f'{way} inside']:.0%}"
            for way in ("alone", "like")
        ]
        rows.append(f"| {family} | {share:.0%} | {len(part)} | {' | '.join(cells)} |")
    head = ["family", "seen", "runs", "alone", "width", "inside 90 %", "with like=", "width", "inside 90 %"]
    return "\n".join(["| " + " | ".join(head) + " |", "| --- |" + " ---: |" * (len(head) - 1), *rows])


def stop_table(lines: list[dict]) -> str:
    table = pd.DataFrame(lines)
    rows = []
    for (target, least, family), part in table.groupby(["target", "below", "family"], sort=False):
        found = part["at"].dropna()
        when = f"{found.median():.0%}" if len(found) else ""
        rows.append(f"| {target - 1:+.0%} | {least} | {family} | {len(part)} | {len(found)} | {when} |")
    head = ["target against the end", "stopped below", "family", "runs", "stopped", "at, median"]
    return "\n".join(["| " + " | ".join(head) + " |", "| ---: | ---: | --- |" + " ---: |" * 3, *rows])


def alarm_table(lines: list[dict]) -> str:
    table = pd.DataFrame(lines)
    table["at"] = [alarm[0] if alarm else np.nan for alarm in table.alarm]
    rows = []
    for (fault, family), part in table.groupby(["fault", "family"], sort=False):
        begin = 0.0 if fault == "none" else part["from"] if fault == "wrong rate" else 0.6
        late = part["at"] - begin
        before = float(np.mean(late < 0)) if fault != "none" else np.nan
        found = late[late >= 0]
        delay = f"{found.median():.0%}" if len(found) and fault != "none" else ""
        rows.append(
            f"| {fault} | {family} | {len(part)} | {len(found) / len(part):.0%} | {'' if np.isnan(before) else f'{before:.0%}'} | {delay} |"
        )
    head = ["fault", "family", "runs", "alarm", "alarm before it", "delay, median"]
    return "\n".join(["| " + " | ".join(head) + " |", "| --- | --- |" + " ---: |" * 4, *rows])


PARTS = {
    "What annealing wins": (gain, gain_table),
    "With what smaller models' runs say": (like, like_table),
    "Stopped by the forecast": (stop, stop_table),
    "Alarms": (alarms, alarm_table),
    "Alarms that ask no law": (plain, plain_table),
}


def main() -> None:
    """Each part asked for is measured anew and takes its place in forecasts.md."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", help="gain, like, stop, alarms, plain (all)")
    parser.add_argument("--every", type=int, default=1, help="only every so many curves")
    options = parser.parse_args()
    head, *sections = PAGE.read_text().split("\n## ")
    known = dict(section.split("\n", 1) for section in sections)
    for title, (measured, table) in PARTS.items():
        if not options.parts or measured.__name__ in options.parts:
            known[title] = f"\n{table(measured(options.every))}\n"
            print(f"\n## {title}\n{known[title]}")
    PAGE.write_text("\n## ".join([head, *(f"{title}\n{known[title]}" for title in PARTS if title in known)]))


if __name__ == "__main__":
    main()
