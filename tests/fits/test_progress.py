"""A line of progress at a terminal, nothing anywhere else."""

import builtins
import io
import sys

import pytest

import scalefit as sf
from scalefit.fits import progress


class Stream(io.StringIO):
    def __init__(self, terminal):
        super().__init__()
        self.terminal = terminal

    def isatty(self):
        return self.terminal


@pytest.fixture
def without_rich(monkeypatch):
    ordinary = builtins.__import__

    def refuse(name, *rest, **more):
        if name.startswith("rich"):
            raise ImportError(name)
        return ordinary(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", refuse)


@pytest.mark.parametrize(
    ("terminal", "patience", "shown"), [(True, -1, True), (False, -1, False), (True, 60, False)]
)
def test_only_at_a_terminal_and_only_what_lasts(terminal, patience, shown, monkeypatch, without_rich):
    stream = Stream(terminal)
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(progress, "PATIENCE", patience)
    assert list(progress.steps("abc", "backtest")) == ["a", "b", "c"]
    said = stream.getvalue()
    assert ("scalefit: backtest, 2 of 3 done" in said) == shown
    # The line is gone at the end.
    assert said.endswith("\r\x1b[K") == shown


def test_it_goes_when_a_call_fails(monkeypatch, without_rich):
    stream = Stream(True)
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(progress, "PATIENCE", -1)
    with pytest.raises(ZeroDivisionError):
        sum(1 / value for value in progress.steps([1, 0], "x"))
    assert stream.getvalue().endswith("\r\x1b[K")


def test_a_namespace_completes_to_its_own_names():
    assert dir(sf.schedule) == sorted(sf.schedule.__all__)
    assert dir(sf.flops) == sorted(sf.flops.__all__)
    assert "np" not in dir(sf.schedule)
