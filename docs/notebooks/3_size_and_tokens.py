# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Choosing N and D with doubt
#
# How large a model, on how many tokens, for a budget. The answer is a pair of intervals, and the second question is what it costs to be wrong.

# %%
import pandas as pd

import scalefit as sf

pd.options.display.float_format = "{:.4g}".format

runs = sf.datasets.load("tiny_lm").query("group == 'main' and schedule == 'cooldown'")
runs = runs[runs["n_tokens"] > 5e5]
fit = sf.fit("skaling", runs, inputs={"N": "n_params_no_embed", "D": "n_tokens"}, y="loss")
budgets = [1e13, 1e14, 1e15]

# %% [markdown]
# ## The best size, twice
#
# First as if the law were right, then with the law's own error, which is learnt from how it foretold the larger of these runs from the smaller. The second is the
# default, and the one to plan with.

# %%
columns = ["C", "N", "N_lo", "N_hi", "D", "D_lo", "D_hi", "caution"]
sf.optimal(fit, C=budgets, level=0.9, model_error=False)[columns]

# %%
best = sf.optimal(fit, C=budgets, level=0.9)
best[columns]

# %% [markdown]
# `caution` says `extrapolation` where an answer lies more than a decade outside the runs.
#
# ## What does another size cost?
#
# An interval of a factor of three looks bad. The penalty for a size within it is what counts: the compute that it needs for the same loss, over the least.

# %%
target = float(best["loss"][1])
least = float(best["N"][1])
sizes = sf.isoloss(fit, loss=target, N=[least / 4, least / 2, least, 2 * least, 4 * least])
sizes[["N", "D", "C", "penalty"]]

# %%
quarter, half, one, twice, four = sizes["penalty"]
assert abs(one - 1) < 1e-3 < twice - 1 < half - 1 < four - 1
assert quarter == float("inf")

# %% [markdown]
# Twice the best size costs a fifth more, half of it more than half more, and a quarter of it never gets there. So the two errors are not alike: in doubt, err on the
# side of the larger model, unless it has to be served.

# %%
axes = sf.plot.isoloss(fit, C=1e14)

# %% [markdown]
# ## Limits
#
# With no more than 20 million tokens at hand, the largest budget is better spent on a larger model, up to a point:

# %%
capped = sf.optimal(fit, C=budgets, limits={"D": (0, 2e7)})
capped[["C", "N", "D", "loss", "caution"]]

# %% [markdown]
# ## Which runs would narrow it?
#
# For 5e14 FLOPs, among nine candidates. `width` is the half-width of the interval of the loss at the target once the run and those above it are made.

# %%
grid = [(N, D) for N in (1.2e6, 2.4e6, 4.8e6) for D in (8e6, 1.6e7, 3.2e7)]
candidates = {"N": [N for N, _ in grid], "D": [D for _, D in grid]}
plan = sf.next_runs(fit, candidates, budget=5e14, target={"C": 1e15})
print(plan)
assert plan.after < plan.before
