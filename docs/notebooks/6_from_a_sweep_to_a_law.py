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
# # From a sweep to a law
#
# Four sizes at two token counts, each trained with nine learning rates. What was the best rate of each, how does it move with size, and which runs
# should the loss law be fitted to? The runs are simulated with a published law of the best rate (Step Law), so that the truth is known.

# %%
import numpy as np
from matplotlib import pyplot

import scalefit as sf

sizes, ratios, rates = [1e8, 2e8, 4e8, 8e8], [20, 80], np.geomspace(3e-4, 1.2e-2, 9)
N, ratio, lr = (part.ravel() for part in np.meshgrid(sizes, ratios, rates))
D = ratio * N
truth = sf.laws.steplaw.published["lr"]
off = np.log(lr / sf.laws.steplaw(truth, {"N": N, "D": D}))
random = np.random.default_rng(0)
loss = sf.laws.chinchilla(sf.laws.chinchilla.published["besiroglu2024"], {"N": N, "D": D})
loss = np.array(loss * np.exp(0.02 * off**2 + 0.001 * random.standard_normal(len(N))))
loss[lr > 1e-2] = np.nan  # these diverged
runs = {"N": N, "D": D, "lr": lr, "loss": loss}

# %% [markdown]
# ## The optimum of every cell
#
# A cell is one size and one number of tokens. Diverged runs are set apart and counted. A cell whose best run lies at the edge of the grid would be refused by name.

# %%
found = sf.sweep(runs, over=["lr"], by=["N", "D"])
print(found)

# %%
figure, axes = pyplot.subplots(figsize=(5, 3.4), layout="constrained")
for line in found.cells.to_dict("records"):
    cell = (line["N"] == N) & (line["D"] == D)
    (drawn,) = axes.plot(lr[cell], loss[cell], ".-", lw=1)
    axes.axvspan(line["lr_lo"], line["lr_hi"], color=drawn.get_color(), alpha=0.15, lw=0)
axes.set(xscale="log", xlabel="learning rate", ylabel="loss")
axes.set_title("One curve per cell; bars: its best rate, 90 %")
axes.minorticks_off()
_ = axes.set_xticks([3e-4, 1e-3, 3e-3, 1e-2], ["3e-4", "1e-3", "3e-3", "1e-2"])

# %% [markdown]
# ## A law of the best rate
#
# The optima are a table like any other, with weights that say how well each is known.

# %%
law = sf.fit("steplaw", found.optima, y="lr", weight="lr_weight")
known = law.conf_int(0.9)
print(known, "truth", truth, sep="\n")
assert known.loc["a", "lo"] < truth["a"] < known.loc["a", "hi"]
assert known.loc["b", "lo"] < truth["b"] < known.loc["b", "hi"]

# %% [markdown]
# The rate for a model ten times larger:

# %%
law.predict({"N": [8e9], "D": [1.6e11]}, level=0.9)[["mean", "lo", "hi", "distance", "caution"]]

# %% [markdown]
# ## The loss law: tuned runs only
#
# Fitted to all runs, a loss law describes training with a badly chosen rate. Fitted to the best run of each cell, it describes the frontier.

# %%
finished = np.isfinite(loss)
trained = {name: column[finished] for name, column in runs.items()}
every = sf.fit("chinchilla", trained, inputs={"N": "N", "D": "D"})
best = sf.fit("chinchilla", found.best)
print("all runs: ", every.status)
print("best runs:", best.status)

# %% [markdown]
# The fit to all runs notices: equal inputs repeat with other losses. With eight cells the other has few rows, and says so.
