"""What a run costs: floating-point operations of training and of serving, and parameters of an architecture.

sf.flops.six_nd(N, D)
sf.flops.lifetime(1e12)
"""

from scalefit.flops.architecture import COUNTINGS, Architecture, agreed, check_counting
from scalefit.flops.costs import Cost, Deadline, by_shape, distillation, lifetime, per_token, six_nd

__all__ = [
    "COUNTINGS",
    "Architecture",
    "Cost",
    "Deadline",
    "agreed",
    "by_shape",
    "check_counting",
    "distillation",
    "lifetime",
    "per_token",
    "six_nd",
]


def __dir__() -> list[str]:
    return list(__all__)
