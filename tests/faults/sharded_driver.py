"""Computes steps of runs on one process and on two that hold the weights together; run by test_sharded.py.

Heavy libraries are imported once and every process is a fork. Each case is one line of words; the first process of
each kind writes the gradients of its first step, then its weights and optimizer after some steps.
"""

import json
import os
import sys
import warnings
from pathlib import Path

import yaml

yaml.SafeLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # as tests/conftest.py does: most of a small case

import transformers.models.bert.modeling_bert  # noqa: E402
import transformers.models.llama.modeling_llama  # noqa: E402
import transformers.models.t5.modeling_t5  # noqa: E402, F401

import tests.training.runs as runs  # noqa: E402
from ctxlab.core.errors import UserError  # noqa: E402

STEPS = 2


def compute(folder: Path, words: list[str], rank: int, size: int) -> dict:
    """Gradients of the first step, and the losses and weights of ``STEPS``; or the sentence of a refusal."""
    from safetensors.torch import save_file

    from ctxlab.runtime import sharded

    own = folder / f"{size}-{rank}"
    dealt = ["trainer.sharding=full"] if size > 1 else []
    own.mkdir(parents=True)
    try:
        job = runs.make_job(own / "run", *words, f"trainer.max_steps={STEPS}", "trainer.log_every_steps=1", *dealt)
    except UserError as error:
        return {"refused": str(error)}
    gradients: list[dict] = []
    apply = job.trainer.apply

    def watched(*given, **named):
        found = {name: p.grad for name, p in job.bench.model.named_parameters() if p.grad is not None}
        gradients.append({name: sharded.full(grad).clone() for name, grad in found.items()})
        return apply(*given, **named)

    job.trainer.apply = watched
    job.run()
    trained = {name: sharded.full(p) for name, p in job.bench.model.named_parameters()}
    states = [value for state in job.trainer.job.optimizer.state.values() for value in state.values()]
    held = [*job.bench.model.parameters(), *(value for value in states if hasattr(value, "ndim") and value.ndim)]
    if rank == 0:
        save_file({name: tensor.contiguous() for name, tensor in gradients[0].items()}, own / "gradients.safetensors")
        save_file({name: tensor.detach().contiguous() for name, tensor in trained.items()}, own / "weights.safetensors")
    return {
        "losses": [row["loss"] for row in job.watching.rows if row["kind"] == "train"],
        "norms": [row["gradient_norm"] for row in job.watching.rows if row["kind"] == "train"],
        "held": sum((tensor.to_local() if hasattr(tensor, "to_local") else tensor).nbytes for tensor in held),
        "all": sum(tensor.nbytes for tensor in held),
    }


def work(folder: Path, cases: dict[str, list[str]], rank: int, size: int, port: int) -> dict:
    """All cases in one of the processes."""
    from ctxlab.runtime import ranks

    warnings.simplefilter("error")
    if size > 1:
        os.environ.update(
            RANK=str(rank), WORLD_SIZE=str(size), LOCAL_RANK=str(rank), MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port)
        )
        ranks.join()
    found = {name: compute(folder / name, words, rank, size) for name, words in cases.items()}
    ranks.leave()
    return found


def start(folder: Path, cases: dict[str, list[str]], rank: int, size: int, port: int) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        found = work(folder, cases, rank, size, port)
        (folder / f"{size}-{rank}.json").write_text(json.dumps(found))
        code = 0
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    from tests.faults.ranks_driver import free_port

    base, given = Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text())
    port = free_port()
    pids = [start(base, given, rank, size, port) for size, rank in ((1, 0), (2, 0), (2, 1))]
    codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
    sys.exit(max(map(abs, codes)))
