"""The stub of `scalefit.laws`, which tells type checkers and editors the laws' names:
`python -m scalefit.laws.stub`."""

from __future__ import annotations

import ast
import operator
from pathlib import Path

from scalefit.laws import catalogue, procedures

__all__ = ["PATH", "stub"]

PATH = Path(__file__).with_name("__init__.pyi")

HEAD = '''"""Written by `python -m scalefit.laws.stub`; a test compares."""

from collections.abc import Iterator

from scalefit.core.law import Law
from scalefit.laws import catalogue, procedures
'''


def stub() -> str:
    """The stub's text: the functions and all laws, of the module and of what `sf.laws` is.

    A checker cannot index a module, and lets every name of a `ModuleType` pass: `sf.laws` is declared as an
    object of the class `Laws`, which it is, without that base.
    """
    functions = {name: "catalogue" for name in catalogue.__all__ if name != "Laws"}
    functions |= dict.fromkeys(procedures.__all__, "procedures")
    laws = [f"{name}: Law" for name in catalogue.names()]
    static = [f"{name} = staticmethod({functions[name]}.{name})" for name in sorted(functions)]
    inside = [f"    {line}" for line in (*_methods(), *static, *laws)]
    imports = [
        f"from scalefit.laws.{file} import {name} as {name}"
        for name, file in sorted(functions.items(), key=operator.itemgetter(1, 0))
    ]
    return "\n".join([HEAD.rstrip(), *imports, "", *laws, "", "class Laws:", *inside, "", "laws: Laws", ""])


def _methods() -> list[str]:
    """What can be done with the module:
    the class's methods, but for `__getattr__`, which would let every name pass."""
    tree = ast.parse(Path(catalogue.__file__).read_text())
    (laws,) = (node for node in tree.body if isinstance(node, ast.ClassDef))
    return [
        f"def {node.name}({ast.unparse(node.args)}) -> {ast.unparse(node.returns)}: ..."
        for node in laws.body
        if isinstance(node, ast.FunctionDef) and node.returns and node.name not in ("__getattr__", "__dir__")
    ]


if __name__ == "__main__":
    PATH.write_text(stub())
