"""Where programs run: on the CPU unless told, on every device of the kind asked for, with the same answer."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import jax
import pytest

from scalefit.core.compiled import devices

CODE = """
import hashlib, json
import numpy as np
import scalefit as sf
from scalefit.core import compiled
x = np.geomspace(1e6, 1e9, 20)
fit = sf.fit("monomial", {"x": x, "y": 3 * x**-0.2 * (1 + 0.01 * np.sin(x))}, y="y")
draws = sf.bootstrap(fit, 900, key=1).draws.u
used = {str(key[2]) for key in compiled._held}
found = {"draws": hashlib.sha256(draws.tobytes()).hexdigest(), "value": fit.value, "devices": len(used)}
print(json.dumps(found))
"""


def told(**more: str) -> dict:
    env = {k: v for k, v in os.environ.items() if not k.startswith(("JAX_", "XLA_"))} | more
    done = subprocess.run([sys.executable, "-c", CODE], env=env, text=True, capture_output=True)
    assert not done.returncode, done.stderr
    return json.loads(done.stdout)


def test_lanes_are_shared_out_over_devices():
    alone = told()
    spread = told(XLA_FLAGS="--xla_force_host_platform_device_count=3")
    assert (alone.pop("devices"), spread.pop("devices")) == (1, 3)
    assert spread == alone


def test_the_cpu_unless_told(monkeypatch):
    """A GPU beside it belongs to a training: it is asked for by its name only."""
    asked = []
    monkeypatch.setattr(jax, "local_devices", lambda backend=None: asked.append(backend) or ["one", "two"])
    assert devices() == ["one", "two"]
    monkeypatch.setenv("SCALEFIT_DEVICE", "gpu")
    devices()
    assert asked == ["cpu", "gpu"]


def test_the_device_that_jax_was_told():
    (first, *_) = jax.devices()
    with jax.default_device(first):
        assert devices() == [first]


def test_a_kind_of_device_that_is_not_there(monkeypatch):
    monkeypatch.setenv("SCALEFIT_DEVICE", "abacus")
    with pytest.raises(
        ValueError, match="SCALEFIT_DEVICE is 'abacus', a kind of device that JAX does not have here"
    ):
        devices()
