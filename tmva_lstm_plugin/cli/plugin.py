"""``tmva-lstm build-plugin`` and ``tmva-lstm config``."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .common import common_options, write_json

if TYPE_CHECKING:
    from ..plugin_build import PluginLibrary

__all__ = ["build_plugin", "config"]


@click.command("build-plugin", short_help="Compile the TMVA method for the ROOT in use, for macros and PyROOT.")
@click.option("--root", "prefix", metavar="FOLDER", help="ROOT's installation; the ROOT in use by default.")
@click.option("--force", is_flag=True, help="Compile even if there is a library for this ROOT.")
@common_options
def build_plugin(prefix: str | None, force: bool, json_file: str | None) -> None:
    """Compile the TMVA method for the ROOT in use, once, and keep it in the user's cache.

    PyROOT does the same by itself with tmva_lstm_plugin.register(); for macros it is done here, before the first one.

    \b
    Example:
      tmva-lstm build-plugin
      eval "$(tmva-lstm config --env)" && root -l -b -q my_macro.C
    """
    plugin = _plugin(prefix, force)
    root = plugin.root
    tmva = "the embedded host, for this ROOT has no TMVA" if plugin.host else f"TMVA in {root.tmva_libdir}"
    how = f"compiled in {plugin.seconds:.1f} s by {plugin.compiler}" if plugin.built else "in the cache already"
    click.echo(f"{plugin.path}, {how}")
    click.echo(f"for ROOT {root.version} in {root.libdir.parent} ({root.found_by}), with {tmva}")
    for note in plugin.notes:
        click.echo(note)
    write_json(
        json_file,
        {
            "library": plugin.path,
            "include": plugin.include,
            "host": plugin.host,
            "root_version": root.version,
            "root_libdir": root.libdir,
            "compiler": plugin.compiler,
            "built": plugin.built,
            "seconds": plugin.seconds,
            "notes": plugin.notes,
        },
    )


@click.command(short_help="Print what shells, macros, compilers and CMake have to be told.")
@click.option(
    "--env", "wanted", flag_value="env", help="Shell commands that let ROOT find library and headers by name."
)
@click.option("--load", "wanted", flag_value="load", help="The line that loads the library, for the top of a macro.")
@click.option("--libdir", "wanted", flag_value="libdir", help="The folder of libTMVALSTM.so and its rootmap.")
@click.option("--cflags", "wanted", flag_value="cflags", help="Options to compile C++ against the core, without ROOT.")
@click.option("--libs", "wanted", flag_value="libs", help="Options to link it.")
@click.option("--cmake", "wanted", flag_value="cmake", help="The folder for cmake -Dtmva_lstm_plugin_DIR=...")
@common_options
def config(wanted: str | None, json_file: str | None) -> None:
    """Print what shells, macros, compilers and CMake have to be told; exactly one of the options, or all with --json.

    The first three need the library for ROOT, and compile it if it is not there yet.

    \b
    Example:
      eval "$(tmva-lstm config --env)"
      c++ -std=c++17 my.cpp $(tmva-lstm config --cflags) $(tmva-lstm config --libs)
      cmake -B build -Dtmva_lstm_plugin_DIR="$(tmva-lstm config --cmake)"
    """
    answers = {"env": _env, "load": _load, "libdir": _libdir, "cflags": _cflags, "libs": _libs, "cmake": _cmake}
    if wanted is None and json_file is None:
        raise click.UsageError(f"say what to print: {', '.join('--' + name for name in answers)}")
    if wanted is not None:
        click.echo(answers[wanted]())
    if json_file is not None:
        write_json(json_file, {name: answer() for name, answer in answers.items()})


def _plugin(prefix: str | None = None, force: bool = False) -> PluginLibrary:
    from ..plugin_build import ensure_plugin
    from ..root_finder import find_root

    return ensure_plugin(find_root(prefix), force=force)


def _env() -> str:
    plugin = _plugin()
    path = "DYLD_LIBRARY_PATH" if sys.platform == "darwin" else "LD_LIBRARY_PATH"
    lines = []
    # $X, if it is set, goes on behind what is added
    for name, folder in ((path, plugin.folder), ("ROOT_INCLUDE_PATH", plugin.include)):
        lines.append(f'export {name}={shlex.quote(str(folder))}"${{{name}:+:${name}}}"')
    return "\n".join(lines)


def _load() -> str:
    path = str(_plugin().current / "libTMVALSTM.so")
    home = os.environ.get("HOME", "").rstrip("/")
    # ROOT expands $HOME, and a macro with it serves other users too
    if home and path.startswith(f"{home}/"):
        path = f"$HOME{path[len(home) :]}"
    return f"R__LOAD_LIBRARY({path})"


def _libdir() -> str:
    return str(_plugin().folder)


def _cflags() -> str:
    from ..plugin_build import find_core

    return shlex.join(find_core().compile_options)


def _libs() -> str:
    from ..plugin_build import find_core

    return shlex.join([str(find_core().library), "-pthread"])


def _cmake() -> str:
    from ..errors import InputError
    from ..plugin_build import find_core

    folder: Path = find_core().cmake
    if not (folder / "tmva_lstm_pluginConfig.cmake").is_file():
        raise InputError(f"no tmva_lstm_pluginConfig.cmake in '{folder}'; install the package again with pip")
    return str(folder)
