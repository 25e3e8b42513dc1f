"""``tmva-lstm cross-validate``."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .common import common_options, echo_table, write_json
from .configuration import configuration, is_toml
from .options import SectionedCommand, config_options, given_keys

if TYPE_CHECKING:
    from ..config import TrainConfig

__all__ = ["cross_validate_command"]

_SECTIONS = ("input", "model", "output", "cross_validation")


@click.command(
    name="cross-validate",
    cls=SectionedCommand,
    short_help="Train a model a fold; score each event with one that has not seen it.",
)
@click.argument("files", nargs=-1, metavar="[CONFIG.toml] [[CLASS=]FILE.root]...")
@click.option("-c", "--config", "config_file", metavar="FILE", help="TOML file; options override what it says.")
@partial(config_options, sections=_SECTIONS)
@common_options
def cross_validate_command(
    files: tuple[str, ...], config_file: str | None, json_file: str | None, **parameters: Any
) -> None:
    """Cross-validate: a model for each fold, trained on all other folds, scores the events of the fold.

    The fold of an event is a function of its number (--fold-by eventNumber), so that it is the same in any file and order.  The
    models and folds.json are written; given folds.json in place of a model, apply and evaluate score each event with the
    model that has not seen it.  The scores of all input entries go to scores.root.  With --target the models are regressions.
    With --stream the files are read anew for every training, and only scores, truth and weights are kept.

    \b
    Examples:
      tmva-lstm cross-validate train.toml --folds 5 --fold-by eventNumber
      tmva-lstm apply lstm_output/folds.json events.root
    """
    config = configuration(files, config_file, given_keys(parameters, [f for f in files if not is_toml(f)]))
    from ..study_figures import check_one_answer
    from ..training_run import check_output

    check_one_answer(config.model.model_dump()["every_step"], "a cross-validation", "model.every_step")
    folder = check_output(config.output.folder, plots=config.output.plots)
    write_json(json_file, _cross_validate(config, folder))


class _FoldProgress:
    """A bar a fold on a terminal; in a batch log a line an epoch, under a heading."""

    def __init__(self) -> None:
        self._fold: int | None = None
        self._shown: Any = None

    def __enter__(self) -> _FoldProgress:
        return self

    def __exit__(self, *exception: Any) -> None:
        if self._shown is not None:
            self._shown.__exit__(*exception)

    def __call__(self, fold: int, record: Any) -> None:
        from ..progress import LineProgress, make_progress

        if fold != self._fold:
            self.__exit__(None, None, None)
            self._fold, self._shown = fold, make_progress(title=f"fold {fold}")
            if isinstance(self._shown, LineProgress):
                click.echo(f"fold {fold}")
            self._shown.__enter__()
        self._shown(record)


def _cross_validate(config: TrainConfig, folder: Path) -> dict[str, Any]:
    from ..config import SplitConfig
    from ..cross_validation import MANIFEST, cross_validate
    from ..folds import Folds, event_numbers
    from ..plots import save_plots
    from ..progress import EntryProgress
    from ..reading import read_sequences
    from ..regression_plots import save_regression_plots
    from ..scoring import score_file
    from ..streaming import stream_sequences
    from ..training_run import listed_plots, untrained_model

    model = untrained_model(config)
    section = config.cross_validation
    folds = Folds(section.folds, section.fold_by, section.fold_seed)
    arguments = config.input.reading_arguments()
    events: Any
    fold_of = None
    if folds.number is not None:
        fold_of = folds.of(event_numbers(config.input.files, folds.number, tree=config.input.tree))
    if config.input.stream:
        events = stream_sequences(config.input.files, **arguments)
        amount = f"a stream of {events.n_entries} entries in {events.n_chunks} pieces"
    else:
        with EntryProgress("reading") as reading:
            events = read_sequences(config.input.files, **arguments, progress=reading)
        amount = f"{len(events)} events"
        fold_of = None if fold_of is None else fold_of[events.entries]
    if config.split != SplitConfig():
        click.echo("section [split] is not used here: every event is tested, by the model that has not seen it")
    click.echo(f"cross-validating {amount} in {folds}")
    name = config.output.weights_file.removesuffix(".xml").removesuffix(".weights")
    with _FoldProgress() as progress:
        result = cross_validate(
            model,
            events,
            folds,
            fold_of=fold_of,
            folder=folder,
            name=name,
            title=config.output.title,
            progress=progress,
        )
    weighted = ", with weights" if result.weights is not None else ""
    relative = "; rms and mae in standard deviations of a target" if model.regression else ""
    click.echo(f"\nfigures of each fold{weighted}{relative}")
    click.echo(result.table() + "\n\nall events, each scored by the model that has not seen it")
    click.echo(result.overall.table() + "\n")
    figures = result.to_dict() | {"models": str(folder / MANIFEST), "rule": str(folds)}
    written = [("models", str(folder / MANIFEST))]
    if config.output.plots:
        save = save_regression_plots if model.regression else save_plots
        paths = save(folder, result.outputs, result.truth, result.models[0].output_names, result.weights)
        figures["plots"] = [str(path) for path in paths]
        written.append(("plots", listed_plots(paths)))
    with EntryProgress("scoring") as scoring:
        models: Any = result.fold_models().for_files(config.input.files, tree=config.input.tree)
        scored_file = folder / (config.output.scored_file or "scores.root")
        summary = score_file(models, config.input.files, scored_file, progress=scoring)
    figures["scored_file"] = summary.output
    written.append(("scored file", summary.output))
    echo_table(written, indent="")
    return figures
