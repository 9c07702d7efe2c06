"""What is written is whole, or what was there before: full disks, kills, Ctrl-C, two at one file."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import jax
import numpy as np
import pytest

import scalefit as sf
from scalefit import files
from scalefit.cli import main

resource = pytest.importorskip("resource", reason="needs the limits of a Unix system")
LAW = sf.laws.power_floor
AT = {"x": [1e6, 1e7]}


@pytest.fixture(scope="module")
def fit() -> sf.Fit:
    x = {"x": np.geomspace(1, 1e5, 20)}
    return sf.fit(LAW, sf.simulate(LAW, {"E": 1.5, "A": 8.0, "alpha": 0.3}, x, noise=0.01, key=1))


@pytest.fixture
def runs(fit, tmp_path) -> str:
    path = tmp_path / "runs.csv"
    path.write_text(
        "x,loss\n" + "".join(f"{a},{b}\n" for a, b in zip(fit.data.x["x"], fit.data.y, strict=True))
    )
    return str(path)


@contextmanager
def full_disk(n: int = 100) -> Iterator[None]:
    """No file grows beyond n bytes, as on a disk with no more room: the rest of a write fails."""
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.getsignal(signal.SIGXFSZ)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


@contextmanager
def another_user() -> Iterator[Path]:
    """A folder that this process may read and not write."""
    with tempfile.TemporaryDirectory(prefix="scalefit-read-only-") as name:
        folder = Path(name)
        (folder / "kept.json").write_text("what was there")
        folder.chmod(0o555)
        root = os.geteuid() == 0
        try:
            if root:
                os.seteuid(65534)
            yield folder
        finally:
            if root:
                os.seteuid(0)
            folder.chmod(0o755)


# What writes a file -> the call; every one of them puts it in place whole.
WRITERS: dict[str, Callable[[sf.Fit, Path, str], object]] = {
    "save": lambda fit, path, runs: fit.save(path),
    "report": lambda fit, path, runs: sf.report(fit, path, refits=False),
    "ensemble": lambda fit, path, runs: sf.Ensemble({"power_floor": fit}, {"power_floor": 1.0}).save(path),
}
VERBS: dict[str, Callable[[str, str], list[str]]] = {
    "--save": lambda runs, path: ["fit", runs, "--law", "power_floor", "--save", path],
    "--plot": lambda runs, path: ["fit", runs, "--law", "power_floor", "--plot", path],
}


@pytest.mark.parametrize("writer", WRITERS)
def test_a_full_disk_takes_nothing_away(fit, runs, tmp_path, writer):
    path = tmp_path / "kept.json"
    path.write_text("what was there")
    before = sorted(tmp_path.iterdir())
    with full_disk(), pytest.raises(OSError, match=r"File too large: '.*kept\.json'$"):
        WRITERS[writer](fit, path, runs)
    assert path.read_text() == "what was there"
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("verb", VERBS)
def test_a_full_disk_is_one_line_of_the_command_line(runs, tmp_path, capsys, verb):
    path = tmp_path / "kept.png"
    path.write_text("what was there")
    words = VERBS[verb](runs, str(path))
    main(words[:-2])  # what it compiles is kept before the disk is full
    capsys.readouterr()
    with full_disk():
        assert main(words) == 2
    assert capsys.readouterr().err == f"scalefit: File too large: '{path}'\n"
    assert path.read_text() == "what was there"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["kept.png", "runs.csv"]


@pytest.mark.parametrize("name", ["kept.json", "new.json"])
@pytest.mark.parametrize("writer", WRITERS)
def test_a_read_only_folder_is_named(fit, runs, writer, name):
    with another_user() as folder:
        with pytest.raises(PermissionError, match=f"Permission denied: '{folder / name}'"):
            WRITERS[writer](fit, folder / name, runs)
        assert [path.name for path in folder.iterdir()] == ["kept.json"]
        assert (folder / "kept.json").read_text() == "what was there"


def test_a_protected_file_stays(fit, tmp_path):
    """Its folder would let it be replaced; its owner said not to."""
    with tempfile.TemporaryDirectory() as name:
        path, folder = Path(name, "kept.json"), Path(name)
        path.write_text("what was there")
        path.chmod(0o444)
        folder.chmod(0o777)
        root = os.geteuid() == 0
        try:
            if root:
                os.seteuid(65534)
            with pytest.raises(PermissionError, match=r"kept\.json"):
                fit.save(path)
        finally:
            if root:
                os.seteuid(0)
        assert path.read_text() == "what was there"


def test_links_modes_and_devices_stay_what_they_are(tmp_path):
    there, link = tmp_path / "there.txt", tmp_path / "link.txt"
    there.write_text("old")
    there.chmod(0o600)
    link.symlink_to(there)
    files.write(link, "new")
    assert link.is_symlink()
    assert there.read_text() == "new"
    assert there.stat().st_mode & 0o777 == 0o600
    os.mkfifo(pipe := tmp_path / "pipe")
    read = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    files.write(pipe, "through")
    reader.join()
    assert read == [b"through"]
    assert pipe.is_fifo()
    with pytest.raises(IsADirectoryError, match="is a folder; name a file in it"):
        files.write(tmp_path, "x")
    long = tmp_path / ("é" * 120)  # 240 of the 255 bytes that a name may have
    files.write(long, "x")
    assert long.read_text() == "x"


def test_a_new_file_is_whole_or_not_there(fit, tmp_path, monkeypatch):
    """A forecast that was killed half-way would take its name for ever."""
    path = tmp_path / "big.json"
    with full_disk(), pytest.raises(OSError, match=r"File too large: '.*big\.json'$"):
        sf.preregister(fit, path, {"x": 1e7})
    assert list(tmp_path.iterdir()) == []

    def nowhere(*_):
        raise PermissionError(1, "no links here")  # EPERM, as on FAT

    monkeypatch.setattr(os, "link", nowhere)
    sf.preregister(fit, path, {"x": 1e7})
    assert json.loads(path.read_text())["kind"] == "scalefit forecast"
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(FileExistsError, match="never overwritten"):
        sf.preregister(fit, path, {"x": 1e7})


def test_a_full_disk_keeps_a_study_that_goes_on(fit, tmp_path, monkeypatch):
    from scalefit.uncertainty import bootstrap

    monkeypatch.setattr(bootstrap, "BATCH", 20)
    file, whole = tmp_path / "boot.jsonl", sf.bootstrap(fit, 60, key=3)
    sf.bootstrap(fit, 20, key=3, file=file)
    with full_disk(file.stat().st_size + 50), pytest.raises(OSError, match=r"parts finished before are kept"):
        sf.bootstrap(fit, 60, key=3, file=file)
    assert not file.read_bytes().endswith(b"\n")
    again = sf.bootstrap(fit, 60, key=3, file=file)
    np.testing.assert_array_equal(again.draws.u, whole.draws.u)
    assert file.read_bytes().count(b"\n") == 4


HOLDS = """
import sys
from scalefit import files
file = open(sys.argv[1], "a+b")
files.held(file)
print(flush=True)
input()
"""


def test_one_process_at_a_time_is_at_a_study(fit, tmp_path):
    file = tmp_path / "boot.jsonl"
    sf.bootstrap(fit, 20, key=3, file=file)
    before = file.read_bytes()
    other = subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    other.stdout.readline()
    with pytest.raises(
        ValueError, match=r"another process is at the study in .*boot\.jsonl; wait for it, or"
    ):
        sf.bootstrap(fit, 40, key=3, file=file)
    other.kill()
    other.communicate()
    assert file.read_bytes() == before
    assert len(sf.bootstrap(fit, 40, key=3, file=file).draws.u) == 40


@pytest.mark.parametrize(
    "line", ['{"first": 0}', '{"first": 0, "u": [[1, 2]], "settled": [true]}', "[]", "[" * 100_000]
)
def test_a_study_whose_lines_were_edited_is_refused(fit, tmp_path, line):
    file = tmp_path / "boot.jsonl"
    sf.bootstrap(fit, 20, key=3, file=file)
    header = file.read_text().splitlines()[0]
    file.write_text(f"{header}\n{line}\n")
    with pytest.raises(ValueError, match=r"boot\.jsonl is .*damaged.*; give a new file"):
        sf.bootstrap(fit, 20, key=3, file=file)


KILLED = """
import sys
import scalefit as sf
fit = sf.load(sys.argv[1])
print(flush=True)
while True:
    fit.save(sys.argv[2])
"""


def test_a_fit_saved_and_killed_while_it_is_read(fit, tmp_path):
    """One process saves without end, this one reads; a kill at any moment leaves a whole file."""
    first, path = tmp_path / "first.json", tmp_path / "fit.json"
    fit.save(first)
    fit.save(path)
    wanted = path.read_bytes()
    child = subprocess.Popen([sys.executable, "-c", KILLED, str(first), str(path)], stdout=subprocess.PIPE)
    child.stdout.readline()
    made = {path.stat().st_ino}
    until = time.monotonic() + 0.3
    while time.monotonic() < until or len(made) < 5:
        assert path.read_bytes() == wanted
        made.add(path.stat().st_ino)
    child.send_signal(signal.SIGKILL)
    child.communicate()
    assert path.read_bytes() == wanted
    assert sf.load(path).coefs == fit.coefs


def test_two_settle_at_once_and_both_are_kept(fit, tmp_path):
    """Each reads the file of settlements and writes it with its own beside; one after the other."""
    path, names = tmp_path / "big.json", [f"run {k}" for k in range(6)]
    kept = sf.preregister(fit, path, {"x": np.geomspace(1e5, 1e6, 6)}, name=names)
    measured = {name: told.median for name, told in kept.predictive().items()}
    threads = [
        threading.Thread(target=sf.settle, args=(path, {name: value})) for name, value in measured.items()
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    settled = json.loads((tmp_path / "big.settled.json").read_text())["measured"]
    assert {name: one["value"] for name, one in settled.items()} == measured


# A long call -> its answer as numbers.
LONG: dict[str, Callable[[sf.Fit, str], object]] = {
    "fit": lambda fit, runs: sf.fit("power_floor", runs).coefs,
    "bootstrap": lambda fit, runs: sf.bootstrap(fit, 600, key=1).draws.u.tolist(),
    "jackknife": lambda fit, runs: sf.jackknife(fit).draws.u.tolist(),
    "profile": lambda fit, runs: sf.profile(fit, "alpha", n_values=5).objective.tolist(),
    "backtest": lambda fit, runs: repr(sf.backtest(["power_floor"], runs)),
}


@pytest.mark.parametrize("call", LONG)
def test_ctrl_c_at_any_moment_leaves_nothing_behind(fit, runs, call):
    """Interrupted at three moments, the next call gives the same answer under the same settings."""
    wanted = LONG[call](fit, runs)
    begun = time.perf_counter()
    assert LONG[call](fit, runs) == wanted
    took = time.perf_counter() - begun
    settings = dict(jax.config.values)

    def stop(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, stop)
    stopped = 0
    try:
        for k in range(3):
            signal.setitimer(signal.ITIMER_REAL, min(took, 0.3) * (k + 0.5) / 3)
            try:
                LONG[call](fit, runs)
                signal.setitimer(signal.ITIMER_REAL, 0)
            except KeyboardInterrupt:
                stopped += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert stopped
    assert dict(jax.config.values) == settings
    assert LONG[call](fit, runs) == wanted


def test_ctrl_c_on_the_command_line_is_one_line(runs, capsys, monkeypatch):
    def pressed(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(sf, "fit", pressed)
    assert main(["fit", runs, "--law", "power_floor"]) == 130
    assert capsys.readouterr().err == "scalefit: interrupted\n"
