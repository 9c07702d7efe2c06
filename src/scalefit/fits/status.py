"""Can an answer be trusted: structured warnings, their verdict, and the facts about a search."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = [
    "HEADLINES",
    "SEVERITIES",
    "TRUSTS",
    "Caution",
    "CautionWarning",
    "FitError",
    "Status",
    "verdict",
    "worst",
]

HEADLINES = {"good": "Trustworthy", "weak": "Usable with care", "bad": "Do not trust this fit"}
TRUSTS = tuple(HEADLINES)
# Most severe first, and the trust that is left with each.
SEVERITIES = {"serious": "bad", "warning": "weak", "info": "good"}


class FitError(RuntimeError):
    """Raised by `fit.check()` on a fit that should not be trusted."""


@dataclass(frozen=True)
class Caution:
    """One structured warning: a code to test for, a severity (info, warning, serious), a sentence."""

    code: str
    severity: str
    text: str

    def __str__(self) -> str:
        return f"[{self.severity}] {self.code}: {self.text}"


@dataclass(frozen=True)
class Status:
    """Can the answer be trusted, and the facts behind it.

    trust: "good", "weak" or "bad", by the worst warning. n_agree of n_starts descents ended within 1e-6
    (relative) of the best objective. `gradient` is the largest relative change of the objective per unit of
    log coefficient that is left at the end.
    """

    trust: str
    converged: bool
    n_starts: int
    n_agree: int
    gradient: float
    evaluations: int
    cautions: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing serious was found."""
        return self.trust != "bad"

    def __str__(self) -> str:
        agree = f"{self.n_agree} of {self.n_starts} starts agree" if self.n_starts > 1 else "one start"
        ended = "converged" if self.converged else "not converged"
        also = f"; {', '.join(self.cautions)}" if self.cautions else ""
        return f"{HEADLINES[self.trust]}: {ended}, {agree}{also}"


class CautionWarning(UserWarning):
    """What speaks against a prediction that was asked for without an interval;
    `caution` holds code and severity."""

    def __init__(self, caution: Caution):
        super().__init__(str(caution))
        self.caution = caution
        self.code = caution.code


def verdict(cautions: Iterable[Caution]) -> tuple[str, tuple[str, ...]]:
    """The trust that these warnings leave, and the codes of those that count against it, each once."""
    cautions = tuple(cautions)
    trust = worst(SEVERITIES[caution.severity] for caution in cautions)
    return trust, tuple(dict.fromkeys(c.code for c in cautions if c.severity != "info"))


def worst(trusts: Iterable[str]) -> str:
    """The least of several trusts, "good" of none."""
    return max(trusts, key=TRUSTS.index, default="good")
