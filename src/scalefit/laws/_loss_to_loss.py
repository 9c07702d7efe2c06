"""Loss to loss across data sets and tasks (Brandfonbrener et al. 2024, Loss-to-Loss Prediction)."""

from dataclasses import replace

from scalefit.core.law import Coef, Law
from scalefit.core.maths import maximum
from scalefit.core.support import POSITIVE
from scalefit.laws.coefs import amplitude, floor, slope
from scalefit.laws.inputs import L


def _brandfonbrener_l2l(L, *, K, kappa, E_0, E_1):
    """One loss by another, on other data: a power law between what is above the two floors."""
    # E_1 at and below E_0; the least positive number keeps the gradient finite there.
    return E_1 + K * maximum(L - E_0, 1e-30) ** kappa


# Floors E of the loss laws of each corpus (`kaplan_nd_floor`; proofs from the released table of fits).
_WEB, _EDUCATIONAL, _CODE, _PROOFS = 2.1700, 1.9669, 0.8452, 1.3191

brandfonbrener_l2l = Law(
    "brandfonbrener_l2l", _brandfonbrener_l2l,
    {"L": replace(L, unit="loss on or after the first data set (nats per token)", typical=(2.3, 5.0),
                  scales=False)},
    coefs=(
        amplitude("K", "reducible loss 1 where reducible loss 0 is 1", lambda y: y, (0.3, 2.0)),
        slope("kappa", "exponent between the reducible losses", (0.3, 0.6, 1.0, 1.5, 2.5), (0.6, 1.4)),
        Coef("E_0", POSITIVE, (0.05, 0.3, 0.8, 1.5, 2.2, 3.0), (1.0, 2.2), "floor of the first loss",
             end=lambda L: L / 2),
        floor("E_1", "floor of the second loss"),
    ),
    family="links", source="arXiv:2411.12925 and released code",
    published={
        "web_to_educational_web": {"K": 0.98577, "kappa": 0.99937, "E_0": _WEB, "E_1": _EDUCATIONAL},
        "web_to_code": {"K": 0.62303, "kappa": 1.0904, "E_0": _WEB, "E_1": _CODE},
        "web_to_proofs": {"K": 0.5961, "kappa": 1.0654, "E_0": _WEB, "E_1": _PROOFS},
        "proofs_to_web": {"K": 1.6238, "kappa": 0.93729, "E_0": _PROOFS, "E_1": _WEB},
    },
    notes=dict.fromkeys(("web_to_educational_web", "web_to_code", "web_to_proofs", "proofs_to_web"),
                        "train to train, runs paired by size and compute; "
                        "floors held at those of the loss laws"),
    checks=(
        ("web_to_code", {"L": 3.0}, "1.353677"),
        ("web_to_educational_web", {"L": 3.0}, "2.785185"),
    ),
)  # fmt: skip
