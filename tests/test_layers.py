"""The architecture, read from the imports: they only point down, and importing starts nothing."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "scalefit"
# Lowest first; a module may import from its own layer and those above it in this list.
LAYERS = (
    {"core", "flops", "schedule", "callbacks", "files", "frames", "arguments", "words"},
    {"laws", "datasets"},
    {"runs"},
    {"fits"},
    {"uncertainty"},
    {"validation"},
    {"decisions", "curves"},
    {"plot"},
    {"reports"},
    {"neighbours"},
    {"bench"},
    {"cli", "__main__"},
)
FILES = sorted(SOURCE.rglob("*.py"))


# Methods of a named tuple are public in spite of their names.
NAMED_TUPLE = {"_asdict", "_fields", "_make", "_replace"}
# Pictures stand above what they show, and are found by name when one is asked for.
BY_NAME = {"scalefit.plot"}


def rank(part: str) -> int:
    return next(k for k, layer in enumerate(LAYERS) if part in layer)


def module_of(path: Path) -> str:
    return ".".join(("scalefit", *path.relative_to(SOURCE).with_suffix("").parts)).removesuffix(".__init__")


MODULES = {module_of(path): path for path in FILES}


def package_of(path: Path) -> str:
    return module_of(path.parent / "__init__.py") if path.parent != SOURCE else "scalefit"


@cache
def imports(path: Path) -> frozenset[str]:
    """Full names imported anywhere in a file: for types only, inside functions, by a name in words too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} uses a relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "import_module":
            found |= {a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)}
    return frozenset(found - BY_NAME)


def home(name: str) -> str | None:
    """The module of ours that holds an imported name."""
    while name not in MODULES and "." in name:
        name = name.rpartition(".")[0]
    return name if name in MODULES else None


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_point_down(path):
    part = path.relative_to(SOURCE).with_suffix("").parts[0]
    if part == "__init__":
        return
    for name in imports(path):
        head, *rest = name.split(".")
        if head == "scalefit" and rest and rest[0] not in ("__version__", "__all__"):
            assert rank(rest[0]) <= rank(part), f"{path.name} imports {name}, which lies above it"


def test_no_circle_of_modules():
    graph = {name: {home(n) for n in imports(path)} - {None, name} for name, path in MODULES.items()}
    order = list(TopologicalSorter(graph).static_order())
    assert len(order) == len(MODULES)


def private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name not in NAMED_TUPLE


def taken(path: Path) -> list[str]:
    """Private members of other modules that a file uses:
    names it imports, attributes it did not define itself."""
    tree, mine, found = ast.parse(path.read_text()), package_of(path), []
    own = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    for node in ast.walk(tree):
        if isinstance(getattr(node, "ctx", None), ast.Store):
            own.add(getattr(node, "id", None) or getattr(node, "attr", ""))
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and private(node.attr) and node.attr not in own:
            found.append(f"{path.name}:{node.lineno} {ast.unparse(node)}")
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                module = full if full in MODULES else str(node.module)
                # A module may be named for its folder alone; what is in it may not be private beside that.
                beside = module.rpartition(".")[0] == mine and (full in MODULES or not private(alias.name))
                if any(map(private, full.split("."))) and not beside:
                    found.append(f"{path.name}:{node.lineno} {full}")
    return found


def test_no_private_member_of_another_module():
    assert [use for path in FILES for use in taken(path)] == []


def test_what_private_means(tmp_path, monkeypatch):
    """The check itself: a stranger's attribute and an import of a private name are found,
    one's own and a neighbour's are not."""
    file = tmp_path / "file.py"
    file.write_text(
        "from scalefit.fits.fit import _normal\nfrom scalefit.laws._power import power\n"
        "def _mine(a): return a._mine, a._replace(), a._theirs, self._inherited\n"
    )
    monkeypatch.setattr(sys.modules[__name__], "SOURCE", tmp_path)
    assert [use.split(" ")[1] for use in taken(file)] == [
        "scalefit.fits.fit._normal",
        "scalefit.laws._power.power",
        "a._theirs",
        "self._inherited",
    ]


def test_at_most_six_modules_at_the_root():
    assert len(list(SOURCE.glob("*.py"))) <= 6


def test_tests_mirror_the_tree():
    tests = Path(__file__).parent

    def folders(root: Path) -> set[str]:
        return {path.parent.name for path in root.glob("*/*.py")}

    assert folders(tests) - {"docs"} == folders(SOURCE)
    for folder in folders(SOURCE):
        assert list((tests / folder).glob("test_*.py")), f"{folder} has no test"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_each_outside_package_has_its_place(path):
    part = path.relative_to(SOURCE).with_suffix("").parts[0]
    outside = {name.split(".")[0] for name in imports(path)} - {"scalefit"} - set(sys.stdlib_module_names)
    allowed = {
        "core": {"jax", "numpy"},
        "files": {"numpy", "openpyxl"},
        "frames": {"narwhals", "pandas", "pyarrow"},
        "laws": {"numpy", "scipy"},
        "datasets": {"pooch"},
        "plot": {"matplotlib", "numpy"},
        "callbacks": {"lightning", "pytorch_lightning", "transformers"},
        "runs": {"numpy", "tensorboard", "wandb"},
        "fits": {"numpy", "rich", "scipy", "sklearn"},
        "uncertainty": {"jax", "numpy", "numpyro", "scipy"},
        "validation": {"numpy", "scipy"},
        "decisions": {"jax", "numpy", "scipy"},
        "curves": {"jax", "numpy", "scipy"},
        "reports": {"jinja2", "numpy"},
        "neighbours": {"mlflow"},
        "bench": {"chinchilla", "jax", "lmfit", "numpy", "optimistix", "scipy", "simple_scaling_laws"},
        "cli": {"jax", "matplotlib", "numpy", "shtab"},
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
    code = f"""
import importlib, jax
before = dict(jax.config.values)
for name in {[name for name in MODULES if not name.endswith("__main__")]!r}:
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
