"""The model file: round trips to the bit, independent readers, damage of every kind, and nothing volatile outside one node."""

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
from pathlib import Path

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


def reseal(path, change):
    """Change the model node of a file and put the right checksum on it."""
    tree = ET.parse(path)
    model = tree.find("./Weights/LSTMModel")
    change(model)
    model.set("Checksum", f"{zlib.crc32(canonical(model).encode()):08x}")
    tree.write(path, encoding="utf-8")


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
        values = struct.unpack(f"<{int(node.get('Count'))}f", base64.b64decode("".join(node.text.split()), validate=True))
        return np.array(values, np.float32)

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
    assert [(o.get("name"), o.text) for o in root.find("Options")] == [("hidden", "5"), ("optimizer", "adam")]
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
    with pytest.raises(
        ModelFileError, match=rf"cannot write model file '.*m\.xml': class name 1: 'sig.*' contains .* {code}.*rename it"
    ):
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
    with pytest.raises(ModelFileError, match=r"m\.xml': parameters: found 187 numbers, expected 188 = all weights for 3"):
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


# ------------------------------------------------------------------------------------------------------------- reading


def test_missing_file_offers_its_neighbours(saved):
    with pytest.raises(ModelFileError, match=r"model file '.*job_LST\.weights\.xml': there is no such file; .*did you "):
        read_model_file(saved.parent / "job_LST.weights.xml")
    with pytest.raises(ModelFileError, match=r"its folder '.*nowhere' does not exist either"):
        read_model_file(saved.parent / "nowhere" / "m.xml")


def test_folders_and_pipes(tmp_path):
    with pytest.raises(ModelFileError, match=r"model file '.*': it is not a regular file"):
        read_model_file(tmp_path)
    os.mkfifo(tmp_path / "pipe.xml")
    with pytest.raises(ModelFileError, match=r"pipe\.xml': it is not a regular file"):
        read_model_file(tmp_path / "pipe.xml")


def test_unreadable_file(tmp_path):
    (tmp_path / "loop.xml").symlink_to("loop.xml")  # permissions do not stop the superuser, this does
    with pytest.raises(ModelFileError, match=r"loop\.xml': cannot read it: Too many levels of symbolic links"):
        read_model_file(tmp_path / "loop.xml")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it is empty"),
        (b" \n\n", "it is empty"),
        (b"epochs: 15\n", "not well-formed XML"),
        (b"root\x00\x00\xf6\xb0\x00", "it is a ROOT file, expected a TMVA weights file"),
        (b"\x89PNG\r\n", "not well-formed XML"),
        (b"<a/>", "the root node is <a>, expected <MethodSetup"),
        (b"<MethodSetup/>", "the root node is <MethodSetup>, expected <MethodSetup Method="),
        (
            b'<MethodSetup Method="BDT::MyBDT"><Weights NTrees="800"/></MethodSetup>',
            r"weights of the TMVA method 'BDT' \(title 'MyBDT'\), expected an LSTM",
        ),
        (b'<MethodSetup Method="LSTM::LSTM"><Weights/></MethodSetup>', "found 0 nodes LSTMModel in <Weights>"),
        (
            b'<MethodSetup Method="LSTM::LSTM"><Weights><LSTMModel/><LSTMModel/></Weights></MethodSetup>',
            "found 2 nodes LSTMModel in <Weights>, expected one",
        ),
        (
            b'<MethodSetup Method="LSTM::LSTM"><Weights><LSTMModel/></Weights></MethodSetup>',
            "LSTMModel: attribute Format is missing",
        ),
    ],
)
def test_other_files(tmp_path, content, message):
    path = tmp_path / "m.xml"
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=rf"model file '.*m\.xml': .*{message}"):
        read_model_file(path)


def test_truncation_at_any_place(tmp_path, saved):
    content = saved.read_bytes()
    short = tmp_path / "short.xml"
    last = content.rindex(b">")
    for length in sorted({*range(0, last, 97), *range(60), *range(last - 40, last + 1)}):
        short.write_bytes(content[:length])
        with pytest.raises(ModelFileError, match=r"short\.xml': it is (empty|not well-formed XML .*truncated)"):
            read_model_file(short)


def test_one_wrong_character_in_the_numbers(saved):
    content = bytearray(saved.read_bytes())
    place = content.index(b"<Parameters") + 200
    content[place] = ord("A") if content[place] != ord("A") else ord("B")
    saved.write_bytes(content)
    with pytest.raises(
        ModelFileError, match=r"xml': the content has checksum [0-9a-f]{8}, expected '[0-9a-f]{8}' .*damaged or was edited"
    ):
        read_model_file(saved)


@pytest.mark.parametrize(
    ("old", "new"), [('Name="pt"', 'Name="px"'), ('Name="background" />\n', 'Name="backgrounD" />\n'), ("&lt; 2", "&lt; 3")]
)
def test_an_edited_name_or_recipe(saved, old, new):
    head, model = saved.read_text().split("<LSTMModel")
    assert old in model
    saved.write_text(head + "<LSTMModel" + model.replace(old, new, 1))
    with pytest.raises(ModelFileError, match=r"damaged or was edited"):
        read_model_file(saved)


def test_every_byte_of_the_model_counts(saved):
    """Any flipped bit is noticed, or lies where it cannot matter: outside the model, in its provenance, in a layout."""
    content = saved.read_bytes()
    document, _ = read_model_file(saved)
    start = content.index(b"<LSTMModel")
    for place in range(start, content.index(b"</LSTMModel>"), 7):
        damaged = bytearray(content)
        damaged[place] ^= 1 << (place % 7)
        saved.write_bytes(damaged)
        try:
            found, _ = read_model_file(saved)
        except ModelFileError:
            continue
        found.provenance = document.provenance
        assert found == document, content[place - 20 : place + 20]


def test_other_format_number(saved):
    saved.write_text(saved.read_text().replace('Format="1"', 'Format="3"'))
    with pytest.raises(ModelFileError, match=r"xml': written by format 3, this build reads 1 to 1; .*newer"):
        read_model_file(saved)
    assert _engine.FORMAT == 1


def test_missing_parts_are_named_with_their_path(saved):
    content = saved.read_bytes()
    for name in ("Network", "Classes", "Features", "Parameters", "Probes", "Provenance"):
        saved.write_bytes(content)
        reseal(saved, lambda model, name=name: model.remove(model.find(name)))
        with pytest.raises(ModelFileError, match=rf"xml': LSTMModel: node {name} is missing"):
            read_model_file(saved)
    saved.write_bytes(content)
    reseal(saved, lambda model: model.findall("Features/Feature")[1].attrib.pop("Mean"))
    with pytest.raises(ModelFileError, match=r"LSTMModel/Features/Feature 1: attribute Mean is missing"):
        read_model_file(saved)


def test_counts_that_are_not_true(saved):
    content = saved.read_bytes()
    for count in ("0", "189", "4611686018427387904"):
        saved.write_bytes(content)
        reseal(saved, lambda model, count=count: model.find("Parameters").set("Count", count))
        with pytest.raises(ModelFileError, match=rf"LSTMModel/Parameters: found 752 bytes .* Count = {count} times 4"):
            read_model_file(saved)
    saved.write_bytes(content)
    reseal(saved, lambda model: model.find("Network").set("Hidden", "6"))
    with pytest.raises(ModelFileError, match=r"parameters: found 188 numbers, expected 249 = all weights for 3 features"):
        read_model_file(saved)


def test_stray_text(saved):
    saved.write_text(saved.read_text().replace("</Features>", "</Features>stray"))
    with pytest.raises(ModelFileError, match=r"found the text 'stray' between the nodes of LSTMModel"):
        read_model_file(saved)


BOMB = '<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa">' + "".join(
    f'<!ENTITY {chr(98 + i)} "{f"&{chr(97 + i)};" * 10}">' for i in range(9)
)


@pytest.mark.parametrize(
    "content",
    [
        BOMB.encode() + b"]><MethodSetup Method='LSTM::LSTM'>&j;</MethodSetup>",
        b"<!DOCTYPE a SYSTEM 'file:///etc/hostname'><MethodSetup/>",
        b"<?xml version='1.0'?>\n<!DOCTYPE MethodSetup>\n<MethodSetup/>",
    ],
)
def test_entities_are_refused(tmp_path, content):
    path = tmp_path / "m.xml"
    path.write_bytes(content)
    for function in (read_model_file, without_provenance):
        with pytest.raises(ModelFileError, match=r"m\.xml': it contains <!DOCTYPE, which no weights file has"):
            function(path)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "cp037", "utf-32"])
def test_entities_cannot_hide_in_another_encoding(tmp_path, encoding):
    path = tmp_path / "m.xml"
    text = f"<?xml version='1.0' encoding='{encoding}'?>{BOMB}]><MethodSetup Method='LSTM::LSTM'>&j;</MethodSetup>"
    path.write_bytes(text.encode(encoding))
    for function in (read_model_file, without_provenance):
        with pytest.raises(ModelFileError, match=r"not well-formed XML|it contains zero bytes"):
            function(path)


def test_absurd_size_depth_and_number(tmp_path, monkeypatch):
    path = tmp_path / "m.xml"
    with open(path, "wb") as handle:
        handle.truncate(2**40)  # sparse: takes no room on the disk
    with pytest.raises(ModelFileError, match=r"it has 1099511627776 bytes, a model file has at most 536870912"):
        read_model_file(path)
    path.write_bytes(b"<a>" * 100_000 + b"</a>" * 100_000)
    with pytest.raises(ModelFileError, match=r"nodes deeper than 80 levels"):
        read_model_file(path)
    monkeypatch.setattr("tmva_lstm_plugin.model_file._MAX_NODES", 1000)
    path.write_bytes(b"<a>" + b"<b/>" * 1000 + b"</a>")
    with pytest.raises(ModelFileError, match=r"more than 1000 nodes"):
        read_model_file(path)


# ------------------------------------------------------------------------------------------------------- the bindings


@pytest.mark.parametrize("attribute", ["recipe", "options", "training", "provenance"])
@pytest.mark.parametrize(
    ("tree", "message"),
    [
        (("Recipe", [], ""), r"node: found \('Recipe', \[\], ''\), expected a tuple \(name"),
        ((1, [], "", []), "name of a node: found 1, expected a str"),
        (("Recipe", [("a", 1)], "", []), "value of an attribute of node Recipe: found 1, expected a str"),
        (("Recipe", ["ab"], "", []), "attribute of node Recipe: found 'ab', expected a tuple"),
        (("Recipe", {}, "", []), r"attributes of node Recipe: found \{\}, expected a list"),
        (("Recipe", [], "\ud800", []), r"text of a node: found '\\ud800', expected text without lone surrogates"),
        (("Recipe", [], "", [3]), "node: found 3, expected a tuple"),
        (("Recipe", [], "", "x" * 500), "children of node Recipe: found 'x+[.]{3}, expected a list"),
    ],
)
def test_trees_of_other_shapes(document, attribute, tree, message):
    with pytest.raises(InputError, match=message):
        setattr(document, attribute, tree)


def test_trees_without_end(document):
    loop = []
    tree = ("Recipe", [], "", loop)
    loop.append(tree)
    with pytest.raises(ModelFileError, match=r"a tree deeper than 100 levels"):
        document.recipe = tree
    loop.append(tree)
    with pytest.raises(ModelFileError, match=r"a tree deeper than 100 levels"):
        document.recipe = tree
    loop.clear()


def test_names_of_other_kinds(document):
    with pytest.raises(InputError, match=r"class_names: found 'ab', expected a list of str"):
        document.class_names = "ab"
    with pytest.raises(InputError, match=r"class_names: found 1, expected a str"):
        document.class_names = ["a", 1]
    with pytest.raises(InputError, match=r"class_names: found 'a\\udc80', expected text without lone surrogates"):
        document.class_names = ["a\udc80", "b"]
    with pytest.raises(InputError, match=r"name of a feature: found None, expected a str"):
        _engine.FeatureSpec(None)


def test_probes_of_other_shapes():
    values, events, scores = (np.zeros(s, np.float32) for s in ((4, 3), (2, 1), (2, 2)))
    offsets = np.array([0, 1, 4])
    assert len(_engine.Probes(values, offsets, events, scores)) == 2
    with pytest.raises(InputError, match=r"probes: values has 3 rows, expected 4 from the offsets"):
        _engine.Probes(values[:3], offsets, events, scores)
    with pytest.raises(InputError, match=r"probes: event_values has 1 rows, expected 2 from the offsets"):
        _engine.Probes(values, offsets, events[:1], scores)
    with pytest.raises(InputError, match=r"probes: scores has 1 rows, expected 2 from the offsets"):
        _engine.Probes(values, offsets, events, scores[:1])
    with pytest.raises(InputError, match=r"probes: offsets end at -1"):
        _engine.Probes(values, np.array([0, -1]), events, scores)


def test_a_tree_of_the_core_round_trips(document):
    tree = _engine.document_to_node(document)
    assert tree[0] == "LSTMModel"
    assert _engine.document_from_node(tree) == document
    name, attributes, text, children = tree
    with pytest.raises(ModelFileError, match=r"found a node called 'Other', expected 'LSTMModel'"):
        _engine.document_from_node(("Other", attributes, text, children))


def test_reading_does_not_change_the_file(saved):
    before = saved.stat().st_mtime_ns
    read_model_file(str(saved))
    assert Path(saved).stat().st_mtime_ns == before
