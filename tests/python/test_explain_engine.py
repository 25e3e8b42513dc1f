"""Activations and gradients of a network, step by step, against its equations followed in numpy and differentiated exactly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tmva_lstm_plugin import _engine
from tmva_lstm_plugin.errors import InputError, MemoryLimitError

REFERENCE = Path(__file__).resolve().parent.parent / "reference"
TRAINER = {np.float32: _engine.Trainer, np.float64: _engine.Trainer64}
# Largest difference over the largest number of the tensor. The imaginary parts below are exact to rounding; the
# vector kernels' exp
# and tanh are good to a few units in the last place, and some ten steps add them.
BOUND = {np.float64: 1e-12, np.float32: 5e-6}

D, E = 3, 2
# widths of the layers, both directions?, steps joined, outputs, dense layers
CASES = {
    "one": ([4], False, 0, 1, []),
    "stacked": ([3, 2, 4], False, 0, 3, []),
    "both": ([3], True, 0, 2, [(4, "TANH")]),
    "stacked_both": ([2, 3], True, 0, 1, [(3, "SOFTSIGN"), (2, "GAUSS")]),
    "joined": ([2, 3], False, 7, 3, []),
    "joined_both": ([3, 2], True, 7, 1, []),
}
LENGTHS = [7, 0, 3, 1, 5, 7]
WANTED = {"gates", "h", "c", "dgates", "dh_total", "dc_total", "dfeatures", "devent"}


def make(case, dtype=np.float64, lengths=LENGTHS, seed=3, **options):
    """Trainer and events: (values, offsets, event_values, labels, weights, targets)."""
    widths, both, flat, outputs, dense = CASES[case]
    rng = np.random.default_rng(seed)
    numbers = [rng.normal(size=D), rng.uniform(0.5, 2, D), rng.normal(size=E), rng.uniform(0.5, 2, E)]
    given = {"lower": widths[:-1], "bidirectional": both, "flat_steps": flat, "dense": dense, "n_threads": 1, **options}
    trainer = TRAINER[dtype](D, E, widths[-1], outputs, *(n.astype(dtype) for n in numbers), given)
    trainer.parameters = rng.normal(size=len(trainer.parameters)).astype(np.float32).astype(dtype) * dtype(0.6)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    n = len(lengths)
    events = (
        rng.normal(size=(offsets[-1], D)).astype(np.float32).astype(dtype),
        offsets,
        rng.normal(size=(n, E)).astype(np.float32).astype(dtype),
        rng.integers(0, max(2, outputs), n).astype(np.int32),
        rng.normal(1, 1, n),
        None,
    )
    return trainer, events


def explain(trainer, events, quantity="logit", which=1, wanted=WANTED, n_threads=1):
    chosen = np.full(len(events[1]) - 1, which, np.int32) if np.isscalar(which) else which
    return _engine.explain(trainer, *events, quantity, chosen, wanted, n_threads)


def parts_of(case, trainer):
    widths, both, flat, outputs, dense = CASES[case]
    layout = _engine.parameter_layout(
        D, E, widths[-1], outputs, {"lower": widths[:-1], "bidirectional": both, "flat_steps": flat, "dense": dense}
    )
    flat_parameters = np.asarray(trainer.parameters, np.float64)
    return {name: flat_parameters[at : at + r * c].reshape(r, c) for name, at, r, c in layout}


ACTIVATION = {
    "TANH": np.tanh,
    "SOFTSIGN": lambda z: z / (1 + np.where(z.real < 0, -z, z)),
    "GAUSS": lambda z: np.exp(-z * z),
}


def follow(case, p, x, e, label, quantity, which, bump=None):
    """Go through the equations for one event: the quantity, and every layer's gates, h and c.

    `bump`: (part, what, step, index..., size): something added to a number on its way, before anything sees it.
    """
    widths, both, flat, outputs, dense = CASES[case]
    part_names = [name[:-2] for name in p if name.startswith("lstm") and name.endswith(".W")]
    seen, below, states = {}, x.astype(complex), None
    for layer, hidden in enumerate(widths):
        given, last = [], []
        for direction in range(1 + both):
            number = layer * (1 + both) + direction
            name = part_names[number]
            h, c = np.zeros(hidden, complex), np.zeros(hidden, complex)
            of = {
                k: np.zeros((len(x), *s), complex)
                for k, s in (("gates", (4, hidden)), ("h", (hidden,)), ("c", (hidden,)))
            }

            def bumped(what, step, array, number=number):
                if bump is not None and bump[:3] == (number, what, step):
                    array = array.copy()
                    array[bump[3]] += bump[4]
                return array

            for t in range(len(x))[:: -1 if direction else 1]:
                z = (p[name + ".W"] @ below[t] + p[name + ".U"] @ h + p[name + ".b"][:, 0]).reshape(4, hidden)
                z = bumped("gates", t, z)
                g = 1 / (1 + np.exp(-z))
                g[2] = np.tanh(z[2])
                c = bumped("c", t, g[1] * c + g[0] * g[2])
                h = bumped("h", t, g[3] * np.tanh(c))
                of["gates"][t], of["h"][t], of["c"][t] = g, h, c
            seen[number] = of
            given.append(of["h"])
            last.append(h)
        below, states = np.concatenate(given, axis=1), np.concatenate(last)
    if flat:
        states = np.zeros((flat, below.shape[1]), complex)
        states[: len(x)] = below
    y = np.concatenate([states.ravel(), e])
    for n, (_, activation) in enumerate(dense):
        y = ACTIVATION[activation](p[f"dense{n + 1}.W"] @ y + p[f"dense{n + 1}.b"][:, 0])
    z = p["head.W"] @ y + p["head.b"][:, 0]
    if outputs == 1:
        z = np.concatenate([[0], z])
    log_p = z - np.log(np.exp(z).sum())
    value = {
        "logit": (z[which] - z[1 - which]) if outputs == 1 else z[which],
        "probability": np.exp(log_p[which]),
        "loss": -log_p[label],
    }[quantity]
    return value, seen


def expected(case, trainer, events, quantity, which):
    """What explain() has to give, as it gives it; derivatives are imaginary parts at a step too small to round."""
    p, (mean, inverse, event_mean, event_inverse) = parts_of(case, trainer), _engine.feature_scales(trainer)
    widths, both, *_ = CASES[case]
    sizes = [w for w in widths for _ in range(1 + both)]
    values, offsets, event_values, labels, weights, _ = events
    S, N = len(values), len(offsets) - 1
    layers = [
        {
            "gates": np.zeros((S, 4, H)), "h": np.zeros((S, H)), "c": np.zeros((S, H)),
            "dgates": np.zeros((S, 4, H)), "dh_total": np.zeros((S, H)), "dc_total": np.zeros((S, H)),
        }
        for H in sizes
    ]  # fmt: skip
    result = {"value": np.zeros(N), "layers": layers, "dfeatures": np.zeros((S, D)), "devent": np.zeros((N, E))}
    tiny = 1e-200j
    for n in range(N):
        rows = slice(offsets[n], offsets[n + 1])
        x = (np.asarray(values[rows], np.float64) - mean) * inverse
        e = (np.asarray(event_values[n], np.float64) - event_mean) * event_inverse
        weight = weights[n] if quantity == "loss" and weights is not None else 1.0

        def derivative(x=x, e=e, n=n, weight=weight, bump=None):
            return weight * follow(case, p, x, e, labels[n], quantity, which[n], bump)[0].imag / 1e-200

        value, seen = follow(case, p, x, e, labels[n], quantity, which[n])
        result["value"][n] = weight * value.real
        for number, of in seen.items():
            for name, array in of.items():
                layers[number][name][rows] = array.real
            for name, to in (("gates", "dgates"), ("h", "dh_total"), ("c", "dc_total")):
                for t, *index in np.ndindex(of[name].shape):
                    bump = (number, name, t, tuple(index), tiny)
                    layers[number][to][(offsets[n] + t, *index)] = derivative(bump=bump)
        for t, d in np.ndindex(x.shape):
            moved = x.astype(complex)
            moved[t, d] += tiny
            result["dfeatures"][offsets[n] + t, d] = derivative(x=moved)
        for k in range(E):
            moved = e.astype(complex)
            moved[k] += tiny
            result["devent"][n, k] = derivative(e=moved)
    return result


def difference(found, wanted):
    found, wanted = np.asarray(found, np.float64), np.asarray(wanted, np.float64)
    assert found.shape == wanted.shape
    assert np.isfinite(found).all()
    return np.abs(found - wanted).max() / np.abs(wanted).max()


def tensors(explained):
    """All arrays by name."""
    flat = {name: array for name, array in explained.items() if name != "layers"}
    flat |= {f"{n}.{name}": a for n, layer in enumerate(explained["layers"]) for name, a in layer.items()}
    return flat


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("quantity", ["logit", "probability", "loss"])
@pytest.mark.parametrize("case", CASES)
def test_every_number_follows_the_equations(case, quantity, dtype):
    trainer, events = make(case, dtype)
    which = (np.arange(len(LENGTHS)) % max(2, CASES[case][3])).astype(np.int32)
    found = tensors(explain(trainer, events, quantity, which))
    wanted = tensors(expected(case, trainer, events, quantity, which))
    assert set(found) == set(wanted)
    for name, array in wanted.items():
        assert found[name].dtype == dtype
        assert difference(found[name], array) < BOUND[dtype], name


@pytest.mark.parametrize("case", CASES)
def test_central_differences_of_the_features(case):
    """By the engine alone, in units of the features: neither the equations above nor the standardisation are taken on trust."""
    trainer, events = make(case)
    inverse = np.asarray(_engine.feature_scales(trainer)[1])
    found = explain(trainer, events)["dfeatures"] * inverse
    step, values = 1e-3, events[0]
    wanted = np.empty_like(values)
    for index in np.ndindex(values.shape):
        ladder = []
        for shift in (2, 1, -1, -2):
            moved = values.copy()
            moved[index] += shift * step
            ladder.append(explain(trainer, (moved, *events[1:]), wanted=set())["value"].sum())
        wanted[index] = (8 * (ladder[1] - ladder[2]) - (ladder[0] - ladder[3])) / (12 * step)
    assert difference(found, wanted) < 1e-9  # fourth order, as in test_engine_network.py


OTHER_CELLS = {
    "gru": {"cell": "gru"},
    "gru_before": {"cell": "gru", "reset_gate": "before"},
    "rnn": {"cell": "rnn", "pooling": "attention"},
    "peepholes": {"peepholes": True, "coupled_gates": True, "pooling": "mean"},
    "normalised": {"cell": "gru", "layer_norm": True},
}
# two numbers that are normalised are +-1 whatever they were: no gradient is left to compare
COMBINED = [(cell, case) for cell in OTHER_CELLS for case in CASES if cell != "normalised" or min(CASES[case][0]) > 2]


@pytest.mark.parametrize(("cell", "case"), [(cell, case) for cell, case in COMBINED if "joined" not in case])
def test_other_cells_have_the_gradients_of_central_differences(cell, case):
    """Of features, event features and, through their sum over the events, of the biases: what reaches the gates' sums."""
    trainer, events = make(case, **OTHER_CELLS[cell])
    found = explain(trainer, events)
    inverse, event_inverse = (np.asarray(_engine.feature_scales(trainer)[n]) for n in (1, 3))
    step = 2e-4

    def slope(change):
        ladder = [explain(trainer, change(shift * step), wanted=set())["value"].sum() for shift in (2, 1, -1, -2)]
        return (8 * (ladder[1] - ladder[2]) - (ladder[0] - ladder[3])) / (12 * step)

    for place, name, scale in ((0, "dfeatures", inverse), (2, "devent", event_inverse)):
        wanted = np.empty_like(events[place])
        for index in np.ndindex(wanted.shape):

            def moved(shift, place=place, index=index):
                array = events[place].copy()
                array[index] += shift
                return (*events[:place], array, *events[place + 1 :])

            wanted[index] = slope(moved)
        assert difference(found[name] * scale, wanted) < 1e-8
    widths, both, _, outputs, dense = CASES[case]
    options = {"lower": widths[:-1], "bidirectional": both, "dense": dense, **OTHER_CELLS[cell]}
    layout = {n: (o, r) for n, o, r, _ in _engine.parameter_layout(D, E, widths[-1], outputs, options)}
    parameters = trainer.parameters
    for (name, _, H, gates, has_cell), layer in zip(_engine.recurrent_layers(trainer), found["layers"], strict=True):
        assert layer["gates"].shape == layer["dgates"].shape == (sum(LENGTHS), len(gates), H)
        assert ("c" in layer) is has_cell
        offset, rows = layout[f"{name}.b"]
        # of a GRU's candidate, the sum from the state has its bias behind the others
        order = [1, 2, 3, 0] if gates[0] == "candidate from state" else range(len(gates))
        assert (len(gates), gates[0]) == (3, "reset") or cell != "gru_before"
        of_biases = layer["dgates"].sum(axis=0)[list(order)].ravel()

        def shifted(shift, at):
            trainer.parameters = parameters + shift * (np.arange(len(parameters)) == at)
            return events

        wanted = np.array([slope(lambda shift, at=offset + n: shifted(shift, at)) for n in range(rows)])
        trainer.parameters = parameters
        assert difference(of_biases, wanted) < 1e-8


@pytest.mark.parametrize("H", [1, 2, 3, 5])
def test_a_layer_of_any_width_has_as_many_gates_as_it_names(H):
    """The core fills rows of the gates up for its kernels; what is handed over is not."""
    before = {"cell": "gru", "reset_gate": "before"}
    for options, gates in (
        ({"cell": "rnn"}, 1),
        ({"coupled_gates": True}, 3),
        (before, 3),
        ({"cell": "gru"}, 4),
        ({}, 4),
    ):
        numbers = [np.zeros(D), np.ones(D), np.zeros(E), np.ones(E)]
        trainer = _engine.Trainer64(D, E, H, 1, *numbers, options | {"seed": 2})
        _, events = make("one")
        layer = explain(trainer, events)["layers"][0]
        assert layer["gates"].shape == (sum(LENGTHS), gates, H)
        if options.get("cell") == "rnn":
            assert np.array_equal(layer["gates"][:, 0], layer["h"])


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("case", CASES)
def test_threads_company_and_order_change_no_bit(case, dtype):
    rng = np.random.default_rng(5)
    lengths = rng.integers(0, 8, 75)
    trainer, events = make(case, dtype, lengths=list(lengths))
    values, offsets, event_values, labels, weights, _ = events
    one, three = (tensors(explain(trainer, events, "loss", n_threads=n)) for n in (1, 3))
    for name, array in one.items():
        assert array.tobytes() == three[name].tobytes(), name
    order = rng.permutation(75)[:40]
    rows = np.concatenate([np.arange(offsets[n], offsets[n + 1]) for n in order])
    some = (
        values[rows], np.concatenate([[0], np.cumsum(lengths[order])]), event_values[order], labels[order], weights[order], None,
    )  # fmt: skip
    for name, array in tensors(explain(trainer, some, "loss", n_threads=2)).items():
        picked = one[name][order if len(one[name]) == 75 and len(array) == 40 else rows]
        assert array.tobytes() == picked.tobytes(), name


def test_a_block_cut_in_time_gives_the_same_bits():
    lengths = [400, 37, 256, 0, 390, 1]
    whole, cut = (make("stacked", np.float32, lengths=lengths, bytes_per_thread=limit) for limit in (1 << 30, 300_000))
    events = whole[1]
    assert _engine.longest_sequence(D, E, 4, 3, 300_000, {"lower": [3, 2]}) > 400
    full, parts = (tensors(explain(trainer, events, "logit")) for trainer, _ in (whole, cut))
    for name, array in full.items():
        assert array.tobytes() == parts[name].tobytes(), name
    tight, _ = make("stacked", np.float32, lengths=lengths, bytes_per_thread=20_000)
    with pytest.raises(MemoryLimitError, match="event 0 has 400 steps"):
        explain(tight, events)


def test_only_what_is_wanted_and_the_score_is_the_models():
    trainer, events = make("stacked", np.float32)
    found = explain(trainer, events, "probability", 2, set())
    assert set(found) == {"layers", "value"}
    assert found["layers"] == [{}, {}, {}]
    scores = trainer.probabilities((*events[:3], None, None), 1)
    assert found["value"].tobytes() == np.ascontiguousarray(scores[:, 2]).tobytes()
    h = explain(trainer, events, wanted={"h"})["layers"]
    assert [set(layer) for layer in h] == [{"h"}] * 3


def test_explaining_after_steps_of_a_training():
    """A step needs no gradient of the features; what fit() or the parameters' setter leaves can give it."""
    trainer, events = make("one")
    trainer.train_batch(events[:5], np.arange(6))
    with pytest.raises(InputError, match="parameters are those of a training step; set them for scores before"):
        explain(trainer, events)
    trainer.parameters = trainer.parameters
    assert np.abs(explain(trainer, events)["dfeatures"]).max() > 0


def test_layers_and_scales():
    trainer, _ = make("stacked_both")
    gates = ["input", "forget", "candidate", "output"]
    assert _engine.recurrent_layers(trainer) == [
        ("lstm", False, 2, gates, True),
        ("lstm.reverse", True, 2, gates, True),
        ("lstm2", False, 3, gates, True),
        ("lstm2.reverse", True, 3, gates, True),
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({0: np.zeros((23, 2))}, "the number of features is 2, expected 3"),
        ({0: np.zeros((22, 3))}, "the number of steps is 22, expected 23"),
        ({2: None}, "the number of event features is 0, expected 2"),
        ({3: np.zeros(5, np.int32)}, "the number of labels is 5, expected 6"),
        ({4: np.zeros(7)}, "the number of weights is 7, expected 6"),
        ({3: None}, "the events have no labels and no targets; the loss needs them"),
        ({5: np.zeros((6, 3))}, "the number of targets is 3, expected 1"),
    ],
)
def test_events_that_do_not_fit(change, message):
    trainer, events = make("one")
    with pytest.raises(InputError, match=message):
        explain(trainer, [change.get(n, array) for n, array in enumerate(events)], "loss")


def test_outputs_that_are_not_there():
    trainer, events = make("one")
    with pytest.raises(InputError, match="output 2 of event 0 is not there; the network has 2"):
        explain(trainer, events, which=2)
    with pytest.raises(InputError, match="has to be said for each of the 6 events"):
        explain(trainer, events, which=np.zeros(5, np.int32))
    with pytest.raises(InputError, match="no quantity 'score'; there are 'logit', 'probability' and 'loss'"):
        explain(trainer, events, "score")


# --- PyTorch ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("case", ["stacked", "stacked_both"])
def test_what_reaches_gates_states_and_features_is_pytorchs(case, dtype):
    """From the committed file; tests/reference/make_pytorch_explain_reference.py made it."""
    with np.load(REFERENCE / "pytorch_explain.npz") as file:
        r = {name[len(case) + 1 :]: file[name] for name in file.files if name.startswith(case + "/")}
        lengths = file["lengths"]
    numbers = [np.full(k, v, dtype) for k in (3, 2) for v in (0, 1)]
    *lower, last = map(int, r["in/widths"])
    trainer = TRAINER[dtype](3, 2, last, 3, *numbers, {"lower": lower, "bidirectional": bool(r["in/both"])})
    trainer.parameters = r["in/parameters"].astype(dtype)
    events = (
        r["in/values"].astype(dtype), np.concatenate([[0], np.cumsum(lengths)]), r["in/event_values"].astype(dtype),
        r["in/labels"].astype(np.int32), None, None,
    )  # fmt: skip
    found = tensors(explain(trainer, events, "loss"))
    names = [name for name in r if not name.startswith("in/")]
    assert len(names) == 3 + 3 * len(r["in/widths"]) * (1 + bool(r["in/both"]))
    for name in names:
        assert difference(found[name], r[name]) < BOUND[dtype], name
