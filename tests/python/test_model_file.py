"""The model file: round trips to the bit, independent readers, what TMVA sees, one node for what is volatile."""

from __future__ import annotations

import base64
import os
import re
import shutil
import struct
import subprocess
import sys
import textwrap
import xml.etree.ElementTree as ET
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tmva_lstm_plugin import _engine
from tmva_lstm_plugin.errors import InputError, ModelFileError, OptionError, OutputError
from tmva_lstm_plugin.model_file import (
    model_file_bytes,
    read_model_file,
    without_provenance,
    write_model_file,
)

N_FEATURES, N_EVENT_FEATURES, HIDDEN = 3, 2, 5

# What an XML 1.0 document can hold; "Cs" are the lone surrogates.
XML_TEXT = st.text(
    st.characters(blacklist_categories=["Cs"], blacklist_characters=["\ufffe", "\uffff"]).filter(
        lambda c: c >= " " or c in "\t\n\r"
    ),
    max_size=12,
)
FINITE = st.floats(width=32, allow_nan=False, allow_infinity=False)


def make_document(task="binary", seed=1, hidden=HIDDEN):
    rng = np.random.default_rng(seed)

    def normal(*shape):
        return rng.normal(size=shape).astype(np.float32)

    document = _engine.ModelDocument()
    document.task = task
    document.class_names = ["background", "signal"] if task == "binary" else ["a", "b", "c", "d"]
    n_classes = len(document.class_names)
    n_outputs = 1 if task == "binary" else n_classes
    document.hidden = hidden
    document.features = [
        _engine.FeatureSpec(n, f"log({n})", mean=0.1, scale=1.5, minimum=-3.3e-5, maximum=2.5e12)
        for n in ("pt", "eta", "E/x")
    ]
    document.event_features = [_engine.FeatureSpec("met", "met/1000", maximum=7.0), _engine.FeatureSpec("ht")]
    document.longest_length = 4
    document.parameters = normal(
        _engine.parameter_count(N_FEATURES, N_EVENT_FEATURES, hidden, n_outputs),
    )
    document.probes = _engine.Probes(
        normal(4, N_FEATURES), np.array([0, 0, 3, 4]), normal(3, N_EVENT_FEATURES), normal(3, n_classes)
    )
    document.recipe = ("Recipe", [("tree", "Events")], "", [("Cut", [], "pt > 3 && |eta| < 2", [])])
    document.options = ("Options", [("hidden", "5"), ("optimizer", "adam")], "", [])
    document.training = ("Training", [], "", [("Epoch", [("loss", "0.5")], "", [])])
    document.provenance = ("Provenance", [("date", "2024-05-06"), ("host", "ui01")], "", [("Python", [], "3.12", [])])
    return document


@pytest.fixture
def document():
    return make_document()


@pytest.fixture
def saved(tmp_path, document):
    return write_model_file(tmp_path / "job_LSTM.weights.xml", document)


def canonical(element, root=True):
    """The canonical text as document.h tells it, in Python."""
    lines = ["<" + element.tag]
    lines += [f"{k}={v}" for k, v in sorted(element.items()) if not (root and k == "Checksum")]
    lines.append(re.sub("[ \t\r\n]+", " ", element.text or "").strip(" "))
    text = "\n".join(lines) + "\n"
    children = [c for c in element if not (root and c.tag == "Provenance")]
    return text + "".join(canonical(c, root=False) for c in children) + ">\n"


# ---------------------------------------------------------------------------------------------------------- round trip


@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_round_trip_keeps_everything(tmp_path, task):
    before = make_document(task)
    path = write_model_file(tmp_path / "deeper" / "m.weights.xml", before, title="My title é")
    after, title = read_model_file(path)
    assert title == "My title é"
    assert after == before
    assert after.parameters.tobytes() == before.parameters.tobytes()
    assert after.recipe == before.recipe
    assert after.provenance == before.provenance
    assert [f.name for f in after.features] == ["pt", "eta", "E/x"]
    assert np.float32(after.features[0].mean) == np.float32(0.1)
    for name in ("values", "offsets", "event_values", "scores"):
        np.testing.assert_array_equal(getattr(after.probes, name), getattr(before.probes, name), strict=True)
    assert after.probes.values.shape == (4, N_FEATURES)
    assert after.probes.scores.shape == (3, len(before.class_names))
    assert model_file_bytes(after, title) == path.read_bytes()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    names=st.lists(XML_TEXT, min_size=5, max_size=5, unique=True),
    texts=st.lists(XML_TEXT, min_size=3, max_size=3),
    bits=st.lists(st.integers(0, 2**32 - 1), min_size=10, max_size=10),
    numbers=st.lists(FINITE, min_size=3, max_size=3),
    scale=st.floats(width=32, min_value=2.0**-149, allow_infinity=False),
)
def test_any_name_and_any_finite_float_survive(tmp_path, names, texts, bits, numbers, scale):
    mean, *bounds = numbers
    document = make_document()
    document.class_names = names[:2]
    document.features = [
        _engine.FeatureSpec(n, t, mean=mean, scale=scale, minimum=min(bounds), maximum=max(bounds))
        for n, t in zip(names[2:], texts, strict=True)
    ]
    document.recipe = ("Recipe", [("a", texts[0])], "", [("Inner", [("b", texts[1])], texts[2].strip(" \t\r\n"), [])])
    parameters = document.parameters
    wanted = np.array(bits, dtype=np.uint32).view(np.float32)
    wanted = np.where(np.isfinite(wanted), wanted, np.float32(0))
    parameters[: len(wanted)] = wanted
    document.parameters = parameters
    after, _ = read_model_file(write_model_file(tmp_path / "m.xml", document))
    assert after.class_names == names[:2]
    assert [(f.name, f.expression) for f in after.features] == list(zip(names[2:], texts, strict=True))
    feature = after.features[0]
    assert struct.pack("<4f", feature.mean, feature.scale, feature.minimum, feature.maximum) == struct.pack(
        "<4f", mean, scale, min(bounds), max(bounds)
    )
    assert after.recipe == document.recipe
    assert after.parameters.tobytes() == parameters.tobytes()


def test_a_model_of_no_probes_and_no_event_features(tmp_path, document):
    document.event_features = []
    document.probes = _engine.Probes()
    document.parameters = np.zeros(_engine.parameter_count(3, 0, HIDDEN, 1), np.float32)
    after, _ = read_model_file(write_model_file(tmp_path / "m.xml", document))
    assert after == document
    assert len(after.probes) == 0
    assert after.probes.scores.shape == (0, 0)


def test_parameter_count_adds_the_blocks():
    d, e, h, o = 3, 2, 5, 4
    assert _engine.parameter_count(d, e, h, o) == 4 * h * d + 4 * h * h + 4 * h + o * (h + e) + o
    with pytest.raises(InputError, match=r"99999999 hidden units: a model has at most 16777216"):
        _engine.parameter_count(1, 1, 99_999_999, 1)


# ------------------------------------------------------------------------------------------------- independent readers


def test_numbers_are_readable_with_the_standard_library_alone(saved, document):
    model = ET.parse(saved).find("./Weights/LSTMModel")

    def numbers(path):
        node = model.find(path)
        content = base64.b64decode("".join(node.text.split()), validate=True)
        return np.array(struct.unpack(f"<{int(node.get('Count'))}f", content), np.float32)

    np.testing.assert_array_equal(numbers("Parameters"), document.parameters)
    np.testing.assert_array_equal(numbers("Probes/Values"), document.probes.values.ravel())
    np.testing.assert_array_equal(numbers("Probes/EventValues"), document.probes.event_values.ravel())
    np.testing.assert_array_equal(numbers("Probes/Scores"), document.probes.scores.ravel())
    assert [int(w) for w in model.find("Probes/Offsets").text.split()] == [0, 0, 3, 4]
    lines = model.find("Parameters").text.split("\n")
    assert {len(line) for line in lines[:-1]} == {76}
    assert [float(f.get("Mean")) for f in model.iterfind("Features/Feature")] == [0.1] * 3


@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_checksum_is_zlibs_crc32_of_the_canonical_text(tmp_path, task):
    document = make_document(task)
    document.class_names = ["  a\tb <&> é", *document.class_names[1:]]
    path = write_model_file(tmp_path / "m.xml", document)
    model = ET.parse(path).find("./Weights/LSTMModel")
    expected = zlib.crc32(canonical(model).encode("utf-8"))
    assert model.get("Checksum") == f"{expected:08x}"
    assert _engine.checksum(_engine.document_to_node(document)) == expected


def test_layout_and_attribute_order_do_not_matter(saved, document):
    tree = ET.parse(saved)
    for element in tree.iter():
        items = list(element.items())[::-1]
        element.attrib.clear()
        element.attrib.update(items)
    ET.indent(tree, "\t\r\n ")
    parameters = tree.find("./Weights/LSTMModel/Parameters")
    parameters.text = "\n\n   " + parameters.text.replace("\n", "\n      ") + "\n  "
    tree.write(saved, encoding="utf-8")
    found, _ = read_model_file(saved)
    for name in ("options", "provenance"):  # the doors' own attributes are given as they stand
        assert getattr(found, name)[1] == getattr(document, name)[1][::-1]
        setattr(found, name, getattr(document, name))
    assert found == document


# ---------------------------------------------------------------------------------------------------- what TMVA sees


def test_tmva_nodes(saved):
    root = ET.parse(saved).getroot()
    assert root.get("Method") == "LSTM::LSTM"
    assert [c.tag for c in root] == [
        *("GeneralInfo", "Options", "Variables", "Spectators", "Classes"),
        *("Transformations", "MVAPdfs", "Weights"),
    ]
    assert {i.get("name"): i.get("value") for i in root.find("GeneralInfo")} == {
        "Creator": "tmva_lstm_plugin",
        "AnalysisType": "Classification",
    }
    # what TMVA parses is in its own grammar; the training's options stand in the model
    options = {o.get("name"): o.text for o in root.find("Options")}
    assert options == {"InputLayout": "4|3", "Layout": "LSTM|5|3|4|0|0,LINEAR", "Length": "length"}
    assert [s.get("Expression") for s in root.find("Spectators")] == ["length"]
    assert [(c.get("Name"), c.get("Index")) for c in root.find("Classes")] == [("background", "0"), ("signal", "1")]
    variables = root.find("Variables")
    expected = [f"{name}[{t}]" for t in range(4) for name in ("pt", "eta", "E/x")] + ["met", "ht"]
    assert [v.get("Expression") for v in variables] == expected
    assert [v.get("VarIndex") for v in variables] == [str(i) for i in range(14)]
    assert variables.get("NVar") == "14"
    assert variables[5].attrib == {
        **{"VarIndex": "5", "Expression": "E/x[1]", "Label": "E/x[1]", "Title": "E/x[1]", "Unit": ""},
        **{"Internal": "E_x_1_", "Type": "F", "Min": "-3.3e-05", "Max": "2.5e+12"},
    }


def test_multiclass_is_called_so(tmp_path):
    root = ET.parse(write_model_file(tmp_path / "m.xml", make_document("multiclass"), method="LSTM2")).getroot()
    assert root.find("GeneralInfo/Info[@name='AnalysisType']").get("value") == "Multiclass"
    assert root.get("Method") == "LSTM2::LSTM"


@pytest.mark.parametrize(
    ("max_length", "longest", "expected"),
    [(2, 9, 2 * 3 + 2), (0, 0, 2), (0, 1364, 4094), (0, 1365, 0), (10**12, 3, 0)],
)
def test_steps_declared_to_tmva(tmp_path, document, max_length, longest, expected):
    document.max_length, document.longest_length = max_length, longest
    path = write_model_file(tmp_path / "m.xml", document)
    variables = ET.parse(path).find("Variables")
    assert variables.get("NVar") == str(len(variables)) == str(expected)
    assert read_model_file(path)[0] == document


# -------------------------------------------------------------------------------------------------------- provenance


def test_all_that_is_volatile_is_in_one_node(document):
    plain = model_file_bytes(document)
    document.provenance = ("Provenance", [("date", "another"), ("threads", "64")], "", [])
    other = model_file_bytes(document)
    assert other != plain
    assert without_provenance(other) == without_provenance(plain)
    document.provenance = ("Provenance", [], "", [])
    assert without_provenance(model_file_bytes(document)) == without_provenance(plain)
    assert model_file_bytes(document) == model_file_bytes(make_and_empty())
    document.training = ("Training", [], "", [])
    assert without_provenance(model_file_bytes(document)) != without_provenance(plain)


def make_and_empty():
    document = make_document()
    document.provenance = ("Provenance", [], "", [])
    return document


def test_without_provenance_cuts_that_node_and_nothing_else(saved):
    content = saved.read_bytes()
    cut = without_provenance(saved)
    start = content.index(b"\n      <Provenance")
    stop = content.index(b"</Provenance>") + len(b"</Provenance>")
    assert cut == content[:start] + content[stop:]
    assert without_provenance(content) == cut
    assert without_provenance(cut) == cut
    assert b"ui01" not in cut


def test_a_node_of_that_name_elsewhere_stays(document):
    document.recipe = ("Recipe", [], "", [("Provenance", [("kept", "yes")], "", [])])
    assert b'<Provenance kept="yes" />' in without_provenance(model_file_bytes(document))


def test_without_provenance_names_what_it_cannot_read(tmp_path):
    with pytest.raises(ModelFileError, match=r"model file content: it is not well-formed XML"):
        without_provenance(b"<a><b></a>")
    with pytest.raises(ModelFileError, match=r"model file '.*none\.xml': there is no such file"):
        without_provenance(tmp_path / "none.xml")
    with pytest.raises(ModelFileError, match=r"deeper than 80 levels"):
        without_provenance(b"<a>" * 200 + b"</a>" * 200)


def test_bytes_are_fixed(document):
    content = model_file_bytes(document)
    assert content == model_file_bytes(make_document())
    assert content.startswith(b'<?xml version="1.0"?>\n<MethodSetup Method="LSTM::LSTM">\n  <GeneralInfo>\n')
    assert content.endswith(b"</MethodSetup>\n")
    assert b"\r" not in content


def test_locale_with_a_comma(tmp_path, document):
    if not shutil.which("localedef"):
        pytest.skip("localedef is not installed")
    made = subprocess.run(["localedef", "-i", "de_DE", "-f", "UTF-8", tmp_path / "de_DE.UTF-8"], capture_output=True)
    if made.returncode:
        pytest.skip("the sources of the German locale are not installed")
    path = write_model_file(tmp_path / "m.xml", document)
    script = """
        import locale, sys
        locale.setlocale(locale.LC_ALL, "de_DE.UTF-8")
        assert locale.localeconv()["decimal_point"] == ","
        from tmva_lstm_plugin.model_file import model_file_bytes, read_model_file
        sys.stdout.buffer.write(model_file_bytes(*read_model_file(sys.argv[1])))
    """
    command = [sys.executable, "-c", textwrap.dedent(script), path]
    result = subprocess.run(command, capture_output=True, env={**os.environ, "LOCPATH": str(tmp_path)})
    assert result.stderr == b""
    assert result.stdout == path.read_bytes()


# ------------------------------------------------------------------------------------------------------------- writing


@pytest.mark.parametrize("bad", ["\x00", "\x01", "\x1b", "\ufffe", "\uffff"])
def test_characters_xml_cannot_hold_are_refused_by_name(tmp_path, document, bad):
    code = f"U\\+{ord(bad):04x}"
    document.class_names = ["bkg", "sig" + bad]
    with pytest.raises(ModelFileError, match=rf"file '.*m\.xml': class name 1: 'sig.*' contains .* {code}.*rename it"):
        write_model_file(tmp_path / "m.xml", document)
    document = make_document()
    document.recipe = ("Recipe", [("tree", bad)], "", [])
    with pytest.raises(ModelFileError, match=rf"Recipe, attribute 'tree': .*{code}"):
        write_model_file(tmp_path / "m.xml", document)
    with pytest.raises(OptionError, match=r"title .* cannot stand in a TMVA weights file; expected printable text"):
        write_model_file(tmp_path / "m.xml", make_document(), title="t" + bad)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("title", ["", " a", "a ", "a::b", "a\nb", "\ud800"])
def test_titles_tmva_cannot_use(document, title):
    with pytest.raises(OptionError, match=r"title .* cannot stand in a TMVA weights file"):
        model_file_bytes(document, title)


@pytest.mark.parametrize("method", ["", "a b", "LSTM::x", "7"])
def test_methods_tmva_cannot_use(document, method):
    with pytest.raises(OptionError, match=r"method .* expected letters, digits and '_'"):
        model_file_bytes(document, method=method)


def test_contradictions_are_refused_with_the_path(tmp_path, document):
    document.parameters = document.parameters[:-1].copy()
    with pytest.raises(ModelFileError, match=r"m\.xml': parameters: found 187 numbers, expected 188 = all weights"):
        write_model_file(tmp_path / "m.xml", document)


def test_a_model_beyond_the_size_limit_is_refused(monkeypatch, document):
    monkeypatch.setattr("tmva_lstm_plugin.model_file._MAX_BYTES", 2000)
    with pytest.raises(ModelFileError, match=r"the model takes \d+ bytes, a model file has at most 2000; use fewer"):
        model_file_bytes(document)


def test_full_disk_leaves_the_earlier_file(saved):
    before = saved.read_bytes()
    script = """
        import resource, sys
        import numpy as np
        from tmva_lstm_plugin import _engine
        from tmva_lstm_plugin.errors import OutputError
        from tmva_lstm_plugin.model_file import read_model_file, write_model_file
        document, title = read_model_file(sys.argv[1])
        document.parameters = np.zeros_like(document.parameters)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        try:
            write_model_file(sys.argv[1], document)
        except OutputError as error:
            print(error)
    """
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), saved], capture_output=True, text=True, check=True
    )
    assert re.search(r"cannot write the model file '.*': File too large; the earlier file is untouched", result.stdout)
    assert saved.read_bytes() == before
    assert os.listdir(saved.parent) == [saved.name]


def test_unwritable_place(tmp_path, document):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"cannot write the model file '.*m\.xml'.*nothing was written"):
        write_model_file(tmp_path / "file" / "m.xml", document)
