"""ONNX: one file that onnxruntime computes, on machines without torch too."""

import importlib
from pathlib import Path
from typing import Any

from ctxlab.core.errors import UserError
from ctxlab.core.export import Exporter
from ctxlab.export.tracing.trace import INPUTS, OUTPUT, quietly

OPSET = 23
"""Version of the operators: the first with attention as one operator."""

LARGEST = 2**31 - 1
"""Bytes that one file may have."""

LIBRARIES = ("onnx", "onnxscript", "onnxruntime")


class Onnx(Exporter):
    """Writes an ONNX file with the weights in it; with ``int8``, products of weights in 8-bit integers.

    Quantization is onnxruntime's dynamic one: weights once, each output by its own scale, and the inputs of every
    product as it runs. Weights have seven bits, because processors without VNNI add products of eight in 16 bits, which
    may overflow (onnxruntime's advice); docs/export.md has what eight bits cost on one.
    """

    runtime = "onnx"

    def __init__(self, int8: bool = False, max_loss: float = 0.005) -> None:
        """Take whether weights become int8, and what the primary metric may lose by that."""
        self.int8, self.max_loss = int8, max_loss

    def check(self) -> None:
        """Raise UserError if a library of the extra is missing."""
        for name in LIBRARIES:
            try:
                importlib.import_module(name)
            except ImportError:
                raise UserError(
                    f"export=onnx needs {name}, which is not installed: pip install 'ctxlab[export]'."
                ) from None

    def write(self, program: Any, path: Path) -> dict[str, Any]:
        """Write the file; raises UserError if it would be larger than ONNX allows."""
        import torch

        size = sum(tensor.nbytes for tensor in program.state_dict.values())
        if size > LARGEST:
            raise UserError(f"export=onnx writes one file of at most 2 GiB, and the weights have {size:,} bytes.")
        with quietly():
            made = torch.onnx.export(
                program,
                dynamo=True,
                opset_version=OPSET,
                input_names=list(INPUTS),
                output_names=[OUTPUT],
                external_data=False,
                verbose=False,
            )
        assert made is not None
        model = made.model_proto
        _strip(model)
        path.write_bytes(model.SerializeToString())
        return {"opset": OPSET}

    def quantize(self, path: Path) -> None:
        """Replace the weights of matrix products by int8 ones."""
        from onnxruntime.quantization import QuantType, quantize_dynamic

        temporary = path.with_name(f".{path.name}")
        with quietly():
            quantize_dynamic(
                path,
                temporary,
                op_types_to_quantize=["MatMul", "Gemm", "Gather"],
                per_channel=True,
                reduce_range=True,
                weight_type=QuantType.QInt8,
            )
        temporary.replace(path)
        import onnx

        model = onnx.load(str(path))
        _strip(model)
        path.write_bytes(model.SerializeToString())


def _strip(model: Any) -> None:
    """Remove texts and metadata, which name files of this machine, from a model and everything in it."""
    del model.metadata_props[:]
    model.doc_string = ""
    graphs = [model.graph, *model.functions]
    while graphs:
        graph = graphs.pop()
        graph.doc_string = ""
        del graph.metadata_props[:]
        for part in (*graph.node, *graph.value_info, *getattr(graph, "initializer", ())):
            part.doc_string = ""
            del part.metadata_props[:]
        for part in () if not hasattr(graph, "initializer") else (*graph.input, *graph.output):
            part.doc_string = ""
            del part.metadata_props[:]
        graphs += [own for node in graph.node for one in node.attribute for own in (one.g, *one.graphs) if own.node]
