"""Physics on the real sample in data/: four classes and the neutrino's energy, ours beside its peers on the stored split.

    python -m benchmarks.gibuu                 four classes, ours beside the same model in PyTorch, five seeds
    python -m benchmarks.gibuu --regression    lepIn_E, ours beside scikit-learn's boosted trees, five seeds
    python -m benchmarks.gibuu --settings      the choice of the classifier's settings, by folds of the training part alone

Settings were chosen on parts of the training events.  PyTorch and scikit-learn are needed here only.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tmva_lstm_plugin import LSTMClassifier, LSTMRegressor, Sequences, _engine, read_sequences
from tmva_lstm_plugin.demo import DEMO_READING
from tmva_lstm_plugin.deviations import evaluate_regression
from tmva_lstm_plugin.evaluation import auc

DATA = Path(__file__).resolve().parents[1] / "data"
FEATURES = DEMO_READING["features"]
CLASSES = {
    "QE": "evType == 1",
    "RES": "(evType >= 2) & (evType <= 33)",
    "DIS": "evType == 34",
    "2p2h": "evType == 35",
}
# energies add up, so the regression has them as they are too; the lepton that comes out is an event feature, which goes
# straight to the linear head
ENERGIES = FEATURES | {"E": "E", "Pz": "Pz"}
LEPTON = {"lepOut_E": "lepOut_E", "lepOut_pT": "sqrt(lepOut_Px**2 + lepOut_Py**2)"}
# chosen among sixteen by three folds of the training part, where most were equal within the spread of seeds; that all events
# train was chosen in the same way (--settings), and is better there
SETTINGS: dict[str, Any] = {
    "hidden": 32, "epochs": 30, "batch_size": 64, "learning_rate": 6e-3, "schedule": "cosine", "ema_decay": 0.99,
    "validation_fraction": 0, "use_weights": False,
}  # fmt: skip
OTHERS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "a tenth validates": {"validation_fraction": 0.1},
    "a fifth validates": {"validation_fraction": 0.2},
    "orthogonal": {"initialisation": "orthogonal"},
    "forget bias 0": {"forget_bias": 0.0},
}
REGRESSION: dict[str, Any] = {"hidden": 64, "epochs": 60, "schedule": "cosine", "learning_rate": 3e-3}
TREES: dict[str, Any] = {"learning_rate": 0.05, "max_iter": 500, "early_stopping": True, "validation_fraction": 0.1}
SEEDS = (1, 2, 3, 4, 5)


def sample(features: dict[str, str] = FEATURES, **more: Any) -> tuple[Sequences, Sequences]:
    """Training and test part of the stored split."""
    events = read_sequences(DATA / "gibuu_neutrino.root", features=features, order_by="E", **more)
    table = np.genfromtxt(DATA / "gibuu_split.csv", delimiter=",", skip_header=1, dtype=None, encoding="ascii")
    is_test = np.zeros(events.n_entries or 0, dtype=bool)
    is_test[[int(event) for event, part in table if part == "test"]] = True
    assert events.entries is not None
    return events[~is_test[events.entries]], events[is_test[events.entries]]


def figures(probabilities: np.ndarray, test: Sequences) -> tuple[float, float]:
    """Macro AUC, each class against the rest, and accuracy; no weights."""
    areas = [auc(probabilities[:, k], test.labels == k) for k in range(len(CLASSES))]
    return float(np.mean(areas)), float((probabilities.argmax(axis=1) == test.labels).mean())


@dataclass(frozen=True)
class Draws:
    """What a training draws: the first weights (in the core's order: W, U, b, head) and the order of events in each epoch."""

    parameters: np.ndarray
    orders: list[np.ndarray]
    mean: np.ndarray
    scale: np.ndarray


def our_draws(model: LSTMClassifier, train: Sequences) -> Draws:
    """Draw what the training of this model has drawn, by the same functions; with the standardisation it has found."""
    mean, inverse, _, _ = (np.asarray(numbers, np.float32) for numbers in _engine.feature_scales(model._trainer))
    shape, none = (train.n_features, 0, SETTINGS["hidden"], len(CLASSES)), np.zeros(0, np.float32)
    begun = _engine.Trainer(*shape, mean, 1 / inverse, none, none, {"seed": model.seed, "n_threads": 1})
    all_events = np.arange(len(train), dtype=np.int64)
    # the core counts epochs from 1
    orders = [_engine.shuffled(all_events, model.seed, "events", epoch + 1) for epoch in range(SETTINGS["epochs"])]
    return Draws(begun.parameters, orders, mean, 1 / inverse)


def torch_draws(train: Sequences, seed: int) -> Draws:
    """Draw the same with PyTorch's generator: Xavier uniform of each gate, biases 0 but 1 of the forget gate."""
    import torch

    torch.manual_seed(seed)
    H, D = SETTINGS["hidden"], train.n_features
    gates = [torch.nn.init.xavier_uniform_(torch.empty(H, n)).numpy() for n in (D, H) for _ in range(4)]
    bias = np.zeros(4 * H, np.float32)
    bias[H : 2 * H] = 1
    head = torch.nn.init.xavier_uniform_(torch.empty(len(CLASSES), H)).numpy()
    numbers = [*(gate.ravel() for gate in gates), bias, head.ravel(), np.zeros(len(CLASSES), np.float32)]
    orders = [torch.randperm(len(train)).numpy() for _ in range(SETTINGS["epochs"])]
    return Draws(np.concatenate(numbers), orders, train.values.mean(axis=0), train.values.std(axis=0))


def pytorch(train: Sequences, test: Sequences, draws: Draws, *, biases: int = 2) -> np.ndarray:
    """Train the same network with the same loss, optimiser, schedule, clipping and average in PyTorch; (N, classes).

    PyTorch's layer adds two biases, which both train; with `biases=1` the second one stays 0, and the network is ours.
    """
    import torch
    from torch.nn.utils.rnn import pack_padded_sequence

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = torch.nn.LSTM(train.n_features, SETTINGS["hidden"], batch_first=True)
            self.head = torch.nn.Linear(SETTINGS["hidden"], len(CLASSES))
            lstm, at = self.lstm, 0
            with torch.no_grad():
                lstm.bias_hh_l0.zero_()
                for p in (lstm.weight_ih_l0, lstm.weight_hh_l0, lstm.bias_ih_l0, self.head.weight, self.head.bias):
                    p.copy_(torch.from_numpy(draws.parameters[at : at + p.numel()].reshape(p.shape)))
                    at += p.numel()
            lstm.bias_hh_l0.requires_grad_(biases == 2)

        def forward(self, x: Any, lengths: Any) -> Any:
            packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
            return self.head(self.lstm(packed)[1][0][0])

    def padded(events: Sequences) -> tuple[Any, Any, Any]:
        x = np.zeros((len(events), int(events.lengths.max()), train.n_features), np.float32)
        for n, length in enumerate(events.lengths):
            x[n, :length] = (events.values[events.offsets[n] : events.offsets[n + 1]] - draws.mean) / draws.scale
        return torch.from_numpy(x), torch.from_numpy(events.lengths), torch.from_numpy(events.labels.astype(np.int64))

    net, loss_of = Net(), torch.nn.CrossEntropyLoss()
    trained = [p for p in net.parameters() if p.requires_grad]
    optimiser = torch.optim.Adam(trained, lr=SETTINGS["learning_rate"])
    x, lengths, y = padded(train)
    steps = SETTINGS["epochs"] * -(-len(y) // SETTINGS["batch_size"])
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    # what is kept is the moving average of the weights, which begins as a copy after the first step
    average = torch.optim.swa_utils.AveragedModel(
        net, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(SETTINGS["ema_decay"])
    )
    for order in draws.orders:
        for batch in torch.from_numpy(np.asarray(order)).split(SETTINGS["batch_size"]):
            optimiser.zero_grad()
            loss_of(net(x[batch], lengths[batch]), y[batch]).backward()
            torch.nn.utils.clip_grad_norm_(trained, 1.0)
            optimiser.step()
            schedule.step()
            average.update_parameters(net)
    with torch.no_grad():
        tx, tlengths, _ = padded(test)
        return torch.softmax(average(tx, tlengths), dim=1).numpy()


def ours_from(draws: Draws, train: Sequences, test: Sequences) -> np.ndarray:
    """Train ours from given draws, such as PyTorch's; (N, classes)."""
    none = np.zeros(0, np.float32)
    scales = (draws.mean.astype(np.float32), draws.scale.astype(np.float32), none, none)
    options = {name: SETTINGS[name] for name in ("learning_rate", "schedule", "ema_decay")} | {"n_threads": 1}
    trainer = _engine.Trainer(
        train.n_features, 0, SETTINGS["hidden"], len(CLASSES), *scales, options | {"clip_norm": 1.0}
    )
    trainer.parameters = draws.parameters
    events, size = (train.values, train.offsets, None, train.labels, None), SETTINGS["batch_size"]
    steps = SETTINGS["epochs"] * -(-len(train) // size)
    step = 0
    for epoch, order in enumerate(draws.orders):
        for first in range(0, len(order), size):
            trainer.set_learning_rate(_engine.scheduled_rate(options, epoch, step, 0, steps))
            trainer.train_batch(events, np.ascontiguousarray(order[first : first + size], dtype=np.int64))
            step += 1
    trainer.parameters = trainer.averaged
    return np.asarray(trainer.probabilities((test.values, test.offsets, None, None, None), 1))


def line(name: str, values: list[tuple[float, ...]]) -> str:
    """Mean and standard error over the seeds of each figure."""
    table = np.array(values)
    errors = table.std(axis=0, ddof=1) / np.sqrt(len(table))
    return f"{name:34}" + "  ".join(f"{m:9.5f} +- {e:.5f}" for m, e in zip(table.mean(axis=0), errors, strict=True))


def classification(with_torch: bool, seeds: range, draws_alone: bool) -> None:
    """Print the table of the four classes; `draws_alone`: nothing is trained in PyTorch, whose draws are taken."""
    train, test = sample(label=CLASSES)
    counts = ", ".join(f"{n} {name}" for name, n in zip(CLASSES, np.bincount(test.labels), strict=True))
    print(f"{len(train)} events to train on, {len(test)} to test on ({counts}); {len(seeds)} seeds, no weights")
    print(f"{'':34}macro AUC           accuracy")
    ours = [LSTMClassifier(**SETTINGS, seed=s).fit(train) for s in seeds]
    our_figures = [figures(model.predict_proba(test), test) for model in ours]
    print(line("tmva_lstm_plugin", our_figures))
    if not with_torch:
        return
    import torch

    torch.set_num_threads(1)
    drawn = [figures(ours_from(torch_draws(train, s), train, test), test) for s in seeds]
    print(line("tmva_lstm_plugin, PyTorch's draws", drawn))
    if draws_alone:
        return
    theirs = [figures(pytorch(train, test, torch_draws(train, s)), test) for s in seeds]
    print(line(f"PyTorch {torch.__version__}", theirs))
    same = [figures(pytorch(train, test, our_draws(model, train), biases=1), test) for model in ours]
    print(line("PyTorch, our draws, one bias", same))
    apart = np.abs(np.array(same) - np.array(our_figures)).max(axis=0)
    print(f"largest difference of a seed to ours with the same draws: {apart[0]:.1e} and {apart[1]:.1e}")


def settings(seeds: range) -> None:
    """Print how settings do on three folds of the training part; the test part is not looked at."""
    train, _ = sample(label=CLASSES)
    fold = np.random.default_rng(7).permutation(len(train)) % 3
    print(f"means over 3 folds of the {len(train)} training events, {len(seeds)} seeds")
    print(f"{'':34}macro AUC           accuracy")
    for name, other in OTHERS.items():
        rows = []
        for seed in seeds:
            found = []
            for k in range(3):
                model = LSTMClassifier(**SETTINGS | other, seed=seed).fit(train[fold != k])
                found.append(figures(model.predict_proba(train[fold == k]), train[fold == k]))
            rows.append(tuple(np.mean(found, axis=0)))
        print(line(name, rows))


def fixed_size(events: Sequences) -> np.ndarray:
    """Return what boosted trees are given: sums over all hadrons, their number by kind, the four leading ones, the lepton."""
    assert events.event_values is not None
    rows = []
    for n in range(len(events)):
        steps = events.values[events.offsets[n] : events.offsets[n + 1]]
        energy, pt, pz = np.exp(steps[:, 0]), np.exp(steps[:, 1]), np.sinh(steps[:, 2])
        leading = np.full((4, len(ENERGIES)), np.nan)
        leading[: len(steps)] = steps[:4]
        sums = [len(steps), energy.sum(), pt.sum(), pz.sum(), energy.max(), *steps[:, 3:6].sum(axis=0)]
        rows.append([*sums, *leading.ravel(), *events.event_values[n]])
    return np.array(rows)


def regression(with_trees: bool) -> None:
    """Print the table of the neutrino's energy, with and without the outgoing lepton."""
    print(f"lepIn_E in GeV, {len(SEEDS)} seeds, no weights")
    print(f"{'':34}resolution (68 %)   RMS                 bias                correlation")

    def row(found: np.ndarray, test: Sequences) -> tuple[float, ...]:
        d = evaluate_regression(found, test.targets, test.target_names).unweighted[0]
        return d.resolution, d.rms, d.bias, d.correlation

    for title, lepton in (("hadrons only", {}), ("hadrons and the lepton", LEPTON)):
        train, test = sample(ENERGIES, targets={"lepIn_E": "lepIn_E"}, event_features=lepton)
        print(title)
        for loss in ("mse", "mae", "huber"):
            models = [LSTMRegressor(**REGRESSION, loss=loss, seed=s, use_weights=False).fit(train) for s in SEEDS]
            print(line(f"  LSTM, {loss}", [row(model.predict(test), test) for model in models]))
        if with_trees:
            from sklearn.ensemble import HistGradientBoostingRegressor

            empty = np.zeros((len(train), 0)), np.zeros((len(test), 0))
            x, z = (
                fixed_size(e if lepton else e.__class__(**{**e.__dict__, "event_values": none}))
                for e, none in zip((train, test), empty, strict=True)
            )
            for loss in ("squared_error", "absolute_error"):
                rows = []
                for seed in SEEDS:
                    trees = HistGradientBoostingRegressor(loss=loss, **TREES, random_state=seed)
                    rows.append(row(trees.fit(x, train.targets[:, 0]).predict(z)[:, None], test))
                print(line(f"  boosted trees, {loss}", rows))


def main() -> None:
    """Read the arguments and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--regression", action="store_true", help="the neutrino's energy in place of the four classes")
    parser.add_argument("--settings", action="store_true", help="settings compared on folds of the training part")
    parser.add_argument("--no-peer", action="store_true", help="only ours")
    parser.add_argument("--draws", action="store_true", help="of the peer only its random numbers, for many seeds")
    parser.add_argument("--seeds", type=int, default=len(SEEDS), help="of the four classes: from 1 to this number")
    arguments = parser.parse_args()
    if arguments.regression:
        regression(not arguments.no_peer)
    elif arguments.settings:
        settings(range(1, arguments.seeds + 1))
    else:
        classification(not arguments.no_peer, range(1, arguments.seeds + 1), arguments.draws)


if __name__ == "__main__":
    main()
