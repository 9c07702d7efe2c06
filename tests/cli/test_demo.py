import importlib.util
from pathlib import Path

import scalefit as sf

DEMO = Path(__file__).parents[2] / "examples" / "demo.py"


def test_demo(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    spec = importlib.util.spec_from_file_location("demo", DEMO)
    assert spec
    assert spec.loader
    demo = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(demo)
    demo.main()
    out = capsys.readouterr().out
    assert sf.load("demo/tiny_lm.json").summary() in out
    assert "90 % interval" in out
    assert Path("demo/tiny_lm.png").read_bytes().startswith(b"\x89PNG")
