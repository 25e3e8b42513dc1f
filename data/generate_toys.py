"""Write a ROOT file of toy sequences whose best possible AUC and accuracy are known.

    python data/generate_toys.py order_task toys.root --events 1000000 --seed 1 --set rho=0.6 --set lengths=5,30

Memory does not grow with the number of events.  `--help` lists the tasks.
"""

from __future__ import annotations

import argparse
import ast
import sys
from typing import Any

from tmva_lstm_plugin import testing
from tmva_lstm_plugin.errors import LSTMError


def setting(text: str) -> tuple[str, Any]:
    """Split ``name=value``; several values are separated by commas."""
    name, equals, value = text.partition("=")
    try:
        if equals:
            return name, ast.literal_eval(value)
    except (SyntaxError, ValueError):
        pass
    raise argparse.ArgumentTypeError(f"{text!r} is not name=number or name=number,number; for example rho=0.6")


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    tasks = "\n".join(f"  {name:18}{(getattr(testing, name).__doc__ or '').splitlines()[0]}" for name in testing.TASKS)
    parser = argparse.ArgumentParser(
        description="Write a ROOT file of toy sequences whose best possible AUC and accuracy are known.",
        epilog=f"tasks:\n{tasks}\n\nTheir options are those of the functions in tmva_lstm_plugin.testing.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("task", help="one of the tasks below")
    parser.add_argument("output", help="the ROOT file to write")
    parser.add_argument("--events", type=int, default=100_000, help="how many events (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the random numbers (default: %(default)s)")
    parser.add_argument("--chunk", type=int, default=100_000, help="events in memory at a time (default: %(default)s)")
    parser.add_argument("--tree", default="events", help="name of the tree (default: %(default)s)")
    parser.add_argument(
        "--set",
        type=setting,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="an option of the task; repeatable",
    )
    given = parser.parse_args(arguments)

    def progress(done: int, total: int) -> None:
        print(f"\r{done} of {total} events", end="\n" if done == total else "", file=sys.stderr, flush=True)

    try:
        best = testing.make_task(given.task, 1, seed=given.seed, **dict(given.set))
        testing.write_toy_root(
            given.output,
            best,
            given.events,
            chunk=given.chunk,
            tree=given.tree,
            progress=progress if sys.stderr.isatty() else None,
        )
    except LSTMError as error:
        print(f"generate_toys.py: error: {error}", file=sys.stderr)
        return 1
    options = ", ".join(f"{name}={value}" for name, value in best.options.items())
    print(f"{given.output}: {given.events} events of {given.task} ({options}, seed={best.seed}) in tree {given.tree}")
    print(f"best possible AUC {best.optimal_auc:.6f}, best possible accuracy {best.optimal_accuracy:.6f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
