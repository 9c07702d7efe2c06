"""What a refusal must be: one sentence of ours, not an error of numpy's, pandas' or Python's own."""

REFUSALS = (ValueError, TypeError, KeyError, FileNotFoundError)

INSIDE = (
    "unhashable",
    "unsupported operand",
    "has no attribute",
    "not subscriptable",
    "not iterable",
    "could not convert",
    "object is not",
    "cannot convert",
    "ufunc",
    "broadcast",
    "argument must be",
    "has no len",
    "Length of values",
    "'<' not supported",
    "truth value",
    "invalid literal",
    "must be str",
    "cannot unpack",
    "unexpected keyword",
    "expected str, bytes",
    "required positional",
    "shape mismatch",
    "index out of",
    "zero-size array",
    "setting an array element",
    "Tracer",
)


def check_sentence(refused: BaseException) -> str:
    """The sentence; AssertionError where it is none of ours."""
    said = str(refused.args[0]) if refused.args else ""
    assert 10 < len(said) < 400, said
    assert "\n" not in said, said
    assert not any(word in said for word in INSIDE), said
    return said
