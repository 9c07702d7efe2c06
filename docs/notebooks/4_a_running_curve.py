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
# # A running curve
#
# A run is under way. Where will its loss end under the schedule that was planned, and is it still on course? The run here is finished, so that every forecast can
# be compared with the end, 1.466.

# %%
import numpy as np
import pandas as pd

import scalefit as sf

curves = sf.datasets.load("tiny_lm", "curves").set_index("run")[["step", "lr", "loss"]]
whole = curves.loc["w48-cosine-4096k"]
plan = sf.schedule.cosine(4000, 6.39e-3, 6.39e-4, warmup=40)
end = float(whole["loss"].iloc[-1])

# %% [markdown]
# ## At several times
#
# In a real run the first argument is the path of the log, and the call is repeated as it grows.

# %%
told = {}
for share in (0.25, 0.4, 0.6, 0.8):
    told[share] = sf.forecast(whole[whole["step"] <= share * 4000], plan)
rows = {share: {"loss": now.loss, "lo": now.lo, "hi": now.hi} for share, now in told.items()}
pd.DataFrame(rows).T.rename_axis("seen").assign(measured=end)

# %%
assert all(now.lo < end < now.hi for now in told.values())
axes = sf.plot.forecast(told[0.4])

# %% [markdown]
# The rate, drawn below, matters: much of what is still to come comes from its fall.
#
# ## Will it reach a target?

# %%
now = told[0.4]
print(f"at 1.50 or below: {now.chance(1.50):.0%}; at 1.40 or below: {now.chance(1.40):.0%}")

# %% [markdown]
# ## Other endings
#
# The past is what it is; the rates to come can be others.

# %%
step, here = now.step, plan[now.step - 1]
half = whole[whole["step"] <= 1600]
others = {
    "as planned": plan,
    "cool down now": np.concatenate([plan[:step], sf.schedule.linear(800, here)]),
    "linear to zero": np.concatenate([plan[:step], sf.schedule.linear(4000 - step, here)]),
}
ends = {name: sf.forecast(half, rates) for name, rates in others.items()}
rows = {k: {"loss": e.loss, "lo": e.lo, "hi": e.hi, "steps": e.steps} for k, e in ends.items()}
pd.DataFrame(rows).T

# %% [markdown]
# Cooling down now saves 1700 of 4000 steps, and costs what the table says.
#
# ## Off course
#
# Two accidents: the trainer used half the rate that was planned, and the losses became NaN.

# %%
halved = sf.forecast(half.assign(lr=half["lr"] / 2), plan)
broken = sf.forecast(half.assign(loss=half["loss"].where(half["step"] < 1200)), plan)
for alarm in (*halved.alarms, *broken.alarms):
    print(alarm)
assert not halved.on_course
assert not broken.on_course

# %% [markdown]
# `scalefit watch run.jsonl --schedule "cosine(4000, 6.39e-3, 6.39e-4, warmup=40)"` does this in a terminal, and ends with code 1 where the run is off course.
