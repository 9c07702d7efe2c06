import os
import subprocess
import sys

import pytest
from lines import CHINCHILLA

import scalefit as sf
from scalefit.cli import main


@pytest.mark.parametrize("arguments", [[], ["fit"], ["fit", "runs.csv"], ["laws", "--N", "x"], ["nonsense"]])
def test_misuse_is_argparse_s_business(arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert "usage: scalefit" in capsys.readouterr().err


def python(code, **environment):
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={k: v for k, v in os.environ.items() if not k.startswith("JAX_")} | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return run.stdout.split()


def test_help_imports_nothing_heavy():
    code = """
import sys
import scalefit as sf
from scalefit.cli import main
try:
    main(["fit", "--help"])
except SystemExit:
    print("\\n", *({"jax", "numpy", "pandas", "matplotlib"} & set(sys.modules)), "only")
"""
    assert python(code)[-1:] == ["only"]
    assert python(code)[-2] not in ("jax", "numpy", "pandas", "matplotlib")


def test_compiled_programs_are_kept(runs, tmp_path):
    words = ["scalefit", "fit", runs, *CHINCHILLA]
    code = f"import sys; from scalefit.cli import main; sys.argv = {words!r}; main()"
    python(code, SCALEFIT_CACHE="off", XDG_CACHE_HOME=str(tmp_path / "unused"))
    assert not (tmp_path / "unused").exists()
    python(code, SCALEFIT_CACHE=str(tmp_path / "kept"))
    assert any((tmp_path / "kept").iterdir())


def test_a_caller_keeps_its_jax_settings(runs, capsys):
    import jax

    before = jax.config.jax_compilation_cache_dir
    assert main(["fit", runs, *CHINCHILLA]) == 0
    assert jax.config.jax_compilation_cache_dir == before
    assert "JAX_COMPILATION_CACHE_DIR" not in os.environ or before


def test_version(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["--version"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out == f"scalefit {sf.__version__}\n"


def test_a_reader_that_goes_away_is_no_error():
    """`scalefit laws | head -1`."""
    code = "from scalefit.cli import main; import sys; sys.exit(main(['laws', '--markdown']))"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as run:
        assert run.stdout
        assert run.stderr
        assert run.stdout.readline() == b"# The laws\n"
        run.stdout.close()
        assert run.stderr.read() == b""
        assert run.wait(60) == 0
