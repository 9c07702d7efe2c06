"""What type checkers are told of the laws is what there is."""

from __future__ import annotations

import ast

import scalefit as sf
from scalefit.laws import stub


def test_the_stub_is_the_one_the_command_writes():
    assert stub.PATH.read_text() == stub.stub(), "run python -m scalefit.laws.stub"


def test_every_law_and_function_is_named_and_is_there():
    (laws,) = (node for node in ast.parse(stub.PATH.read_text()).body if isinstance(node, ast.ClassDef))
    said = {node.target.id for node in laws.body if isinstance(node, ast.AnnAssign)}
    assert said == set(sf.laws.names())
    assert {node.targets[0].id for node in laws.body if isinstance(node, ast.Assign)} == set(sf.laws.__all__)
    assert all(isinstance(getattr(sf.laws, name), sf.Law) for name in said)
