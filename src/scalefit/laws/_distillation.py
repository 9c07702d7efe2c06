"""Distillation: a student's loss by its size, its data and its teacher's loss (Busbridge et al. 2025)."""

from dataclasses import replace

from scalefit.core.law import Input, Law
from scalefit.laws.blocks import smooth_break
from scalefit.laws.coefs import amplitude, slope
from scalefit.laws.inputs import D, N


def _busbridge_student(N, D, L_T, L_s, *, c_0, c_1, d_1, f_1, A_S, B_S, alpha_S, beta_S, gamma_S):
    """Loss of a distilled student; L_s is what it would reach alone,
    L_T / L_s = d_1 where a teacher becomes too good.

    `busbridge_supervised.then(busbridge_student, at="L_s")` is the law by size, data and teacher's loss
    alone. In it d_1 and the scale of the supervised loss are one, so hold the supervised coefficients at
    their own fit.
    """
    reducible = (A_S / N**alpha_S + B_S / D**beta_S) ** gamma_S
    return L_T + smooth_break(L_T / L_s, d_1, c_1, f_1) / L_T**c_0 * reducible


_START = (0.1, 0.5, 2.0)

# The law holds for losses in nats: the teacher's is not rescaled, and no coefficient is in units of y.
busbridge_student = Law(
    "busbridge_student", _busbridge_student,
    {"N": replace(N, unit="parameters of the student without embeddings (count)"), "D": D,
     "L_T": Input("teacher's loss (nats per token)", (1.8, 2.8), aliases=("teacher_loss",), scales=False),
     "L_s": Input("loss of the student's size and data without a teacher (nats per token)", (1.8, 3.5),
                  aliases=("supervised_loss",), scales=False)},
    coefs=(
        slope("c_0", "how much a good teacher helps", (0.5, 1.5, 3.0), (1.0, 3.0)),
        slope("c_1", "steepness of the capacity gap; only c_1 f_1 is determined where f_1 is small",
              (1.0, 10.0, 100.0),
              (10.0, 600.0)),
        slope("d_1", "teacher's loss over the student's own at the capacity gap", (0.7, 1.0, 1.5),
              (0.9, 1.5)),
        slope("f_1", "width of the capacity gap", (0.05, 0.2, 0.6), (0.05, 0.3)),
        amplitude("A_S", "finite-model term at N = 1, before the outer power", lambda N, alpha_S: N**alpha_S,
                  (1e2, 1e5), _START),
        amplitude("B_S", "finite-data term at D = 1, before the outer power", lambda D, beta_S: D**beta_S,
                  (1e2, 1e5), _START),
        slope("alpha_S", "model-size exponent", (0.2, 0.4, 0.7), (0.2, 0.6)),
        slope("beta_S", "data-size exponent", (0.2, 0.4, 0.7), (0.2, 0.7)),
        slope("gamma_S", "outer power", (0.3, 0.6, 1.0), (0.3, 1.0)),
    ),
    family="coupled sums",
    source="arXiv:2502.08606",
    published={"busbridge2025": {"c_0": 2.549, "c_1": 522.6, "d_1": 1.315, "f_1": 0.090, "A_S": 2243.0,
                                 "B_S": 24181.0,
                                 "alpha_S": 0.321, "beta_S": 0.637, "gamma_S": 0.764}},
    notes={"busbridge2025": "three to five digits; primes in the paper are _S here, "
                            "gamma' is gamma_S; c_1 lies on a ridge"},
    checks=(
        ("busbridge2025", {"N": 1e9, "D": 20e9, "L_T": 2.1578, "L_s": 2.37469}, 2.3053),
        ("busbridge2025", {"N": 1e9, "D": 512e9, "L_T": 2.0036, "L_s": 2.16255}, 2.1517),
    ),
)  # fmt: skip
