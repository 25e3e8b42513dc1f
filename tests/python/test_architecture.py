"""Which way data flows: read from the #include and import lines. ARCHITECTURE.md says why."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGE = ROOT / "tmva_lstm_plugin"
CORE = PACKAGE / "cpp" / "core"

pytestmark = pytest.mark.skipif(not CORE.is_dir(), reason="the sources are not here")

# Each stage's modules. A new module needs a place here: the first stage that has all it imports.
STAGES = {
    "shared": "errors files",
    "reading": (
        "sequences truth steps recipe expressions expression_values evaluating structure root_input event_builder reading "
        "reading_arguments streaming folds"
    ),
    "toys": "_toys testing",
    "options": "option_table architecture control event_options optimisation model_options tmva_options option_listing",
    "training": (
        "preprocessing history interruption callbacks checkpoint fitting lstm event_weights training_events sequence_model "
        "classifier regressor"
    ),
    "model file": "model_document model_file",
    "understanding": "explained explain gradient_flow",
    "padded": "tmva_layout tmva_tree",
    "tmva": "root_finder plugin_build plugin_cache tmva tmva_binding tmva_feeding",
    "results": "history_files separation evaluation deviations plots explain_plots regression_plots search_plot scoring",
    "studies": "study_figures fold_models cross_validation search_space search_trials search_workers search",
    "commands": "config_keys config_studies config progress training_run demo demo_factory cli",
}
# Which stages each stage may import from (besides its own).
MAY_IMPORT = {
    "shared": set(),
    "reading": {"shared"},
    "toys": {"shared", "reading"},
    "options": {"shared", "reading"},
    "training": {"shared", "reading", "options", "model file"},
    "model file": {"shared", "reading", "options", "training"},  # a document and a classifier are made from each other
    "understanding": {"shared", "reading", "training"},
    "padded": {"shared", "reading"},
    "tmva": {"shared", "reading", "training", "model file", "padded"},
    "results": {"shared", "reading", "training", "understanding"},
    "studies": {"shared", "reading", "options", "training", "results"},  # many trainings, compared
    "commands": {
        "shared",
        "reading",
        "toys",
        "options",
        "training",
        "model file",
        "understanding",
        "padded",
        "tmva",
        "results",
        "studies",
    },
}
# Which stages may use the compiled core, and the larger libraries.
MAY_USE = {
    "_engine": {"training", "model file", "understanding", "studies", "commands"},
    "uproot": {"reading", "toys", "padded", "results"},
    "awkward": {"reading", "toys", "padded", "results"},  # results: uproot writes jagged branches from its arrays
    "matplotlib": {"results"},
    "mplhep": {"results"},
    "click": {"commands"},
    "rich": {"commands"},
    "pydantic": {"commands"},
    "ROOT": {"tmva", "commands"},
}
STAGE_OF = {module: stage for stage, modules in STAGES.items() for module in modules.split()}

CORE_HEADERS = set(
    "algorithm array atomic charconv chrono cmath cstddef cstdint cstdlib cstring exception functional limits locale "
    "memory mutex new numeric optional set sstream stdexcept string string_view thread type_traits utility vector".split()
)
# What the operating system and the processor offer beyond the standard library, and who asks for it.
SYSTEM_HEADERS = {
    "aligned.cpp": {"sys/mman.h"},
    "kernels_simd.h": {"immintrin.h"},
    "thread_pool.cpp": {"unistd.h", "sched.h", "immintrin.h"},
}


def module_of(path: Path) -> str:
    """Name of the module within the package; the command line's parts are one."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports_of(path: Path) -> list[tuple[str, bool, bool]]:
    """All imports: (module of this package or top-level library, within this package, made at run time)."""
    tree = ast.parse(path.read_text())
    for_types = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for statement in block.body
        for node in ast.walk(statement)
    }
    found = []
    depth = len(path.relative_to(PACKAGE).parts)
    for node in ast.walk(tree):
        at_run_time = id(node) not in for_types
        if isinstance(node, ast.Import):
            found += [(alias.name.split(".")[0], False, at_run_time) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.append((node.module.split(".")[0], False, at_run_time))
        elif isinstance(node, ast.ImportFrom):
            inside_subpackage = node.level < depth
            names = [node.module] if node.module else [alias.name for alias in node.names]
            found += [("cli" if inside_subpackage else name.split(".")[0], True, at_run_time) for name in names]
    assert not any(name == PACKAGE.name for name, _, _ in found), f"{path}: import relative to the package, please"
    return found


def python_sources():
    return sorted(p for p in PACKAGE.rglob("*.py") if p.name != "__init__.py" or p.parent.name == "cli")


def core_sources():
    return sorted([*CORE.glob("*.h"), *CORE.glob("*.cpp")])


def name(path):
    return str(path.relative_to(PACKAGE))


def includes(path):
    return re.findall(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', path.read_text(), re.MULTILINE)


def without_comments(text):
    return re.sub(r"//[^\n]*|/\*.*?\*/", "", text, flags=re.DOTALL)


def test_sources_are_found():
    assert len(python_sources()) > 20
    assert len(core_sources()) > 20
    assert ("_engine", True, True) in imports_of(PACKAGE / "lstm.py")
    assert any(not at_run_time for _, _, at_run_time in imports_of(PACKAGE / "classifier.py"))


# --- Python ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", python_sources(), ids=name)
def test_imports_go_one_way(path):
    module = module_of(path)
    assert module in STAGE_OF, f"{module} has no stage: give it one in STAGES"
    stage = STAGE_OF[module]
    for imported, inside, at_run_time in imports_of(path):
        if imported in MAY_USE:
            assert stage in MAY_USE[imported], f"{module} ({stage}) imports {imported}"
        elif inside and at_run_time and imported not in ("__version__", module):
            assert imported in STAGE_OF, f"{module} imports {imported}, which has no stage"
            allowed = MAY_IMPORT[stage] | {stage}
            assert STAGE_OF[imported] in allowed, f"{module} ({stage}) imports {imported} ({STAGE_OF[imported]})"


def test_stages_name_real_modules():
    modules = {module_of(path) for path in python_sources()}
    assert set(STAGE_OF) == modules


def test_nothing_imports_the_commands():
    """Not even the name of a type."""
    for path in python_sources():
        if STAGE_OF.get(module_of(path)) != "commands":
            used = {imported for imported, inside, _ in imports_of(path) if inside}
            commands = {module for module in used if STAGE_OF.get(module) == "commands"}
            assert not commands, f"{path.name} imports {commands}"


def test_root_is_asked_for_when_it_is_needed():
    """Never while a module is imported: most users have none."""
    for path in python_sources():
        top = [node for node in ast.parse(path.read_text()).body if isinstance(node, (ast.Import, ast.ImportFrom))]
        assert not any("ROOT" in ast.unparse(node).replace(",", " ").split() for node in top), path.name


def test_no_circle_among_modules_while_they_are_imported():
    """Imports at the top of a module; those inside functions are made later."""
    graph = {}
    for path in python_sources():
        top = ast.Module([node for node in ast.parse(path.read_text()).body if not isinstance(node, ast.If)], [])
        inside = [node for node in top.body if isinstance(node, ast.ImportFrom) and node.level == 1]
        if path.parent == PACKAGE:
            graph[module_of(path)] = {n.module or alias.name for n in inside for alias in n.names} & set(STAGE_OF)
    settled = set()
    while len(settled) < len(graph):
        ready = {module for module, needs in graph.items() if module not in settled and needs <= settled}
        assert ready, f"these import each other: {sorted(set(graph) - settled)}"
        settled |= ready


def loaded_by(statement, *libraries):
    code = f"import sys; {statement}; print(*(m for m in {libraries!r} if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.split()


HEAVY = ("uproot", "awkward", "matplotlib", "rich", "click", "pydantic", "ROOT", "tmva_lstm_plugin._engine", "numpy")


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("import tmva_lstm_plugin", []),
        ("import tmva_lstm_plugin; dir(tmva_lstm_plugin)", []),
        ("from tmva_lstm_plugin import lstm_forward", ["tmva_lstm_plugin._engine", "numpy"]),
    ],
)
def test_what_an_import_loads(statement, expected):
    assert loaded_by(statement, *HEAVY) == expected


@pytest.mark.parametrize(
    "statement", ["from tmva_lstm_plugin import read_sequences, stream_sequences, Sequences, Recipe"]
)
def test_reading_loads_neither_core_nor_root_nor_plots(statement):
    loaded = loaded_by(statement, *HEAVY)
    assert {"uproot", "numpy"} <= set(loaded)
    assert not {"ROOT", "matplotlib", "tmva_lstm_plugin._engine", "click", "rich"} & set(loaded)


# --- C++ -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", core_sources(), ids=name)
def test_the_core_stands_on_the_standard_library(path):
    own = {p.name for p in CORE.glob("*.h")}
    for bracket, header in includes(path):
        if bracket == '"':
            assert header in own, f"{path.name} includes {header}"
        else:
            allowed = CORE_HEADERS | SYSTEM_HEADERS.get(path.name, set())
            assert header in allowed, f"{path.name} includes <{header}>"


@pytest.mark.parametrize("path", core_sources(), ids=name)
def test_the_core_never_prints_and_opens_no_files(path):
    code = without_comments(path.read_text())
    found = re.findall(
        r"\b(?:std::c(?:out|err|log|in)|\w*printf|puts|fputs|fopen|\w*fstream|PyObject|nanobind|TObject)\b", code
    )
    assert not found, f"{path.name} uses {found}"


def test_kernels_of_an_instruction_set_instantiate_nothing_shared():
    """What they include, all the way down, holds no template or inline function of the standard library."""
    pending, seen = [*CORE.glob("kernels_*.cpp")], set()
    pending = [path for path in pending if path.name != "kernels_plain.cpp"]  # compiled for every processor
    assert len(pending) == 3
    while pending:
        path = pending.pop()
        for bracket, header in includes(path):
            if bracket == "<":
                # immintrin.h: the processor's instructions as functions that leave no symbol (the test of weak symbols looks)
                assert header in {"cstddef", "immintrin.h"}, f"{path.name} includes <{header}>"
            elif header not in seen:
                seen.add(header)
                pending.append(CORE / header)
    assert "kernels_vector.h" in seen


def test_doors_reach_the_core_by_its_headers_only():
    sources = [*(PACKAGE / "cpp" / "python").glob("*.cpp"), *(PACKAGE / "cpp" / "python").glob("*.h")]
    assert sources
    for path in sources:
        for bracket, header in includes(path):
            assert not header.endswith(".cpp")
            assert bracket == "<" or header == "bindings.h" or (header.startswith("core/") and header.endswith(".h"))
            assert not header.startswith(("TMVA/", "TObject", "R__"))


# --- size ------------------------------------------------------------------------------------------------------------


def package_files():
    sources = (path for pattern in ("*.py", "*.h", "*.cpp", "CMakeLists.txt") for path in PACKAGE.rglob(pattern))
    return sorted(path for path in sources if "__pycache__" not in path.parts)


@pytest.mark.parametrize("path", package_files(), ids=name)
def test_files_can_be_read_in_one_go(path):
    """About 500 lines."""
    assert len(path.read_text().splitlines()) <= 520
