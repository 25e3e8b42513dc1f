"""The method in TMVA, from PyROOT: register it, fill a DataLoader, book it, read it back.

::

    import ROOT, tmva_lstm_plugin
    from tmva_lstm_plugin import tmva

    tmva_lstm_plugin.register()
    loader = ROOT.TMVA.DataLoader("dataset")
    layout = tmva.fill_dataloader(loader, sequences)
    tmva.prepare(loader, SplitMode="Random")
    factory = ROOT.TMVA.Factory("job", file, "AnalysisType=Classification")
    tmva.book(factory, loader, "LSTM", layout, Layout="LSTM|32", TrainingStrategy="MaxEpochs=10")
    factory.TrainAllMethods()

ROOT is imported when a function needs it and not before.
"""

from __future__ import annotations

import atexit
import gc
import os
import re
import sys
import threading
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import InputError, LSTMError, ModelFileError, OptionError
from .plugin_build import PluginBuildError, PluginLibrary, ensure_plugin
from .plugin_cache import LIBRARY
from .root_finder import RootInstallation, RootNotFoundError, find_root
from .tmva_binding import bind_overloads, call_overload, check_whole, text_of
from .tmva_feeding import fill_dataloader
from .tmva_layout import TmvaLayout
from .tmva_tree import write_tmva_tree

__all__ = [
    "Registration",
    "TmvaLayout",
    "book",
    "book_reader",
    "fill_dataloader",
    "prepare",
    "register",
    "write_tmva_tree",
]

METHOD = "LSTM"
"""The name the method is booked by."""

_registered: Registration | None = None
_lock = threading.Lock()


@dataclass(frozen=True)
class Registration:
    """What :func:`register` did.

    Attributes
    ----------
    method : str
        The name to book, ``"LSTM"``.
    host : bool
        Whether the embedded host stands in for TMVA, because ROOT has none.
    root_version, tmva_version : str
        Versions; of the host, the TMVA version whose file formats it writes.
    library : pathlib.Path
        The library that was loaded.
    compiler : str
        What it was compiled with.
    built : bool
        Whether it was compiled just now.
    seconds : float
        How long registering took, without ``import ROOT``.
    notes : tuple of str
        What was done differently than usual, one sentence each.
    """

    method: str
    host: bool
    root_version: str
    tmva_version: str
    library: Path
    compiler: str
    built: bool
    seconds: float
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        tmva = f"the embedded host (formats of TMVA {self.tmva_version})" if self.host else f"TMVA {self.tmva_version}"
        how = f"compiled in {self.seconds:.1f} s" if self.built else "from the cache"
        lines = [
            f"{self.method} is registered with {tmva} in ROOT {self.root_version}: {self.library}, {how}",
            *self.notes,
        ]
        return "\n".join(lines)


def register(*, rebuild: bool = False, quiet: bool = False) -> Registration:
    """Make TMVA know the method: compile its library once for the ROOT in use, load it, and check that it is there.

    It can be called before or after ``import ROOT``, and any number of times.

    Parameters
    ----------
    rebuild : bool
        Compile even if there is a library in the cache.
    quiet : bool
        Say nothing while compiling.

    Returns
    -------
    Registration

    Raises
    ------
    RootNotFoundError
        There is no ROOT for this Python.
    PluginBuildError
        The library can neither be found nor compiled, or not be loaded.
    """
    global _registered
    with _lock:
        if _registered is not None and not rebuild:
            return _registered
        ROOT = _import_root()
        atexit.register(_leave_to_the_process, ROOT)
        bind_overloads(ROOT)
        begin = time.perf_counter()
        root = find_root()
        loaded = _loaded_library(ROOT)
        if loaded is not None:
            if rebuild:
                raise PluginBuildError(
                    f"'{loaded}' is loaded already and cannot be exchanged within a process; rebuild in a new one, or with "
                    "tmva-lstm build-plugin --force"
                )
            _check_registered(ROOT, root, loaded)
            notes = ("the library was loaded before, by other means",)
            _registered = _registration(ROOT, root, loaded, "unknown", False, begin, notes)
            return _registered
        if not root.has_tmva:
            _refuse_foreign_tmva(ROOT)
        arguments: dict[str, Any] = {"echo": None} if quiet else {}
        plugin = ensure_plugin(root, force=rebuild, **arguments)
        if not _load(ROOT, plugin):
            # whole, as its digest says, yet unfit: for example ROOT itself was exchanged in place
            plugin = ensure_plugin(root, force=True, **arguments)
            if not _load(ROOT, plugin):
                raise PluginBuildError(
                    f"ROOT {root.version} in '{root.libdir.parent}' cannot load '{plugin.path}', though it was compiled for it "
                    "just now; its own message stands above"
                )
        if plugin.built:  # once is enough: PyROOT reads all of TMVA's headers to look, which takes a second
            _check_registered(ROOT, root, plugin.path)
        _registered = _registration(ROOT, root, plugin.path, plugin.compiler, plugin.built, begin, plugin.notes)
        return _registered


def _leave_to_the_process(ROOT: Any) -> None:
    """Take out of Python's hands what it would destroy at its end, in an order by chance: TMVA's objects need each other."""
    kinds = (ROOT.TMVA.Factory, ROOT.TMVA.DataLoader, ROOT.TMVA.Reader)
    for instance in gc.get_objects():
        if isinstance(instance, kinds):
            ROOT.SetOwnership(instance, False)
            for tree in getattr(instance, "_tmva_lstm_trees", ()):
                ROOT.SetOwnership(tree, False)


def _import_root() -> Any:
    with warnings.catch_warnings():
        # the wheel warns that it is an alpha version; this is not the place to hear of it
        warnings.filterwarnings("ignore", category=UserWarning, module=r"ROOT(\..*)?$")
        warnings.filterwarnings("ignore", message="(?s).*alpha", category=UserWarning)
        try:
            import ROOT
        except ImportError as error:
            raise RootNotFoundError(
                f"'{sys.executable}' cannot import ROOT ({error}): install it (pip install 'tmva-lstm-plugin[root]', or conda "
                "install -c conda-forge root), or source the thisroot.sh of a ROOT built for this Python; LSTMClassifier and "
                "tmva-lstm need no ROOT"
            ) from error
    _ = ROOT.gSystem  # PyROOT starts the interpreter on first use, not when it is imported
    return ROOT


def _loaded_library(ROOT: Any) -> Path | None:
    """Return the method's library if this process has it, whoever loaded it."""
    for name in str(ROOT.gSystem.GetLibraries()).split():
        if Path(name).name.startswith(LIBRARY.removesuffix(".so")) and not name.startswith("-l"):
            return Path(name)
    return None


def _refuse_foreign_tmva(ROOT: Any) -> None:
    """Two classes of one name in one process end in a crash."""
    for name in str(ROOT.gSystem.GetLibraries()).split():
        if Path(name).name.startswith("libTMVA."):
            raise PluginBuildError(
                f"'{name}' is loaded, but ROOT itself has no TMVA, so its headers were not found: set TMVA_LSTM_TMVA to the "
                "folder that holds include/TMVA and lib/libTMVA of that TMVA"
            )


def _load(ROOT: Any, plugin: PluginLibrary) -> bool:
    # first on the path, so that ROOT finds the rootmap, and this library and no older one of the same name
    ROOT.gSystem.SetDynamicPath(f"{plugin.folder}{os.pathsep}{ROOT.gSystem.GetDynamicPath()}")
    return int(ROOT.gSystem.Load(str(plugin.path))) >= 0


def _check_registered(ROOT: Any, root: RootInstallation, library: Path) -> None:
    if not hasattr(ROOT.TMVA, "ClassifierFactory"):  # a TMVA without a dictionary for it; its header does as well
        if root.tmva_include is not None:
            ROOT.gInterpreter.AddIncludePath(str(root.tmva_include))
        ROOT.gInterpreter.Declare('#include "TMVA/ClassifierFactory.h"')
    names = [str(name) for name in ROOT.TMVA.ClassifierFactory.Instance().List()]
    if METHOD not in names:
        raise PluginBuildError(
            f"'{library}' is loaded, but TMVA's ClassifierFactory knows only {', '.join(names) or 'nothing'}; compile it anew "
            "with tmva-lstm build-plugin --force, and unload other libraries that bring a TMVA"
        )


def _registration(
    ROOT: Any,
    root: RootInstallation,
    library: Path,
    compiler: str,
    built: bool,
    begin: float,
    notes: tuple[str, ...],
) -> Registration:
    return Registration(
        method=METHOD,
        host=not root.has_tmva,
        root_version=str(ROOT.gROOT.GetVersion()),
        tmva_version=_tmva_version(root, library),
        library=library,
        compiler=compiler,
        built=built,
        seconds=time.perf_counter() - begin,
        notes=notes,
    )


def _tmva_version(root: RootInstallation, library: Path) -> str:
    folder = root.tmva_include or library.parent / "include"
    try:
        text = (folder / "TMVA" / "Version.h").read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    found = re.search(r'#define\s+TMVA_RELEASE\s+"([^"]+)"', text)
    return found.group(1) if found else "of unknown version"


# --- booking and reading ---------------------------------------------------------------------------------------------


def book(factory: Any, loader: Any, title: str = METHOD, layout: TmvaLayout | str = "", **options: Any) -> Any:
    """Book the method, the way ``Factory.BookMethod`` does, with this package's exceptions.

    Parameters
    ----------
    factory : TMVA.Factory
        The factory.
    loader : TMVA.DataLoader
        The events; before ROOT 6.08, the factory itself.
    title : str
        The title; it names the weights file and the branch with the scores.
    layout : TmvaLayout or str
        What :func:`fill_dataloader` returned, or an option string such as ``"InputLayout=20|8:Length=length"``.
    **options
        Options of the method: True gives ``Key``, False ``!Key``, everything else ``Key=value``.

    Returns
    -------
    TMVA.MethodBase

    Raises
    ------
    OptionError
        TMVA or the method refused the booking, and why.
    """
    register()
    text = option_string(layout.options if isinstance(layout, TmvaLayout) else layout, **options)
    # before ROOT 6.08 there was no DataLoader: the factory took the events itself
    arguments = (METHOD, title, text) if loader is factory else (loader, METHOD, title, text)
    overload = "TString,TString,TString" if loader is factory else "TMVA::DataLoader*,TString,TString,TString"
    booked = _call(
        _unwrapped(factory, "BookMethod"), (overload,), arguments, f"booking {title!r} with the options {text!r}"
    )
    if not booked:
        raise OptionError(
            f"TMVA booked nothing as {title!r} with the options {text!r}: the method does not know the factory's "
            "AnalysisType for these classes or targets; why stands in TMVA's log"
        )
    return booked


def prepare(loader: Any, cut: str = "", **options: Any) -> None:
    """Call ``DataLoader.PrepareTrainingAndTestTree(cut, options)``, exactly one overload of it.

    Parameters
    ----------
    loader : TMVA.DataLoader
        The events.
    cut : str
        Selection.
    **options
        ``SplitMode``, ``nTrain_Signal`` and so on, as in :func:`book`.  Correlations of all pairs of variables are not
        computed unless asked for: of T * D variables there are too many.

    Raises
    ------
    OptionError
        TMVA refused; why stands in its log.
    """
    import ROOT

    # a TMVA that knows arrays (ROOT 6.20) knows both options; for an older one an unknown option is fatal
    old = not hasattr(loader, "AddVariablesArray")
    defaults = {"V": False} if old else {"Correlations": False, "CalcCorrelations": False, "V": False}
    text = option_string("", **(defaults | options))
    overloads = ("const TCut&,const TString&", "TCut,const TString&", "TCut,TString")
    method = _unwrapped(loader, "PrepareTrainingAndTestTree")
    _call(method, overloads, (ROOT.TCut(cut), text), f"splitting with the options {text!r}")


def book_reader(reader: Any, weights_file: str | os.PathLike[str], tag: str = METHOD) -> Any:
    """Call ``Reader.BookMVA(tag, file)``, exactly one overload of it.

    Parameters
    ----------
    reader : TMVA.Reader
        A reader to which variables and spectators were added, in the order of the training.
    weights_file : path
        The weights XML.
    tag : str
        The name to evaluate by.

    Returns
    -------
    TMVA.IMethod

    Raises
    ------
    InputError
        There is no such file.
    ModelFileError
        It is not whole, or TMVA or the method refused it.
    """
    register()
    path = Path(weights_file)
    if not path.is_file():
        raise InputError(f"no weights file '{path}'; TMVA writes <dataset>/weights/<job>_<title>.weights.xml")
    check_whole(path)
    overloads = ("const TString&,const TString&", "TString,TString")
    booked = _call(_unwrapped(reader, "BookMVA"), overloads, (tag, str(path)), f"reading '{path}'", ModelFileError)
    if not booked:
        raise ModelFileError(f"TMVA read nothing from '{path}'; why stands in TMVA's log")
    return booked


def option_string(text: str = "", **options: Any) -> str:
    """Join options the way TMVA writes them.

    Parameters
    ----------
    text : str
        Options in that form already; they come first.
    **options
        True gives ``Key``, False ``!Key``, everything else ``Key=value``.

    Returns
    -------
    str
        Such as ``"!V:Layout=LSTM|32"``.

    Raises
    ------
    OptionError
        A value contains a colon, which separates options.
    """
    parts = [text] if text else []
    for key, value in options.items():
        if isinstance(value, bool):
            parts.append(key if value else f"!{key}")
        elif ":" in str(value):
            raise OptionError(f"{key}={value!r}: TMVA separates options with ':', so a value cannot contain one")
        else:
            parts.append(f"{key}={value}")
    return ":".join(parts)


def _unwrapped(instance: Any, name: str) -> Any:
    """Return a C++ method, which keywords and bound overloads hide behind an underscore."""
    return getattr(instance, f"_{name}", None) or getattr(instance, name)


def _call(
    method: Any, overloads: tuple[str, ...], arguments: tuple[Any, ...], what: str, kind: type[LSTMError] = OptionError
) -> Any:
    """Call one overload of a C++ method; what it throws becomes an exception of this package with the same text."""
    try:
        return call_overload(method, overloads, arguments)
    except (TypeError, KeyboardInterrupt):
        raise
    except Exception as error:
        if type(error).__module__ == "builtins" and not isinstance(error, RuntimeError):
            raise
        text = text_of(error)
        if text == "FATAL error":  # a TMVA that says why in its log only
            text += "; why stands in its log above"
        raise kind(f"{what}: TMVA refused: {text}") from error
