"""Physics on the real sample in data/: four classes and the neutrino's energy, ours beside its peers on the stored split.

    python -m benchmarks.gibuu                 four classes, ours beside the same model in PyTorch, five seeds
    python -m benchmarks.gibuu --regression    lepIn_E, ours beside scikit-learn's boosted trees, five seeds

Settings were chosen on a validation part of the training events.  PyTorch and scikit-learn are needed here only.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from tmva_lstm_plugin import LSTMClassifier, LSTMRegressor, Sequences, read_sequences
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
# chosen among sixteen by three folds of the training part, where most were equal within the spread of seeds
SETTINGS: dict[str, Any] = {
    "hidden": 32, "epochs": 30, "batch_size": 64, "learning_rate": 6e-3, "schedule": "cosine", "ema_decay": 0.99,
}  # fmt: skip
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


def parts_of(train: Sequences, seed: int) -> tuple[Sequences, Sequences]:
    """Put a tenth of each class aside to validate on, as ours does: the weights of the best epoch are kept by its loss."""
    assert train.labels is not None
    rng, validates = np.random.default_rng(seed), np.zeros(len(train), dtype=bool)
    for k in range(len(CLASSES)):
        mine = rng.permutation(np.flatnonzero(train.labels == k))
        validates[mine[: round(0.1 * len(mine))]] = True
    return train[~validates], train[validates]


def pytorch(train: Sequences, test: Sequences, seed: int) -> np.ndarray:
    """Train the same network with the same loss, optimiser, schedule, clipping and average in PyTorch; (N, classes)."""
    import torch
    from torch.nn.utils.rnn import pack_padded_sequence

    torch.manual_seed(seed)
    fit, validate = parts_of(train, seed)
    mean, scale = fit.values.mean(axis=0), fit.values.std(axis=0)

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = torch.nn.LSTM(len(FEATURES), SETTINGS["hidden"], batch_first=True)
            self.head = torch.nn.Linear(SETTINGS["hidden"], len(CLASSES))
            # as ours begins: Xavier uniform of each gate, biases 0 but 1 of the forget gate
            for name, parameter in self.lstm.named_parameters():
                if "weight" in name:
                    for gate in parameter.chunk(4):
                        torch.nn.init.xavier_uniform_(gate)
                else:
                    torch.nn.init.zeros_(parameter)
            with torch.no_grad():
                self.lstm.bias_ih_l0[SETTINGS["hidden"] : 2 * SETTINGS["hidden"]] = 1
            torch.nn.init.xavier_uniform_(self.head.weight)
            torch.nn.init.zeros_(self.head.bias)

        def forward(self, x: Any, lengths: Any) -> Any:
            packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
            return self.head(self.lstm(packed)[1][0][0])

    def padded(events: Sequences) -> tuple[Any, Any, Any]:
        x = np.zeros((len(events), int(events.lengths.max()), len(FEATURES)), np.float32)
        for n, length in enumerate(events.lengths):
            x[n, :length] = (events.values[events.offsets[n] : events.offsets[n + 1]] - mean) / scale
        return torch.from_numpy(x), torch.from_numpy(events.lengths), torch.from_numpy(events.labels.astype(np.int64))

    net, loss_of = Net(), torch.nn.CrossEntropyLoss()
    optimiser = torch.optim.Adam(net.parameters(), lr=SETTINGS["learning_rate"])
    x, lengths, y = padded(fit)
    vx, vlengths, vy = padded(validate)
    steps = SETTINGS["epochs"] * -(-len(y) // SETTINGS["batch_size"])
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    # what is validated and kept is the moving average of the weights, which begins as a copy after the first step
    average = torch.optim.swa_utils.AveragedModel(
        net, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(SETTINGS["ema_decay"])
    )
    best, kept = np.inf, average.state_dict()
    for _ in range(SETTINGS["epochs"]):
        for batch in torch.randperm(len(y)).split(SETTINGS["batch_size"]):
            optimiser.zero_grad()
            loss_of(net(x[batch], lengths[batch]), y[batch]).backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            average.update_parameters(net)
        with torch.no_grad():
            loss = float(loss_of(average(vx, vlengths), vy))
        if loss < best:
            best, kept = loss, {k: v.clone() for k, v in average.state_dict().items()}
    average.load_state_dict(kept)
    with torch.no_grad():
        tx, tlengths, _ = padded(test)
        return torch.softmax(average(tx, tlengths), dim=1).numpy()


def line(name: str, values: list[tuple[float, ...]]) -> str:
    """Mean and standard error over the seeds of each figure."""
    table = np.array(values)
    errors = table.std(axis=0, ddof=1) / np.sqrt(len(table))
    return f"{name:34}" + "  ".join(f"{m:9.5f} +- {e:.5f}" for m, e in zip(table.mean(axis=0), errors, strict=True))


def classification(with_torch: bool) -> None:
    """Print the table of the four classes."""
    train, test = sample(label=CLASSES)
    counts = ", ".join(f"{n} {name}" for name, n in zip(CLASSES, np.bincount(test.labels), strict=True))
    print(f"{len(train)} events to train on, {len(test)} to test on ({counts}); {len(SEEDS)} seeds, no weights")
    print(f"{'':34}macro AUC           accuracy")
    ours = [LSTMClassifier(**SETTINGS, seed=s, use_weights=False).fit(train) for s in SEEDS]
    print(line("tmva_lstm_plugin", [figures(model.predict_proba(test), test) for model in ours]))
    if with_torch:
        import torch

        torch.set_num_threads(1)
        print(line(f"PyTorch {torch.__version__}", [figures(pytorch(train, test, s), test) for s in SEEDS]))


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
    parser.add_argument("--no-peer", action="store_true", help="only ours")
    arguments = parser.parse_args()
    (regression if arguments.regression else classification)(not arguments.no_peer)


if __name__ == "__main__":
    main()
