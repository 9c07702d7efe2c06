"""Programs kept on disk and in memory: found again by other processes, bounded, and never in the way."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

import scalefit as sf
from scalefit.core import compiled, kept

CODE = """
import json, os, sys
import numpy as np
import scalefit as sf
from scalefit.core.compiled import counts
before = dict(os.environ)
x = np.geomspace(1e6, 1e9, 20)
fit = sf.fit("monomial", {"x": x, "y": 3 * x**-0.2 * (1 + 0.01 * np.sin(x))}, y="y")
import jax
assert dict(os.environ) == before and jax.config.jax_compilation_cache_dir is None
print(json.dumps({**counts(), "value": fit.value}))
"""


def begin(folder, **more: str) -> subprocess.Popen:
    env = {k: v for k, v in os.environ.items() if not k.startswith("JAX_")}
    env |= {"SCALEFIT_CACHE": str(folder), **more}
    return subprocess.Popen(
        [sys.executable, "-c", CODE], env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def outcome(process: subprocess.Popen) -> dict:
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert not err, "nothing is said"
    return json.loads(out.splitlines()[-1])


def programs(folder) -> list[Path]:
    return sorted((folder / "programs").glob("*.program"))


@pytest.fixture(scope="module")
def once(tmp_path_factory) -> tuple[Path, dict]:
    """A folder that one process has kept its program in, and what that process says."""
    folder = tmp_path_factory.mktemp("once")
    return folder, outcome(begin(folder))


@pytest.fixture
def first(once, tmp_path) -> dict:
    """What that process says; its folder is copied to tmp_path."""
    shutil.copytree(once[0], tmp_path, dirs_exist_ok=True)
    return once[1]


def test_another_process_compiles_nothing(first, tmp_path):
    second = outcome(begin(tmp_path))
    assert (first["compiled"], first["loaded"]) == (1, 0)
    assert (second["compiled"], second["loaded"]) == (0, 1)
    assert second["value"] == first["value"]
    if os.name == "posix":
        assert all(path.stat().st_mode & 0o77 == 0 for path in programs(tmp_path))


def test_damaged_programs_are_compiled_again(first, tmp_path):
    (path,) = programs(tmp_path)
    whole = path.read_bytes()
    for damaged in (whole[: len(whole) // 2], b"", whole[:-1] + bytes([whole[-1] ^ 1])):
        path.write_bytes(damaged)
        again = outcome(begin(tmp_path))
        assert (again["compiled"], again["value"]) == (1, first["value"])
        assert len(path.read_bytes()) == len(whole), "and kept again"


def test_processes_side_by_side(tmp_path):
    found = [outcome(each) for each in [begin(tmp_path) for _ in range(3)]]
    assert len({each["value"] for each in found}) == 1
    assert len(programs(tmp_path)) == 1
    assert not list((tmp_path / "programs").glob("*.part"))


def test_off_and_nowhere_to_write(tmp_path):
    assert outcome(begin("off", XDG_CACHE_HOME=str(tmp_path)))["compiled"] == 1
    assert not list(tmp_path.iterdir())
    file = tmp_path / "a file"
    file.touch()
    assert outcome(begin(file))["compiled"] == 1


@pytest.mark.skipif(os.name != "posix", reason="says who may write by POSIX modes")
@pytest.mark.usefixtures("first")
def test_what_others_may_write_is_not_read(tmp_path):
    (path,) = programs(tmp_path)
    path.chmod(0o666)
    assert outcome(begin(tmp_path))["loaded"] == 0
    path.chmod(0o600)
    path.parent.chmod(0o777)
    assert outcome(begin(tmp_path))["loaded"] == 0


def test_the_folder_stays_small(tmp_path, monkeypatch):
    """Room for about two programs: a third drives out the one not used for longest."""
    monkeypatch.setenv("SCALEFIT_CACHE", str(tmp_path))

    def program(k: int):
        return jax.jit(lambda x: x * (k + 1)).lower(np.float32(1)).compile()

    device = jax.devices()[0]
    kept.store("one", program(1))
    (path,) = programs(tmp_path)
    monkeypatch.setattr(kept, "MOST_BYTES", int(2.5 * path.stat().st_size))
    os.utime(path, (1, 1))
    kept.store("two", program(2))
    two = path.with_name("two.program")
    os.utime(two, (2, 2))
    assert kept.load("one", device) is not None, "used last"
    kept.store("three", program(3))
    assert [each.stem for each in programs(tmp_path)] == ["one", "three"]
    assert kept.load("two", device) is None
    assert float(kept.load("three", device)(np.float32(2))) == 8


def mapped() -> int:
    return len(Path("/proc/self/maps").read_text().splitlines())


@pytest.mark.skipif(
    not Path("/proc/self/maps").exists(), reason="counts mapped regions where Linux lists them"
)
def test_programs_in_memory_level_off(monkeypatch):
    """Fits of laws of other structures, with other lengths and other values held,
    where three programs may be held."""
    monkeypatch.setattr(compiled, "MOST", 3)
    compiled.forget()
    x = np.geomspace(1e6, 1e9, 60)
    y = 1.5 + 3 * x**-0.2 * (1 + 0.001 * np.sin(x))
    laws = [sf.laws.power_floor, sf.laws.monomial, sf.laws.power_floor.bound(alpha=(0, 1))]
    regions, made = [], compiled.counts()
    for n in (20, 40):
        for law in laws:
            for value in (0.2, 0.21):
                free = law.fix(**{law.names[-1]: value})
                assert sf.fit(free, {"x": x[:n], "loss": y[:n]}, y="loss").status.converged
        regions.append(mapped())
    now = compiled.counts()
    assert now["held"] == 3
    assert sum(now[how] - made[how] for how in ("compiled", "loaded")) == 6, "one for each law and length"
    # A program takes some 170 regions.
    assert regions[1] - regions[0] < 300, regions


def test_a_program_that_does_not_run_is_compiled_after_all(monkeypatch):
    """As XLA says now and then of what it loaded: a kernel is missing."""

    def broken(*args):
        raise jax.errors.JaxRuntimeError("NOT_FOUND: Function iota_kernel not found")

    compiled.forget()
    monkeypatch.setattr(kept, "load", lambda name, device: broken)
    x = np.geomspace(1e6, 1e9, 20)
    made = compiled.counts()
    fits = [sf.fit("monomial", {"x": x, "y": 3 * x**-0.2 * (1 + 0.01 * np.sin(x))}, y="y") for _ in range(2)]
    compiled.forget()
    assert fits[0].status.converged
    assert fits[0].value == fits[1].value
    now = compiled.counts()
    assert (now["compiled"] - made["compiled"], now["loaded"] - made["loaded"]) == (1, 0)
