"""What tasks that learn embeddings share: means of states, the loss that tells a partner from others, MaxSim.

Shape legend: B windows of a pass, W tokens of the longest one, H width of the states, N pairs, Q tokens of a query, T
tokens of a document.
"""

import hashlib

import numpy as np
import torch
import torch.nn.functional as F

from ctxlab.core.types import FloatArray


def pooled(outputs: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
    """Return (B, H) means of outputs (B, W, H) where known (B, W), in fp32."""
    weights = known.unsqueeze(-1).to(torch.float32)
    return (outputs.float() * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1)


def info_nce(scores: torch.Tensor, partners: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return (N,) the cross entropy of picking each one's partner, and (N,) whether it has a negative.

    Source: van den Oord et al. 2018 (arXiv:1807.03748), with the partners of the others in the pass as negatives.

    Args:
        scores: (N, N) of each one with the partner of each, over the temperature.
        partners: (N, N) bool, which of them would also be right for each one, so that they are no negatives.
    """
    own = torch.eye(len(scores), dtype=torch.bool, device=scores.device)
    target = torch.arange(len(scores), device=scores.device)
    each = F.cross_entropy(scores.masked_fill(partners & ~own, -torch.inf), target, reduction="none")
    return each, (~partners & ~own).any(dim=1)


def same_group(group: torch.Tensor) -> torch.Tensor:
    """Return (N, N) bool: which of ``group`` (N,) are of the same document."""
    return group[:, None] == group[None, :]


def max_sim(query: torch.Tensor, asked: torch.Tensor, text: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
    """Return (N, N): the mean over the tokens of each query of the highest cosine with a token of each text.

    Args:
        query: (N, Q, H) states of tokens.
        asked: (N, Q) which of them are of the query.
        text: (N, T, H) states of tokens.
        known: (N, T) which of them are of the text.
    """
    cosines = torch.einsum("iqh,jth->ijqt", F.normalize(query.float(), dim=-1), F.normalize(text.float(), dim=-1))
    best = cosines.masked_fill(~known[None, :, None, :], -2.0).amax(dim=-1)  # (N, N, Q); a cosine is -1 or more
    weights = asked.float() / asked.sum(dim=1, keepdim=True).clamp(min=1)
    return (best * weights[:, None, :]).sum(dim=-1)


def unit(states: FloatArray) -> FloatArray:
    """Return states (..., H) of length 1; zeros stay."""
    lengths = np.linalg.norm(states, axis=-1, keepdims=True)
    found: FloatArray = (states / np.where(lengths > 0, lengths, 1)).astype(np.float32)
    return found


def group_of(name: str) -> int:
    """Return 32 bits that stand for a document in the labels of its tokens."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4])
