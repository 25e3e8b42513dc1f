"""Whether training overlaps reading: one epoch on a stream, against reading alone and training alone."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from tmva_lstm_plugin import LSTMClassifier, read_sequences, stream_sequences

from .reading import FEATURES


def measure(path: Path, *, rounds: int, hidden: int = 16, say: Callable[[str], None]) -> dict[str, object]:
    """Time readings and trainings in turn, and take the shortest of each.

    An epoch's time is the difference of trainings of three epochs and of one: what is done once (statistics, probes) drops
    out.
    """
    options = {"tree": "events", "features": list(FEATURES), "label": "label"}

    def epoch_seconds(data: object) -> float:
        times = {}
        for epochs in (1, 3):
            model = LSTMClassifier(hidden, epochs=epochs, batch_size=256, validation_fraction=0.0)
            begin = time.perf_counter()
            model.fit(data)
            times[epochs] = time.perf_counter() - begin
        return (times[3] - times[1]) / 2

    def read_seconds() -> float:
        begin = time.perf_counter()
        for _ in stream_sequences(str(path), **options):
            pass
        return time.perf_counter() - begin

    memory = read_sequences(str(path), **options)
    reading, training, both = [], [], []
    for _ in range(rounds):
        reading.append(read_seconds())
        training.append(epoch_seconds(memory))
        both.append(epoch_seconds(stream_sequences(str(path), **options)))
    record = {
        "section": "streaming",
        "read_seconds": min(reading),
        "train_seconds": min(training),
        "stream_epoch_seconds": min(both),
        "of_the_sum": min(both) / (min(reading) + min(training)),
        "of_the_longer": min(both) / max(min(reading), min(training)),
    }
    say(
        f"an epoch: reading alone {min(reading):.2f} s, training alone {min(training):.2f} s, training on a stream "
        f"{min(both):.2f} s ({record['of_the_longer']:.2f} of the longer, {record['of_the_sum']:.2f} of the sum)"
    )
    return record
