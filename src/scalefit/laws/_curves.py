"""The loss along whole curves as a function of the learning-rate schedule:
annealing, multi-power, functional law.

Tissue, Wang, Wang 2024 (arXiv:2408.11029); Luo et al. 2025 (arXiv:2503.12811); Li et al. 2025
(arXiv:2509.19189). What rows mean (first row, warm-up, jumps, rows without a loss) is said in `schedules`.
"""

from dataclasses import replace

from scalefit.core.law import Coef, Law
from scalefit.core.maths import maximum
from scalefit.core.support import POSITIVE, UNIT
from scalefit.laws import schedules
from scalefit.laws.coefs import amplitude, floor, slope
from scalefit.laws.inputs import N, curve, eta, step

_CURVE = {"step": step, "eta": eta, "curve": curve}
_L0 = floor("L0", "loss after endless training at a vanishing rate, nats per token")
_A = amplitude("A", "reducible loss where the rates sum to 1",
               lambda y, step, eta, alpha: y * (step * eta) ** alpha,
               (0.2, 2.0))  # fmt: skip
_ALPHA = slope("alpha", "exponent of the summed rates", typical=(0.3, 0.7))


def _lr_annealing(step, eta, curve, *, L0, A, alpha, C, lam):
    """Loss along a run: a power law in the sum of its rates S_1, less what annealing has won so far, C S_2.

    S_2 sums a momentum m of the rate's falls, which forgets over 1/(1 - lam) steps. Rises before the rate
    first falls are warm-up: they count in S_1, not in m; later rises make m negative and the loss larger. C
    and 1 - lam trade off: compare C/(1 - lam), the loss won per unit by which the rate has fallen, once m has
    settled.
    """
    run = schedules.read(step, eta, curve, warmup=False)
    return L0 + A / run.area**alpha - C * schedules.annealing(run, lam)


def _multi_power(step, eta, curve, *, L0, A, alpha, B, C, beta, gamma):
    """Loss along a run: a power law in the sum of its rates S_1,
    less a power-law response to every fall of the rate.

    All steps told by the rows count, those of the warm-up too, as in the authors' code. Falls long past are
    taken in groups: within 3e-5 nats of the sum over single steps on the authors' schedules, logged every 128
    steps.
    """
    run = schedules.read(step, eta, curve)
    lost, rate, since = schedules.past(run)
    won = schedules.total(lost * (1 - (1 + C * rate**-gamma * since) ** -beta))
    return L0 + A / run.area**alpha - B * won


def _fsl(step, eta, curve, *, L0, c1, c2, c23, c4, s, gamma):
    """Functional scaling law, its practical form for one model size, in intrinsic time T, the sum of rates.

    Theory has gamma = 1 - 1/b, with b the capacity exponent of the data and s their source exponent: the
    response is the integral of the forgetting kernel (1 + u)^-(2 - 1/b). c23, the paper's c2 c3, is the
    weight of the noise; c2 / T^s that of what is still to be learnt. Rises before the rate first falls are
    warm-up and only count in T.
    """
    run = schedules.read(step, eta, curve, warmup=False)
    lost, rate, since = schedules.past(run)
    T, gap = run.area, maximum(since - rate, 0)
    then = maximum(T[:, None] - gap, schedules.TINY)
    response = lost * (1 - 1 / (1 + c4 * gap) ** gamma)
    return L0 + c1 / T**s - c23 * response.sum(axis=1) - c2 * (response / then**s).sum(axis=1)


def _size(N, *, B, beta):
    return B / N**beta


_STEPS = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0)
_HALVED = {"step": _STEPS, "eta": (1.0, 1.0, 1.0, 0.5, 0.5, 0.5), "curve": (0.0,) * 6}


def _first(n):
    return {name: column[:n] for name, column in _HALVED.items()}


lr_annealing = Law(
    "lr_annealing", _lr_annealing, _CURVE,
    coefs=(
        _L0, _A, _ALPHA,
        amplitude("C", "loss won per unit of annealing momentum", lambda y, eta, lam: y * (1 - lam) / eta,
                  (0.1, 2.0)),
        Coef("lam", UNIT, (0.9, 0.99, 0.995, 0.999, 0.9995), (0.99, 0.9995),
             "share of the momentum kept at a step"),
    ),
    family="curves",
    source="arXiv:2408.11029, equation 1",
    # S1 = 4.5, S2 = 1.355 by hand; then 3 + 0.9 / 4.5 - 0.5 * 1.355.
    checks=(({"L0": 3.0, "A": 0.9, "alpha": 1.0, "C": 0.5, "lam": 0.9}, _HALVED, "2.52250"),),
    printed=r"L_{0} + A S_{1}^{-\alpha} - C S_{2},\quad S_{1} = \sum_{i \le \mathrm{step}} \eta_{i},\quad "
    r"S_{2} = \sum_{i \le \mathrm{step}} m_{i},\quad m_{i} = \lambda m_{i-1} + \eta_{i-1} - \eta_{i}"
    r"\quad\text{(over the steps of a $\mathrm{curve}$)}",
)  # fmt: skip

lr_annealing_size = replace(
    lr_annealing + Law("size", _size, {"N": N}, (
        amplitude("B", "finite-model term at N = 1", lambda y, N, beta: y * N**beta, (10.0, 1e4)),
        slope("beta", "model-size exponent"),
    )),
    name="lr_annealing_size",
    about="The annealing law for runs of several sizes: a term in parameters is added, "
          "the schedule acts alike on all.",
    family="curves", source="arXiv:2408.11029, section on model sizes",
    # As above, plus 400 / 1e8^0.5.
    checks=(({"L0": 3.0, "A": 0.9, "alpha": 1.0, "C": 0.5, "lam": 0.9, "B": 400.0, "beta": 0.5},
             {**_HALVED, "N": (1e8,) * 6}, "2.56250"),),
)  # fmt: skip

_BY_HAND = {"L0": 3.0, "alpha": 1.0, "B": 1.0, "C": 2.0, "beta": 0.6, "gamma": 0.65}

multi_power = Law(
    "multi_power", _multi_power, _CURVE,
    coefs=(
        _L0, _A, _ALPHA,
        amplitude("B", "loss won per unit by which the rate has fallen, in the end", lambda y, eta: y / eta,
                  (100.0, 1e3)),
        Coef("C", POSITIVE, (3.0, 30.0, 300.0, 3e3, 3e4), (0.5, 10.0), "speed of the response to a fall",
             lambda step, eta, gamma: eta**gamma / (step * eta)),
        slope("beta", "exponent of the response", (0.2, 0.4, 0.6, 1.0, 2.0), (0.3, 1.0)),
        slope("gamma", "how much faster the response is at smaller rates", (0.1, 0.3, 0.5, 0.7, 1.0),
              (0.3, 1.0)),
    ),
    family="curves",
    source="arXiv:2503.12811, equation 1; coefficients as released with the code",
    published={
        "luo2025_25m": {"L0": 3.04045, "A": 0.524686, "alpha": 0.507869, "B": 363.7875, "C": 2.065608,
                        "beta": 0.582790, "gamma": 0.641423},
        "luo2025_100m": {"L0": 2.651448, "A": 0.601152, "alpha": 0.452958, "B": 437.9464, "C": 2.132456,
                         "beta": 0.597852, "gamma": 0.655236},
        "luo2025_400m": {"L0": 2.3747, "A": 0.65421, "alpha": 0.42879, "B": 523.42, "C": 2.0246,
                         "beta": 0.59350,
                         "gamma": 0.63472},
    },
    notes={"luo2025_25m": "the sums include the warm-up: state it as rows; "
                          "a descent stopped early, not the optimum",
           "luo2025_100m": "the sums include the warm-up: state it as rows; "
                           "a descent stopped early, not the optimum",
           "luo2025_400m": "rounded to five digits; the sums include the warm-up"},
    # A is chosen to make the first term 0.2; the drops are 0.216146, 0.286757 and 0.324166 by hand.
    checks=(
        ({**_BY_HAND, "A": 0.7}, _first(4), "2.983854"),
        ({**_BY_HAND, "A": 0.8}, _first(5), "2.913243"),
        ({**_BY_HAND, "A": 0.9}, _first(6), "2.875834"),
    ),
    printed=r"L_{0} + A S_{1}(\mathrm{step})^{-\alpha} - B \sum_{k \le \mathrm{step}} "
    r"\left(\eta_{k-1} - \eta_{k}\right) \left(1 - "
    r"\left(1 + C \eta_{k}^{-\gamma} \left(S_{1}(\mathrm{step}) - "
    r"S_{1}(k-1)\right)\right)^{-\beta}\right),\quad "
    r"S_{1}(k) = \sum_{i \le k} \eta_{i}\quad\text{(over the steps of a $\mathrm{curve}$)}",
)  # fmt: skip

fsl = Law(
    "fsl", _fsl, _CURVE,
    coefs=(
        _L0,
        amplitude("c1", "reducible loss at intrinsic time 1", lambda y, step, eta, s: y * (step * eta) ** s,
                  (0.2, 2.0)),
        amplitude("c2",
                  "loss won per unit by which the rate has fallen, at intrinsic time 1, "
                  "by what is still to be learnt",
                  lambda y, step, eta, s: y * (step * eta) ** s / eta, (50.0, 1e3)),
        amplitude("c23", "loss won per unit by which the rate has fallen, by noise", lambda y, eta: y / eta,
                  (50.0, 1e3)),
        Coef("c4", POSITIVE, (3.0, 30.0, 300.0, 3e3), (20.0, 1e3), "speed of forgetting, per intrinsic time",
             lambda step, eta: 1 / (step * eta)),
        slope("s", "source exponent", typical=(0.3, 0.7)),
        slope("gamma", "exponent of the response, 1 - 1/b", (0.2, 0.4, 0.6, 1.0, 2.0), (0.3, 0.9)),
    ),
    family="curves",
    source="arXiv:2509.19189, appendix B.2 (form read in a public re-implementation, not in the paper)",
    # T = 4.5 and one fall of 0.5 at T = 3.5, by hand:
    # 3 + 0.9 / 4.5 - 0.5 (1 + 1 / 3.5) (1 - 1 / (1 + 3)^0.5).
    checks=(({"L0": 3.0, "c1": 0.9, "c2": 1.0, "c23": 1.0, "c4": 3.0, "s": 1.0, "gamma": 0.5}, _HALVED,
             "2.878571"),),
    printed=r"L_{0} + c_{1} T(\mathrm{step})^{-s} - \sum_{i \le \mathrm{step}} "
    r"\left(\eta_{i-1} - \eta_{i}\right) "
    r"\left(c_{23} + c_{2} T(i)^{-s}\right) \left(1 - \left(1 + c_{4} \left(T(\mathrm{step}) - "
    r"T(i)\right)\right)^{-\gamma}\right),"
    r"\quad T(i) = \sum_{k \le i} \eta_{k}\quad\text{(over the steps of a $\mathrm{curve}$)}",
)  # fmt: skip
