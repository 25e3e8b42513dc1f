"""The configuration of a training: what is accepted, and that all errors are reported at once."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from tmva_lstm_plugin.config import ModelConfig, load_config, make_config
from tmva_lstm_plugin.errors import LSTMError, OptionError

ROOT = Path(__file__).parents[2]

SMALLEST = {"input": {"files": "a.root", "features": ["E"], "label": "evType == 34"}}


def with_(section=None, **keys):
    """Return the smallest configuration with some keys more."""
    document = {name: dict(content) for name, content in SMALLEST.items()}
    document.setdefault(section, {}).update(keys)
    return document


@pytest.fixture
def toml(tmp_path):
    def write(text, name="train.toml"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


def lines_of(error):
    """Return the lines of a message after the heading."""
    return [line.strip() for line in str(error.value).splitlines()[1:] if not line.startswith("      ")]


def test_smallest_configuration_and_defaults():
    config = make_config(SMALLEST)
    assert config.input.files == ["a.root"]
    assert config.input.features == ["E"]
    assert config.test_fraction == 0.25
    assert (config.model.hidden, config.model.epochs, config.model.learning_rate) == (32, 15, 3e-3)
    assert config.output.weights_file == "lstm.weights.xml"


def test_model_section_is_the_classifiers_signature():
    from tmva_lstm_plugin.classifier import LSTMClassifier

    parameters = inspect.signature(LSTMClassifier).parameters
    assert {name: p.default for name, p in parameters.items()} == ModelConfig().model_dump()


def test_every_key_from_a_file(toml):
    config = load_config(
        toml(
            """
            [input]
            files = ["a.root", "b.root"]
            tree = "t"
            features = { log_E = "log(E)", pz = "Pz" }
            event_features = ["nu_E"]
            event_selection = "n > 0"
            element_selection = "E > 0.1"
            order_by = "E"
            descending = false
            max_length = 20
            label = "evType == 34"
            classes = ["rest", "DIS"]
            weight = "w"
            on_invalid = "drop"
            stream = false
            memory_limit = "100 MB"
            [model]
            hidden = 8
            learning_rate = 1
            optimizer = "sgd"
            momentum = 0.5
            patience = 3
            [output]
            folder = "out"
            weights_file = "x.xml"
            title = "mine"
            plots = false
            scored_file = "s.root"
            [split]
            test_fraction = 0.5
            seed = 7
            """
        )
    )
    assert config.input.features == {"log_E": "log(E)", "pz": "Pz"}
    assert config.input.reading_arguments() == {
        "tree": "t",
        "features": {"log_E": "log(E)", "pz": "Pz"},
        "event_features": ["nu_E"],
        "event_selection": "n > 0",
        "element_selection": "E > 0.1",
        "order_by": "E",
        "descending": False,
        "max_length": 20,
        "label": "evType == 34",
        "classes": ["rest", "DIS"],
        "weight": "w",
        "on_invalid": "drop",
        "memory_limit": "100 MB",
    }
    assert config.model.learning_rate == 1.0
    assert (config.test_fraction, config.split.seed) == (0.5, 7)


def test_all_errors_at_once_a_line_each(toml):
    path = toml(
        """
        hidden = 3
        [input]
        files = []
        fetures = ["E"]
        features = ["log("]
        on_invalid = "skip"
        max_length = 0
        descending = true
        [model]
        hidden = 0
        epochs = "many"
        shuffle = 1
        learning_rate = nan
        memory_limit = "1 XB"
        [modle]
        hidden = 3
        [output]
        plots = "yes"
        [split]
        test_fraction = 1.0
        test_files = "b.root"
        """
    )
    with pytest.raises(OptionError) as error:
        load_config(path)
    lines = lines_of(error)
    starts = {
        "hidden: section or key 'hidden' is unknown here; it belongs into [model]",
        "input.files: found [], expected a file name, a list of them",
        "input.fetures: key 'fetures' is unknown; did you mean 'features'?",
        "input.features: ",
        "input.on_invalid: found 'skip', expected 'error' or 'drop'",
        "input.max_length: found 0, expected a whole number, at least 1",
        "input.label: it is missing; give an expression that tells the classes apart",
        "input.descending: it needs order_by",
        "model.hidden: found 0, expected a whole number from 1 to 65535",
        "model.epochs: found 'many', expected a whole number of at least 1",
        "model.shuffle: found 1, expected true or false",
        "model.learning_rate: found nan, expected a number above 0",
        "model.memory_limit: ",
        "modle: section or key 'modle' is unknown; did you mean 'model'?",
        "output.plots: found 'yes', expected true or false",
        "split.test_fraction: found 1.0, expected a number from 0 to less than 1",
        "split.test_fraction, ",
    }
    for start in starts:
        assert any(line.startswith(f"{path}: {start}") for line in lines), (start, lines)
    assert len(lines) == len(starts)
    assert str(error.value).startswith(f"{len(starts)} errors in the configuration:\n")


def test_one_error_is_counted_as_one():
    with pytest.raises(OptionError, match=r"^1 error in the configuration:\n  configuration: model.hidden: found true"):
        make_config(with_("model", hidden=True))


@pytest.mark.parametrize(
    ("section", "key", "value", "message"),
    [
        ("model", "batch_size", 0, "found 0, expected a whole number of at least 1"),
        ("model", "epochs", -1, "found -1, expected a whole number of at least 1"),
        ("model", "epochs", 2.5, r"found 2\.5, expected a whole number of at least 1"),
        ("model", "learning_rate", 0, "found 0, expected a number above 0"),
        ("model", "learning_rate", float("inf"), "found inf, expected a number above 0"),
        ("model", "seed", -1, "found -1, expected a whole number from 0 to"),
        ("model", "n_threads", 0, "found 0, expected a whole number from 1 to 4095"),
        ("model", "optimizer", "adm", "found 'adm', expected 'adam', 'sgd', 'adamw', 'rmsprop', 'adagrad' or"),
        ("model", "validation_fraction", 1, "found 1, expected a number from 0 to less than 1"),
        ("model", "hidden", 2**16, "found 65536, expected a whole number from 1 to 65535"),
        ("model", "clip_norm", -1, "found -1, expected a number, at least 0"),
        ("model", "patience", 0, "found 0, expected a whole number of at least 1"),
        ("input", "features", [], r"found \[\], expected a list of expressions, or a table"),
        ("input", "features", "E", "found 'E', expected a list of expressions, or a table"),
        ("input", "classes", ["one"], r"found \['one'\], expected a list of at least two names"),
        ("input", "classes", ["a", "a"], "'a' is there more than once"),
        ("input", "files", ["a.root", "a.root"], "'a.root' is there more than once"),
        ("input", "files", 3, "found 3, expected a file name, a list of them"),
        ("output", "weights_file", "model.root", r"found 'model\.root', expected a file name that ends in \.xml"),
        ("output", "scored_file", "s.txt", r"found 's\.txt', expected a file name that ends in \.root"),
        ("output", "folder", "", "found '', expected the name of a folder"),
        ("input", "weight", "1", "'1' names no branch, so it is the same for all events"),
        ("input", "memory_limit", "5 parsecs", "memory_limit '5 parsecs' is not a size"),
        ("input", "steps", {"x": 3}, r"found {'x': 3}, expected a table with name = list of branches"),
        ("split", "seed", -1, "found -1, expected a whole number, at least 0"),
    ],
)
def test_values_out_of_range(section, key, value, message):
    with pytest.raises(OptionError, match=rf"configuration: {section}\.{key}: {message}"):
        make_config(with_(section, **{key: value}))


def test_expressions_are_checked_before_anything_is_read():
    with pytest.raises(OptionError) as error:
        make_config(with_("input", features={"a": "log(E", "b": "E"}, order_by="E +", label={"x": "a ==", "y": "b"}))
    lines = lines_of(error)
    assert [line.split(": ")[1] for line in lines] == ["input.features", "input.order_by", "input.label"]
    assert "\n          log(E\n" in str(error.value)  # the place is shown below the line


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (with_("split", test_fraction=0.1, test_events="e.txt"), "test_fraction, .*test_events: these exclude each"),
        (with_("split", test_files="b.root", seed=2), "split.seed: it belongs to test_fraction and has no meaning"),
        (with_("split", test_files="a.root"), "split.test_files: 'a.root' is among input.files"),
        (with_("input", descending=True), "input.descending: it needs order_by"),
        (with_("input", label={"a": "x", "b": "y"}, classes=["a", "c"]), "input.classes: the table label has other"),
        (with_("model", use_weights=True), "model.use_weights: there are no weights to use"),
        (with_("model", momentum=0.5), "model.momentum: the optimiser 'adam' has none"),
        (with_("model", patience=2, validation_fraction=0.0), "model.patience: stopping early needs validation"),
        (
            {"input": {**SMALLEST["input"], "stream": True}, "split": {"test_fraction": 0.2}},
            "split.test_fraction: events that are streamed cannot be split one by one",
        ),
        (
            {"input": {**SMALLEST["input"], "stream": True}, "split": {"test_events": "e.txt"}},
            "split.test_events: events that are streamed cannot be split",
        ),
        (with_("output", weights_file="a.xml", scored_file="a.xml"), "scored_file: it is the same as weights_file"),
    ],
)
def test_contradictions_are_refused(document, message):
    with pytest.raises(OptionError, match=message):
        make_config(document)


def test_no_limit_of_the_gradient():
    assert make_config(with_("model", clip_norm=0)).model.clip_norm is None


def test_files_by_class_need_no_label():
    document = {"input": {"files": {"rest": "b.root", "DIS": ["s.root"]}, "features": ["E"]}}
    assert make_config(document).input.files == {"rest": ["b.root"], "DIS": ["s.root"]}
    document["split"] = {"test_files": {"rest": "b.root", "DIS": "t.root"}}
    with pytest.raises(OptionError, match="'b.root' is among input.files"):
        make_config(document)


def test_classes_may_put_the_labels_in_another_order():
    make_config(with_("input", label={"a": "x", "b": "y"}, classes=["b", "a"]))


def test_stream_needs_no_split_and_gets_none():
    assert make_config(with_("input", stream=True)).test_fraction == 0.0


def test_options_override_the_file(toml):
    path = toml('[input]\nfiles = "a.root"\nfeatures = ["E"]\nlabel = "y"\n[model]\nhidden = 8\nepochs = 3\n')
    config = load_config(path, {"model": {"hidden": 16}, "input": {"files": ["b.root"]}})
    assert (config.model.hidden, config.model.epochs, config.input.files) == (16, 3, ["b.root"])


def test_another_way_to_split_replaces_the_files_way(toml):
    path = toml('[input]\nfiles = "a.root"\nfeatures = ["E"]\nlabel = "y"\n[split]\ntest_fraction = 0.1\nseed = 4\n')
    config = load_config(path, {"split": {"test_events": "e.txt"}})
    assert (config.split.test_fraction, config.split.test_events) == (None, "e.txt")


def test_errors_say_whether_the_file_or_an_option_is_wrong(toml):
    path = toml('[input]\nfiles = "a.root"\nfeatures = ["E"]\nlabel = "y"\n[model]\nhidden = 8\nepochs = 0\n')
    with pytest.raises(OptionError) as error:
        load_config(path, {"model": {"hidden": -3}}, option_names={("model", "hidden"): "--hidden"})
    assert lines_of(error) == [
        "command line: --hidden: found -3, expected a whole number from 1 to 65535, or a list of such",
        f"{path}: model.epochs: found 0, expected a whole number of at least 1",
    ]


def test_missing_section_and_section_that_is_no_table(toml):
    with pytest.raises(OptionError) as error:
        load_config(toml("model = 3\n"))
    lines = " ".join(lines_of(error))
    assert "input: the section is missing; it needs files, features, and label or targets" in lines
    assert "model: found 3, expected a table [model]" in lines


def test_a_file_that_is_no_toml(toml):
    with pytest.raises(OptionError, match=r"train\.toml: this is not valid TOML: .*line 2"):
        load_config(toml("[input]\nfiles = \n"))


def test_a_file_that_is_no_text(tmp_path):
    path = tmp_path / "train.toml"
    path.write_bytes(b"[input]\nfiles = '\xff'\n")
    with pytest.raises(OptionError, match="expected a TOML file in UTF-8, found byte 0xff"):
        load_config(path)


def test_a_file_that_is_not_there(toml):
    path = toml("", "train.toml")
    with pytest.raises(OptionError, match=r"trian\.toml' does not exist; did you mean '.*train\.toml'"):
        load_config(path.with_name("trian.toml"))
    with pytest.raises(OptionError, match="cannot be read"):
        load_config(path.parent)


def test_a_configuration_cannot_be_changed_by_accident():
    config = make_config(SMALLEST)
    with pytest.raises(ValueError, match="frozen"):
        config.model.hidden = 3


def test_errors_are_of_the_packages_tree():
    with pytest.raises(LSTMError):
        make_config({})


def test_the_example_is_valid_and_is_the_demonstration():
    from tmva_lstm_plugin.demo import DEMO_READING

    config = load_config(ROOT / "docs" / "train_gibuu.toml")
    arguments = config.input.reading_arguments()
    assert {key: arguments[key] for key in DEMO_READING} == DEMO_READING
    assert (ROOT / config.input.files[0]).is_file()
    assert (ROOT / config.split.test_events).is_file()
