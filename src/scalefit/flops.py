"""What a run costs: floating-point operations of training and of serving, and parameters of an architecture.

A `Cost` is called with parameters and tokens, `flops.six_nd(N, D)`; `flops.lifetime(1e12)` counts tokens served too.
Which parameters N are is part of the convention: architectures on a menu (`sf.optimal`) are counted by `counting`. Make it
the counting of the runs that the law was fitted to; nothing checks that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["COUNTINGS", "Architecture", "Cost", "lifetime", "per_token", "six_nd"]

COUNTINGS = ("total", "non-embedding", "active")


@dataclass(frozen=True)
class Cost:
    """FLOPs of a run as a function of its parameters N and training tokens D: `per_token(N) * D + once(N)`.

    counting: which parameters N are, one of `COUNTINGS`; None for whichever the law counts.
    """

    name: str
    per_token: Callable[[Any], Any]
    once: Callable[[Any], Any] | None = None
    counting: str | None = None

    def __post_init__(self) -> None:
        if self.counting not in (None, *COUNTINGS):
            raise ValueError(f"counting must be one of {', '.join(COUNTINGS)} or None, got {self.counting!r}")

    def __call__(self, N: Any, D: Any) -> Any:
        """FLOPs of N parameters on D tokens."""
        cost = self.per_token(N) * D
        return cost if self.once is None else cost + self.once(N)

    def tokens(self, N: Any, C: Any) -> Any:
        """How many training tokens C FLOPs pay for; negative where serving alone costs more."""
        return (C if self.once is None else C - self.once(N)) / self.per_token(N)


def _six(N: Any) -> Any:
    return 6 * N


six_nd = Cost("6 N D", _six)


def lifetime(served: float, per_token_served: float = 2.0) -> Cost:
    """Training and serving, 6 N D + 2 N D_inf (Sardana et al. 2024, arXiv:2401.00448).

    served: tokens to be processed after training, D_inf; per_token_served: FLOPs per parameter and served token.
    """
    if not (served >= 0 and per_token_served >= 0):
        raise ValueError("tokens served and FLOPs per token must not be negative")
    return Cost(f"6 N D + {per_token_served:g} N {served:g}", _six, lambda N: per_token_served * N * served)


def per_token(fn: Callable[[Any], Any], name: str = "per token", counting: str | None = None) -> Cost:
    """A cost from FLOPs per training token as a function of N, e.g. `per_token(lambda N: 6 * N + 1e8)`."""
    return Cost(name, fn, None, counting)


@dataclass(frozen=True)
class Architecture:
    """A transformer by its shape; parameters and FLOPs per token follow.

    layers, width, vocabulary: counts. heads only divides the width (`kv_heads` below `heads`: grouped-query attention,
    which shrinks keys and values). feedforward: inner width, 4 width unless given. gated: three matrices in the feed-forward
    block (GLU) and not two. tied: input and output embeddings are one matrix. context: tokens per sequence.
    experts, chosen: feed-forward blocks per layer and how many of them a token goes through. Biases, norms and routers
    are left out.
    """

    layers: int
    width: int
    vocabulary: int
    heads: int = 1
    kv_heads: int | None = None
    feedforward: int | None = None
    gated: bool = False
    tied: bool = True
    context: int = 2048
    experts: int = 1
    chosen: int = 1

    def __post_init__(self) -> None:
        for name in ("layers", "width", "vocabulary", "heads", "context", "experts", "chosen"):
            if not (isinstance(getattr(self, name), int) and getattr(self, name) >= 1):
                raise ValueError(f"{name} must be a whole number of at least 1, got {getattr(self, name)!r}")
        if self.chosen > self.experts:
            raise ValueError(f"a token cannot go through {self.chosen} of {self.experts} experts")
        if self.kv_heads is not None and (self.kv_heads < 1 or self.heads % self.kv_heads):
            raise ValueError(f"kv_heads must divide heads, got {self.kv_heads} and {self.heads}")

    @property
    def attention(self) -> int:
        """Parameters of a layer's four attention matrices."""
        shared = (self.kv_heads or self.heads) / self.heads
        return round(2 * self.width**2 * (1 + shared))

    @property
    def expert(self) -> int:
        """Parameters of one feed-forward block."""
        return (3 if self.gated else 2) * self.width * (self.feedforward or 4 * self.width)

    @property
    def embedding(self) -> int:
        """Parameters of the embeddings and the head."""
        return (1 if self.tied else 2) * self.vocabulary * self.width

    @property
    def non_embedding(self) -> int:
        """Parameters of all layers, all experts counted."""
        return self.layers * (self.attention + self.experts * self.expert)

    @property
    def total(self) -> int:
        """All parameters."""
        return self.non_embedding + self.embedding

    @property
    def active(self) -> int:
        """Parameters of the layers that a token goes through, without embeddings."""
        return self.layers * (self.attention + self.chosen * self.expert)

    def count(self, counting: str) -> int:
        """Parameters by one of `COUNTINGS`."""
        if counting not in COUNTINGS:
            raise ValueError(f"counting must be one of {', '.join(COUNTINGS)}, got {counting!r}")
        return {"total": self.total, "non-embedding": self.non_embedding, "active": self.active}[counting]

    def forward(self, head: bool = True, attention: bool = True) -> float:
        """FLOPs of one token forward: 2 per active parameter, 2 width vocabulary for the head, 4 layers width context / 2
        for causal attention scores and their use (half of the context is behind a token on average).
        """
        flops = 2.0 * self.active
        flops += 2.0 * self.width * self.vocabulary if head else 0.0
        return flops + (2.0 * self.layers * self.width * self.context if attention else 0.0)

    def train(self, D: float, head: bool = True, attention: bool = True) -> float:
        """FLOPs of training on D tokens: backward costs twice as much as forward."""
        return 3 * self.forward(head, attention) * D
