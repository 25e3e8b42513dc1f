"""ONNX Runtime for inference: the same network as a graph of an LSTM node with its lengths, and a linear head."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from .cases import Case, Events, padded
from .ours import split_parameters

ORDER = (0, 3, 1, 2)  # ONNX wants the gates as i, o, f, c; ours are i, f, g (= c), o


def _gates(part: NDArray[np.float32], H: int) -> NDArray[np.float32]:
    blocks = part.reshape(4, H, -1)
    return np.concatenate([blocks[gate] for gate in ORDER])


def graph(case: Case, flat: NDArray[np.float32]) -> bytes:
    """Return the network as a serialised model: x (T, B, D), lengths (B) -> probability (B, 1)."""
    parts, H = split_parameters(case, flat), case.H
    bias = np.concatenate([_gates(parts["lstm.b"], H).ravel(), np.zeros(4 * H, np.float32)])
    constants = {
        "W": _gates(parts["lstm.W"], H)[None],
        "R": _gates(parts["lstm.U"], H)[None],
        "bias": bias[None],
        "head_W": parts["head.W"].reshape(1, H),
        "head_b": parts["head.b"].reshape(1),
        "first_axis": np.array([0], np.int64),
    }
    nodes = [
        helper.make_node("LSTM", ["x", "W", "R", "bias", "lengths"], ["", "last"], hidden_size=H, direction="forward"),
        helper.make_node("Squeeze", ["last", "first_axis"], ["state"]),
        helper.make_node("Gemm", ["state", "head_W", "head_b"], ["logit"], transB=1),
        helper.make_node("Sigmoid", ["logit"], ["probability"]),
    ]
    made = helper.make_graph(
        nodes,
        "lstm",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, ["T", "B", case.D]),
            helper.make_tensor_value_info("lengths", TensorProto.INT32, ["B"]),
        ],
        [helper.make_tensor_value_info("probability", TensorProto.FLOAT, ["B", 1])],
        [numpy_helper.from_array(np.ascontiguousarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 14)])
    model.ir_version = 8
    onnx.checker.check_model(model)
    return model.SerializeToString()


def scoring_call(case: Case, flat: NDArray[np.float32], events: Events, n_threads: int) -> Callable[[], list]:
    """One call that scores all events, on prepared arrays; (B, 1) probabilities in a list of one."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = n_threads
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(graph(case, flat), options, providers=["CPUExecutionProvider"])
    feed = {"x": padded(events, np.arange(len(events.labels))), "lengths": events.lengths.astype(np.int32)}
    return lambda: session.run(None, feed)
