# make demo    set everything up and run the main job on the sample in data/
# make test    set everything up and run all tests, C++ (with sanitizers) and Python
# make docs    make docs/options.md from the code's tables
# make lint    style and types      make format    put all sources into the house style      make clean
#
# Everything goes into .venv/ and build/ in this folder. Another Python: make demo PYTHON=/path/to/python3

PYTHON ?= python3
CXX ?= c++
VENV := .venv
BIN := $(VENV)/bin
JOBS ?= $(shell getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
CORE := $(wildcard tmva_lstm_plugin/cpp/*/* cmake/*) CMakeLists.txt pyproject.toml
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo test test-cpp test-python root-wheel docs lint format clean check-tools
.DEFAULT_GOAL := demo

demo: root-wheel
	@$(BIN)/tmva-lstm demo

test: test-cpp
	@$(MAKE) --no-print-directory test-python

test-python: root-wheel
	@$(HAS_ROOT) || echo "== tests/tmva is skipped: there is no ROOT for $$($(BIN)/python -V)"
	@$(BIN)/pytest -q

# ROOT is not a dependency: where there is none and its wheel cannot be had, what needs it is left out, and says so.
HAS_ROOT = $(BIN)/python -c 'import importlib.util, sys; sys.exit(importlib.util.find_spec("ROOT") is None)'
ROOT_WHEEL := root>=0.1a12

root-wheel: $(VENV)/.installed
	@$(HAS_ROOT) || { echo "== installing ROOT's wheel into $(VENV), for TMVA"; \
	    $(BIN)/pip install -q --only-binary :all: '$(ROOT_WHEEL)' >build/root-wheel.log 2>&1 || \
	    echo "== pip could not install it: $$(grep -i error build/root-wheel.log | tail -1)"; }

test-cpp: $(VENV)/.installed
	@echo "== C++ tests, with the address and undefined-behaviour sanitizers"
	@PATH="$(CURDIR)/$(BIN):$$PATH" cmake -G Ninja -S . -B build/cpp-tests -DCMAKE_BUILD_TYPE=RelWithDebInfo \
	    -DTMVA_LSTM_PYTHON=OFF -DTMVA_LSTM_ROOT=OFF -DTMVA_LSTM_TESTS=ON -DTMVA_LSTM_SANITIZE=ON >build/cpp-tests.log || { cat build/cpp-tests.log; exit 1; }
	@PATH="$(CURDIR)/$(BIN):$$PATH" cmake --build build/cpp-tests -j $(JOBS) >>build/cpp-tests.log || { tail -60 build/cpp-tests.log; exit 1; }
	@PATH="$(CURDIR)/$(BIN):$$PATH" ctest --test-dir build/cpp-tests --output-on-failure

docs: $(VENV)/.installed
	@$(BIN)/tmva-lstm options --markdown >docs/options.md.new && mv docs/options.md.new docs/options.md || { rm -f docs/options.md.new; exit 1; }

lint: $(VENV)/.lint
	@cp build/*/tmva_lstm_plugin/cpp/python/_engine.pyi tmva_lstm_plugin/
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

format: $(VENV)/.lint
	@$(BIN)/ruff check --fix . && $(BIN)/ruff format .

clean:
	rm -rf build $(VENV) demo_output

# --- set-up -----------------------------------------------------------------------------------------------------------

check-tools:
	@command -v $(PYTHON) >/dev/null || { echo "tmva_lstm_plugin needs Python 3.10 or newer; '$(PYTHON)' was not found: install it, or name one with PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { echo "tmva_lstm_plugin needs Python 3.10 or newer; '$(PYTHON)' is $$($(PYTHON) -V 2>&1): name a newer one with PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "'$(PYTHON)' cannot make virtual environments; install its venv package (Debian, Ubuntu: apt install python3-venv)" >&2; exit 1; }
	@command -v $(firstword $(CXX)) >/dev/null || { echo "tmva_lstm_plugin needs a C++20 compiler; '$(CXX)' was not found: install one (Debian, Ubuntu: apt install g++; Fedora: dnf install gcc-c++; macOS: xcode-select --install), or name one with CXX=" >&2; exit 1; }
	@printf '#include <bit>\n#include <atomic>\nint main() { std::atomic<unsigned> a{0}; a.notify_all(); return std::countr_zero(1u); }\n' | $(CXX) -std=c++20 -x c++ -fsyntax-only - 2>/dev/null || { echo "tmva_lstm_plugin needs a compiler that knows C++20 (GCC 11, Clang 14, or newer); '$(CXX)' is: $$($(CXX) --version 2>&1 | head -1)" >&2; exit 1; }
	@$(PYTHON) -c 'import pathlib, sys, sysconfig; sys.exit(not pathlib.Path(sysconfig.get_path("include"), "Python.h").exists())' || { echo "the headers of '$(PYTHON)' are missing; install them (Debian, Ubuntu: apt install python3-dev; Fedora: dnf install python3-devel)" >&2; exit 1; }

$(VENV)/.tools: | check-tools
	@echo "== setting up $(VENV) (once; a few minutes)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install -q --upgrade pip
	@$(BIN)/pip install -q 'scikit-build-core>=0.10' 'nanobind>=2.4' 'cmake>=3.18' ninja
	@touch $@

$(VENV)/.installed: $(VENV)/.tools $(CORE)
	@mkdir -p build
	@echo "== building and installing tmva_lstm_plugin into $(VENV)"
	@PATH="$(CURDIR)/$(BIN):$$PATH" CXX="$(CXX)" $(BIN)/pip install -q --no-build-isolation -e '.[plots,test]'
	@touch $@

$(VENV)/.lint: $(VENV)/.installed
	@$(BIN)/pip install -q ruff mypy tomli
	@touch $@
