"""Makes tiny graphs in the layouts in which CLIP-like models are exported, and what they give.

Needs onnx, onnxruntime and numpy: python3 make.py
Pictures are 4 x 4, embeddings have 5 numbers; picture i of the test holds (i * 37 + n * 11) % 256 at its n-th value.
"""

import json
from pathlib import Path

import numpy as np
import onnxruntime
from onnx import TensorProto, checker, helper, numpy_helper, save

here = Path(__file__).parent
size, dimension, words = 4, 5, 16
random = np.random.default_rng(7)
image_weights = random.standard_normal((3 * size * size, dimension)).astype(np.float32)
text_weights = random.standard_normal((words, dimension)).astype(np.float32)
mean = np.array([0.48145466, 0.4578275, 0.40821073], np.float32)
std = np.array([0.26862954, 0.26130258, 0.27577711], np.float32)
types = {"f16": TensorProto.FLOAT16, "f32": TensorProto.FLOAT, "u8": TensorProto.UINT8, "i32": TensorProto.INT32, "i64": TensorProto.INT64}


def make(name, inputs, output, nodes, constants, kind="f32"):
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info(n, types[t], shape) for n, t, shape in inputs],
        [helper.make_tensor_value_info(output[0], types[kind], output[1])],
        [numpy_helper.from_array(value, n) for n, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    checker.check_model(model)
    save(model, here / f"{name}.onnx")


def node(kind, inputs, output, **attributes):
    return helper.make_node(kind, inputs, [output], **attributes)


def image(name, tensor, output, shape, unit):
    """float32 [b, 3, size, size] (or without b): flatten, multiply, and where asked bring to length 1."""
    batched = len(shape) == 4
    last = "raw" if unit else output
    nodes = [node("Reshape", [tensor, "flat"], "row"), node("MatMul", ["row", "weights"], "raw" if unit else output)]
    if unit:
        nodes += [node("LpNormalization", [last], output, axis=-1)]
    flat = np.array([-1, 3 * size * size] if batched else [3 * size * size], np.int64)
    make(name, [(tensor, "f32", shape)], (output, [shape[0], dimension] if batched else [dimension]), nodes,
         {"flat": flat, "weights": image_weights})


def image_bytes(name):
    """uint8 [b, size, size, 3], normalised inside."""
    nodes = [
        node("Cast", ["image"], "float", to=TensorProto.FLOAT),
        node("Mul", ["float", "scale"], "scaled"),
        node("Add", ["scaled", "shift"], "normal"),
        node("Transpose", ["normal"], "planes", perm=[0, 3, 1, 2]),
        node("Reshape", ["planes", "flat"], "row"),
        node("MatMul", ["row", "weights"], "raw"),
        node("LpNormalization", ["raw"], "image_embedding", axis=-1),
    ]
    make(name, [("image", "u8", ["batch", size, size, 3])], ("image_embedding", ["batch", dimension]), nodes,
         {"scale": (1 / 255 / std).astype(np.float32), "shift": (-mean / std).astype(np.float32),
          "flat": np.array([-1, 3 * size * size], np.int64), "weights": image_weights})


def text(name, tensor, kind, output, shape, mask=False, unit=False):
    """Sums the rows of a table that the ids point at, without those that the mask hides."""
    nodes = [
        node("Cast", [tensor], "ids", to=TensorProto.INT64),
        node("Mod", ["ids", "words"], "small"),
        node("Gather", ["table", "small"], "rows"),
    ]
    inputs, constants = [(tensor, kind, shape)], {"words": np.array(words, np.int64), "table": text_weights}
    rows = "rows"
    if mask:
        inputs += [("attention_mask", kind, shape)]
        constants["last"] = np.array([-1], np.int64)
        nodes += [
            node("Cast", ["attention_mask"], "mask", to=TensorProto.FLOAT),
            node("Unsqueeze", ["mask", "last"], "column"),
            node("Mul", ["rows", "column"], "seen"),
        ]
        rows = "seen"
    constants["axis"] = np.array([-2], np.int64)
    nodes += [node("ReduceSum", [rows, "axis"], "sum" if unit else output, keepdims=0)]
    if unit:
        nodes += [node("LpNormalization", ["sum"], output, axis=-1)]
    make(name, inputs, (output, [shape[0], dimension] if len(shape) == 2 else [dimension]), nodes, constants)


def image_half(name):
    """float16 [b, 3, size, size] in and out, computed in float32 as not every processor multiplies in float16."""
    nodes = [
        node("Cast", ["pixel_values"], "float", to=TensorProto.FLOAT),
        node("Reshape", ["float", "flat"], "row"),
        node("MatMul", ["row", "weights"], "raw"),
        node("Cast", ["raw"], "image_embeds", to=TensorProto.FLOAT16),
    ]
    make(name, [("pixel_values", "f16", ["batch", 3, size, size])], ("image_embeds", ["batch", dimension]), nodes,
         {"flat": np.array([-1, 3 * size * size], np.int64), "weights": image_weights}, kind="f16")


image("image-hub", "pixel_values", "image_embeds", ["batch", 3, size, size], unit=False)
image("image-fixed", "image", "embedding", [1, 3, size, size], unit=True)
image("image-bare", "image", "embedding", [3, size, size], unit=True)
image_bytes("image-bytes")
image_half("image-half")
text("text-hub", "input_ids", "i64", "text_embeds", ["batch", "tokens"])
text("text-hub-mask", "input_ids", "i64", "text_embeds", ["batch", "tokens"], mask=True)
text("text-fixed", "text", "i32", "embedding", [1, 77], unit=True)
text("text-bare", "text", "i32", "embedding", [77], unit=True)

# Needs as many numbers as it is told to: more than there is memory for, where a test wants that.
make("huge", [("length", "i64", [1])], ("zeros", ["length"]), [node("ConstantOfShape", ["length"], "zeros")], {})

pictures = np.array([[(i * 37 + n * 11) % 256 for n in range(size * size * 3)] for i in range(3)], np.uint8)
planes = ((pictures.reshape(3, size, size, 3) / np.float32(255) - mean) / std).transpose(0, 3, 1, 2).astype(np.float32)
ids = [49406, 320, 736, 1615, 49407]


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).round(6).tolist()


def run(name, feeds):
    return onnxruntime.InferenceSession(here / f"{name}.onnx").run(None, feeds)[0]


expected = {
    "pictures": unit(run("image-hub", {"pixel_values": planes})),
    "text": "a red car",
    "unpadded": unit(run("text-hub", {"input_ids": np.array([ids], np.int64)})[0]),
    "padded": unit(run("text-fixed", {"text": np.array([ids + [0] * 72], np.int32)})[0]),
}
(here / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")
