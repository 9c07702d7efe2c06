"""Quality against repetition: Goyal et al. 2024, Scaling Laws for Data Filtering (arXiv:2404.07177)."""

from math import log as ln

from scalefit.core.declare import over
from scalefit.core.law import Coef, Input
from scalefit.core.maths import exp, log, maximum, minimum
from scalefit.core.support import POSITIVE
from scalefit.laws.coefs import amplitude, floor, slope

# Beyond this many epochs more repeats change nothing; a half-life would have to be as long for that to show.
EPOCHS = 32


def _goyal_utility(n_1, K, *, a, d, b, tau):
    """Error by samples in an epoch and epochs over pools of data:
    each epoch's exponent is smaller than the last one's."""
    p = len(b)
    steps = -sum(b) / p * log(minimum(K, 1.0) * n_1)
    for j in range(2, EPOCHS + 1):
        b_j = sum(b_i * exp(-ln(2) * (j - 1) / (p * tau_i)) for b_i, tau_i in zip(b, tau, strict=True)) / p
        steps = steps - b_j * log(minimum(maximum(K, j - 1.0), j) / (j - 1))
    # The floor comes last, as in the paper;
    # the released helper adds it first, so that the epochs scale it too.
    return a * exp(steps) + d


# Pools mixed in every row are told apart only by how their exponents decay: fit single pools (`a` shared, `d`
# held) and put their coefficients together to see what a union would give.
goyal_utility = over(
    {"pool": 1}, "goyal_utility", _goyal_utility,
    {"n_1": Input("samples in one epoch (count)", (1e5, 1e9),
                  aliases=("samples_per_epoch", "pool_size", "unique_samples")),
     "K": Input("epochs, whole or not", (0.3, 20.0), aliases=("epochs", "n_epochs"), scales=False)},
    (
        # Exact for one pool, where b_1 is the exponent.
        amplitude("a", "reducible error at one sample", lambda y, n_1, b_1: y * n_1**b_1, (1.0, 20.0)),
        floor("d", "error at unlimited data", (0.02, 0.2)),
        slope("b", "exponent of pool i in its first epoch", typical=(0.05, 0.3), each="pool"),
        Coef("tau", POSITIVE, (0.3, 1.0, 3.0, 10.0, 30.0), (1.0, 8.0),
             "epochs after which pool i's exponent has halved",
             each="pool"),
    ),
    family="data", predicts="error",
    source="arXiv:2404.07177, equation 4 and theorem 1 (exponents stored positive)",
    printed=r"a\, \left(\min(K, 1)\, n_{1}\right)^{-\bar b_1} \prod_{j \geq 2} "
    r"\left(\frac{\mathrm{clip}(K,\, j - 1,\, j)}{j - 1}\right)^{-\bar b_j} + d,\quad "
    r"\bar b_j = \frac{1}{p} \left(b_{1}\, 2^{-(j - 1)/(p\, \tau_{1})} + \dots + b_{p}\, "
    r"2^{-(j - 1)/(p\, \tau_{p})}\right)",
    checks=(
        ({"a": 1.0, "d": 0.1, "b_1": 0.2, "tau_1": 2.0}, {"n_1": 1e6, "K": 3.0}, 0.154931),
        ({"a": 1.0, "d": 0.1, "b_1": 0.2, "tau_1": 1e9}, {"n_1": 1e6, "K": 3.0}, 0.150650),
        # By hand: two pools alike have half-lives of 2 * 1 epochs, the first line again.
        ({"a": 1.0, "d": 0.1, "b_1": 0.2, "b_2": 0.2, "tau_1": 1.0, "tau_2": 1.0}, {"n_1": 1e6, "K": 3.0},
         0.154931),
    ),
)  # fmt: skip
