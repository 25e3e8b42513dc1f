"""The model file: a TMVA weights XML, written and read without ROOT.

The file has the layout every TMVA method has (``MethodSetup`` with general facts, options, variables, classes), and
inside ``<Weights>`` one node ``LSTMModel`` that the compiled core writes and reads: the whole model, exact to the last
bit, with a format number and a checksum.  Only that node counts when a model is read; the others are for TMVA's
``Reader`` and for people.

The same model gives the same bytes, on any machine and for any number of threads, but for one node: everything
volatile (date, host, durations, threads, versions) stands in ``LSTMModel/Provenance``, which
:func:`without_provenance` takes out.

For ``TMVA::Reader`` a sequence is a row of variables in time-major order: feature ``d`` of step ``t`` is variable
``t * D + d``, called ``name[t]``; the event-level features follow, and the number of true steps is the spectator
``length``.  The row has ``max_length`` steps, or
``longest_length`` where `max_length` is 0.  A row of more than 4096 variables is left out (``NVar="0"``): the model
then serves Python and the command line, but not ``TMVA::Reader``.
"""

from __future__ import annotations

import os
import re
import stat
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any
from xml.parsers import expat

from . import _engine
from .errors import ModelFileError, OptionError, near_miss
from .files import replacing

__all__ = ["model_file_bytes", "read_model_file", "without_provenance", "write_model_file"]

MAX_VARIABLES = 4096
"""Rows of more variables than this are not declared to TMVA."""

# Bounds on foreign input, far beyond any model: what a file may cost is known before it is parsed.
_MAX_BYTES = 512 * 2**20
_MAX_NODES = 1_000_000
_MAX_DEPTH = 80

_PROVENANCE = ("MethodSetup", "Weights", "LSTMModel", "Provenance")

# A core's tree: (name, attributes, text, children).
_Tree = tuple[str, list[tuple[str, str]], str, list[Any]]


def write_model_file(
    path: str | os.PathLike[str], document: _engine.ModelDocument, *, title: str = "LSTM", method: str = "LSTM"
) -> Path:
    """Write a model to `path`, replacing an earlier file only when all of the new one is on disk.

    Parameters
    ----------
    path : path
        The file; TMVA's own are called ``<job>_<title>.weights.xml``.
    document : ModelDocument
        The model.
    title : str
        The method's title, as one books it in TMVA.
    method : str
        The name the method is registered with in TMVA.

    Returns
    -------
    pathlib.Path
        The file written.

    Raises
    ------
    ModelFileError
        The document contradicts itself, or holds a name that XML cannot.
    OptionError
        `title` or `method` cannot stand in a weights file.
    OutputError
        The file cannot be written; an earlier one is untouched.
    """
    try:
        content = model_file_bytes(document, title, method)
    except ModelFileError as error:
        raise ModelFileError(f"cannot write model file '{Path(path)}': {error}") from error
    with replacing(path, purpose="the model file") as aside, open(aside, "wb") as handle:
        handle.write(content)
    return Path(path)


def model_file_bytes(document: _engine.ModelDocument, title: str = "LSTM", method: str = "LSTM") -> bytes:
    """Return the content of a model file: UTF-8, line feeds as line ends, the same bytes for the same document.

    Parameters
    ----------
    document : ModelDocument
        The model.
    title, method : str
        As in :func:`write_model_file`.

    Returns
    -------
    bytes
        The file's content.

    Raises
    ------
    ModelFileError, OptionError
        As in :func:`write_model_file`.
    """
    _check_label("title", title, r"(?!\s)[^\x00-\x1f\x7f\ud800-\udfff\ufffe\uffff]+(?<!\s)", "printable text")
    _check_label("method", method, r"[A-Za-z_][A-Za-z0-9_]*", "letters, digits and '_'")
    model = _engine.document_to_node(document)  # before anything else: it checks the document
    root = ET.Element("MethodSetup", {"Method": f"{method}::{title}"})
    info = ET.SubElement(root, "GeneralInfo")
    # "Creator" carries no version and no user: see the module's text on what may be volatile
    for name, value in (
        ("Creator", "tmva_lstm_plugin"),
        ("AnalysisType", {"binary": "Classification", "multiclass": "Multiclass"}.get(document.task, "Regression")),
    ):
        ET.SubElement(info, "Info", {"name": name, "value": value})
    options = ET.SubElement(root, "Options")
    for name, value in _tmva_options(document):
        ET.SubElement(options, "Option", {"name": name, "modified": "Yes"}).text = value
    root.append(_variables(document, model))
    # the number of true steps of an event; without it TMVA could not tell steps from padding
    spectators = ET.SubElement(root, "Spectators", {"NSpec": "1"})
    attributes = {"SpecIndex": "0", **dict.fromkeys(("Expression", "Label", "Title"), "length"), "Unit": ""}
    limits = {"Min": "0", "Max": str(_steps(document))}
    ET.SubElement(spectators, "Spectator", {**attributes, "Internal": "length", "Type": "F", **limits})
    classes = ET.SubElement(root, "Classes", {"NClass": str(len(document.class_names))})
    for index, name in enumerate(document.class_names):
        ET.SubElement(classes, "Class", {"Name": name, "Index": str(index)})
    ET.SubElement(root, "Transformations", {"NTransformations": "0"})
    ET.SubElement(root, "MVAPdfs")
    ET.SubElement(root, "Weights").append(_to_element(model))
    ET.indent(root)
    content = ('<?xml version="1.0"?>\n' + ET.tostring(root, encoding="unicode") + "\n").encode("utf-8")
    if len(content) > _MAX_BYTES:
        raise ModelFileError(
            f"the model takes {len(content)} bytes, a model file has at most {_MAX_BYTES}; "
            "use fewer hidden units or fewer probes"
        )
    return content


def read_model_file(path: str | os.PathLike[str]) -> tuple[_engine.ModelDocument, str]:
    """Read a model, from whichever side it was written.

    Parameters
    ----------
    path : path
        A weights file of this package's method, written by Python or by TMVA.

    Returns
    -------
    document : ModelDocument
        The model.
    title : str
        The title it was booked with.

    Raises
    ------
    ModelFileError
        The file is missing, truncated, damaged, of another method or of another format.
    """
    file = Path(path)
    try:
        content = _content(file)
        root = _parse(content)
        method, _, title = root.get("Method", "").partition("::")
        if root.tag != "MethodSetup" or not method:
            raise ModelFileError(
                f"the root node is <{root.tag[:60]}>, expected <MethodSetup Method=...>; it is no TMVA weights file"
            )
        models = root.findall("./Weights/LSTMModel")
        if len(models) != 1:
            if method != "LSTM" and not models:
                raise ModelFileError(
                    f"it holds the weights of the TMVA method {method[:60]!r} (title {title[:60]!r}), expected an LSTM "
                    "of this package; read it with TMVA"
                )
            raise ModelFileError(f"found {len(models)} nodes LSTMModel in <Weights>, expected one")
        return _engine.document_from_node(_to_tree(models[0])), title
    except ModelFileError as error:
        raise ModelFileError(f"model file '{file}': {error}") from error


def without_provenance(source: str | os.PathLike[str] | bytes) -> bytes:
    """Return a model file's bytes without the one node that may differ from run to run.

    Two models are the same model when these bytes are equal.

    Parameters
    ----------
    source : path or bytes
        A model file, or its content.

    Returns
    -------
    bytes
        The content, cut where ``LSTMModel/Provenance`` stood, white space before it included; unchanged when there is
        no such node.

    Raises
    ------
    ModelFileError
        The file cannot be read, or is not well-formed XML.
    """
    where = "model file content" if isinstance(source, bytes) else f"model file '{Path(source)}'"
    try:
        if isinstance(source, bytes):
            _check_content(source)
            content = source
        else:
            content = _content(Path(source))
        start, stop = _provenance_span(content)
    except ModelFileError as error:
        raise ModelFileError(f"{where}: {error}") from error
    return content[:start].rstrip(b" \t\r\n") + content[stop:] if stop else content


def _check_label(what: str, text: str, pattern: str, expected: str) -> None:
    if not re.fullmatch(pattern, text) or "::" in text:
        raise OptionError(
            f"{what} {text!r} cannot stand in a TMVA weights file; expected {expected}, without '::' and without white "
            "space at the ends"
        )


# ------------------------------------------------------------------------------------------------------------- writing


def _steps(document: _engine.ModelDocument) -> int:
    """Return how many steps a row of TMVA's variables has."""
    return int(document.max_length or document.longest_length)


def _tmva_options(document: _engine.ModelDocument) -> list[tuple[str, str]]:
    """Return what one would book; TMVA's Reader parses it, and refuses what the method does not know."""
    n_steps, n_features = _steps(document), len(document.features)
    widths, cell = [*document.lower, document.hidden], ("BI" if document.bidirectional else "") + document.cell.upper()
    variants = {"PEEPHOLES": document.peepholes, "COUPLED": document.coupled_gates, "LNORM": document.layer_norm}
    words = "|0" if document.reset_gate == "before" else ""  # resetGateAfter
    words += "".join(f"|{word}" for word, on in variants.items() if on)
    pools = document.pooling != "last"
    inputs = [n_features, *(width * (1 + document.bidirectional) for width in document.lower)]
    returns = [1] * len(document.lower) + [int(document.flat_steps > 0 or pools)]
    layers = [
        f"{cell}|{H}|{D}|{n_steps}|0|{all_steps}{words}"
        for H, D, all_steps in zip(widths, inputs, returns, strict=True)
    ]
    layers += ["RESHAPE|FLAT"] if document.flat_steps else []
    layers += [f"POOL|{document.pooling.upper()}"] if pools else []
    layers += [f"DENSE|{width}|{activation}" for width, activation in document.dense]
    return [
        ("InputLayout", f"{n_steps}|{n_features}"),
        ("Layout", ",".join([*layers, "LINEAR"])),
        ("Length", "length"),
    ]


def _variables(document: _engine.ModelDocument, model: _Tree) -> ET.Element:
    n_steps = _steps(document)
    features = _ranges(model, "Features", document.features)
    event_features = _ranges(model, "EventFeatures", document.event_features)
    count = n_steps * len(features) + len(event_features)
    if count > MAX_VARIABLES:
        return ET.Element("Variables", {"NVar": "0"})
    node = ET.Element("Variables", {"NVar": str(count)})
    named = [(f"{name}[{step}]", *bounds) for step in range(n_steps) for name, *bounds in features]
    for index, (expression, minimum, maximum) in enumerate([*named, *event_features]):
        attributes = {
            "VarIndex": str(index),
            "Expression": expression,
            "Label": expression,
            "Title": expression,
            "Unit": "",
            "Internal": re.sub(r"[^A-Za-z0-9_]", "_", expression),
            "Type": "F",
            "Min": minimum,
            "Max": maximum,
        }
        ET.SubElement(node, "Variable", attributes)
    return node


def _ranges(model: _Tree, name: str, features: list[_engine.FeatureSpec]) -> list[tuple[str, str, str]]:
    """Return each feature's name, minimum and maximum; the numbers as the core wrote them, in their shortest form."""
    (node,) = (child for child in model[3] if child[0] == name)
    texts = (dict(child[1]) for child in node[3])
    return [(f.name, t["Minimum"], t["Maximum"]) for f, t in zip(features, texts, strict=True)]


def _to_element(tree: _Tree) -> ET.Element:
    name, attributes, text, children = tree
    element = ET.Element(name, dict(attributes))
    element.text = text or None
    element.extend(_to_element(child) for child in children)
    return element


# ------------------------------------------------------------------------------------------------------------- reading


def _content(file: Path) -> bytes:
    try:
        status = file.stat()
        if not stat.S_ISREG(status.st_mode):  # asked beforehand: opening a pipe waits for its other end
            raise ModelFileError("it is not a regular file; give the weights file itself")
        _check_size(status.st_size)
        content = file.read_bytes()
    except FileNotFoundError as error:
        raise ModelFileError(f"there is no such file; {_neighbours(file)}") from error
    except OSError as error:
        raise ModelFileError(f"cannot read it: {error.strerror or error}") from error
    _check_content(content)
    return content


def _check_size(size: int) -> None:
    if size > _MAX_BYTES:
        raise ModelFileError(f"it has {size} bytes, a model file has at most {_MAX_BYTES}; it is something else")


def _neighbours(file: Path) -> str:
    try:
        names = sorted(p.name for p in file.parent.glob("*.xml"))
    except OSError:
        names = []
    if not file.parent.is_dir():
        return f"its folder '{file.parent}' does not exist either"
    return f"of XML files in its folder {near_miss(file.name, names)}"


def _check_content(content: bytes) -> None:
    _check_size(len(content))
    if not content or content.isspace():
        raise ModelFileError("it is empty; writing it was interrupted, or the disk was full")
    if content.startswith(b"root\x00"):
        raise ModelFileError("it is a ROOT file, expected a TMVA weights file (XML)")
    # Entities can grow without bound and read other files; no weights file needs them.  The search sees what the parser
    # sees: UTF-8 is parsed whatever the file declares, and UTF-16, which expat finds out by itself, has zero bytes.
    if b"\x00" in content:
        raise ModelFileError("it contains zero bytes, so it is no text in UTF-8 as weights files are, or is damaged")
    for word in (b"<!DOCTYPE", b"<!ENTITY"):
        if word in content:
            raise ModelFileError(f"it contains {word.decode()}, which no weights file has; it is refused unread")


class _BoundedBuilder(ET.TreeBuilder):
    """Builds a tree of bounded depth and size."""

    def __init__(self) -> None:
        super().__init__()
        self._depth = 0
        self._count = 0

    def start(self, tag: Any, attrs: Any, /) -> ET.Element:
        """Open an element."""
        self._depth += 1
        self._count += 1
        if self._depth > _MAX_DEPTH or self._count > _MAX_NODES:
            raise ModelFileError(
                f"it has nodes deeper than {_MAX_DEPTH} levels or more than {_MAX_NODES} nodes; it is no weights file"
            )
        return super().start(tag, attrs)

    def end(self, tag: Any, /) -> ET.Element:
        """Close an element."""
        self._depth -= 1
        return super().end(tag)


def _parse(content: bytes) -> ET.Element:
    parser = ET.XMLParser(target=_BoundedBuilder(), encoding="utf-8")
    try:
        # in pieces, so that a refusal by the builder ends the work
        for start in range(0, len(content), 2**16):
            parser.feed(content[start : start + 2**16])
        return parser.close()
    except ET.ParseError as error:
        raise _not_well_formed(error) from error


def _not_well_formed(error: Exception) -> ModelFileError:
    return ModelFileError(
        f"it is not well-formed XML ({error}); it was truncated or damaged, or is no weights file: take an intact copy"
    )


def _to_tree(element: ET.Element) -> _Tree:
    text = element.text or ""
    stray = next((c.tail for c in element if c.tail and c.tail.strip()), None)
    if stray is not None:
        raise ModelFileError(f"found the text {stray.strip()[:60]!r} between the nodes of {element.tag}, expected none")
    # the builder has bounded the depth
    return (element.tag, list(element.items()), text.strip(" \t\r\n"), [_to_tree(child) for child in element])


def _provenance_span(content: bytes) -> tuple[int, int]:
    """Return where the provenance node begins and ends; (0, 0) when there is none."""
    path: list[str] = []
    span = [0, 0]
    closed = False

    def mark() -> None:
        # the parser tells where an event begins: the node ends where the next event does
        nonlocal closed
        if closed and not span[1]:
            span[1] = parser.CurrentByteIndex

    def start(name: str, _attributes: dict[str, str]) -> None:
        mark()
        path.append(name)
        if len(path) > _MAX_DEPTH:
            raise ModelFileError(f"it has nodes deeper than {_MAX_DEPTH} levels; it is no weights file")
        if tuple(path) == _PROVENANCE and not span[0]:
            span[0] = parser.CurrentByteIndex

    def end(_name: str) -> None:
        nonlocal closed
        mark()
        closed = closed or tuple(path) == _PROVENANCE
        path.pop()

    parser = expat.ParserCreate("utf-8")
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.DefaultHandler = lambda _text: mark()
    try:
        parser.Parse(content, True)
    except expat.ExpatError as error:
        raise _not_well_formed(error) from error
    return span[0], span[1]
