"""``tmva-lstm evaluate`` and ``tmva-lstm apply``."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from .common import common_options, echo_table, existing_model, said_of_steps, write_json
from .options import files_by_class

__all__ = ["apply", "evaluate"]


@click.command(short_help="Score files whose truth is known and say how well the model does.")
@click.argument("model_file", metavar="MODEL.xml")
@click.argument("files", nargs=-1, required=True, metavar="[CLASS=]FILE.root...")
@click.option("--tree", help="Name of the tree; the one the model was trained on by default.")
@click.option("--events", "events_file", metavar="FILE", help="Only the entries whose numbers this text file lists.")
@click.option("--label", metavar="EXPRESSION", help="What tells the classes apart, where it is not as in the training.")
@click.option("--weight", metavar="EXPRESSION", help="Event weight, where it is not as in the training.")
@click.option(
    "--plots",
    "plots_folder",
    metavar="FOLDER",
    help="Draw the ROC curve, or the deviations of a regression, into this folder.",
)
@click.option("--memory-limit", default="512 MB", show_default=True, help="Memory for the events held at one time.")
@common_options
def evaluate(
    model_file: str,
    files: tuple[str, ...],
    tree: str | None,
    events_file: str | None,
    label: str | None,
    weight: str | None,
    plots_folder: str | None,
    memory_limit: str,
    json_file: str | None,
) -> None:
    """Score files whose truth is known: AUC, background rejection, accuracy, with uncertainties.

    Of a regression: bias, RMS, resolution and correlation of each target, which the model reads as in its training.

    In place of a model, folds.json of a cross-validation: each event is then scored by the model that has not seen it.

    \b
    Example:
      tmva-lstm evaluate lstm.weights.xml other.root --plots plots
    """
    from ..errors import OptionError
    from ..progress import EntryProgress
    from ..streaming import stream_sequences
    from ..training_run import check_output, draw_plots, evaluate_parts, listed_plots, restrict_to_entries, watched

    if plots_folder is not None:
        check_output(plots_folder, plots=True)
    model = existing_model(model_file, files_by_class(files), tree)
    if model.recipe is None:
        raise OptionError(f"{model_file}: the model was trained on arrays, so it does not know how to read ROOT files")
    other: dict[str, Any] = {"tree": tree, "weight": weight}
    if label is not None and model.regression:
        raise OptionError(
            f"--label: {model_file} is a regression of {', '.join(model.output_names)}; it has no classes"
        )
    if label is not None:
        other |= {
            "step_label" if getattr(model, "every_step", False) else "label": label,
            "classes": model.output_names,
        }
    events = stream_sequences(files_by_class(files), recipe=model.recipe, memory_limit=memory_limit, **other)
    with EntryProgress("scoring") as progress:
        chosen = watched(events, progress, events.n_entries)
        if events_file is not None:
            chosen = restrict_to_entries(chosen, events_file, events.n_entries)
        evaluation, _, scored = evaluate_parts(model, None, chosen)
    click.echo(said_of_steps(model) + evaluation.table())
    figures = evaluation.to_dict() | {"model": model_file, "files": list(files)}
    if plots_folder is not None:
        paths = draw_plots(model, plots_folder, test=scored, loss=False)
        figures["plots"] = [str(path) for path in paths]
        click.echo(f"\nplots  {listed_plots(paths)}")
    write_json(json_file, figures)


@click.command(short_help="Write scores of ROOT files as a friend tree.")
@click.argument("model_file", metavar="MODEL.xml")
@click.argument("files", nargs=-1, required=True, metavar="FILES.root...")
@click.option("-o", "--output", default="scores.root", show_default=True, metavar="FILE", help="ROOT file to write.")
@click.option("--tree", help="Name of the tree to read; the one the model was trained on by default.")
@click.option("--output-tree", default="scores", show_default=True, help="Name of the tree to write.")
@click.option("--memory-limit", default="512 MB", show_default=True, help="Memory for the events held at one time.")
@click.option("--n-threads", type=click.IntRange(min=1), help="Threads; all cores if not given.")
@common_options
def apply(
    model_file: str,
    files: tuple[str, ...],
    output: str,
    tree: str | None,
    output_tree: str,
    memory_limit: str,
    n_threads: int | None,
    json_file: str | None,
) -> None:
    """Score ROOT files and write one entry for each entry of the input, in the same order.

    The output is a TTree that works as a friend of the input.  Entries that the model's selection leaves out have
    lstm_selected = 0 and the score -999.  In place of a model, folds.json of a cross-validation: each event is then scored by
    the model that has not seen it.

    \b
    Example:
      tmva-lstm apply lstm.weights.xml data.root -o scores.root
    \b
    and then in ROOT:
      events->AddFriend("scores", "scores.root");
      events->Draw("lstm_score", "lstm_selected");
    """
    from ..progress import EntryProgress
    from ..scoring import score_file

    model = existing_model(model_file, list(files), tree)
    with EntryProgress("scoring") as progress:
        summary = score_file(
            model,
            list(files),
            output,
            tree=output_tree,
            memory_limit=memory_limit,
            input_tree=tree,
            n_threads=n_threads,
            progress=progress,
        )
    rows = [
        ("entries", f"{summary.n_entries}, of which {summary.n_selected} are selected and scored"),
        ("speed", f"{summary.events_per_second:.0f} events/s ({summary.seconds:.2f} s, reading and writing included)"),
        ("branches", ", ".join((*summary.branches, "lstm_selected", "entry"))),
        ("written", f"{summary.output}, tree {summary.tree}"),
    ]
    echo_table(rows, indent="")
    write_json(json_file, asdict(summary) | {"events_per_second": summary.events_per_second})
