"""Fields of well-known data sets under the names that tasks give them."""

from collections.abc import Iterator, Mapping

from ctxlab.core.data import Record
from ctxlab.data.formats.base import Fields, Format, with_fields
from ctxlab.data.readers.tally import Tally

Names = Mapping[str, tuple[str, ...]]

SUMMARIES: Names = {
    "document": (
        "article",
        "report",
        "dialogue",
        "content",
        "text",
    ),  # CNN/DailyMail, GovReport, SAMSum, THUCNews, BillSum
    "summary": ("highlights", "abstract", "summarization", "title"),  # CNN/DailyMail, arXiv and PubMed, NLPCC, THUCNews
}
INFERENCE: Names = {
    "premise": ("sentence1",),  # SNLI and MultiNLI as published, GLUE
    "hypothesis": ("sentence2",),
    "label": ("gold_label",),
}


def renamed(name: str, task: str, names: Names) -> Format:
    """Return a format that renames fields with other ``names`` to those of ``task``; existing fields are not
    changed."""

    def found(fields: Fields) -> dict[str, str]:
        firsts = {ours: next((other for other in others if other in fields), None) for ours, others in names.items()}
        return {ours: other for ours, other in firsts.items() if other is not None and ours not in fields}

    def convert(record: Record, task: str, tally: Tally) -> Iterator[Record]:
        pairs = found(record.fields)
        read = ", ".join(f"{ours} from '{other}'" for ours, other in pairs.items())
        tally.add(f"Fields are read under other names: {read}.")
        yield with_fields(record, **{ours: record.fields[other] for ours, other in pairs.items()})

    return Format(name, frozenset({task}), lambda fields: bool(found(fields)), convert)


FORMATS = (
    renamed("documents and summaries", "summarization", SUMMARIES),
    renamed("sentence pairs", "nli", INFERENCE),
)
