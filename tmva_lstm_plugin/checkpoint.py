"""Checkpoints: the state of a training in a file, from which it goes on as if it had never stopped.

A file has one line ``TMVA-LSTM checkpoint 1``, one with the SHA-256 of all that follows, one with the lengths of two parts,
and the parts: what the training is of, as JSON, and the state as bytes of the compiled core (``core/training_state.h``).
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import CheckpointError
from .files import replacing

if TYPE_CHECKING:
    from .sequences import Sequences
    from .streaming import SequenceStream

__all__ = ["Checkpoint", "DataDigest", "differences", "read_checkpoint", "write_checkpoint"]

_FIRST_LINE = b"TMVA-LSTM checkpoint "
_FORMAT = b"1"

# Of a source of events: what is kept of it, and what a difference is called.
_PARTS = {
    "lengths": "numbers of steps",
    "values": "values of the features",
    "event_values": "values of the event features",
    "labels": "labels",
    "targets": "targets",
    "step_labels": "labels of steps",
    "step_targets": "targets of steps",
    "weights": "weights",
}


@dataclass(frozen=True)
class Checkpoint:
    """A training that can go on.

    Attributes
    ----------
    facts : dict
        What the training is of: ``model`` (its class), ``options``, ``data`` (see `DataDigest`), ``version`` and
        ``instruction_set``.
    history : dict of list
        The columns of its history.
    state : bytes
        The state of the compiled core.
    """

    facts: dict[str, Any]
    history: dict[str, list[Any]]
    state: bytes = field(repr=False)


class DataDigest:
    """Tells one set of training events from another, whatever portions they come in.

    Parameters
    ----------
    use_weights : bool
        Whether the weights matter.
    """

    def __init__(self, use_weights: bool) -> None:
        self._names = [name for name in _PARTS if use_weights or name != "weights"]
        self._hashes: dict[str, Any] = {}
        self._events = 0

    def add(self, events: Sequences) -> None:
        """Take in the next events."""
        self._events += len(events)
        for name in self._names:
            values = getattr(events, name, None)
            if values is not None:
                digest = self._hashes.setdefault(name, hashlib.sha256())
                digest.update(np.ascontiguousarray(values).data.cast("B") if values.size else b"")

    def facts(self, data: Sequences | SequenceStream) -> dict[str, Any]:
        """Return what is known of the events: names, their number, a digest of each part, and of a stream its pieces."""
        facts: dict[str, Any] = {
            "feature_names": list(data.feature_names),
            "event_feature_names": list(data.event_feature_names),
            "class_names": [*data.class_names, *data.step_class_names],
            "events": self._events,
            **{name: digest.hexdigest() for name, digest in self._hashes.items()},
        }
        bounds = getattr(data, "chunk_bounds", None)
        if bounds is not None:  # they decide about the order of the events
            facts["stream"] = {
                "memory_limit": getattr(data, "memory_limit", None),
                "pieces": len(bounds),
                "bounds": hashlib.sha256(repr(tuple(bounds)).encode()).hexdigest(),
            }
        return facts


def _plain(value: Any) -> Any:
    """Return an option as JSON gives it back."""
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    return value.item() if isinstance(value, np.generic) else value


def write_checkpoint(path: str | os.PathLike[str], checkpoint: Checkpoint) -> None:
    """Write a checkpoint; an earlier one is replaced only when the new one is on disk.

    Parameters
    ----------
    path : path
        The file.
    checkpoint : Checkpoint
        The training.

    Raises
    ------
    OutputError
        The file cannot be written; an earlier one is untouched.
    """
    text = {"facts": checkpoint.facts, "history": checkpoint.history}
    head = json.dumps(text, default=_plain).encode()
    rest = b"%d %d\n" % (len(head), len(checkpoint.state)) + head + checkpoint.state
    digest = hashlib.sha256(rest).hexdigest().encode()
    with replacing(path, purpose="the checkpoint") as aside:
        aside.write_bytes(_FIRST_LINE + _FORMAT + b"\n" + digest + b"\n" + rest)


def read_checkpoint(path: str | os.PathLike[str]) -> Checkpoint:
    """Read a checkpoint.

    Parameters
    ----------
    path : path
        The file.

    Returns
    -------
    Checkpoint

    Raises
    ------
    CheckpointError
        The file is missing, no checkpoint, of another format, cut or damaged.
    """
    name = f"checkpoint '{os.fspath(path)}'"
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise CheckpointError(
            f"{name} cannot be read: {error.strerror or error}; train from the beginning, without resume"
        ) from error
    if not content.startswith(_FIRST_LINE):
        raise CheckpointError(
            f"{name}: this is no checkpoint of a training; give the file that fit(checkpoint=...) wrote"
        )
    first, _, rest = content.partition(b"\n")
    number = first.removeprefix(_FIRST_LINE)
    if number != _FORMAT:
        raise CheckpointError(
            f"{name} has format {number.decode(errors='replace')}, expected {_FORMAT.decode()}: it is of another version of "
            "tmva_lstm_plugin; resume with that one"
        )
    digest, _, rest = rest.partition(b"\n")
    sizes, _, parts = rest.partition(b"\n")
    lengths = [int(text) for text in sizes.split() if text.isdigit()]
    if len(lengths) != 2 or len(parts) < sum(lengths):
        found = "its end is missing" if len(lengths) == 2 else "it is cut or damaged near its begin"
        raise CheckpointError(f"{name}: {found}; train from the beginning, or resume from another checkpoint")
    if hashlib.sha256(rest).hexdigest().encode() != digest:
        raise CheckpointError(
            f"{name} is damaged: its digest does not fit; train from the beginning, or resume from another checkpoint"
        )
    text = json.loads(parts[: lengths[0]])
    return Checkpoint(text["facts"], text["history"], parts[lengths[0] :])


def differences(
    found: Mapping[str, Any], expected: Mapping[str, Any], defaults: Mapping[str, Any], done: int
) -> Iterator[str]:
    """Say in what a checkpoint is of another training than the one at hand.

    Parameters
    ----------
    found, expected : mapping
        The facts of the checkpoint, and of the training; without ``data`` where the events are not known yet.
    defaults : mapping
        What an option is where an earlier version did not know it.
    done : int
        Epochs that are complete or begun.

    Yields
    ------
    str
        One clause for each difference.
    """
    if found["model"] != expected["model"]:
        yield f"it is of a {found['model']}, not of a {expected['model']}"
    options, others = found["options"], expected["options"]
    for name in sorted({*options, *others} - {"epochs"}):
        before, now = options.get(name, defaults.get(name)), _plain(others.get(name, defaults.get(name)))
        if before != now:
            yield f"{name} was {before!r} and is {now!r}"
    before, now = options["epochs"], others["epochs"]
    if before != now and others["schedule"] in ("cosine", "one_cycle"):
        yield f"epochs was {before} and is {now}, on which every step of the schedule '{others['schedule']}' depends"
    elif now < done:
        yield f"epochs is {now}, and the checkpoint is of epoch {done}"
    yield from _other_data(found["data"], expected.get("data"))


def _other_data(found: Mapping[str, Any], expected: Mapping[str, Any] | None) -> Iterator[str]:
    if expected is None or found == expected:
        return
    for name in ("feature_names", "event_feature_names", "class_names", "events"):
        if found[name] != expected[name]:
            before, now = (", ".join(v) if isinstance(v, list) else v for v in (found[name], expected[name]))
            what = "the number of events" if name == "events" else name
            yield f"{what} was {before or 'none'} and is {now or 'none'}"
    other = [text for name, text in _PARTS.items() if found.get(name) != expected.get(name)]
    if other and found["events"] == expected["events"]:
        yield f"the events have other {', '.join(other)}"
    before, now = found.get("stream"), expected.get("stream")
    if (before is None) != (now is None):
        yield "the events were " + ("in memory and are a stream" if before is None else "a stream and are in memory")
    elif before is not None and now is not None and before != now:
        yield (
            f"the stream had {before['pieces']} pieces within {before['memory_limit']} bytes and has {now['pieces']} within "
            f"{now['memory_limit']}, which is another order of the events"
        )
