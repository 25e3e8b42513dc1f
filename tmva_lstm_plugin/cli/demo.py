"""``tmva-lstm demo``."""

from __future__ import annotations

import click

from .common import common_options, exit_code_of_signal, write_json

__all__ = ["demo"]


@click.command(short_help="A complete training on a real neutrino sample, in under a minute.")
@click.option("-o", "--output", default="demo_output", show_default=True, metavar="FOLDER", help="Where results go.")
@click.option("--data", "data_folder", metavar="FOLDER", help="Folder with the sample; the clone's own by default.")
@click.option("--epochs", type=click.IntRange(min=1), default=15, show_default=True, help="Epochs of each training.")
@click.option("--n-threads", type=click.IntRange(min=1), help="Threads; all cores if not given.")
@common_options
def demo(output: str, data_folder: str | None, epochs: int, n_threads: int | None, json_file: str | None) -> None:
    """Train on a real sample and show what comes out: deep inelastic scattering against the rest.

    The sample, 4755 neutrino-oxygen events of the generator GiBUU, is in the folder data of a clone. Where there is ROOT, the
    training is also booked in TMVA's Factory; TMVA's own log goes to tmva.log in the output folder.

    \b
    Example:
      tmva-lstm demo --output my_demo
    """
    from ..demo import run_demo

    result = run_demo(output, data_folder=data_folder, epochs=epochs, n_threads=n_threads, echo=click.echo)
    write_json(json_file, result.to_dict())
    if result.stopped_by:
        click.get_current_context().exit(exit_code_of_signal(result.stopped_by))
