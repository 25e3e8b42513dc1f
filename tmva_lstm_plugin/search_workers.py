"""The processes of a search, each with its share of the processors: trials go in as lines, and what became of them comes out.

A worker is a Python of its own, so a program that searches needs no guard around its main part.  It ends when its standard
input does, that is, when the search ends in whatever way, even by SIGKILL.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from .classifier import LSTMClassifier
from .errors import LSTMError
from .regressor import LSTMRegressor
from .search_trials import TrialResult, load_events, read_result, run_trial

__all__ = ["Workers", "share"]

Task = tuple[int, int, Mapping[str, Any]]
"""Trial, epochs and all options."""

_TOO_FEW = "run the search again to go on from the trials that are done; if memory was short, with fewer workers"


def share(processors: int, workers: int) -> list[int]:
    """Return the threads of each worker: all processors, none twice.

    Parameters
    ----------
    processors, workers : int
        How many; there may be more workers than processors only if that was asked for, each has one thread then.

    Returns
    -------
    list of int, length workers
    """
    each, left = divmod(processors, workers)
    return [max(1, each + (i < left)) for i in range(workers)]


class Workers:
    """Processes that run trials.

    Parameters
    ----------
    folder, events_folder : Path
        Where trials are kept, and where the events are.
    searched : tuple of str
        Which options are searched for.
    threads : sequence of int
        One worker each, with so many threads.
    regression : bool
        Whether the models are LSTMRegressor.
    """

    def __init__(
        self,
        folder: Path,
        events_folder: Path,
        searched: Sequence[str],
        threads: Sequence[int],
        regression: bool = False,
    ) -> None:
        self._folder = folder
        self._messages: queue.Queue[tuple[int, str | None]] = queue.Queue()
        self._logs = [folder / f"worker_{i}.log" for i in range(len(threads))]
        self._processes = []
        for index, n_threads in enumerate(threads):
            setting = {
                "folder": str(folder),
                "events": str(events_folder),
                "searched": list(searched),
                "threads": n_threads,
                "regression": regression,
            }
            code = (
                f"import sys; sys.path[:] = {sys.path!r}; "
                f"from tmva_lstm_plugin.search_workers import work; work({json.dumps(json.dumps(setting))})"
            )
            with open(self._logs[index], "wb") as log:
                process = subprocess.Popen(
                    [sys.executable, "-c", code],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    text=True,
                    # Ctrl-C of a terminal is for the search, which then ends its workers
                    start_new_session=True,
                )
            self._processes.append(process)
            threading.Thread(target=self._listen, args=(index,), daemon=True).start()

    def _listen(self, index: int) -> None:
        output = self._processes[index].stdout
        assert output is not None
        for line in output:
            self._messages.put((index, line))
        self._messages.put((index, None))

    def run(self, tasks: Sequence[Task], stopped: Callable[[], bool]) -> Iterator[TrialResult]:
        """Run trials on all workers.

        Parameters
        ----------
        tasks : sequence of (trial, epochs, options)
            In the order in which they are begun.
        stopped : callable
            Whether to stop: then no more results come.

        Yields
        ------
        TrialResult
            In the order in which they are done.

        Raises
        ------
        LSTMError
            A worker died.
        """
        waiting = list(tasks)
        busy: dict[int, Task] = {}
        for index in range(len(self._processes)):
            self._give(index, waiting, busy)
        while busy:
            if stopped():
                return
            try:
                index, line = self._messages.get(timeout=0.1)
            except queue.Empty:
                continue
            if line is None:
                self._died(index, busy.get(index))
            assert line is not None
            trial, epochs, _ = busy.pop(index)
            message = json.loads(line)
            if "error" in message:
                raise LSTMError(f"trial {trial} of the search could not be run: {message['error']}")
            self._give(index, waiting, busy)
            result = read_result(self._folder, trial, epochs)
            assert result is not None  # written before the worker said so
            yield result

    def _give(self, index: int, waiting: list[Task], busy: dict[int, Task]) -> None:
        if not waiting:
            return
        busy[index] = waiting.pop(0)
        trial, epochs, options = busy[index]
        line = json.dumps({"trial": trial, "epochs": epochs, "options": dict(options)}, default=list)
        pipe = self._processes[index].stdin
        assert pipe is not None
        try:
            pipe.write(line + "\n")
            pipe.flush()
        except OSError:
            self._died(index, busy[index])

    def _died(self, index: int, task: Task | None) -> None:
        code = self._processes[index].wait()
        how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
        lines = self._logs[index].read_text(errors="replace").strip().splitlines()
        last = f", saying: {lines[-1]}" if lines else ""
        what = "" if task is None else f" in trial {task[0]}"
        raise LSTMError(f"a worker of the search ended {how}{what}{last}; {_TOO_FEW}")

    def close(self) -> None:
        """End the workers; a trial that runs is lost, those that are done are on disk."""
        for process in self._processes:
            assert process.stdin is not None
            try:
                process.stdin.close()
            except OSError:
                pass
        for process, log in zip(self._processes, self._logs, strict=True):
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            assert process.stdout is not None
            process.stdout.close()
            if log.exists() and not log.stat().st_size:
                log.unlink()


def work(setting: str) -> None:
    """Run trials, a line of standard input each, until it ends.

    Parameters
    ----------
    setting : str
        Folders, names and threads, as JSON.
    """
    given = json.loads(setting)
    folder = Path(given["folder"])
    lines: queue.Queue[str] = queue.Queue()

    def listen() -> None:
        for line in sys.stdin:
            lines.put(line)
        # the search is over, or was killed: what a trial has on disk is complete or not there
        os._exit(0)

    threading.Thread(target=listen, daemon=True).start()
    kind = LSTMRegressor if given["regression"] else LSTMClassifier
    events = load_events(Path(given["events"]), "train"), load_events(Path(given["events"]), "judged")
    while True:
        task = json.loads(lines.get())
        answer: dict[str, Any] = {}
        try:
            arguments = (task["trial"], task["epochs"], task["options"], tuple(given["searched"]))
            if isinstance(run_trial(folder, events, *arguments, given["threads"], kind), str):
                os._exit(1)  # by a signal of its own
        except LSTMError as error:
            answer["error"] = str(error)
        print(json.dumps(answer), flush=True)
