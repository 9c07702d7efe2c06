"""A transformer by its shape: its parameters, counted in one of three ways, and its FLOPs per token."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral

from scalefit.words import short

__all__ = ["COUNTINGS", "Architecture", "agreed", "check_counting"]

COUNTINGS = ("total", "non-embedding", "active")


def check_counting(counting: str | None) -> str | None:
    """The counting itself; ValueError unless it is one of `COUNTINGS` or None."""
    if counting not in (None, *COUNTINGS):
        raise ValueError(f"counting must be one of {', '.join(COUNTINGS)} or None, got {short(counting)}")
    return counting


def agreed(stated: Mapping[str, str | None]) -> str | None:
    """The one counting of parameters among these statements (who -> counting), None where nobody states one.

    Raises ValueError where two differ.
    """
    said = {who: counting for who, counting in stated.items() if counting is not None}
    for who, counting in said.items():
        first = next(iter(said))
        if counting != said[first]:
            raise ValueError(
                f"{first} counts {said[first]} parameters and {who} {counting} ones; count N one way in both"
            )
    return next(iter(said.values()), None)


@dataclass(frozen=True)
class Architecture:
    """A transformer by its shape; parameters and FLOPs per token follow.

    layers, width, vocabulary: counts. heads of head_width each (width / heads unless given) make up the inner
    width of attention; `kv_heads` below `heads`: grouped-query attention, which shrinks keys and values.
    relative: a fifth attention matrix, for relative positions (Transformer-XL, Gopher, Chinchilla).
    feedforward: inner width, 4 width unless given. gated: three matrices in the feed-forward block (GLU) and
    not two. tied: input and output embeddings are one matrix. context: tokens per sequence. experts, chosen:
    feed-forward blocks per layer and how many of them a token goes through. Biases, norms and routers are
    left out.
    Raises ValueError for shapes that cannot be.
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
    head_width: int | None = None
    relative: bool = False

    def __post_init__(self) -> None:
        optional = ("kv_heads", "feedforward", "head_width")
        for name in ("layers", "width", "vocabulary", "heads", "context", "experts", "chosen", *optional):
            value = getattr(self, name)
            if value is None and name in optional:
                continue
            # bool is an Integral too.
            if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
                raise ValueError(f"{name} must be a whole number of at least 1, got {short(value)}")
            # numpy's whole numbers, of a frame's column, may overflow.
            object.__setattr__(self, name, int(value))
        if self.chosen > self.experts:
            raise ValueError(f"a token cannot go through {self.chosen} of {self.experts} experts")
        if self.kv_heads is not None and self.heads % self.kv_heads:
            raise ValueError(f"kv_heads must divide heads, got {self.kv_heads} and {self.heads}")

    @property
    def inner(self) -> float:
        """Width inside attention: heads times the width of one."""
        return self.width if self.head_width is None else self.heads * self.head_width

    @property
    def attention(self) -> int:
        """Parameters of a layer's attention matrices."""
        shared = (self.kv_heads or self.heads) / self.heads
        return round(self.width * self.inner * (2 + 2 * shared + self.relative))

    @property
    def expert(self) -> int:
        """Parameters of one feed-forward block."""
        return (3 if self.gated else 2) * self.width * (self.feedforward or 4 * self.width)

    @property
    def sparsity(self) -> float:
        """Share of the feed-forward blocks that a token does not go through."""
        return 1 - self.chosen / self.experts

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
        """Parameters by one of `COUNTINGS`; ValueError for another."""
        if counting not in COUNTINGS:
            raise ValueError(f"counting must be one of {', '.join(COUNTINGS)}, got {short(counting)}")
        return {"total": self.total, "non-embedding": self.non_embedding, "active": self.active}[counting]

    def forward(self, head: bool = True, attention: bool = True) -> float:
        """FLOPs of one token forward, in training or served: 2 per active parameter, 2 width vocabulary for
        the head, 4 layers inner context / 2 for causal attention scores and their use (half of the context is
        behind a token on average).
        """
        flops = 2.0 * self.active
        flops += 2.0 * self.width * self.vocabulary if head else 0.0
        return flops + (2.0 * self.layers * self.inner * self.context if attention else 0.0)

    def train(self, D: float, head: bool = True, attention: bool = True) -> float:
        """FLOPs of training on D tokens: backward costs twice as much as forward."""
        return 3 * self.forward(head, attention) * D
