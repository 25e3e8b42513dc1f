"""What the figures of a model's inside show, read back from their artists, and what the command writes."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner

from tmva_lstm_plugin import LSTMClassifier, Sequences, read_sequences
from tmva_lstm_plugin.cli import main
from tmva_lstm_plugin.errors import InputError, OutputError
from tmva_lstm_plugin.explain import gate_activations, input_gradients, integrated_gradients, permutation_ranking
from tmva_lstm_plugin.explain_plots import plot_attributions, plot_gates, plot_gradient_flow, plot_ranking
from tmva_lstm_plugin.gradient_flow import gradient_flow
from tmva_lstm_plugin.plots import save_figures
from tmva_lstm_plugin.testing import gaussian_sum, write_toy_root


@pytest.fixture(scope="module")
def trained():
    events = gaussian_sum(300, lengths=(0, 6), n_noise=2, seed=4).sequences
    return LSTMClassifier((4, 3), bidirectional=True, epochs=3, n_threads=2).fit(events), events


@pytest.fixture(scope="module")
def none():
    return Sequences.from_lists(
        [[]], labels=[0], feature_names=["x", "noise0", "noise1"], class_names=["background", "signal"]
    )


def line(axes, label):
    return next(each for each in axes.lines if each.get_label() == label)


def test_gradient_flow(trained, none):
    flow = gradient_flow(*trained)
    figure = plot_gradient_flow(flow)
    assert len(figure.axes) == 2 * 5
    for row, layer in enumerate(flow.layers):
        states, gates = figure.axes[2 * row : 2 * row + 2]
        np.testing.assert_array_equal(line(states, "h").get_ydata(), layer.hidden.quantiles[2])
        np.testing.assert_array_equal(line(states, "c").get_ydata(), layer.cell.quantiles[2])
        for name, gate in layer.gates.items():
            np.testing.assert_array_equal(line(gates, name).get_ydata(), gate.quantiles[2])
        assert states.get_yscale() == gates.get_yscale() == "log"
        low, high = gates.get_ylim()
        medians = np.concatenate([gate.quantiles[2] for gate in layer.gates.values()])
        assert low < np.nanmin(medians) < np.nanmax(medians) < high
        assert states.get_ylabel() == f"{layer.name}: gradient of h, c"
    np.testing.assert_array_equal(figure.axes[-1].patches[0].get_data().values, flow.events)
    assert figure.axes[-1].get_xlabel() == "steps gone back (loss)"
    with pytest.raises(InputError, match="no event has a step"):
        plot_gradient_flow(gradient_flow(trained[0], none))


@pytest.mark.parametrize("from_end", [False, True])
def test_gates(trained, none, from_end):
    model, events = trained
    found = gate_activations(model, events)
    figure = plot_gates(found, from_end=from_end)
    lengths = events.lengths
    for layer, axes in zip(found.layers, figure.axes[::2], strict=True):
        rows = events.offsets[:-1][lengths > 2] + (lengths[lengths > 2] - 3 if from_end else 2)
        for g, name in enumerate(layer.gate_names):
            assert line(axes, name).get_ydata()[2] == pytest.approx(np.median(layer.gates[rows, g]), abs=1e-6)
    norms = np.linalg.norm(found.layers[0].cell[rows], axis=1)
    assert line(figure.axes[1], "c").get_ydata()[2] == pytest.approx(np.median(norms), rel=1e-5)
    assert figure.axes[-1].get_xlabel() == ("steps from the end" if from_end else "step")
    with pytest.raises(InputError, match="no event has a step"):
        plot_gates(gate_activations(model, none))


def test_attributions(trained, none):
    model, events = trained
    found = integrated_gradients(model, events, steps=5)
    left, right, *_ = figure = plot_attributions(found, most_steps=4).axes
    image = left.collections[0].get_array().reshape(3, 4)
    rows = events.offsets[:-1][events.lengths > 3] + 3
    np.testing.assert_allclose(image[:, 3], np.abs(found.attributions[rows]).mean(axis=0))
    assert [bar.get_width() for bar in right.patches] == list(found.shares().values())
    assert [text.get_text() for text in right.get_yticklabels()] == ["x", "noise0", "noise1"]
    assert len(figure) == 3  # with the colour bar
    with pytest.raises(InputError, match="no event has a step"):
        plot_attributions(integrated_gradients(model, none, steps=1))


def test_ranking(trained):
    ranking = permutation_ranking(*trained, repeats=3)
    left, right = plot_ranking(ranking).axes
    assert [text.get_text() for text in left.get_yticklabels()] == [ranking.names[n] for n in ranking.order("feature")]
    widths = [bar.get_width() for bar in left.patches]
    assert widths == sorted(widths, reverse=True)
    assert widths == sorted(ranking.means[:3], reverse=True)
    np.testing.assert_array_equal(right.containers[0][0].get_ydata(), ranking.means[3:])


def test_figures_are_written_whole_and_the_same_each_time(trained, tmp_path):
    figures = [{"ranking": plot_ranking(permutation_ranking(*trained, repeats=1))} for _ in range(2)]
    folder = tmp_path / "new"
    paths = save_figures(folder, figures[0])
    assert paths == [folder / "ranking.png", folder / "ranking.pdf"]
    before = [path.read_bytes() for path in paths]
    assert [path.read_bytes() for path in save_figures(folder, figures[1])] == before
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write plots into folder"):
        save_figures(tmp_path / "file", figures[0])


# --- the command -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("toy")
    write_toy_root(folder / "toy.root", gaussian_sum(300, lengths=(1, 6), n_noise=1, seed=4))
    events = read_sequences(
        str(folder / "toy.root"), features=["x", "noise0"], label="label", classes=("background", "signal")
    )
    LSTMClassifier(6, epochs=4, n_threads=2).fit(events).save(folder / "model.weights.xml")
    return folder


def run(*arguments):
    return CliRunner().invoke(main, ["explain", *map(str, arguments)])


def test_command(files, tmp_path):
    out, figures = tmp_path / "out", tmp_path / "figures.json"
    done = run(
        files / "model.weights.xml", files / "toy.root", "-o", out, "--events", 100, "--repeats", 2, "--json", figures
    )
    assert done.exit_code == 0, done.output
    names = [
        f"{stem}.{suffix}"
        for stem in ("attributions", "gates", "gradient_flow", "ranking")
        for suffix in ("pdf", "png")
    ]
    assert sorted(path.name for path in out.iterdir()) == sorted([*names, "arrays.npz"])
    assert "100 of 300 events, mean loss" in done.output
    assert "attributions to the logit of signal" in done.output
    told = json.loads(figures.read_text())
    first = next(row for row in done.output.splitlines() if row.startswith("x "))
    assert first.split()[1] == f"{told['ranking']['x']:.4f}"
    assert told["n_events"] == 100
    from tmva_lstm_plugin import load_model

    model = load_model(files / "model.weights.xml")
    everything = read_sequences(str(files / "toy.root"), recipe=model.recipe)
    chosen = everything[np.unique(np.linspace(0, 299, 100).astype(int))]
    with np.load(out / "arrays.npz") as arrays:
        np.testing.assert_array_equal(arrays["offsets"], chosen.offsets)
        np.testing.assert_array_equal(arrays["attributions"], integrated_gradients(model, chosen).attributions)
        np.testing.assert_array_equal(arrays["input_gradients"], input_gradients(model, chosen).standardised)
        np.testing.assert_array_equal(arrays["lstm/gates"], gate_activations(model, chosen).layers[0].gates)
        flow = gradient_flow(model, chosen).layers[0]
        np.testing.assert_array_equal(arrays["lstm/flow_cell_quantiles"], flow.cell.quantiles)
        np.testing.assert_array_equal(arrays["lstm/flow_forget_gate_mean"], flow.gates["forget"].mean)
        assert told["ranking"] == dict(zip(arrays["ranking_names"], arrays["ranking"].mean(axis=1), strict=True))


def test_command_refuses(files, tmp_path):
    done = run(files / "model.weights.xml", files / "toy.root", "-o", tmp_path, "--output-class", "sgnal")
    assert done.exit_code == 2
    assert "there is no output 'sgnal'; did you mean 'signal'" in done.output
    arrays = gaussian_sum(100, lengths=3).sequences
    LSTMClassifier(2, epochs=1).fit(arrays).save(tmp_path / "arrays.weights.xml")
    done = run(tmp_path / "arrays.weights.xml", files / "toy.root", "-o", tmp_path)
    assert done.exit_code == 2
    assert "the model was trained on arrays, so it does not know how to read ROOT files" in done.output
    (tmp_path / "file").write_text("")
    done = run(files / "model.weights.xml", files / "toy.root", "-o", tmp_path / "file")
    assert done.exit_code == 2
    assert "cannot write plots into folder" in done.output
