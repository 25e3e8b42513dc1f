"""``tmva-lstm train``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .common import common_options, echo_table, exit_code_of_signal, write_json
from .configuration import configuration, is_toml
from .options import SectionedCommand, config_options, given_keys

if TYPE_CHECKING:
    from ..config import TrainConfig

__all__ = ["train"]


@click.command(cls=SectionedCommand, short_help="Train a network and write its weights file.")
@click.argument("files", nargs=-1, metavar="[CONFIG.toml] [[CLASS=]FILE.root]...")
@click.option("-c", "--config", "config_file", metavar="FILE", help="TOML file; options override what it says.")
@config_options
@common_options
def train(files: tuple[str, ...], config_file: str | None, json_file: str | None, **parameters: Any) -> None:
    """Train a network on events of ROOT files and write its weights file.

    What to read, the network, the output and the split come from a TOML file, from options, or from both: options
    override the file.  Ctrl-C stops after the running batch and keeps what was learnt until then.

    \b
    Examples:
      tmva-lstm train train.toml --epochs 30
      tmva-lstm train events.root --feature "log(E)" --feature "cost=Pz/sqrt(Px**2+Py**2+Pz**2)" \
          --order-by E --label "evType == 34" --output dis
      tmva-lstm train background=mc_b.root signal=mc_s.root --feature Jet_pt --feature Jet_eta
    """
    config = configuration(files, config_file, given_keys(parameters, [f for f in files if not is_toml(f)]))
    from ..training_run import check_output

    folder = check_output(config.output.folder, plots=config.output.plots)
    stopped_by, figures = _train(config, folder)
    write_json(json_file, figures)
    if stopped_by in ("SIGINT", "SIGTERM"):
        click.get_current_context().exit(exit_code_of_signal(stopped_by))


def _train(config: TrainConfig, folder: Path) -> tuple[str | None, dict[str, Any]]:
    from ..classifier import LSTMClassifier
    from ..progress import EntryProgress, make_progress
    from ..training_run import draw_plots, evaluate_parts, fit, listed_plots, read_parts

    with EntryProgress("reading") as reading:
        train_part, test_part = read_parts(config, reading)
    click.echo(f"training on {_amount(train_part)}" + (f", testing on {_amount(test_part)}" if test_part else ""))
    model = LSTMClassifier(**config.model.model_dump())
    with make_progress() as progress:
        seconds, events_per_second = fit(model, train_part, progress)
    # before anything else: what was learnt is on disk whatever comes after
    weights_file = folder / config.output.weights_file
    model.save(weights_file, title=config.output.title)
    figures: dict[str, Any] = {
        "weights_file": str(weights_file),
        "stopped_by": model.stopped_by,
        "seconds": seconds,
        "events_per_second": events_per_second,
        "summary": model.summary,
        "history": model.history.columns,
    }
    written = [("weights file", str(weights_file))]
    if model.stopped_by in ("SIGINT", "SIGTERM"):
        click.echo(
            f"stopped by {model.stopped_by} after {len(model.history)} complete epoch(s); what was learnt is kept"
        )
        echo_table(written, indent="")
        return model.stopped_by, figures
    epochs = len(model.history)
    early = ", stopped early" if model.stopped_by else ""
    click.echo(
        f"trained {epochs} epochs in {seconds:.1f} s{early}, {events_per_second:.0f} events/s; "
        f"the weights are those of epoch {model.history.best_epoch}"
    )
    plotted: dict[str, Any] = {}
    if test_part is not None:
        evaluation, scored_train, scored_test = evaluate_parts(model, train_part, test_part)
        click.echo("\n" + evaluation.table() + "\n")
        figures["evaluation"] = evaluation.to_dict()
        plotted = {"test": scored_test, "train": scored_train}
    if config.output.plots:
        paths = draw_plots(model, folder, **plotted)
        figures["plots"] = [str(path) for path in paths]
        written.append(("plots", listed_plots(paths)))
    if config.output.scored_file is not None:
        from ..scoring import score_file

        scored_file = folder / config.output.scored_file
        with EntryProgress("scoring") as scoring:
            summary = score_file(model, config.input.files, scored_file, progress=scoring)
        figures["scored_file"] = summary.output
        written.append(("scored file", summary.output))
    echo_table(written, indent="")
    return model.stopped_by, figures


def _amount(part: Any) -> str:
    if hasattr(part, "n_chunks"):
        return f"a stream of {part.n_entries} entries in {part.n_chunks} pieces"
    return f"{len(part)} events"
