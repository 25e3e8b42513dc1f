"""``tmva-lstm build-plugin`` and ``tmva-lstm config``."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable
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
@click.option(
    "--cflags", "wanted", flag_value="cflags", help="Options to compile C++ that uses TMVA, or the core itself."
)
@click.option("--libs", "wanted", flag_value="libs", help="Options to link it.")
@click.option("--cmake", "wanted", flag_value="cmake", help="The folder for cmake -Dtmva_lstm_plugin_DIR=...")
@click.option("--root", "prefix", metavar="FOLDER", help="ROOT's installation; the ROOT in use by default.")
@click.option("--core", is_flag=True, help="With --cflags and --libs: the core only, without ROOT and TMVA.")
@common_options
def config(wanted: str | None, prefix: str | None, core: bool, json_file: str | None) -> None:
    """Print what shells, macros, compilers and CMake have to be told; exactly one of the options, or all with --json.

    All but --cmake and --core need the library for ROOT, and compile it if it is not there yet; where there is no ROOT,
    --cflags and --libs are for the core only.

    \b
    Example:
      eval "$(tmva-lstm config --env)"
      c++ my_reader.cpp $(tmva-lstm config --cflags) $(tmva-lstm config --libs) -o my_reader
      cmake -B build -Dtmva_lstm_plugin_DIR="$(tmva-lstm config --cmake)"
    """
    answers: dict[str, Callable[[], str]] = {
        "env": lambda: _env(_plugin(prefix)),
        "load": lambda: _load(_plugin(prefix)),
        "libdir": lambda: str(_plugin(prefix).folder),
        "cflags": lambda: _cflags(None if core else _plugin_if_root(prefix)),
        "libs": lambda: _libs(None if core else _plugin_if_root(prefix)),
        "cmake": _cmake,
    }
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


def _env(plugin: PluginLibrary) -> str:
    path = "DYLD_LIBRARY_PATH" if sys.platform == "darwin" else "LD_LIBRARY_PATH"
    lines = []
    # $X, if it is set, goes on behind what is added
    for name, folder in ((path, plugin.folder), ("ROOT_INCLUDE_PATH", plugin.include)):
        lines.append(f'export {name}={shlex.quote(str(folder))}"${{{name}:+:${name}}}"')
    return "\n".join(lines)


def _load(plugin: PluginLibrary) -> str:
    path = str(plugin.current / "libTMVALSTM.so")
    home = os.environ.get("HOME", "").rstrip("/")
    # ROOT expands $HOME, and a macro with it serves other users too
    if home and path.startswith(f"{home}/"):
        path = f"$HOME{path[len(home) :]}"
    return f"R__LOAD_LIBRARY({path})"


def _plugin_if_root(prefix: str | None) -> PluginLibrary | None:
    from ..root_finder import RootNotFoundError

    try:
        return _plugin(prefix)
    except RootNotFoundError:
        if prefix is not None:
            raise
        return None


def _cflags(plugin: PluginLibrary | None) -> str:
    from ..plugin_build import find_core

    options = find_core().compile_options
    if plugin is not None:
        root = plugin.root
        folders = [plugin.include, *([root.tmva_include] if root.tmva_include else []), root.include]
        options = [f"-std=c++{root.cxx_standard}", "-pthread", *(f"-I{folder}" for folder in folders), *options]
    return shlex.join(options)


def _libs(plugin: PluginLibrary | None) -> str:
    from ..plugin_build import ROOT_LIBRARIES, find_core

    options = [str(find_core().library)]
    if plugin is not None:
        root = plugin.root
        # a program that asks a real TMVA for the method refers to nothing in its library, which is to be loaded all the same
        needed = (["-Wl,--no-as-needed"], ["-Wl,--as-needed"]) if sys.platform != "darwin" else ([], [])
        options += [f"-L{plugin.folder}", *needed[0], "-lTMVALSTM", *needed[1], f"-Wl,-rpath,{plugin.folder}"]
        if root.tmva_libdir:
            options += [f"-L{root.tmva_libdir}", "-lTMVA", f"-Wl,-rpath,{root.tmva_libdir}"]
        options += [f"-L{root.libdir}", *(f"-l{name}" for name in ROOT_LIBRARIES), f"-Wl,-rpath,{root.libdir}"]
        bundled = root.libdir.parent.parent / "root.libs"
        if bundled.is_dir():  # what ROOT's wheel brings along, and its libraries find but the linker does not
            options.append(f"-Wl,-rpath-link,{bundled}")
    return shlex.join([*options, "-pthread"])


def _cmake() -> str:
    from ..errors import InputError
    from ..plugin_build import find_core

    folder: Path = find_core().cmake
    if not (folder / "tmva_lstm_pluginConfig.cmake").is_file():
        raise InputError(f"no tmva_lstm_pluginConfig.cmake in '{folder}'; install the package again with pip")
    return str(folder)
