"""``tmva-lstm search``."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import OptionError
from .common import common_options, echo_table, exit_code_of_signal, write_json
from .configuration import configuration, is_toml
from .options import TRAINING, SectionedCommand, config_options, given_keys

if TYPE_CHECKING:
    from ..config import TrainConfig

__all__ = ["search_command"]


@click.command(
    name="search", cls=SectionedCommand, short_help="Search for the options that do best; go on where it stopped."
)
@click.argument("files", nargs=-1, metavar="CONFIG.toml [[CLASS=]FILE.root]...")
@click.option("-c", "--config", "config_file", metavar="FILE", help="TOML file; options override what it says.")
@partial(config_options, sections=(*TRAINING, "search"))
@common_options
def search_command(files: tuple[str, ...], config_file: str | None, json_file: str | None, **parameters: Any) -> None:
    """Search for the options of a model, by random trials or successive halving, on all cores.

    What to search among is said in the file's table [search.space]: for any option of [model] a list of values, or a range.
    Trials are judged by events that none of them trains on, taken from the training part; the test part judges the best one
    at the end. Every finished trial is on disk: the same command goes on where an earlier one stopped, by Ctrl-C, by a batch
    queue, or by a crash.

    \b
    Example of a file's section:
      [search]
      trials = 27
      method = "halving"
      [search.space]
      hidden = [16, 32, [32, 32]]
      learning_rate = { low = 1e-4, high = 1e-2, log = true }
    \b
    Example:
      tmva-lstm search train.toml --trials 40
    """
    config = configuration(files, config_file, given_keys(parameters, [f for f in files if not is_toml(f)]))
    if not config.search.space:
        raise OptionError(
            "search.space is missing: give a TOML file with a table [search.space], such as learning_rate = "
            "{ low = 1e-4, high = 1e-2, log = true }"
        )
    from ..study_figures import check_one_answer

    check_one_answer(config.model.model_dump()["every_step"], "a search", "model.every_step")
    if config.input.stream:
        raise OptionError(
            "input.stream: all trials share the events in memory; set input.stream = false (--no-stream) and read a part of the "
            "events, by fewer files or an event_selection, then train the best options on all with --stream"
        )
    from ..training_run import check_output

    folder = check_output(config.output.folder, plots=config.output.plots)
    stopped_by, figures = _search(config, folder)
    write_json(json_file, figures)
    if stopped_by is not None:
        click.get_current_context().exit(exit_code_of_signal(stopped_by))


def _search(config: TrainConfig, folder: Path) -> tuple[str | None, dict[str, Any]]:
    from ..files import write_text
    from ..progress import EntryProgress
    from ..search import search
    from ..search_plot import save_search_plot
    from ..sequences import Sequences
    from ..training_run import evaluate_parts, listed_plots, read_parts, untrained_model

    section = config.search
    judge_by = section.judge_by or ("rms" if config.input.targets else "auc")
    with EntryProgress("reading") as reading:
        train_part, test_part = read_parts(config, reading)
    # the configuration refuses streams
    assert isinstance(train_part, Sequences)
    tested = f", testing on {len(test_part)} events" if isinstance(test_part, Sequences) else ""
    click.echo(f"searching with {len(train_part)} events{tested}")
    done = 0

    def progress(trial: Any) -> None:
        nonlocal done
        done += 1
        options = "  ".join(f"{name}={value}" for name, value in trial.options.items())
        figure = f"{judge_by} {trial.figures[judge_by]:.4f}" if trial.figures else f"failed: {trial.error}"
        click.echo(f"trial {trial.trial}  epoch {trial.epochs}  {figure}  {trial.seconds:.1f} s  {options}")

    result = search(
        untrained_model(config),
        section.space,
        train_part,
        folder / "trials",
        trials=section.trials,
        method=section.method,
        reduction=section.reduction,
        least_epochs=section.least_epochs,
        judge_by=judge_by,
        judged=section.judged_fraction,
        seed=section.search_seed,
        workers=section.workers,
        progress=progress,
    )
    figures = result.to_dict()
    if result.stopped_by is not None:
        click.echo(f"stopped by {result.stopped_by}; {done} trial(s) done now are kept, the same command goes on")
    if not result.trials:
        return result.stopped_by, figures
    if result.stopped_by is None and len(result.trials) < result.n_planned:
        click.echo(f"the space has only {len(result.trials)} different trials")
    table = result.table()
    click.echo("\n" + table + "\n")
    written = [("table", str(write_text(folder / "search.txt", table + "\n", purpose="the table of the search")))]
    if result.best is not None:
        best = result.best_model()
        weights_file = folder / config.output.weights_file
        best.save(weights_file, title=config.output.title)
        figures["weights_file"] = str(weights_file)
        written.append(("best model", str(weights_file)))
        if config.output.plots:
            paths = save_search_plot(result, folder)
            figures["plots"] = [str(path) for path in paths]
            written.append(("plot", listed_plots(paths)))
        if test_part is not None and result.stopped_by is None:
            evaluation, _, _ = evaluate_parts(best, None, test_part)
            click.echo("the best one, on the test part, which took no part in the search\n" + evaluation.table() + "\n")
            figures["evaluation"] = evaluation.to_dict()
        click.echo(result.best_as_toml() + "\n")
    echo_table(written, indent="")
    return result.stopped_by, figures
