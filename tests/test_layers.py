"""The architecture, read from the imports: they only point down, and importing starts nothing."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "scalefit"
# Lowest first; a module may import from its own layer and those above it in this list.
LAYERS = (
    {"core", "flops", "schedule", "callbacks", "frames", "arguments", "words"},
    {"laws", "datasets"},
    {"runs"},
    {"fits"},
    {"uncertainty"},
    {"validation"},
    {"decisions", "curves"},
    {"plot"},
    {"report"},
    {"cli", "__main__"},
)
FILES = sorted(SOURCE.rglob("*.py"))


def rank(part: str) -> int:
    return next(k for k, layer in enumerate(LAYERS) if part in layer)


def imports(path: Path) -> set[str]:
    """Full names imported anywhere in a file, also inside functions; type-checking blocks left out."""
    tree = ast.parse(path.read_text())
    skipped = {
        child
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"
        for child in ast.walk(node)
    }
    found = set()
    for node in ast.walk(tree):
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} uses a relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_point_down(path):
    part = path.relative_to(SOURCE).with_suffix("").parts[0]
    if part == "__init__":
        return
    for name in imports(path):
        head, *rest = name.split(".")
        if head == "scalefit" and rest:
            assert rank(rest[0]) <= rank(part), f"{path.name} imports {name}, which lies above it"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_each_outside_package_has_its_place(path):
    part = path.relative_to(SOURCE).with_suffix("").parts[0]
    outside = {name.split(".")[0] for name in imports(path)} - {"scalefit"} - set(sys.stdlib_module_names)
    allowed = {
        "core": {"jax", "numpy"},
        "frames": {"pandas"},
        "plot": {"matplotlib", "numpy"},
        "callbacks": {"lightning", "pytorch_lightning", "transformers"},
        "runs": {"numpy", "tensorboard"},
        "fits": {"numpy", "scipy"},
        "uncertainty": {"jax", "numpy", "numpyro", "scipy"},
        "validation": {"numpy", "scipy"},
        "decisions": {"jax", "numpy", "scipy"},
        "curves": {"jax", "numpy", "scipy"},
        "cli": {"jax", "matplotlib"},
    }
    assert outside <= allowed.get(part, {"numpy"}), f"{path.name} imports {outside}"


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_importing_loads_nothing_heavy():
    loaded = run(
        "import sys, scalefit; print([m for m in ('jax', 'pandas', 'matplotlib', "
        "'numpy') if m in sys.modules])"
    )
    assert loaded == "[]"


def test_importing_every_module_starts_no_backend_and_changes_no_setting():
    names = [
        ".".join(("scalefit", *path.relative_to(SOURCE).with_suffix("").parts)).removesuffix(".__init__")
        for path in FILES
    ]
    code = f"""
import importlib, jax
before = dict(jax.config.values)
for name in {[n for n in names if not n.endswith("__main__")]!r}:
    importlib.import_module(name)
import scalefit as sf
sf.laws.names(), sf.laws.chinchilla.formula
from jax._src import xla_bridge
print(xla_bridge.backends_are_initialized(), dict(jax.config.values) == before)
"""
    assert run(code) == "False True"


def test_public_names_resolve_in_any_order():
    assert run(
        "import scalefit as sf; sf.Fit; sf.laws; print(callable(sf.fit), all(hasattr(sf, "
        "n) for n in sf.__all__))"
    ) == ("True True")


def test_submodules_do_not_hide_functions():
    """sf.profile is the function, also after `import scalefit.uncertainty.profile`."""
    code = (
        "import scalefit.uncertainty.profile, scalefit as sf; "
        "assert callable(sf.profile); assert callable(sf.fit)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
