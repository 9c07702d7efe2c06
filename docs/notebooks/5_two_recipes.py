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
# # Two recipes
#
# A change of recipe was tried on small models. How much compute is it worth, and will it still be the better one at scale? The two recipes here differ in the
# batch size.

# %%
import pandas as pd

import scalefit as sf

pd.options.display.float_format = "{:.4g}".format

runs = sf.datasets.load("tiny_lm").query("schedule == 'cooldown' and n_tokens > 5e5")
columns = ["n_params_no_embed", "n_tokens", "flops", "batch_tokens", "loss"]
usual, small = (runs.query(f"group == '{name}'")[columns] for name in ("main", "small_batch"))
for recipe in (usual, small):
    print(len(recipe), "runs, tokens in a batch:", recipe["batch_tokens"].unique().tolist())

# %% [markdown]
# ## The runs themselves
#
# Before any law: pairs at equal size and tokens.

# %%
pairs = usual.merge(small, on=["n_params_no_embed", "n_tokens"], suffixes=("_usual", "_small"))
gap = pairs["loss_small"] - pairs["loss_usual"]
print(f"{len(pairs)} pairs; the smaller batch is better in {(gap < 0).sum()}")
gap.groupby(pairs["n_tokens"]).mean().round(3)

# %% [markdown]
# The smaller batch takes more steps for the same tokens, which helps most where tokens are few. So the gain shrinks along the way: exactly the case in which
# a comparison at one small scale misleads.
#
# ## A law for each

# %%
inputs = {"N": "n_params_no_embed", "D": "n_tokens"}
recipes = {
    "usual batch": sf.fit("skaling", usual, inputs=inputs, y="loss"),
    "small batch": sf.fit("skaling", small, inputs=inputs, y="loss"),
}
for name, fit in recipes.items():
    print(name, "-", fit.status)

# %% [markdown]
# ## The compute multiplier
#
# How much less compute the smaller batch needs for the same loss. Above 1 it is the better recipe. Pairs of equal runs are compared with each other, so that luck
# that both share cancels.

# %%
budgets = [1e12, 1e13, 1e14]
worth = sf.multiplier(recipes["small batch"], recipes["usual batch"], C=budgets, level=0.9)
worth

# %% [markdown]
# ## The decision at a target

# %%
choice = sf.decide(recipes, C=1e15)
choice

# %%
axes = sf.plot.crossover(recipes, between=(1e11, 1e16))

# %% [markdown]
# `probability` is what the two laws say, `by_gaps` what the runs alone say, `small` the rank at the largest budget that both ran. Where they disagree the honest answer is that
# these runs do not decide it: make one larger pair.

# %%
assert abs(choice["probability"].sum() - 1) < 1e-9
assert (worth["multiplier_lo"] <= worth["multiplier_hi"]).all()
