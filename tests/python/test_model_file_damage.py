"""Damaged, foreign and hostile model files, documents that are none: each ends in an error that says why."""

from __future__ import annotations

import os
import re
import xml.etree.ElementTree as ET
import zlib

import numpy as np
import pytest

from tmva_lstm_plugin import _engine
from tmva_lstm_plugin.errors import InputError, ModelFileError
from tmva_lstm_plugin.model_file import read_model_file, without_provenance, write_model_file


@pytest.fixture
def document():
    rng = np.random.default_rng(2)

    def normal(*shape):
        return rng.normal(size=shape).astype(np.float32)

    document = _engine.ModelDocument()
    document.class_names = ["background", "signal"]
    document.hidden = 5
    document.features = [_engine.FeatureSpec(name, f"log({name})") for name in ("pt", "eta", "phi")]
    document.event_features = [_engine.FeatureSpec("met"), _engine.FeatureSpec("ht")]
    document.longest_length = 4
    document.parameters = normal(_engine.parameter_count(3, 2, 5, 1))
    document.probes = _engine.Probes(normal(4, 3), np.array([0, 0, 3, 4]), normal(3, 2), normal(3, 2))
    document.recipe = ("Recipe", [("tree", "Events")], "", [("Cut", [], "pt > 3 && |eta| < 2", [])])
    document.provenance = ("Provenance", [("date", "2024-05-06")], "", [])
    return document


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


# ------------------------------------------------------------------------------------------------------------- reading


def test_missing_file_offers_its_neighbours(saved):
    with pytest.raises(ModelFileError, match=r"file '.*job_LST\.weights\.xml': there is no such file; .*did you "):
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
    message = r"xml': the content has checksum [0-9a-f]{8}, expected '[0-9a-f]{8}' .*damaged or was edited"
    with pytest.raises(ModelFileError, match=message):
        read_model_file(saved)


@pytest.mark.parametrize(
    ("old", "new"),
    [('Name="pt"', 'Name="px"'), ('Name="background"', 'Name="backgrounD"'), ("&lt; 2", "&lt; 3")],
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
    with pytest.raises(ModelFileError, match=r"xml': written by format 3, this build reads 1 to 2; .*newer"):
        read_model_file(saved)
    assert _engine.FORMAT == 2


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
    with pytest.raises(ModelFileError, match=r"parameters: found 188 numbers, expected 249 = all weights"):
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
    assert saved.stat().st_mtime_ns == before
