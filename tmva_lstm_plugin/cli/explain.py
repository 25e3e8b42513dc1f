"""``tmva-lstm explain``."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import click

from .common import common_options, echo_table, existing_model, write_json
from .options import files_by_class

__all__ = ["explain"]


@click.command(short_help="Show which features and steps a model looks at, and how gradients travel through its gates.")
@click.argument("model_file", metavar="MODEL.xml")
@click.argument("files", nargs=-1, required=True, metavar="[CLASS=]FILE.root...")
@click.option(
    "--output-class",
    "--output-target",
    "output_class",
    metavar="NAME",
    help="Class that is looked at (the signal, or of more the most probable), or target of a regression that has several.",
)
@click.option(
    "--events", "n_events", type=click.IntRange(min=1), default=1000, show_default=True, help="Events to look at."
)
@click.option(
    "-o", "--output", default="explain", show_default=True, metavar="FOLDER", help="Where plots and arrays go."
)
@click.option("--tree", help="Name of the tree; the one the model was trained on by default.")
@click.option("--label", metavar="EXPRESSION", help="What tells the classes apart, where it is not as in the training.")
@click.option(
    "--steps", type=click.IntRange(min=1), default=50, show_default=True, help="Points of the integrated gradients."
)
@click.option(
    "--repeats", type=click.IntRange(min=1), default=5, show_default=True, help="Permutations of each feature."
)
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Decides the permutations.")
@common_options
def explain(
    model_file: str,
    files: tuple[str, ...],
    output_class: str | None,
    n_events: int,
    output: str,
    tree: str | None,
    label: str | None,
    steps: int,
    repeats: int,
    seed: int,
    json_file: str | None,
) -> None:
    """Look into a model with events whose truth is known: gates, gradients, attributions, and a ranking of features.

    The events are taken evenly from all that the model's selection keeps.  Writes gates, gradient_flow, attributions
    and ranking as plots, and all arrays into arrays.npz.

    \b
    Example:
      tmva-lstm explain lstm.weights.xml data.root -o explain
    """
    import numpy as np

    from ..errors import InputError, OptionError
    from ..explain import gate_activations, input_gradients, integrated_gradients, permutation_ranking
    from ..explain_plots import plot_attributions, plot_gates, plot_gradient_flow, plot_ranking
    from ..files import check_writable_folder, replacing
    from ..gradient_flow import gradient_flow
    from ..plots import save_figures
    from ..reading import read_sequences

    folder = check_writable_folder(output, purpose="plots")
    model = existing_model(model_file)
    if model.recipe is None:
        raise OptionError(f"{model_file}: the model was trained on arrays, so it does not know how to read ROOT files")
    other: dict[str, Any] = {"tree": tree}
    if label is not None and model.regression:
        raise OptionError(
            f"--label: it tells classes apart, and {model_file} estimates {', '.join(model.output_names)}; drop it"
        )
    if label is not None:
        other |= {"label": label, "classes": model.output_names}
    everything = read_sequences(files_by_class(files), recipe=model.recipe, **other)
    if len(everything) == 0:
        raise InputError(f"{everything.source}: there are no events to look at")
    events = everything[np.unique(np.linspace(0, len(everything) - 1, min(n_events, len(everything))).astype(np.int64))]

    attributions = integrated_gradients(model, events, output_class, steps=steps)
    ranking = permutation_ranking(model, events, repeats, seed)
    flow, gates, slopes = (
        gradient_flow(model, events),
        gate_activations(model, events),
        input_gradients(model, events, output_class),
    )
    paths = save_figures(
        folder,
        {
            "gradient_flow": plot_gradient_flow(flow),
            "gates": plot_gates(gates),
            "attributions": plot_attributions(attributions),
            "ranking": plot_ranking(ranking),
        },
    )
    arrays: dict[str, Any] = {
        "offsets": events.offsets,
        "feature_names": np.array(events.feature_names),
        "event_feature_names": np.array(events.event_feature_names, dtype=str),
        "attributions": attributions.attributions,
        "event_attributions": attributions.event_attributions,
        "residuals": attributions.residuals,
        "input_gradients": slopes.standardised,
        "event_input_gradients": slopes.event_standardised,
        "ranking_names": np.array(ranking.names),
        "ranking": ranking.increases,
        "flow_events": flow.events,
    }
    for activations in gates.layers:
        given = {"gates": activations.gates, "hidden": activations.hidden, "cell": activations.cell}
        arrays |= {f"{activations.name}/{key}": array for key, array in given.items() if array is not None}
    for layer in flow.layers:
        flows = {
            "hidden": layer.hidden,
            "cell": layer.cell,
            **{f"{name}_gate": gate for name, gate in layer.gates.items()},
        }
        for key, found in flows.items():
            if found is not None:
                arrays |= {
                    f"{layer.name}/flow_{key}_mean": found.mean,
                    f"{layer.name}/flow_{key}_quantiles": found.quantiles,
                }
    path = Path(folder) / "arrays.npz"
    with replacing(path, purpose="the arrays") as aside, open(aside, "wb") as file:
        np.savez_compressed(file, **arrays)

    loss = "squared deviation" if model.regression else "loss"
    weighted = f"mean {loss}" if events.weights is None else f"weighted mean {loss}"
    unit = " (targets in standard deviations of the training part)" if model.regression else ""
    click.echo(f"{len(events)} of {len(everything)} events, {weighted} {ranking.reference:.4f}{unit}")
    click.echo(f"attributions to the {attributions.quantity}{', in its units' if model.regression else ''}\n")
    shares, means, deviations = attributions.shares(), ranking.means, ranking.deviations
    rows = []
    for n in islice((n for n in ranking.order() if ranking.kinds[n] != "step"), 20):
        spread = f" +- {deviations[n]:.2g}" if repeats > 1 else ""
        rows.append([ranking.names[n], f"{means[n]:.4f}{spread}", f"{shares[ranking.names[n]]:.4f}"])
    echo_table(rows, header=("feature", f"growth of {loss}, permuted", "mean |attribution|"), indent="")
    best = ranking.order("step")
    if best:
        click.echo(f"\nthe step that matters most: {ranking.names[best[0]]} ({means[best[0]]:.4f} when permuted)")
    click.echo(
        f"attributions are complete to {attributions.largest_residual:.2g} of the largest change (more --steps: less)"
    )
    click.echo(f"\nplots   {'  '.join(str(p) for p in paths if p.suffix == '.png')}  (also as .pdf)\narrays  {path}")
    write_json(
        json_file,
        {
            "model": model_file,
            "files": list(files),
            "n_events": len(events),
            "quantity": attributions.quantity,
            "mean_loss": ranking.reference,
            "ranking": dict(zip(ranking.names, means, strict=True)),
            "ranking_deviations": dict(zip(ranking.names, deviations, strict=True)),
            "mean_absolute_attribution": shares,
            "largest_residual": attributions.largest_residual,
            "plots": [str(p) for p in paths],
            "arrays": str(path),
        },
    )
