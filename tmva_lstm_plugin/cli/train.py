"""``tmva-lstm train``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .common import common_options, echo_table, exit_code_of_signal, said_of_steps, write_json
from .configuration import configuration, is_toml
from .options import SectionedCommand, config_options, given_keys

if TYPE_CHECKING:
    from ..config import TrainConfig

__all__ = ["train"]


@click.command(cls=SectionedCommand, short_help="Train a network and write its weights file.")
@click.argument("files", nargs=-1, metavar="[CONFIG.toml] [[CLASS=]FILE.root]...")
@click.option("-c", "--config", "config_file", metavar="FILE", help="TOML file; options override what it says.")
@click.option("--resume", is_flag=True, help="Go on from the checkpoint in the output folder, if there is one.")
@config_options
@common_options
def train(
    files: tuple[str, ...], config_file: str | None, resume: bool, json_file: str | None, **parameters: Any
) -> None:
    """Train a network on events of ROOT files and write its weights file.

    What to read, the network, the output and the split come from a TOML file, from options, or from both: options
    override the file.  Ctrl-C stops after the running batch and keeps what was learnt until then, as
    --max-time does.

    With --checkpoint-minutes, --checkpoint-epochs or --resume, the state of the training is kept in the output folder, in
    lstm.checkpoint beside lstm.weights.xml; --resume goes on from there and ends in the same bits as a training that was
    never stopped.  So a batch job may be submitted again and again as it is.

    \b
    Examples:
      tmva-lstm train train.toml --epochs 30
      tmva-lstm train events.root --feature "log(E)" --feature "cost=Pz/sqrt(Px**2+Py**2+Pz**2)" \
          --order-by E --label "evType == 34" --output dis
      tmva-lstm train train.toml --resume --max-time "110 min"
      tmva-lstm train background=mc_b.root signal=mc_s.root --feature Jet_pt --feature Jet_eta
    """
    config = configuration(files, config_file, given_keys(parameters, [f for f in files if not is_toml(f)]))
    from ..training_run import check_output

    folder = check_output(config.output.folder, plots=config.output.plots)
    stopped_by, figures = _train(config, folder, resume)
    write_json(json_file, figures)
    if stopped_by in ("SIGINT", "SIGTERM"):
        click.get_current_context().exit(exit_code_of_signal(stopped_by))


def _train(config: TrainConfig, folder: Path, resume: bool) -> tuple[str | None, dict[str, Any]]:
    from ..history_files import write_history
    from ..progress import EntryProgress, make_progress
    from ..training_run import draw_plots, evaluate_parts, fit, listed_plots, read_parts, untrained_model

    with EntryProgress("reading") as reading:
        train_part, test_part = read_parts(config, reading)
    click.echo(f"training on {_amount(train_part)}" + (f", testing on {_amount(test_part)}" if test_part else ""))
    model = untrained_model(config)
    weights_file = folder / config.output.weights_file
    kept = _checkpoints(config, weights_file, resume)
    with make_progress() as progress:
        seconds, events_per_second = fit(model, train_part, progress, **kept)
    # before anything else: what was learnt is on disk whatever comes after
    model.save(weights_file, title=config.output.title)
    history_file = write_history(model.history, folder / config.output.history_file)
    figures: dict[str, Any] = {
        "weights_file": str(weights_file),
        "history_file": str(history_file),
        "stopped_by": model.stopped_by,
        "seconds": seconds,
        "events_per_second": events_per_second,
        "summary": model.summary,
        "history": model.history.columns,
    }
    written = [("weights file", str(weights_file)), ("history", str(history_file))]
    written += [("checkpoint", str(path)) for path in {*kept.values()} if path.exists()]
    if model.stopped_by in ("SIGINT", "SIGTERM"):
        click.echo(
            f"stopped by {model.stopped_by} after {len(model.history)} complete epoch(s); what was learnt is kept"
        )
        echo_table(written, indent="")
        return model.stopped_by, figures
    epochs = len(model.history)
    early = {"early stopping": ", stopped early", "max_time": ", stopped by max_time"}.get(model.stopped_by or "", "")
    click.echo(
        f"trained {epochs} epochs in {seconds:.1f} s{early}, {events_per_second:.0f} events/s; "
        f"the weights are those of {f'epoch {model.history.best_epoch}' if epochs else 'the first epoch, which is not complete'}"
    )
    if model.stopped_by == "max_time" and kept:
        click.echo("the training goes on from here with --resume")
    plotted: dict[str, Any] = {}
    if test_part is not None:
        evaluation, scored_train, scored_test = evaluate_parts(model, train_part, test_part)
        click.echo("\n" + said_of_steps(model) + evaluation.table() + "\n")
        figures["evaluation"] = evaluation.to_dict()
        plotted = {"test": scored_test, "train": scored_train}
    if config.output.plots:
        paths = draw_plots(model, folder, **plotted, loss=epochs > 0)
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


def _checkpoints(config: TrainConfig, weights_file: Path, resume: bool) -> dict[str, Path]:
    """Return where `fit` keeps the state of the training and where it takes it from, as keywords."""
    asked = any(getattr(config.model, f"checkpoint_{unit}") is not None for unit in ("epochs", "minutes"))
    name = weights_file.name.removesuffix(".xml").removesuffix(".weights")
    path = weights_file.with_name(name + ".checkpoint")
    if not resume:
        return {"checkpoint": path} if asked else {}
    if path.exists():
        click.echo(f"going on from {path}")
        return {"resume": path}
    click.echo(f"there is no {path} yet: training from the beginning")
    return {"checkpoint": path}


def _amount(part: Any) -> str:
    if hasattr(part, "n_chunks"):
        return f"a stream of {part.n_entries} entries in {part.n_chunks} pieces"
    return f"{len(part)} events"
