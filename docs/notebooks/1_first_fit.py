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
# # First fit
#
# From a table of finished runs to a forecast that was tested. The runs are 35 small transformers that ship with the package; put your
# own CSV in their place.

# %%
import scalefit as sf

tiny = sf.datasets.load("tiny_lm").query("group == 'main' and schedule == 'cooldown'")
runs = tiny[tiny["n_tokens"] > 5e5][["n_params_no_embed", "n_tokens", "loss"]]
runs.sample(5, random_state=0)

# %% [markdown]
# ## Which law?
#
# The columns are sizes, tokens and losses. `sf.suggest` names the laws that they allow and tries each: fitted to the smaller runs, how far off is
# it on the larger ones?

# %%
sf.suggest(runs)

# %% [markdown]
# ## Fit and read
#
# The first line is the verdict. Then come the law, the columns that were used, the coefficients, and what the law says at ten times the largest run.

# %%
fit = sf.fit("skaling", runs)
print(fit)

# %% [markdown]
# ## Look
#
# Each line should pass through the points of its colour. Where no run was measured the line is dashed and the band is wider.

# %%
axes = sf.plot.curve(fit, x="N", color="D")

# %% [markdown]
# Residuals should have no pattern: as many above the line as below, at every size. Most of these are within 2 %.

# %%
axes = sf.plot.residuals(fit, "n_params_no_embed")

# %% [markdown]
# ## Would it have foretold the largest runs?
#
# Leave them out, fit the rest, and compare. `kind="run"` gives the interval of one new run, `level=0.9` how often it should hold.

# %%
largest = runs["n_params_no_embed"] == runs["n_params_no_embed"].max()
early = sf.fit("skaling", runs[~largest])
band = early.predict(runs[largest], level=0.9, kind="run")
inside = (band["lo"] <= runs["loss"][largest]) & (runs["loss"][largest] <= band["hi"])
print(f"{inside.sum()} of {len(inside)} inside")
assert inside.sum() >= 3
band.assign(measured=runs["loss"])[["n_tokens", "mean", "lo", "hi", "measured"]]

# %%
axes = sf.plot.fan(early, runs[largest])

# %% [markdown]
# ## Forecast
#
# The forecast is for a model of 2 million parameters on 20 million tokens. An empty `caution` says that nothing speaks against it.

# %%
ahead = fit.predict({"N": [2e6], "D": [2e7]}, level=0.9)
ahead[["N", "D", "mean", "lo", "hi", "distance", "caution"]]

# %% [markdown]
# Keep the fit (`fit.save("fit.json")`), or all of this on one page for others (`sf.report(fit, "report.html", target={"C": 1e15})`).
