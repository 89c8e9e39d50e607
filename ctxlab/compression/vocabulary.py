"""A smaller vocabulary."""

from typing import Any

import torch

from ctxlab.compression.choosing.fitting import check_precise
from ctxlab.compression.choosing.pieces import alphabet, config_ids, renumber, used
from ctxlab.compression.choosing.tokenizers import check_known, closed, smaller
from ctxlab.core.architecture import output_layer, text_config, token_tables, vocabulary_size
from ctxlab.core.compression import Compressed, Compression, Subject
from ctxlab.core.errors import UserError
from ctxlab.core.model import ADDED_MODULES


class Vocabulary(Compression):
    """Leaves out the pieces that no training document has, from the embeddings and from the tokenizer.

    Source: Abdaoui et al. 2020 (arXiv:2010.05609), here with the run's own documents. Special and single-character
    pieces stay, so that any text of known characters is still read, in more tokens. Texts made of kept pieces are
    divided as before and have the same outputs. To a language model, pieces that are left out are no longer possible.
    """

    heals = False

    def __init__(self, least: int = 1) -> None:
        """Store how often a piece must occur in the training documents, from 1."""
        if least < 1:
            raise UserError(f"compression.least={least} is too small: give how often a piece must occur, from 1.")
        self.least = least

    def check(self, model: Any, tokenizer: Any) -> None:
        """See ``Compression``."""
        check_precise(model, "vocabulary")
        check_known(tokenizer)
        rows = vocabulary_size(model)
        own = getattr(model, ADDED_MODULES, torch.nn.ModuleDict()).state_dict()
        by_piece = next((name for name, one in own.items() if rows in one.shape), None)
        if by_piece is not None:
            raise UserError(
                f"compression=vocabulary does not know what becomes of {by_piece}, in which the strategy has learned "
                "something for each piece: use another compression=."
            )

    def compress(self, subject: Subject) -> Compressed:
        """See ``Compression``.

        Raises:
            UserError: No piece can be left out.
        """
        model, tokenizer = subject.model, subject.tokenizer
        config, generation = text_config(model.config), getattr(model, "generation_config", None)
        size = vocabulary_size(model)
        wanted = used(subject.documents, self.least) | alphabet(tokenizer) | config_ids(config, generation)
        kept = sorted(number for number in closed(tokenizer, wanted) if 0 <= number < len(tokenizer))
        if len(kept) >= size:
            raise UserError("compression=vocabulary has nothing to leave out: the training documents use every piece.")
        made = smaller(tokenizer, kept)
        _keep_rows(model, kept)
        places = {old: new for new, old in enumerate(kept)}
        for one in {id(one): one for one in (model.config, config, generation) if one is not None}.values():
            renumber(one, places)
        config.vocab_size = len(kept)
        return Compressed(made, f"{len(kept):,} of {size:,} pieces of the vocabulary")


@torch.no_grad()
def _keep_rows(model: Any, kept: list[int]) -> None:
    """Leave the rows ``kept`` in every table of tokens, and in the output layer of a language model."""
    output = output_layer(model)
    whole = [*token_tables(model), *([] if output is None else [output])]
    old = {id(weight) for module in whole for weight in module.parameters(recurse=False)}
    rows, made = torch.tensor(kept), dict[int, torch.nn.Parameter]()
    for module in model.modules():
        for name, weight in list(module._parameters.items()):
            if weight is not None and id(weight) in old:
                if id(weight) not in made:
                    made[id(weight)] = torch.nn.Parameter(weight.index_select(0, rows.to(weight.device)).contiguous())
                module._parameters[name] = made[id(weight)]
        if "final_logits_bias" in module._buffers:  # BART
            module._buffers["final_logits_bias"] = module._buffers["final_logits_bias"][:, kept].contiguous()
    for module in whole:
        if isinstance(module, torch.nn.Embedding):
            module.num_embeddings = len(kept)
            module.padding_idx = None if module.padding_idx is None else kept.index(module.padding_idx)
        else:
            module.out_features = len(kept)
