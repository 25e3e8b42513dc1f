"""What several of these files need."""

from __future__ import annotations

import pytest

from tmva_lstm_plugin import _engine


@pytest.fixture(params=_engine.instruction_sets())
def instruction_set(request, monkeypatch):
    """Each instruction set of this processor, in use; its name."""
    monkeypatch.setenv("TMVA_LSTM_ISA", request.param)
    assert _engine.instruction_set() == request.param
    return request.param
