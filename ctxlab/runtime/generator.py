"""Text generation with the ``generate`` method of Transformers, after windows or several that a decoder reads together.

Shape legend: B windows of a batch, W tokens of the longest one, T generated tokens, V vocabulary size.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from transformers import LogitsProcessor, LogitsProcessorList
from transformers.generation.logits_process import TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper
from transformers.modeling_outputs import BaseModelOutput

from ctxlab.core.fusion import join
from ctxlab.core.generation import Decoding
from ctxlab.core.types import GeneratedTokens, IntArray, Window
from ctxlab.data.sampler import split_forward
from ctxlab.runtime.collate import collate
from ctxlab.runtime.forward import IN_DECODER, fused, is_fused, kept_tokens, unwrapped
from ctxlab.runtime.sharing import Done, run_shared


@dataclass(frozen=True, eq=False)
class TextGenerator:
    """A model that generates text for windows: token ids and their log probability.

    The text for a window does not depend on the other windows of its batch: padding is masked, and sampling noise is a
    function of the window, the step and ``decoding.seed`` alone (the Gumbel-max trick). An encoder reads right-padded
    windows, as in training: its positions and patterns count from the first token. A decoder continues after a
    window's last token, so that its batches are left-padded.
    """

    model: Any
    decoding: Decoding
    target_place: str
    """As in ``Passes``."""
    stops: tuple[int, ...]
    """Token ids that end a text."""
    pad_id: int
    tokens_per_forward: int
    cached: bool
    """Whether a KV cache is used and windows share batches; if not, every step recomputes the whole text of one window.

    It must be False if keys or the attention pattern change as the text grows.
    """
    padded: bool
    """Whether windows of unequal length may share a batch; it must be False if the pattern depends on padding."""
    device: torch.device

    def generate(self, units: Sequence[Sequence[Window]], done: Done = lambda _: None) -> list[GeneratedTokens]:
        """Generate text after each unit; ``done`` is called with each number of tokens read.

        Units of similar length share a batch.

        Args:
            units: A window each, or several that the decoder reads together (``runtime.forward.units``).
            done: Called with each number of tokens read.
        """
        generated: dict[int, GeneratedTokens] = {}
        lengths = [sum(map(len, unit)) for unit in units]

        def run(group: Sequence[int], done: Done) -> None:
            generated.update(zip(group, self._batch([units[i] for i in group]), strict=True))
            done(sum(lengths[i] for i in group))

        def take(unit: int) -> npt.NDArray[np.float64]:
            return np.array([generated[unit].score, *generated[unit].token_ids], np.float64)

        def put(unit: int, numbers: npt.NDArray[np.float64]) -> None:
            generated[unit] = GeneratedTokens(numbers[1:].astype(np.int64), float(numbers[0]))

        run_shared(self.groups(lengths), lengths, run, take=take, put=put, done=done)
        return [generated[i] for i in range(len(units))]

    def groups(self, lengths: Sequence[int]) -> list[list[int]]:
        """Return the units, of ``lengths`` tokens, of each batch."""
        if not self.cached:
            return [[i] for i in range(len(lengths))]
        alike: dict[int, list[int]] = {}
        for i, length in enumerate(lengths):
            alike.setdefault(0 if self.padded else length, []).append(i)
        sizes = [length + self.decoding.max_new_tokens for length in lengths]
        return [group for chosen in alike.values() for group in split_forward(chosen, sizes, self.tokens_per_forward)]

    @torch.inference_mode()
    def _batch(self, units: Sequence[Sequence[Window]]) -> list[GeneratedTokens]:
        windows = [window for unit in units for window in unit]
        padded = (
            collate(windows, None, self.pad_id) if self.target_place == IN_DECODER else _left_pad(windows, self.pad_id)
        )
        inputs: dict[str, Any] = {name: tensor.to(self.device) for name, tensor in padded.items()}
        if is_fused(windows):
            inputs = self._joined(units, inputs)
        start = 1 if self.target_place == IN_DECODER else inputs["input_ids"].shape[1]
        given = unwrapped(self.model).generate(
            **inputs,
            max_new_tokens=self.decoding.max_new_tokens,
            num_beams=self.decoding.num_beams,
            do_sample=False,
            eos_token_id=list(self.stops),
            pad_token_id=self.pad_id,
            use_cache=self.cached,
            logits_processor=self._noise(units, start),
            return_dict_in_generate=True,
            output_scores=True,
            output_logits=self.decoding.num_beams == 1,
            synced_gpus=False,  # else a model of FSDP waits at every token for processes that generate nothing
        )
        ids = given.sequences[:, start:].cpu()
        if self.decoding.num_beams > 1:
            scores = given.sequences_scores.tolist()
            return [GeneratedTokens(self._until_stop(row), score) for row, score in zip(ids, scores, strict=True)]
        logs = torch.stack([step.float().log_softmax(-1) for step in given.logits], dim=1).cpu()
        return [self._scored(row, log) for row, log in zip(ids, logs, strict=True)]

    def _scored(self, row: torch.Tensor, logs: torch.Tensor) -> GeneratedTokens:
        """Return the tokens of ``row`` (T,) up to the end, and their mean log probability from ``logs`` (T, V)."""
        token_ids = self._until_stop(row)
        counted = row[: max(len(token_ids), 1)]
        return GeneratedTokens(token_ids, float(logs[: len(counted)].gather(-1, counted[:, None]).mean()))

    def _until_stop(self, row: torch.Tensor) -> IntArray:
        ids: IntArray = row.numpy().astype(np.int64)
        ends = np.flatnonzero(np.isin(ids, self.stops))
        return ids[: ends[0]] if len(ends) else ids

    def _joined(self, units: Sequence[Sequence[Window]], inputs: dict[str, Any]) -> dict[str, Any]:
        """Encode the windows of ``units`` apart, and return what the decoder reads instead of ``inputs`` (B, W)."""
        groups = torch.tensor([i for i, unit in enumerate(units) for _ in unit], device=self.device)
        kept = kept_tokens([window for unit in units for window in unit], inputs["input_ids"].shape[1]).to(self.device)
        encoded = unwrapped(self.model).get_encoder()(**inputs, return_dict=True)
        joined = join(encoded.last_hidden_state, groups, kept)
        return {"encoder_outputs": BaseModelOutput(joined.states), "attention_mask": joined.mask}

    def _noise(self, units: Sequence[Sequence[Window]], start: int) -> LogitsProcessorList:
        decoding = self.decoding
        if not decoding.sample:
            return LogitsProcessorList()
        steps: list[Any] = [TemperatureLogitsWarper(decoding.temperature)] if decoding.temperature != 1 else []
        steps += [TopKLogitsWarper(decoding.top_k)] if decoding.top_k else []
        steps += [TopPLogitsWarper(decoding.top_p)] if decoding.top_p < 1 else []
        seeds = [(decoding.seed, zlib.crc32(fused(unit).input_ids.tobytes())) for unit in units]
        return LogitsProcessorList([*steps, _Gumbel(seeds, start)])


class _Gumbel(LogitsProcessor):
    """Gumbel noise, with which the largest logit is a sample (Gumbel 1954; Maddison et al. 2014, arXiv:1411.0030)."""

    def __init__(self, seeds: Sequence[tuple[int, int]], start: int) -> None:
        self.seeds, self.start = seeds, start

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Return ``scores`` (B, V) with noise that depends only on each row's seed and the step."""
        step = input_ids.shape[1] - self.start
        rows = [np.random.default_rng((*seed, step)).gumbel(size=scores.shape[1]) for seed in self.seeds]
        return scores + torch.from_numpy(np.stack(rows)).to(scores)


def _left_pad(windows: Sequence[Window], pad_id: int) -> dict[str, torch.Tensor]:
    """Return left-padded ``input_ids`` and ``attention_mask``, int64 (B, W), so that rows end with their last token."""
    flipped = [Window(window.input_ids[::-1].copy(), window.token_index[::-1]) for window in windows]
    return {name: rows.flip(1) for name, rows in collate(flipped, None, pad_id).items()}
