"""TMVA's methods from PyROOT, called once and with errors that arrive.

PyROOT tries the overloads of a C++ method one after the other.  When the right one throws, it goes on with the others, calls the
right one a second time with more conversions allowed, and in the end reports a ``TypeError`` without a word of the
exception.  An enumerator such as ``TMVA.Types.kBDT`` it takes for a text.  So :func:`bind_overloads` puts functions in place
of the methods that throw, each of which picks one overload by what it was given.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from .errors import ModelFileError

__all__ = ["bind_overloads", "call_overload", "check_whole", "text_of"]

_bound = False


def bind_overloads(ROOT: Any) -> None:
    """Bind ``Factory.BookMethod``, ``Reader.BookMVA``, ``Reader.Evaluate...`` and ``DataLoader.PrepareTrainingAndTestTree``.

    They take what they took before, keyword options included, and raise what the C++ method throws.  It happens when the classes
    are first used, once in a process.

    Parameters
    ----------
    ROOT : module
        PyROOT.
    """
    global _bound
    if _bound:
        return
    _bound = True
    ROOT.pythonization(["Factory", "Reader", "DataLoader"], ns="TMVA")(_replace_methods)


def _replace_methods(klass: Any, name: str) -> None:
    for method, make in _REPLACEMENTS[name.removeprefix("TMVA::")].items():
        original = f"_{method}"
        # PyROOT itself (since 6.28) keeps the C++ method under this name where it adds keywords
        if original not in klass.__dict__:
            setattr(klass, original, getattr(klass, method))
        setattr(klass, method, make(getattr(klass, original)))


def call_overload(method: Any, overloads: tuple[str, ...], arguments: tuple[Any, ...]) -> Any:
    """Call one overload of a C++ method.

    Parameters
    ----------
    method : CPPOverload
        The method, of an instance, or of the class when `arguments` begin with the instance.
    overloads : tuple of str
        Its argument types, as this or that version of TMVA writes them; the first that exists is called, or what PyROOT
        chooses if none does.
    arguments : tuple
        What it is called with.

    Returns
    -------
    object
    """
    chosen: Callable[..., Any] = method
    for signature in overloads:
        try:
            chosen = method.__overload__(signature)
            break
        except LookupError:
            continue
    return chosen(*arguments)


def text_of(error: BaseException) -> str:
    """Return what an exception says; of a C++ exception just its own text, without PyROOT's signature in front."""
    what = getattr(error, "what", None)
    text = str(what()) if callable(what) else str(error)
    return text.strip() or type(error).__name__


def check_whole(path: Path) -> None:
    """Refuse a file that is cut off or no TMVA weights file; an old TMVA ends the process over one.

    Parameters
    ----------
    path : pathlib.Path
        A file that exists.

    Raises
    ------
    ModelFileError
        It does not begin or does not end as TMVA's weights files do.
    """
    with open(path, "rb") as file:
        begin = file.read(4096)
        file.seek(max(0, path.stat().st_size - 4096))
        end = file.read().rstrip()
    if b"<MethodSetup" not in begin:
        raise ModelFileError(f"'{path}' is no weights file of TMVA: there is no <MethodSetup> at its beginning")
    if not end.endswith(b"</MethodSetup>"):
        raise ModelFileError(
            f"'{path}' is cut off: it ends in {end[-20:].decode('utf-8', 'replace')!r}, expected </MethodSetup>; copy it "
            "again, or train again if the disk was full"
        )


def _with_options(arguments: tuple[Any, ...], options: dict[str, Any]) -> tuple[Any, ...]:
    """Append keyword options in TMVA's grammar, as PyROOT's own keywords do."""
    if not options:
        return arguments
    words = [
        (key if value else f"!{key}") if isinstance(value, bool) else f"{key}={value}" for key, value in options.items()
    ]
    return (*arguments, ":".join(words))


def _is_text(ROOT: Any, value: Any) -> bool:
    return isinstance(value, (str, bytes, ROOT.TString, ROOT.std.string))


def _book_method(method: Any) -> Callable[..., Any]:
    def BookMethod(self: Any, *arguments: Any, **options: Any) -> Any:
        """Book a method: ``(loader, "LSTM", title, options)``, or with an enumerator of ``TMVA.Types``, or with keywords."""
        import ROOT

        arguments = _with_options(arguments, options)
        # before ROOT 6.08 the factory took the events itself
        loader = (
            "TMVA::DataLoader*," if arguments and isinstance(arguments[0], getattr(ROOT.TMVA, "DataLoader", ())) else ""
        )
        place = 1 if loader else 0
        by_name = len(arguments) <= place or _is_text(ROOT, arguments[place])
        kind = "TString" if by_name else "TMVA::Types::EMVA"
        return call_overload(method, (f"{loader}{kind},TString,TString",), (self, *arguments))

    return BookMethod


def _book_mva(method: Any) -> Callable[..., Any]:
    def BookMVA(self: Any, *arguments: Any) -> Any:
        """Read a method: ``(tag, weights_file)``, or ``(TMVA.Types.kX, xml)``."""
        import ROOT

        if arguments and not _is_text(ROOT, arguments[0]):
            return call_overload(method, ("TMVA::Types::EMVA,const char*",), (self, *arguments))
        if len(arguments) > 1 and str(arguments[1]).endswith(".xml") and Path(str(arguments[1])).is_file():
            check_whole(Path(str(arguments[1])))
        return call_overload(method, ("const TString&,const TString&", "TString,TString"), (self, *arguments))

    return BookMVA


def _evaluate(method: Any) -> Callable[..., Any]:
    by_tag: Any = method
    with suppress(LookupError):
        by_tag = method.__overload__("const TString&,Double_t")  # once, and not for every event

    def Evaluate(self: Any, *arguments: Any) -> Any:
        """Evaluate the event: ``(tag)``, or as TMVA has it."""
        return (by_tag if arguments and isinstance(arguments[0], str) else method)(self, *arguments)

    return Evaluate


def _prepare(method: Any) -> Callable[..., Any]:
    def PrepareTrainingAndTestTree(self: Any, *arguments: Any, **options: Any) -> Any:
        """Split the events: ``(cut, options)``, ``(cut_signal, cut_background, options)``, or ``(cut, n...)``."""
        import ROOT

        arguments = _with_options(arguments, options)
        n_cuts = 2 if len(arguments) == 3 and not isinstance(arguments[1], int) else 1
        cuts = [ROOT.TCut(cut) if _is_text(ROOT, cut) else cut for cut in arguments[:n_cuts]]
        rest = arguments[n_cuts:]
        if n_cuts == 2:
            overloads: tuple[str, ...] = ("TCut,TCut,const TString&", "TCut,TCut,TString")
        elif rest and isinstance(rest[0], int):
            types = "Int_t,Int_t,Int_t,Int_t,const TString&" if len(rest) > 2 else "Int_t,Int_t"
            overloads = (f"const TCut&,{types}", f"TCut,{types}")
        else:
            overloads = ("const TCut&,const TString&", "TCut,const TString&", "TCut,TString")
        return call_overload(method, overloads, (self, *cuts, *rest))

    return PrepareTrainingAndTestTree


_REPLACEMENTS: dict[str, dict[str, Callable[[Any], Callable[..., Any]]]] = {
    "Factory": {"BookMethod": _book_method},
    "Reader": {
        "BookMVA": _book_mva,
        "EvaluateMVA": _evaluate,
        "EvaluateMulticlass": _evaluate,
        "EvaluateRegression": _evaluate,
    },
    "DataLoader": {"PrepareTrainingAndTestTree": _prepare},
}
