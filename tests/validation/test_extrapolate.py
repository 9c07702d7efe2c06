"""Extrapolation: weights by hand, what must not matter, curves no law in the set describes, refusals."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import scalefit as sf
from scalefit.validation.extrapolate import default_laws, recent

TRUTH = {"E": 1.7, "A": 60.0, "alpha": 0.3}
# A break two decades into the runs: before it slope 0.05, beyond it 0.3, on top of 0.5.
BROKEN = {"a": 0.5, "b": 3.0, "c_0": 0.05, "c_1": 0.25, "d_1": 1e6, "f_1": 0.3}
AHEAD = {"x": np.array([3e9])}


def curve(law: sf.Law, truth, noise: float = 0.003, key: int = 0) -> dict[str, np.ndarray]:
    return sf.simulate(law, truth, {"x": np.geomspace(1e4, 1e9, 40)}, noise=noise, key=key)


@pytest.fixture(scope="module")
def runs():
    return curve(sf.laws.power_floor, TRUTH)


@pytest.fixture(scope="module")
def ahead(runs):
    return sf.extrapolate(runs, y="y")


@pytest.fixture(scope="module")
def many():
    """24 curves of power_floor and 12 that break, under 0 .. 23 and 100 .. 111."""
    curves = {key: curve(sf.laws.power_floor, TRUTH, key=key) for key in range(24)}
    curves |= {100 + key: curve(sf.laws.bnsl, BROKEN, key=key) for key in range(12)}
    return pd.concat([pd.DataFrame(one).assign(key=key) for key, one in curves.items()])


@pytest.fixture(scope="module")
def each(many):
    return sf.extrapolate_groups(many, "key", inputs={"x": "x"}, y="y")


def test_recency_by_hand():
    """Runs of size 1 and 2 with weights t and 1: (1 + t)^2 / (1 + t^2) is 1.8 at t = 1/2, so g = 1."""
    size, alike = np.array([1.0, 2.0]), np.ones(2)
    np.testing.assert_allclose(recent(size, alike, 1.8), [0.5, 1], rtol=1e-9)
    # Two rows are worth two at most, and the fastest growth, g = 4, leaves (17/16)^2 / (1 + 1/256) = 1.12.
    np.testing.assert_allclose(recent(size, alike, 5), [1, 1])
    np.testing.assert_allclose(recent(size, alike, 1), [1 / 16, 1])
    np.testing.assert_allclose(recent(size, alike, np.inf), [1, 1])
    # A run without weight is not the largest, and weights given are kept as factors: t = 1/2 is now 1/8 of 4.
    np.testing.assert_allclose(
        recent(np.array([1.0, 2, 9]), np.array([1.0, 1, 0]), 1.8), [0.5, 1, 0], rtol=1e-9
    )
    np.testing.assert_allclose(recent(size, np.array([4.0, 1]), 1.8), [0.5, 1], rtol=1e-9)


def test_fits_are_those_of_the_weights_they_carry(runs, ahead):
    """The fit is `sf.fit` with the weights of `recent`: 15 rows' worth for three coefficients."""
    weight = recent(runs["x"], np.ones(40), 15)
    alone = sf.fit("power_floor", runs, weight=weight, objective=sf.huber(1e-2))
    np.testing.assert_allclose(ahead.fits["power_floor"].data.weight, weight)
    np.testing.assert_allclose(ahead.fits["power_floor"].predict(AHEAD), alone.predict(AHEAD), rtol=1e-6)


def test_errors_are_those_of_windows(runs, ahead):
    """Beyond each cut: fits to the rows up to it, by the same rules,
    and the largest of those rows unchanged."""
    ground = ahead.ground
    for k, cut in enumerate(ground.cuts):
        small = runs["x"] <= cut
        weight = recent(runs["x"], 1.0 * small, 15)
        alone = sf.fit("power_floor", runs, weight=weight, objective=sf.huber(1e-2))
        error = np.log(alone.predict(runs) / runs["y"])[~small]
        np.testing.assert_allclose(ground.errors["power_floor"][k], error, rtol=1e-3, atol=1e-6)
        np.testing.assert_allclose(ground.distance[k], np.log10(runs["x"][~small] / cut))
        np.testing.assert_allclose(ground.last[k], np.log(runs["y"][small][-1] / runs["y"][~small]))
    assert np.all((ground.noise > 0.001) & (ground.noise < 0.006))  # the runs' own scatter is 0.003


def test_weights_by_hand():
    """Two windows with rms 0.1 and 0.2 against 0.2 and 0.2, no noise:
    1/(0.1 0.2) to 1/(0.2 0.2) is 2 to 1."""
    errors = {"a": (np.full(2, 0.1), np.full(1, -0.2)), "b": (np.full(2, 0.2), np.full(1, 0.2))}
    ground = sf.Foretold("x", (1.0, 10.0), (np.ones(2), np.ones(1)), errors, errors["b"], np.zeros(2))
    assert ground.scores() == pytest.approx({"a": np.sqrt(0.02), "b": 0.2})
    assert ground.weights() == pytest.approx({"a": 2 / 3, "b": 1 / 3})
    np.testing.assert_allclose(ground.mixed({"a": 0.5, "b": 0.5}), [0.15, 0.15, 0])
    # A law without a value somewhere gets no weight.
    lost = {**errors, "c": (np.array([np.nan, 0.1]), np.zeros(1))}
    ground = sf.Foretold("x", (1.0, 10.0), (np.ones(2), np.ones(1)), lost, errors["b"], np.zeros(2))
    assert ground.weights() == pytest.approx({"a": 2 / 3, "b": 1 / 3, "c": 0})


def test_groups_are_extrapolated_alone(ahead, many, each):
    """Tables in one call give what each gives by itself."""
    other = sf.extrapolate(curve(sf.laws.bnsl, BROKEN), y="y")
    np.testing.assert_allclose(each[0].predict(AHEAD), ahead.predict(AHEAD), rtol=1e-6)
    np.testing.assert_allclose(each[100].predict(AHEAD), other.predict(AHEAD), rtol=1e-6)
    few = pd.concat([many, many[:2].assign(key="two")])
    with pytest.raises(ValueError, match="group 'two': "):
        sf.extrapolate_groups(few, "key", y="y")


def test_the_mean_of_logarithms_by_weight(ahead):
    log = sum(w * np.log(ahead.fits[label].predict(AHEAD)) for label, w in ahead.weights.items())
    np.testing.assert_allclose(ahead.predict(AHEAD), np.exp(log))
    assert sum(ahead.weights.values()) == pytest.approx(1)
    table = ahead.predict(AHEAD, 0.9, kind="run")
    assert table["mean"][0] == pytest.approx(ahead.predict(AHEAD)[0])
    assert table.lo[0] < table["mean"][0] < table.hi[0]
    assert table.distance[0] == pytest.approx(np.log10(3))


def test_rows_held_out_have_no_say(runs):
    """Rows of weight zero may hold anything: the answer is the same to the last digit."""
    weight = 1.0 * (runs["x"] < 1e8)
    other = {"x": runs["x"], "y": np.where(weight > 0, runs["y"], 7.0)}
    one, two = (sf.extrapolate(table, y="y", weight=weight) for table in (runs, other))
    assert one.weights == two.weights
    np.testing.assert_array_equal(one.predict(AHEAD), two.predict(AHEAD))
    assert np.max(np.concatenate(one.ground.distance)) < 8 - np.log10(one.ground.cuts[0])


def test_units_and_order_do_not_matter(runs, ahead):
    order = np.random.default_rng(0).permutation(40)
    found = sf.extrapolate({"x": runs["x"][order] / 1e6, "y": 5 * runs["y"][order]}, y="y")
    np.testing.assert_allclose(found.predict({"x": AHEAD["x"] / 1e6}), 5 * ahead.predict(AHEAD), rtol=1e-5)


def test_the_law_in_the_set_is_found(each):
    """Curves of power_floor with noise of 0.3 %:
    the loss at three times the largest run comes out to within 0.3 %."""
    truth = sf.laws.power_floor(TRUTH, AHEAD)[0]
    off = [np.log(each[key].predict(AHEAD)[0] / truth) for key in range(24)]
    assert np.sqrt(np.mean(np.square(off))) < 0.003


def test_a_curve_outside_the_set(many, each):
    """A broken power, which no law of the set is:
    averages weighted to the end err less than each law on all runs.

    Twelve curves; the root mean square error is at most half of the best single law's.
    """
    truth = sf.laws.bnsl(BROKEN, AHEAD)[0]

    def off(fits) -> float:
        logs = [np.log(fits[key].predict(AHEAD)[0] / truth) for key in range(100, 112)]
        return np.sqrt(np.mean(np.square(logs)))

    broken = many[many.key >= 100]
    for law in default_laws(("x",)).values():
        single = sf.fit_groups(law, broken, "key", {law.inputs[0]: "x"}, "y", sf.huber(1e-2))
        assert off(each) < 0.5 * off(single), law.name


def test_trust_comes_first(ahead):
    assert ahead.trust in ("good", "weak")
    assert repr(ahead).startswith(("Trustworthy: 2 laws; 4 windows", "Usable with care: 2 laws; 4 windows"))
    _, *rest = repr(ahead).splitlines()
    said = [line for line in rest if line.startswith("  [")]
    assert rest[: len(said)] == said
    assert [line.split()[0] for line in rest[len(said) + 1 :]] == ahead.table().law.tolist()
    np.testing.assert_allclose(ahead.table().rows, 15, rtol=1e-6)  # five per coefficient


def test_a_curve_that_turns_is_not_to_be_trusted():
    """Falling up to 1e6 and rising beyond: the last point foretells better than any falling law."""
    x = np.geomspace(1e3, 1e8, 40)
    found = sf.extrapolate({"x": x, "y": 2 + 0.1 * np.abs(np.log10(x / 1e6))}, y="y")
    assert found.trust == "bad"
    assert repr(found).startswith("Do not trust this")


def test_size_and_data():
    """Runs of the two-term law (coefficients of besiroglu, laws.md):
    ten times the largest compute to within 1 %."""
    law = sf.laws.chinchilla
    N, D = (g.ravel() for g in np.meshgrid(np.geomspace(1e7, 1e9, 7), np.geomspace(1e9, 1e11, 7)))
    truth = law.published["besiroglu2024"]
    runs = sf.simulate(law, truth, {"N": N, "D": D}, noise=0.002, key=0)
    found = sf.extrapolate({"n_params": N, "n_tokens": D, "loss": runs["y"]})
    assert found.ground.by == "6 N D"
    assert set(found.weights) == {"chinchilla", "skaling", "chinchilla (priors)"}
    x = {"N": np.array([3e9]), "D": np.array([3e11])}
    assert found.predict(x)[0] == pytest.approx(law(truth, x)[0], rel=0.01)


def test_inputs_by_their_usual_names(runs):
    table = {"tokens": runs["x"], "loss": runs["y"], "seed": np.arange(40.0)}
    found = sf.extrapolate(table)
    assert found.ground.by == "tokens"
    x = AHEAD["x"]
    np.testing.assert_array_equal(found.predict({"D": x}), found.predict({"tokens": x}))
    own = sf.extrapolate(table, laws=["power_floor"], inputs={"x": "tokens"})
    assert own.weights == {"power_floor": 1.0}


LINE = {"x": np.geomspace(1, 1e3, 12), "loss": np.geomspace(3, 2, 12)}


@pytest.mark.parametrize(
    ("runs", "options", "said"),
    [
        ({"a": LINE["x"], "loss": LINE["loss"]}, {}, "what is scaled is not clear from the columns"),
        ({"tokens": LINE["x"], "flops": LINE["x"], "loss": LINE["loss"]}, {}, "what is scaled is not clear"),
        (
            {"flops": LINE["x"], "compute": LINE["x"], "loss": LINE["loss"]},
            {},
            "columns 'flops' and 'compute' could each be C",
        ),
        (LINE, {"inputs": {"x": "x", "z": "loss"}}, "no law of the catalogue has an input 'z'"),
        (LINE, {"recency": 0}, "recency must be a positive number of rows per coefficient, got 0"),
        (
            {"x": LINE["x"][:4], "loss": LINE["loss"][:4]},
            {"laws": "power_floor"},
            "3 rows lie below the largest 'x', and 'power_floor' needs 6",
        ),
    ],
)
def test_refusals(runs, options, said):
    with pytest.raises(ValueError, match=said):
        sf.extrapolate(runs, **options)


def test_public_curves(data_dir):
    """Six image models, error of 10-shot bird recognition:
    less than half the error of the power with a floor."""
    table = pd.read_csv(data_dir / "alabdulmohsin_curves" / "curves.csv.gz")
    table = table[table.task == "bird_10"]
    train, test = (table[table.split == split] for split in ("train", "test"))
    ours = sf.extrapolate_groups(train, "model", inputs={"x": "n_seen"})
    alone = sf.fit_groups("power_floor", train, "model", {"x": "n_seen"}, "loss", sf.square())

    def off(fits) -> float:
        return np.mean(
            [
                np.sqrt(np.mean(np.log(fits[model].predict({"x": rows.n_seen}) / rows.loss) ** 2))
                for model, rows in test.groupby("model")
            ]
        )

    assert off(ours) < 0.5 * off(alone)


class TestLawsForTheColumns:
    """Laws where none are named: what the given inputs, or the columns, allow."""

    def test_shares_are_held_against_folds(self):
        h = np.random.default_rng(1).dirichlet(np.ones(3), 40)
        table = {f"weight_{name}": h[:, k] for k, name in enumerate("abc")}
        table["loss"] = 1.9 + 0.4 * np.exp(-2 * h[:, 0] - h[:, 1]) * np.exp(
            0.002 * np.random.default_rng(2).normal(size=40)
        )
        ahead = sf.extrapolate(table)
        assert set(ahead.fits) == {"ye_mixing", "regmix_linear"}
        assert ahead.ground is not None
        assert sum(map(len, ahead.ground.last)) == 40  # every mixture once
        assert "4 folds over mixtures foretold" in repr(ahead)
        # A plane misses the exponential's bend, ye_mixing holds it: its errors are the noise.
        assert ahead.weights["ye_mixing"] > 0.9

    def test_equal_mixtures_are_held_out_together(self):
        h = np.repeat(np.random.default_rng(1).dirichlet(np.ones(2), 12), 3, axis=0)
        table = {"h_1": h[:, 0], "h_2": h[:, 1], "loss": 2 + 0.3 * h[:, 0]}
        back = sf.backtest(sf.laws.regmix_linear.sized(domain=2), table)
        assert back.baselines == ("mean of the others",)
        rows = back.rows[back.rows["law"] == "regmix_linear"]
        fold = rows.set_index("row")["cut"].sort_index().to_numpy().reshape(12, 3)
        assert np.all(fold == fold[:, :1])
        assert len(set(fold[:, 0])) == 4

    def test_few_mixtures(self):
        h = np.array([0.2, 0.4, 0.8])
        table = {"h_1": h, "h_2": 1 - h, "loss": 2 + 0.3 * h}
        with pytest.raises(ValueError, match="3 distinct mixtures cannot be parted into 4 folds"):
            sf.backtest(sf.laws.regmix_linear.sized(domain=2), table)

    def test_an_accuracy_by_its_loss(self):
        L = np.linspace(0.7, 1.6, 24)
        ahead = sf.extrapolate(
            {"bpb_arc": L, "acc_arc": 0.9 - 0.65 / (1 + np.exp(-6 * (L - 1.1)))}, y="acc_arc"
        )
        assert set(ahead.fits) == {"ladder", "log_sigmoid"}
        assert ahead.columns["L"] == "bpb_arc"
        assert float(ahead.predict({"L": 0.6})) < 1

    def test_data_used_again(self):
        N, U, epochs = (
            g.ravel() for g in np.meshgrid([1e8, 3e8, 1e9, 3e9], [1e9, 4e9, 1.6e10], [1, 2, 4, 16])
        )
        law = sf.laws.muennighoff_repeat
        x = {"N": N, "D": U * epochs, "U": U}
        made = sf.simulate(law, dict(law.published["muennighoff2023"]), x, noise=0.002, key=0)
        table = {"n_params": N, "n_tokens": x["D"], "n_unique_tokens": U, "loss": made["y"]}
        inputs = {"N": "n_params", "D": "n_tokens", "U": "n_unique_tokens"}
        assert set(sf.extrapolate(table, inputs=inputs).fits) == {"muennighoff_repeat"}
        # Without a word N and D are what is scaled, as ever.
        assert set(sf.extrapolate(table).fits) == {"chinchilla", "skaling", "chinchilla (priors)"}

    def test_one_size_is_told_by_the_two_laws_of_public_curves(self, runs):
        table = {"n_tokens": runs["x"], "loss": runs["y"]}
        assert set(sf.extrapolate(table).fits) == {"power_floor", "alabdulmohsin_m3"}

    def test_more_than_one_size_in_the_columns(self):
        N, P = (g.ravel() for g in np.meshgrid(np.geomspace(1e8, 4e9, 6), [1, 2, 4, 8]))
        law = sf.laws.parscale
        made = sf.simulate(
            law, dict(next(iter(law.published.values()))), {"N": N, "P": P}, noise=0.002, key=0
        )
        table = {"n_params": N, "parallel_size": P, "loss": made["y"]}
        assert set(sf.extrapolate(table).fits) == {"parscale"}

    def test_no_law_of_these(self):
        table = {"d": np.geomspace(8, 64, 9), "q": np.arange(9.0), "loss": np.linspace(3, 2, 9)}
        with pytest.raises(ValueError, match="no usual law of N, P can be fitted here"):
            sf.extrapolate(table, inputs={"N": "d", "P": "q"})


def test_fine_tuning_by_the_law_of_its_plateau(data_dir):
    """The rectified law foretells the two largest sets, a power with a floor less well (Lin et al. 2024)."""
    table = pd.read_csv(data_dir / "sft_rectified" / "curves.csv")
    curve = table[
        (table["task"] == "flan") & (table["model"] == table["model"].iloc[0]) & (table["n_samples"] > 0)
    ]
    known, far = curve[curve["split"] == "train"], curve[curve["split"] == "test"]
    ahead = sf.extrapolate(known, inputs={"D_F": "n_samples"}, y="loss")
    assert ahead.weights["rectified_ft"] > 0.9
    off = np.abs(np.log(ahead.predict({"D_F": far["n_samples"]}) / far["loss"]))
    plain = sf.extrapolate(known, "power_floor", inputs={"x": "n_samples"}, y="loss")
    assert np.max(off) < np.max(np.abs(np.log(plain.predict({"x": far["n_samples"]}) / far["loss"])))


def test_shares_given_by_hand():
    random = np.random.default_rng(0)
    web, code, books = random.dirichlet(np.ones(3), 40).T
    runs = {"web": web, "code": code, "books": books}
    runs["loss"] = 2 + np.exp(-web - 2 * code - books / 2) + 0.003 * random.standard_normal(40)
    inputs = {"h_1": "web", "h_2": "code", "h_3": "books"}
    assert set(sf.extrapolate(runs, inputs=inputs).fits) == {"ye_mixing", "regmix_linear"}
    percent = runs | {name: 100 * runs[name] for name in ("web", "code", "books")}
    with pytest.raises(ValueError, match=r"\(ye_mixing: column 'web' is not between 0 and 1 in every row\)"):
        sf.extrapolate(percent, inputs=inputs)


def test_a_size_of_zero_names_its_row():
    samples = np.append(0, np.geomspace(200, 1.6e6, 14))
    runs = {"n_samples": samples, "loss": 1 + 40 / (5 + samples**0.3)}
    with pytest.raises(ValueError, match=r"row 0 \(counting from 0\), so sizes have no ratio; leave such"):
        sf.extrapolate(runs, "rectified_ft", inputs={"D_F": "n_samples"})
    kept = {name: column[1:] for name, column in runs.items()}
    assert list(sf.extrapolate(kept, "rectified_ft", inputs={"D_F": "n_samples"}).fits) == ["rectified_ft"]


def accuracies(chance: float = 0.25, n: int = 16) -> dict[str, np.ndarray]:
    """Accuracy by compute after arXiv:2512.08894: -log of its share above chance is 50 / C^0.1."""
    C = np.geomspace(1e18, 1e22, n)
    noise = 0.002 * np.random.default_rng(0).standard_normal(n)
    return {
        "size": C,
        "acc": chance + (1 - chance) * np.exp(-50 / C**0.1) + noise,
        "chance": np.full(n, chance),
    }


@pytest.mark.parametrize("name", ["C", "N", "experts"])
def test_an_accuracy_by_any_one_input(name):
    """The rule that made the runs foretells ten times beyond them; a constant chance is no concern."""
    ahead = sf.extrapolate(accuracies(), inputs={name: "size"}, y="acc")
    assert ahead.trust == "good"
    assert max(ahead.weights, key=ahead.weights.__getitem__) == "downstream_power"
    told = ahead.predict({name: [1e23], "chance": [0.25]}, level=0.9)
    truth = 0.25 + 0.75 * np.exp(-50 / 1e23**0.1)
    assert told["lo"][0] < truth < told["hi"][0]
    assert told["mean"][0] == pytest.approx(truth, abs=0.01)


def test_no_chance_is_a_chance_of_zero():
    runs = accuracies(chance=0.0)
    del runs["chance"]
    fit = sf.fit("downstream_power", runs, {"C": "size"}, "acc")
    assert fit.status.trust == "good"
    assert any(note.startswith("chance = 0") for note in fit.notes)
    explicit = sf.fit("downstream_power", accuracies(chance=0.0), {"C": "size"}, "acc")
    assert fit.coefs == explicit.coefs
    assert float(fit.predict({"C": 1e23})) == float(explicit.predict({"C": 1e23, "chance": 0.0}))
    # What was told once must be told again.
    with pytest.raises(KeyError, match="chance"):
        explicit.predict({"C": 1e23})


def test_an_error_by_one_input_with_few_runs():
    """Of nine runs no law with three coefficients: a power has two."""
    C = np.geomspace(1e9, 1e13, 9)
    runs = {"gmacs": C, "error": 5 * C**-0.11 * np.exp(0.01 * np.random.default_rng(1).standard_normal(9))}
    ahead = sf.extrapolate(runs, inputs={"C": "gmacs"}, y="error")
    assert list(ahead.fits) == ["power"]
    told = ahead.predict({"C": [1e14]}, level=0.9)
    assert told["lo"][0] < 5 * 1e14**-0.11 < told["hi"][0]


def test_a_loss_by_a_loss_is_told_by_links_alone():
    """Losses on a second corpus from the link of Brandfonbrener et al. (2024, eq. 4) with a scatter of 0.2 %:
    sizes play no part, and the band is as narrow as the link is close."""
    L = np.geomspace(4.0, 2.5, 24)
    truth = {"K": 0.9, "kappa": 1.1, "E_0": 1.6, "E_1": 1.8}
    exact = np.asarray(sf.laws.brandfonbrener_l2l(truth, {"L": np.append(L, 2.3)}))
    noise = np.exp(0.002 * np.random.default_rng(0).standard_normal(len(L)))
    ahead = sf.extrapolate({"first": L, "second_loss": exact[:-1] * noise}, inputs={"L": "first"})
    assert set(ahead.fits) == {"brandfonbrener_l2l"}
    told = ahead.predict({"L": [2.3]}, level=0.9)
    assert told["lo"][0] < exact[-1] < told["hi"][0]
    assert told["hi"][0] - told["lo"][0] < 0.03 * exact[-1]
    with pytest.raises(ValueError, match="no usual law of L can be fitted here"):
        sf.extrapolate({"first": L[:3], "second_loss": exact[:3]}, inputs={"L": "first"})
