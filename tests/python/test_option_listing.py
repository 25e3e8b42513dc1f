"""The table of options: in the documents as in the code, and with the names that TMVA's method really takes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from tmva_lstm_plugin.cli import main
from tmva_lstm_plugin.model_options import MODEL_OPTIONS
from tmva_lstm_plugin.option_listing import markdown, option_rows
from tmva_lstm_plugin.tmva_options import TMVA_DEFAULTS, TMVA_ONLY

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "tmva_lstm_plugin" / "cpp" / "tmva"


def source(name):
    return (SOURCES / name).read_text(encoding="utf-8")


def quoted(text, begin, end="};"):
    """All strings in the first stretch of a source from `begin` to `end`."""
    found = re.search(re.escape(begin) + "(.*?)" + re.escape(end), text, re.DOTALL)
    assert found is not None, begin
    return re.findall(r'"([^"]*)"', found[1])


def declared():
    """The method's own booking options with their defaults, as its source declares them."""
    found = re.findall(r'DeclareOptionRef\(f\w+ = ([^,]+), "(\w+)"', source("MethodLSTM.cxx"))
    assert len(found) > 10
    return {
        name: default.strip('"').rstrip(".").replace("kTRUE", "true").replace("kFALSE", "false")
        for default, name in found
    }


def every_method():
    """The options of all methods that the method lets through."""
    known = quoted(source("BookingOptions.cxx").split("refused_options")[1], "known{")
    return set(known) - set(declared())


def strategy_keys():
    return set(quoted(source("StrategyOptions.cxx"), "keys{"))


def strategy_defaults():
    text = "".join(quoted(source("BookingOptions.cxx"), "kDefaultStrategy = ", ";"))
    return dict(pair.split("=") for pair in text.split(","))


def spellings(option):
    """What TMVA calls an option: each key, and what has to be set beside it, or stands in its value."""
    found = []
    for text in option.tmva.split(", ") if option.tmva else []:
        match = re.fullmatch(r"(\w+)(?: with ([\w|=.]+))?", text)
        if match and (match[2] or not found or not found[-1][1] or text in strategy_keys()):
            found.append((match[1], match[2] or ""))
        elif found and found[-1][1] and re.fullmatch(r"[\w|.]+", text):  # another value of the same key
            found.append((found[-1][0], text))
        else:
            assert found, f"{option.name}: {text!r} begins with no key"
            assert text in ("first number", "second number"), (
                f"{option.name}: {text!r} is not 'Key' or 'Key with VALUE'"
            )
    return found


@pytest.fixture(autouse=True)
def sources_are_here():
    if not SOURCES.is_dir():
        pytest.skip("the sources are not here")


def test_the_document_is_that_of_the_code():
    assert (ROOT / "docs" / "options.md").read_text(encoding="utf-8") == markdown(), "run: make docs"


@pytest.mark.parametrize("option", MODEL_OPTIONS.values(), ids=lambda option: option.name)
def test_tmva_accepts_every_spelling(option):
    keys = strategy_keys() | set(declared()) | every_method() | {"NormMode"}  # the last is of TMVA's DataLoader
    for key, beside in spellings(option):
        assert key in keys
        other, equals, value = beside.partition("=")
        if equals:
            assert other in keys
            beside = value
        # a layer has fields of its own between its name and a word behind them
        for word in beside.split("|") if beside else []:
            assert word == "..." or word.isdigit() or word.upper() in words()


def test_every_option_of_the_method_is_in_the_table():
    named = {key for option in MODEL_OPTIONS.values() for key, _ in spellings(option)}
    places = {
        "booking": set(declared()) - named | {"Layout"},  # which says more than any one option of a model
        "strategy": strategy_keys() - named,
        "every method": every_method(),
    }
    for place, keys in places.items():
        assert {o.name for o in TMVA_ONLY.values() if o.place == place} == keys, place


def words():
    """All strings in the sources that read the options, field by field, in upper case."""
    sources = source("BookingOptions.cxx") + source("StrategyOptions.cxx")
    sources += (SOURCES.parent / "core" / "dense_layer.cpp").read_text(encoding="utf-8")
    return {word.upper() for text in re.findall(r'"([A-Za-z0-9|]+)"', sources) for word in text.split("|")}


def same(shown, value):
    try:
        return float(shown) == float(value)
    except (TypeError, ValueError):
        return str(shown).lower().replace(" ", "") == value.lower()


def test_defaults_are_those_of_the_method():
    """Where TMVA's is not Python's, the table says so."""
    defaults = declared() | strategy_defaults()
    by_key = {}
    for option in MODEL_OPTIONS.values():
        for key, beside in spellings(option):
            by_key.setdefault(key, []).append((option, beside))
    other = {}
    compared = 0
    for key, options in by_key.items():
        # 0 threads are all of them; WeightDecay and Layout stand for several options; empty is not given
        if not defaults.get(key) or key == "NumThreads" or len(options) > 1 or options[0][1]:
            continue
        option = options[0][0]
        compared += 1
        if not same(option.default, defaults[key]) and defaults[key] not in option.default_text.split():
            other[key] = defaults[key]
    assert compared > 8
    assert other == TMVA_DEFAULTS
    alone = {name: o for name, o in TMVA_ONLY.items() if defaults.get(name, "")}
    assert {"Regularization", "Architecture", "Ranking"} <= set(alone)
    for name, option in alone.items():
        if name not in ("Layout", "TrainingStrategy"):  # their defaults are named constants
            assert option.default == defaults[name], name
    assert TMVA_ONLY["Layout"].default == quoted(source("BookingOptions.cxx"), "kDefaultLayout = ", ";")[0]


def run(*arguments, code=0):
    result = CliRunner().invoke(main, ["options", *map(str, arguments)])
    assert result.exit_code == code, result.output
    return result.output


def test_the_command_prints_the_page():
    assert run("--markdown") == markdown()


def test_a_word_picks_options(tmp_path):
    output = run("--clip-v", "--json", tmp_path / "o.json", code=2)  # an option of options there is not
    assert "No such option" in output
    output = run("clip", "--json", tmp_path / "o.json")
    assert "clip_norm" in output
    assert "ClipValue" in output
    assert "momentum" not in output
    figures = json.loads((tmp_path / "o.json").read_text())
    assert [row["name"] for row in figures["options"]] == [row.name for row in option_rows("clip")]
    assert [row.name for row in option_rows("Batch-Growth-")] == ["batch_growth_epochs"]
    assert "VarTransform" in run("transformations")


def test_a_word_that_fits_nothing_is_told_with_the_nearest():
    assert "no option has to do with 'momentun'; did you mean 'momentum'?" in run("momentun", code=2)
    assert "drop one of them" in run("clip", "--markdown", code=2)
