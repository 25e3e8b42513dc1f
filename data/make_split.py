"""Write gibuu_split.csv: which events of gibuu_neutrino.root are for training and which for testing."""

from __future__ import annotations

from pathlib import Path

import numpy as np

N_EVENTS, N_TRAIN, SEED = 4755, 3566, 1


def split_table() -> str:
    """Return the content of the file: one line an event, in the order of the permutation."""
    order = np.random.default_rng(SEED).permutation(N_EVENTS)
    lines = [f"{event},{'train' if place < N_TRAIN else 'test'}" for place, event in enumerate(order)]
    return "\n".join(["event,part", *lines, ""])


if __name__ == "__main__":
    Path(__file__).with_name("gibuu_split.csv").write_text(split_table(), encoding="ascii", newline="\n")
