"""What the tests of the command line share: a law's truth, tables to fit, and the one line of a refusal."""

import json

from scalefit.cli import main

TRUTH = {"E": 1.8, "A": 480.0, "B": 2000.0, "alpha": 0.35, "beta": 0.37}


CHINCHILLA = ["--law", "chinchilla", "--N", "size", "--D=seen"]


def write(path, columns):
    names = list(columns)
    rows = zip(*columns.values(), strict=True)
    path.write_text("\n".join([",".join(names), *(",".join(repr(float(v)) for v in row) for row in rows)]))
    return str(path)


def refusal(capsys, arguments):
    """The one line a refused request prints."""
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("scalefit: ")
    assert err.count("\n") == 1
    return err


def strict(text):
    """The JSON in a text that has no word for numbers that are not finite."""

    def refuse(word):
        raise AssertionError(f"{word} is not JSON")

    return json.loads(text, parse_constant=refuse)
