"""What a run costs: floating-point operations of training and of serving, and parameters of an architecture.

A `Cost` is called with parameters and tokens, `flops.six_nd(N, D)`; `flops.lifetime(1e12)` counts tokens
served too, `flops.by_shape("total")` what an architecture does by its shape, `flops.distillation()` the
teacher, and a `Deadline` what haste costs. Which parameters N are, its counting, is part of the convention: a
fit may state it (`sf.fit(..., counting=...)`), a cost too, and `agreed` refuses to mix two.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from inspect import Parameter, signature
from typing import Any

import numpy as np

from scalefit.arguments import number, one_positive, two_numbers
from scalefit.flops.architecture import Architecture, check_counting
from scalefit.words import short

__all__ = ["Cost", "Deadline", "by_shape", "distillation", "lifetime", "per_token", "six_nd"]

# Rounds in which a critical batch that depends on the tokens settles; each shrinks the error by its exponent.
ROUNDS = 60


@dataclass(frozen=True)
class Cost:
    """FLOPs of a run as a function of its parameters N and training tokens D: `per_token(N) * D + once(N)`.

    Further arguments of the two functions are values that a law's other inputs have, or that are given beside
    them: `per_token=lambda N, bits: 6 * N * bits / 16`. counting: which parameters N are, one of `COUNTINGS`;
    None for whichever the law counts. shapes: whether the functions take an `Architecture` in place of N.
    """

    name: str
    per_token: Callable[..., Any]
    once: Callable[..., Any] | None = None
    counting: str | None = None
    shapes: bool = False
    # Names of the two functions' further arguments, looked up once.
    _names: tuple[tuple[str, ...], tuple[str, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_counting(self.counting)
        object.__setattr__(self, "_names", (_further(self.per_token), _further(self.once)))

    def counted(self, counting: str) -> Cost:
        """The same cost, said to be of parameters counted this way."""
        return replace(self, counting=counting)

    @property
    def needs(self) -> tuple[str, ...]:
        """Further values the functions take."""
        return tuple(dict.fromkeys(self._names[0] + self._names[1]))

    def __call__(self, N: Any, D: Any, at: Mapping[str, Any] | None = None) -> Any:
        """FLOPs of N parameters (or an architecture) on D tokens; at: values the cost needs beside."""
        rate, once = self._parts(N, at)
        return rate * D + once

    def tokens(self, N: Any, C: Any, at: Mapping[str, Any] | None = None) -> Any:
        """How many training tokens C FLOPs pay for; negative where serving alone costs more."""
        rate, once = self._parts(N, at)
        return (C - once) / rate

    def details(self, N: Any, D: Any, at: Mapping[str, Any] | None = None) -> dict[str, float]:
        """What else there is to say of a run, by name: nothing."""
        return {}

    def _parts(self, N: Any, at: Mapping[str, Any] | None) -> tuple[Any, Any]:
        """FLOPs per token, and once."""
        if self.shapes != isinstance(N, Architecture):
            raise ValueError(
                f"the cost {self.name!r} is one of architectures, not of a count; give some with menu=[...]"
                if self.shapes
                else f"the cost {self.name!r} is one of a count N, not of an architecture; count it first"
            )
        known = at or {}
        for name in self.needs:
            if name not in known:
                raise ValueError(f"the cost needs {name}; give it with at={{{name!r}: ...}} or choices=...")
        rate, once = ({name: known[name] for name in names} for names in self._names)
        return self.per_token(N, **rate), self.once(N, **once) if self.once else 0.0


@lru_cache(maxsize=256)
def _further(fn: Callable[..., Any] | None) -> tuple[str, ...]:
    """Names of a function's arguments after the first, those with a value of their own left out."""
    if fn is None:
        return ()
    known = list(signature(fn).parameters.values())[1:]
    return tuple(p.name for p in known if p.default is Parameter.empty)


def _six(N: Any) -> Any:
    return 6 * N


# Records that are called, not closures: costs of the same numbers are equal, and travel between processes.
@dataclass(frozen=True)
class _Serving:
    """FLOPs of the tokens that N parameters process after training."""

    served: float
    rate: float

    def __call__(self, N: Any) -> Any:
        return self.rate * N * self.served


@dataclass(frozen=True)
class _TrainingByShape:
    """FLOPs of a training token by an architecture's shape."""

    head: bool
    attention: bool

    def __call__(self, shape: Architecture) -> float:
        return shape.train(1.0, self.head, self.attention)


@dataclass(frozen=True)
class _ServingByShape:
    """FLOPs of the tokens that an architecture processes after training."""

    served: float
    head: bool
    attention: bool

    def __call__(self, shape: Architecture) -> float:
        return self.served * shape.forward(self.head, self.attention)


def _with_logits(N: Any, N_T: Any) -> Any:
    return 6 * N + 2 * N_T


def _pretraining(N: Any, N_T: Any, D_T: Any) -> Any:
    return 6 * N_T * D_T


six_nd = Cost("6 N D", _six)


def lifetime(served: float, per_token_served: float = 2.0) -> Cost:
    """Training and serving, 6 N D + 2 N D_inf (Sardana et al. 2024, arXiv:2401.00448).

    Args:
        served: tokens to be processed after training, D_inf.
        per_token_served: FLOPs per parameter and served token.

    Returns:
        The cost, a function of N and D.

    Raises:
        ValueError: where either is negative or infinite.

    Example:
        >>> print(f"{sf.flops.lifetime(1e12)(1e9, 2e10):.3g}")
        2.12e+21
    """
    _not_negative("tokens served", served)
    _not_negative("FLOPs per token served", per_token_served)
    return Cost(f"6 N D + {per_token_served:g} N {served:g}", _six, _Serving(served, per_token_served))


def _not_negative(what: str, value: Any) -> None:
    found = number(value)
    if found is None or not 0 <= found < np.inf:
        raise ValueError(f"{what} must not be negative or infinite, got {short(value)}")


def per_token(fn: Callable[..., Any], name: str = "per token", counting: str | None = None) -> Cost:
    """A cost from FLOPs per training token as a function of N.

    Further arguments are inputs of the law: `per_token(lambda N, E_b, M_b: 6 * N * (1 + E_b + M_b) / 16)`.

    Args:
        fn: N, and further inputs by name -> FLOPs per token.
        name: of the cost.
        counting: which parameters N are, one of `sf.flops.COUNTINGS`; whichever the law counts unless given.

    Returns:
        The cost, a function of N and D.

    Raises:
        ValueError: for an unknown counting.

    Example:
        >>> sf.flops.per_token(lambda N: 6 * N + 1e8)(1e9, 10)
        61000000000.0
    """
    return Cost(name, fn, None, counting)


def by_shape(
    counting: str | None = None, *, head: bool = True, attention: bool = True, served: float = 0.0
) -> Cost:
    """What an `Architecture` costs by its shape: `Architecture.train`, and `forward` for each of the tokens
    served.

    For `sf.optimal(..., menu=[...])`.

    Args:
        counting: which of its parameters the law's N are, where the fit does not state it.
        head: whether the output layer is counted.
        attention: whether attention's products of positions are counted.
        served: tokens to be processed after training.

    Returns:
        The cost, a function of an architecture and D.

    Raises:
        ValueError: for an unknown counting or a negative number of tokens.

    Example:
        >>> sf.flops.by_shape("total").shapes
        True
    """
    _not_negative("tokens served", served)
    once = _ServingByShape(served, head, attention) if served else None
    return Cost("by shape", _TrainingByShape(head, attention), once, counting, shapes=True)


def distillation(logits: bool = True, pretraining: bool = True) -> Cost:
    """A student's training with its teacher: 6 N D + 2 N_T (logits D + pretraining 3 D_T).

    Busbridge et al. 2025 (arXiv:2502.08606, section 5; 2 FLOPs per parameter forward). Both options false: a
    teacher that exists and whose outputs are stored. N_T and D_T are given by `at=` or `choices=`.

    Args:
        logits: whether the teacher's outputs on the D tokens are paid for.
        pretraining: whether the teacher's training on D_T tokens is paid for.

    Returns:
        The cost, a function of N and D that needs N_T, and D_T where its training is paid for.

    Raises:
        ValueError: when the cost is called without the values it needs.

    Example:
        >>> sf.flops.distillation(pretraining=False).needs
        ('N_T',)
    """
    name = "6 N D" + (" + 2 N_T D" if logits else "") + (" + 6 N_T D_T" if pretraining else "")
    return Cost(name, _with_logits if logits else _six, _pretraining if pretraining else None)


@dataclass(frozen=True)
class Deadline:
    """A cost, and a time within which the run must end: batches grow, and cost tokens beyond small ones'.

    At batch B a run needs S = S_min (1 + B_crit/B) steps and S B tokens (McCandlish et al. 2018,
    arXiv:1812.06162, equation 2.11). Its progress D is what the law calls tokens: those needed at small
    batches, S_min B_crit. Within seconds / per_step steps a budget that pays for X tokens is best spent at B
    = X per_step / seconds, within the limits, and buys D with D (1 + B / B_crit) = X.

    seconds: until the deadline. per_step: seconds per step, a number or a function of N (of the architecture,
    for costs by shape); machines are added as the batch grows, so it does not depend on B. critical: B_crit
    in tokens, a number or a function of D. batch: least and greatest B, tokens. cost: FLOPs per token.
    Raises ValueError for numbers out of range.
    """

    seconds: float
    per_step: float | Callable[[Any], Any]
    critical: float | Callable[[Any], Any]
    batch: tuple[float, float] = (1.0, np.inf)
    cost: Cost = six_nd

    def __post_init__(self) -> None:
        for name in ("seconds", "per_step", "critical"):
            value = getattr(self, name)
            if not (callable(value) and name != "seconds"):
                one_positive(f"{name} of a deadline", value)
        if not isinstance(self.cost, Cost):
            raise TypeError(f"cost of a deadline must be a cost, got {short(self.cost)}")
        lo, hi = two_numbers(self.batch)
        if not 0 < lo <= hi:
            raise ValueError(
                f"batch of a deadline must be (least, greatest), both positive, got {short(self.batch)}"
            )

    @property
    def name(self) -> str:
        """The cost's name and the time."""
        return f"{self.cost.name} within {self.seconds / 86400:.3g} days"

    @property
    def counting(self) -> str | None:
        """That of the cost."""
        return self.cost.counting

    @property
    def shapes(self) -> bool:
        """That of the cost."""
        return self.cost.shapes

    @property
    def needs(self) -> tuple[str, ...]:
        """Those of the cost."""
        return self.cost.needs

    def __call__(self, N: Any, D: Any, at: Mapping[str, Any] | None = None) -> Any:
        """FLOPs of progress D in time; infinite where no batch is large enough."""
        B, D = self._batch(N, D), np.asarray(D, float)
        with np.errstate(invalid="ignore", over="ignore"):
            spent = self.cost(N, D * (1 + np.where(np.isfinite(B), B, 1.0) / self._critical(D)), at)
        return np.where(np.isfinite(B), spent, np.inf)

    def tokens(self, N: Any, C: Any, at: Mapping[str, Any] | None = None) -> Any:
        """Progress D that C FLOPs pay for within the time."""
        steps = self._steps(N)
        B = np.clip(self.cost.tokens(N, C, at) / steps, *self.batch)
        X = np.minimum(self.cost.tokens(N, C, at), B * steps)
        D = X
        # A negative X pays for nothing.
        for _ in range(ROUNDS if callable(self.critical) else 1):
            D = X / (1 + B / self._critical(np.maximum(D, 1.0)))
        return D

    def details(self, N: Any, D: Any, at: Mapping[str, Any] | None = None) -> dict[str, float]:
        """B, the batch in tokens, and steps."""
        B = float(self._batch(N, D))
        return {"B": B, "steps": float(D * (1 / B + 1 / self._critical(D)))}

    def _steps(self, N: Any) -> Any:
        return self.seconds / (self.per_step(N) if callable(self.per_step) else self.per_step)

    def _critical(self, D: Any) -> Any:
        return self.critical(D) if callable(self.critical) else self.critical

    def _batch(self, N: Any, D: Any) -> np.ndarray:
        """The least batch with which progress D ends in time; infinite where none does."""
        # steps = D (1/B + 1/B_crit)
        rest = np.asarray(self._steps(N) / D - 1 / self._critical(D), float)
        with np.errstate(divide="ignore"):
            B = np.maximum(np.where(rest > 0, 1 / np.where(rest > 0, rest, 1.0), np.inf), self.batch[0])
        # To rounding: the tokens of a budget at the greatest batch need just that.
        return np.where(self.batch[1] * (1 + 1e-9) >= B, np.minimum(B, self.batch[1]), np.inf)
