"""What a shell completes, and an example of every verb at the end of its help."""

from __future__ import annotations

import argparse
import re
import shlex
import shutil
import subprocess
import sys

import pytest

from scalefit import cli


def verbs(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    (found,) = (
        action.choices for action in parser._actions if isinstance(action, argparse._SubParsersAction)
    )
    return found


@pytest.mark.parametrize("name", verbs(cli._parser()))
def test_every_verb_shows_an_example(name):
    parser = cli._parser()
    shown = re.search(rf"scalefit ({name} .*)", verbs(parser)[name].epilog or "")
    assert shown, f"an example is missing at the end of scalefit {name} --help"
    options, rest = parser.parse_known_args(shlex.split(shown[1]))
    assert options.takes_inputs or not rest


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    pytest.importorskip("shtab", reason="the extra 'completion' is not installed")
    command = [sys.executable, "-m", "scalefit", "--print-completion", "bash"]
    path = tmp_path_factory.mktemp("completion") / "scalefit.bash"
    path.write_text(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return path


@pytest.mark.skipif(not shutil.which("bash"), reason="needs bash")
@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        (["fore"], ["forecast"]),
        (["fit", "--obj"], ["--objective"]),
        (["fit", "--objective", "hu"], ["huber"]),
        (["show", "fi"], ["fit.json"]),
    ],
)
def test_bash_completes(script, typed, offered):
    (script.parent / "fit.json").touch()
    words = " ".join(map(shlex.quote, ["scalefit", *typed]))
    ask = (
        f"source {script}; COMP_WORDS=({words}); COMP_CWORD={len(typed)}; "
        f'_shtab_scalefit scalefit {typed[-1]} ""; echo "${{COMPREPLY[@]}}"'
    )
    done = subprocess.run(["bash", "-c", ask], cwd=script.parent, capture_output=True, text=True, check=True)
    assert done.stdout.split() == offered


def test_without_the_extra_the_remedy_is_said(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "shtab", None)
    with pytest.raises(SystemExit) as ended:
        cli.main(["--print-completion", "bash"])
    assert ended.value.code == 2
    assert "scalefit-jax[completion]" in capsys.readouterr().err
