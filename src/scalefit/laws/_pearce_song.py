"""Chinchilla's law without embeddings (Pearce and Song 2024, Reconciling Kaplan and Chinchilla)."""

from scalefit.core.law import Law
from scalefit.laws import _chinchilla
from scalefit.laws.coefs import amplitude
from scalefit.laws.inputs import D, counted


def _loss(N, D, *, E, A, B, alpha, beta, omega):
    """Loss by non-embedding parameters N: embeddings add omega N^(1/3), which counts below 1e8 parameters."""
    return E + A / (N + omega * N ** (1 / 3)) ** alpha + B / D**beta


pearce_song = Law(
    "pearce_song", _loss, {"N": counted("non-embedding"), "D": D},
    coefs=(*_chinchilla.chinchilla.coefs,
           amplitude("omega", "embeddings per N^(1/3)", lambda N: N ** (2/3), (1e4, 1e5), (0.001, 0.1, 1.0))),
    family="effective inputs", source="arXiv:2406.12907, equation 4",
    published={"hoffmann2022": {**_chinchilla.chinchilla.published["hoffmann2022"], "omega": 47491.0}},
    checks=(("hoffmann2022", {"N": 1e6, "D": 1e9}, 4.884539),
            ("hoffmann2022", {"N": 1e9, "D": 2e10}, 2.524924)),
)  # fmt: skip
