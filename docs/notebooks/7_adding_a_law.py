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
# # Adding a law
#
# A law is a function. Inputs are positional, coefficients keyword-only. All that scalefit does with its own laws it then does with yours: global search, warnings,
# intervals, backtests, optima, pictures.

# %%
import scalefit as sf

runs = sf.datasets.load("tiny_lm").query("group == 'main' and schedule == 'cooldown'")
runs = runs[runs["n_tokens"] > 5e5]
inputs = {"N": "n_params_no_embed", "D": "n_tokens"}

# %% [markdown]
# ## An idea
#
# In these runs large models gain little from few tokens. Chinchilla's sum cannot say that. Let the data term depend on tokens per parameter too:

# %%
from jax import numpy as jnp


def crowded(N, D, *, E, A, B, alpha, beta, r):
    return E + A / N**alpha + B / D**beta * (1 + r * jnp.sqrt(N / D))


law = sf.law(crowded, positive="all")
law

# %%
mine = sf.fit(law, runs, inputs=inputs, y="loss")
print(mine)

# %% [markdown]
# ## Is it any better?
#
# Not by how well it fits: by how well it foretells larger runs from smaller ones, beside the laws that it has to beat.

# %%
rivals = sf.compare([law, "chinchilla", "skaling"], runs, inputs=inputs, y="loss")
print(rivals)

# %%
axes = sf.plot.compare(rivals)
rms = {name: rivals.backtest.line(name)["rms"] for name in ("crowded", "skaling", "chinchilla")}
assert max(rms["crowded"], rms["skaling"]) < 0.6 * rms["chinchilla"]

# %% [markdown]
# It comes out level with `skaling`, which has as many coefficients, and both beat `chinchilla`. That is no reason to publish it: 54 predictions from seven sizes do not tell
# two such laws apart.
#
# ## What is there already
#
# Many variants need no function at all:

# %%
chinchilla = sf.laws.chinchilla
size = sf.laws.power_floor.rename(x="N")
data = sf.laws.power.rename(x="D", A="B", alpha="beta")
variants = {
    "one exponent": chinchilla.tie(beta="alpha"),
    "known floor": chinchilla.fix(E=0.5),
    "bounded": chinchilla.bound(alpha=(0.2, 0.5)),
    "sum of parts": size + data,
}
for name, variant in variants.items():
    print(f"{name}: {variant}")

# %% [markdown]
# ## For everyone
#
# To make it part of the library, put it into one file: formula, units of the inputs, usual ranges, source, published coefficients and numbers to check against. See
# "Adding a law" in the guides.
