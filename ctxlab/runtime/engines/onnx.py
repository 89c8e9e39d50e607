"""onnxruntime: ONNX files on the CPU."""

import importlib
from collections.abc import Mapping
from pathlib import Path

import torch

from ctxlab.core.errors import UserError
from ctxlab.core.runtime import Compute, Runtime

ERRORS_ONLY = 3
"""Severity of onnxruntime's log from which it prints."""


class Onnx(Runtime):
    """Computes an ONNX file with onnxruntime, on the CPU."""

    file = "model.onnx"
    trains = False

    def __init__(self, threads: int | None = None) -> None:
        """Take the threads of a forward pass; None for as many as torch uses."""
        if threads is not None and threads < 1:
            raise UserError(f"runtime.threads={threads} must be at least 1, or null for as many as torch uses.")
        self.threads = threads

    def check(self) -> None:
        """Raise UserError if onnxruntime is not installed."""
        try:
            importlib.import_module("onnxruntime")
        except ImportError:
            raise UserError(
                "runtime=onnx needs onnxruntime, which is not installed: pip install 'ctxlab[export]'."
            ) from None

    def open(self, path: Path) -> Compute:
        """Load the file; raises UserError if onnxruntime cannot."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads or torch.get_num_threads()
        options.log_severity_level = ERRORS_ONLY
        try:
            session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its errors share no base class
            raise UserError(f"{path} is not a model that onnxruntime can load: export the run again.") from error

        def compute(inputs: Mapping[str, torch.Tensor]) -> torch.Tensor:
            (found,) = session.run(None, {name: value.numpy() for name, value in inputs.items()})
            return torch.from_numpy(found)

        return compute
