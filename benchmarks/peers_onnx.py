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
    constants = {
        "head_W": parts["head.W"],
        "head_b": parts["head.b"].reshape(1),
        "all_states": np.array([0, -1], np.int64),
    }
    nodes, sequence = [], "x"
    for layer in range(1, case.layers + 1):
        names = [f"lstm{layer if layer > 1 else ''}{direction}" for direction in ("", ".reverse")[: case.directions]]
        halves = {"W": "W", "R": "U", "bias": "b"}
        for what, ours in halves.items():
            each = [_gates(parts[f"{name}.{ours}"], H) for name in names]
            if what == "bias":
                each = [np.concatenate([b.ravel(), np.zeros(4 * H, np.float32)]) for b in each]
            constants[f"{what}{layer}"] = np.stack(each)
        inputs = [sequence, *(f"{what}{layer}" for what in halves), "lengths"]
        direction = "bidirectional" if case.directions == 2 else "forward"
        outputs = [f"steps{layer}", f"last{layer}"]
        nodes.append(helper.make_node("LSTM", inputs, outputs, hidden_size=H, direction=direction))
        # (T, directions, B, H) to (T, B, directions * H)
        sequence = f"sequence{layer}"
        nodes.append(helper.make_node("Transpose", [outputs[0]], [f"turned{layer}"], perm=[0, 2, 1, 3]))
        nodes.append(helper.make_node("Reshape", [f"turned{layer}", "steps_shape"], [sequence]))
    if case.layers > 1:
        constants["steps_shape"] = np.array([0, 0, -1], np.int64)
    nodes = nodes[:-2]  # of the last layer only the last states are asked for
    nodes[-1].output[0] = ""
    nodes += [
        helper.make_node("Transpose", [f"last{case.layers}"], ["turned"], perm=[1, 0, 2]),
        helper.make_node("Reshape", ["turned", "all_states"], ["state"]),
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
