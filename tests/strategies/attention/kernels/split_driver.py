"""Attention in windows that 2 and 4 processes hold together, against dense attention; run by test_split.py.

Every process is a fork that has touched no tensor before. Each computes the whole window by the definition, in float64,
and compares its own part of it with what the kernel returns.
"""

import json
import os
import socket
import sys
import traceback
from contextlib import ExitStack
from types import SimpleNamespace
from unittest import mock

import torch
import torch.distributed as dist
from transformers.masking_utils import bidirectional_mask_function, causal_mask_function

from ctxlab.runtime import context_parallel
from ctxlab.runtime.context_parallel import ProcessPart
from ctxlab.strategies.attention.kernels import masks, spans, split
from ctxlab.strategies.attention.local import Local
from tests.strategies.attention.test_local import dense

LAYERS = 2


def window(case):
    """Queries, keys and values of every layer, padding, and the gradient of the outputs, in float64."""
    torch.manual_seed(case["seed"])
    batch, length, heads, width = case["batch"], case["length"], case["heads"], 8
    padding = torch.ones(batch, length, dtype=torch.bool)
    for row, lost in enumerate(case["lost"]):  # negative: on the left
        padding[row, slice(length - lost, None) if lost >= 0 else slice(0, -lost)] = False
    tensors = [
        torch.randn(LAYERS, batch, number, length, width, dtype=torch.float64)
        for number in (heads, case["key_heads"], case["key_heads"])
    ]
    outer = torch.randn(batch, heads, length, width, dtype=torch.float64) * padding[:, None, :, None]
    return tensors, padding, outer


def through(layers, attend, outer):
    """Outputs of layers whose queries are what the layer before returned, and the gradients of all inputs."""
    leaves = [tensor.clone().requires_grad_() for tensor in layers]
    query = 0.0
    for q, k, v in zip(*leaves, strict=True):
        query = attend(q + query, k, v)
    query.backward(outer)
    return [query.detach(), *(leaf.grad for leaf in leaves)]


def expected(case, tensors, padding, outer):
    query, key = torch.arange(case["length"])[:, None], torch.arange(case["length"])[None]
    near = (query - case["window"] <= key) & (key <= query + case["window"])
    shared = (query < case["num_global"]) | (key < case["num_global"])
    seen = ((near | shared) & ((key <= query) | (not case["causal"])))[None] & padding[:, None, :]
    return through(tensors, lambda q, k, v: dense(q, k, v, seen, 8**-0.5), outer)


def attend_by(attention, plans):
    module = SimpleNamespace(is_causal=False)
    return lambda q, k, v: attention._attend(module, q, k, v, plans)[0].transpose(1, 2)


def alone(case, tensors, padding, outer):
    """What one process computes."""
    attention = Local(case["window"], case["num_global"])
    plans = attention._mask(**library(case, padding, case["length"]))
    return through(tensors, attend_by(attention, plans), outer)


def together(case, tensors, padding, outer, part):
    """What this process computes of its part."""
    attention, own = Local(case["window"], case["num_global"]), part.places(case["length"])
    with attention.split(part, padding):
        plans = attention._mask(**library(case, padding[:, own], own.stop - own.start))
    return through([tensor[..., own, :] for tensor in tensors], attend_by(attention, plans), outer[..., own, :])


def library(case, padding, length):
    function = causal_mask_function if case["causal"] else bidirectional_mask_function
    return {
        "batch_size": case["batch"], "q_length": length, "kv_length": length,
        "mask_function": function, "attention_mask": padding,
    }  # fmt: skip


class Counting:
    """``torch.distributed`` that counts the bytes which this process sends."""

    def __init__(self, rank, size):
        self.rank, self.size, self.sent = rank, size, 0
        self.isend, self.irecv, self.batch_isend_irecv = dist.isend, dist.irecv, dist.batch_isend_irecv

    def P2POp(self, operation, tensor, *args):  # noqa: N802 - a name of the library
        self.sent += tensor.nbytes * (operation is dist.isend)
        return dist.P2POp(operation, tensor, *args)

    def broadcast(self, tensor, source, group):
        self.sent += tensor.nbytes * (self.size - 1) * (source == self.rank)
        dist.broadcast(tensor, source, group=group)

    def gather(self, tensor, found, target, group):
        self.sent += tensor.nbytes * (target != self.rank)
        dist.gather(tensor, found, target, group=group)


def wrong_side(self, to_before, to_after, like_before, like_after, whole=ProcessPart.exchange):
    before, after = whole(self, to_before, to_after, like_before, like_after)
    return (after, before) if before.shape == after.shape else (before.flip(1), after)


def no_gradient(self, to_before, to_after, like_before, like_after, whole=ProcessPart.exchange):
    before, after = whole(self, to_before, to_after, like_before, like_after)
    return (before * 0, after * 0) if torch._C._current_graph_task_id() != -1 else (before, after)


def mean(shares):
    return torch.stack(shares).mean(0) if shares else None


def sees_the_future(*args, whole=masks.build_part, **library):
    return whole(*args, **{**library, "mask_function": bidirectional_mask_function})


def nothing(*args, **kwargs):
    return None


FAULTS = {
    "a halo from the wrong side": (ProcessPart, "exchange", wrong_side),
    "a lost gradient of the halo": (ProcessPart, "exchange", no_gradient),
    "a lost gradient of global tokens": (split, "_add_at_first", nothing),
    "shares merged without log-sum-exp": (split, "_merge", mean),
    "a causal halo that leaks the future": (masks, "build_part", sees_the_future),
}


def deviations(case, part):
    """Largest deviation of this part's outputs and gradients from the definition and from one process, and bytes sent.

    Relative to the largest value of each.
    """
    tensors, padding, outer = window(case)
    oracle = expected(case, tensors, padding, outer)
    dtype = getattr(torch, case["dtype"])
    given = [tensor.to(dtype) for tensor in tensors], padding, outer.to(dtype)
    single = alone(case, *given)
    counting = Counting(part.index, part.count)
    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(spans, "TOKENS_PER_CALL", case["tokens_per_call"]))
        stack.enter_context(mock.patch.object(context_parallel, "dist", counting))
        if case.get("fault"):
            stack.enter_context(mock.patch.object(*FAULTS[case["fault"]]))
        found = together(case, *given, part)
    own = part.places(case["length"])
    real = padding[:, None, own, None]
    worst = {"outputs": 0.0, "gradients": 0.0, "against one process": 0.0}
    for number, (ours, theirs, by_one) in enumerate(zip(found, oracle, single, strict=True)):
        name, kept = ("outputs", real) if number == 0 else ("gradients", torch.ones_like(real))
        for other, key in ((theirs, name), (by_one.double(), "against one process")):
            change = (ours.double() - other[..., own, :]) * kept
            worst[key] = max(worst[key], float(change.abs().amax() / other.abs().amax()))
    return {**worst, "sent": counting.sent}


def work(rank, size, port, cases, answer):
    store = dist.TCPStore("127.0.0.1", port, is_master=rank == 0)
    dist.init_process_group("gloo", store=store, rank=rank, world_size=size)
    groups = {count: dist.new_group(list(range(count))) for count in {case["count"] for case in cases}}
    found = []
    for case in cases:
        count = case["count"]
        if rank < count:
            found.append(deviations(case, ProcessPart(groups[count], range(count), rank)))
        else:
            found.append(None)
    with os.fdopen(answer, "w") as file:
        json.dump(found, file)
    dist.barrier()
    dist.destroy_process_group()


def main():
    cases, size = json.loads(sys.stdin.read()), 4
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    children = []
    for rank in range(size):
        out, answer = os.pipe()
        pid = os.fork()
        if not pid:
            code = 1
            try:
                work(rank, size, port, cases, answer)
                code = 0
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(code)
        os.close(answer)
        children.append((pid, os.fdopen(out)))
    found = [file.read() for _, file in children]
    codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid, _ in children]
    assert codes == [0] * size, codes
    print(json.dumps([[one for one in of_case if one] for of_case in zip(*map(json.loads, found), strict=True)]))


if __name__ == "__main__":
    main()
