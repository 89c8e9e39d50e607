"""The jobs of ``docs/results.md``: corpora, commands, and the baseline or floor that each is compared with. The
training and validation files of a section's corpus are added to its commands.
"""

from dataclasses import dataclass

BUDGET = "trainer.max_seconds=300"

SECOND_HALF = "probe.lengths=[512] probe.depths=[0.5,0.75,1]"
"""Texts of 512 words with the key in the second half."""

SHORT = (
    "data.documents=6000 data.validation_documents=300 data.words_per_document=48 data.evidence_distance=[8,16,24] "
    "data.ambiguous_share=0 optimizer.lr=1e-4 trainer.tokens_per_step=2048"
)
"""Many short documents, so that MiniLM learns the task within the budget."""

LONGER = "context.length=128 data.words_per_document=400 data.evidence_distance=[8,64,256]"
"""Longer documents, read in windows of 128 tokens."""

PASSKEY_TEXTS = (
    "probe.lengths=[256,512,1024,2048] probe.depths=[0,0.5,1] data.validation_documents=60 "
    "task.decoding.max_new_tokens=16"
)

TRANSLATION = "task=translation model=smollm2 strategy=chunk data.max_documents=20"

GENERATION = (
    "task=generation model=smollm2 strategy=chunk context=1024 data.documents=200 data.validation_documents=20 "
    "data.words_per_document=300 data.evidence_distance=[16,64,256]"
)


@dataclass(frozen=True, slots=True)
class Job:
    """One command, and a row of figures."""

    name: str
    """Name of its run under ``outputs/results``, and of its figures."""
    label: str
    """First cell of the row."""
    command: str
    """The command without the files of the corpus and the tracker; ``{runs}`` is the folder of the other jobs' runs."""
    floor: float | None = None
    """Smallest primary metric that is good enough."""


@dataclass(frozen=True, slots=True)
class Section:
    """One task on one corpus."""

    title: str
    corpus: str | None
    """Folder of the real documents; None for the built-in corpus."""
    about: str
    """What the task is, in a sentence or two."""
    metrics: tuple[str, ...]
    """Metrics that are shown."""
    jobs: tuple[Job, ...]
    baselines: tuple[str, ...] = ()
    """Labels of the baselines that are shown below: rows of the first table of the split."""
    rivals: tuple[str, ...] = ()
    """Names of the jobs that read the same documents by different strategies: which of them is worth it is said."""
    trigram: bool = False
    """Whether interpolated trigrams of the training documents are a baseline, too."""


SECTIONS = (
    Section(
        "Named entities: LitBank",
        "ner_litbank",
        about="Ten held-out novels of about 2,100 words, in windows of up to 4,096 tokens. Growing contexts: more, "
        "smaller steps, on windows of 512 tokens first and on whole documents in the last fifth of the time.",
        metrics=("f1", "precision", "recall"),
        jobs=(
            Job(
                "ner_growing",
                "longformer, growing contexts",
                "train task=ner context=4096 strategy/curriculum=progressive "
                "strategy.curriculum.lengths=[0.125,0.25,1] strategy.curriculum.shares=[0.5,0.3,0.2] "
                f"trainer.tokens_per_step=1024 {BUDGET}",
                0.60,
            ),
            Job("ner", "longformer", f"train task=ner context=4096 {BUDGET}", 0.60),
        ),
        rivals=("ner_growing", "ner"),
    ),
    Section(
        "Classification: SpamAssassin's emails",
        "classification_spam",
        about="300 emails of 40 to 200,000 characters.",
        metrics=("accuracy", "macro_f1", "auroc", "calibration_error"),
        jobs=(
            Job(
                "spam",
                "longformer over the first 2,048 tokens",
                "train task=classification context=2048 strategy=longformer strategy/reading=truncate "
                f"optimizer.lr=3e-4 trainer.eval_every_steps=80 {BUDGET}",
                0.97,
            ),
            Job("spam_whole", "longformer over whole emails", f"train task=classification context=2048 {BUDGET}"),
        ),
        rivals=("spam", "spam_whole"),
    ),
    Section(
        "Relations: Re-DocRED",
        "relation_redocred",
        about="100 articles of about 200 words; 96 relations. Published figures of larger models after hours on a GPU "
        "are near 0.78. The shift of the threshold was chosen on training documents, by the same command without a "
        "validation file (a tenth is held out then) and `ctxlab eval -m run=… task.threshold_shift=-0.5,-0.75,…,-2`.",
        metrics=("f1", "precision", "recall", "ign_f1"),
        jobs=(
            Job(
                "relation",
                "chunk",
                "train task=relation strategy=chunk context=512 optimizer.lr=2e-4 trainer.tokens_per_step=1024 "
                f"task.unknown_labels=miss task.threshold_shift=-1.25 {BUDGET}",
                0.30,
            ),
        ),
    ),
    Section(
        "Questions: COVID-QA",
        "qa_covid",
        about="137 questions about ten held-out papers of about 5,000 tokens. All have an answer, so the best span is "
        "always returned (`no_answer_threshold`).",
        metrics=("f1", "exact_match"),
        jobs=(
            Job(
                "qa_select",
                "select, BM25",
                "train task=qa strategy=textrank strategy.reading.method=bm25 context=512 "
                "optimizer.lr=2e-4 trainer.tokens_per_step=2048 task.no_answer_weight=0 task.no_answer_threshold=-1000 "
                f"{BUDGET}",
                0.091,
            ),
            Job(
                "qa_chunk",
                "chunk",
                "train task=qa strategy=chunk context=512 task.stretch_tokens=500 trainer.tokens_per_step=2048 "
                f"task.no_answer_threshold=-1000 {BUDGET}",
            ),
        ),
        baselines=("first sentence", "BM25 sentence"),
        rivals=("qa_select", "qa_chunk"),
    ),
    Section(
        "Language modelling: novels",
        "lm_novels",
        about="SmolLM2 without training, in windows of 2,048 tokens over the first held-out novel.",
        metrics=("perplexity", "bits_per_character"),
        jobs=(
            Job(
                "lm",
                "chunk",
                "eval task=lm model=smollm2 strategy=chunk context=2048 data.max_documents=1",
            ),
        ),
        trigram=True,
    ),
    Section(
        "Summaries: QMSum",
        "summarization_qmsum",
        about="Extractive: the summary is the text that the reading selects from the meeting; no model is trained or "
        "run.",
        metrics=("rouge1", "rouge2", "rougeL"),
        jobs=tuple(
            Job(
                f"summaries_{method}",
                method,
                "eval task=summarization task.output=extract model=minilm strategy=textrank "
                f"strategy.reading.method={method} context=128",
            )
            for method in ("bm25", "textrank", "centrality", "lead", "random")
        ),
        rivals=("summaries_bm25", "summaries_textrank", "summaries_centrality", "summaries_lead", "summaries_random"),
    ),
    Section(
        "Masked tokens: novels",
        "lm_novels",
        about="Two held-out novels. MiniLM is published without a language modelling head, so a new one is trained "
        "from scratch.",
        metrics=("pseudo_perplexity", "accuracy"),
        jobs=(Job("mlm", "longformer", f"train task=mlm context=2048 {BUDGET}"),),
    ),
    Section(
        "Inference: built-in corpus",
        None,
        about="One sentence of the premise decides. Premises of 48 words; then the same model on premises of 400 "
        "words, where averaging over windows hides the one with the evidence. Chance is 0.333.",
        metrics=("accuracy", "macro_f1", "calibration_error"),
        jobs=(
            Job("nli", "chunk, 48 words", f"train task=nli strategy=chunk context=256 {SHORT} {BUDGET}"),
            *(
                Job(f"nli_{strategy}", f"{strategy}, 400 words", f"eval run={{runs}}/nli strategy={strategy} {LONGER}")
                for strategy in ("chunk", "truncate")
            ),
        ),
        rivals=("nli_chunk", "nli_truncate"),
    ),
    Section(
        "Recommendation: built-in corpus",
        None,
        about="Ten candidates for a history of 48 words, in which one or two sentences show what the user likes; then "
        "the same model on histories of 400 words.",
        metrics=("auc", "mrr", "ndcg_at_5"),
        jobs=(
            Job(
                "recommendation",
                "chunk, 48 words",
                f"train task=recommendation strategy=chunk context=256 {SHORT} {BUDGET}",
            ),
            *(
                Job(
                    f"recommendation_{strategy}",
                    f"{strategy}, 400 words",
                    f"eval run={{runs}}/recommendation strategy={strategy} {LONGER}",
                )
                for strategy in ("chunk", "truncate")
            ),
        ),
        rivals=("recommendation_chunk", "recommendation_truncate"),
    ),
    Section(
        "Dialogue: conversations of two strangers",
        "dialogue_chitchat",
        about="The last turn of each of 150 conversations, among ten candidates; the other nine are from other "
        "conversations.",
        metrics=("mrr", "recall_at_1", "recall_at_2", "recall_at_5"),
        jobs=tuple(
            Job(
                f"dialogue_{length}",
                f"the last {length} tokens",
                f"train task=dialogue strategy=truncate strategy.reading.keep=tail context.length={length} "
                f"task.negatives=2 optimizer.lr=1e-4 trainer.tokens_per_step=2048 {BUDGET}",
            )
            for length in (128, 512)
        ),
        rivals=("dialogue_128", "dialogue_512"),
    ),
    Section(
        "Translation: chapters of the Bible, English to French",
        "translation_enfr",
        about="Twenty chapters of about 700 words. SmolLM2 has seen little French and repeats itself; 300 seconds of "
        "training on a CPU do not change that.",
        metrics=("chrf", "bleu", "ter", "length_ratio"),
        jobs=(
            Job("translation_shown", "chunk, two examples", f"eval {TRANSLATION} context=1024 task.shots=2"),
            Job("translation", "chunk, trained", f"train {TRANSLATION} context=1024 optimizer.lr=1e-4 {BUDGET}"),
        ),
        baselines=("chrf of the source, copied",),
    ),
    Section(
        "Generation under constraints: built-in corpus",
        None,
        about="Twenty prompts of 300 words; a few of their sentences require certain words and a topic.",
        metrics=("constraints_met", "perplexity"),
        jobs=(
            Job("generation_shown", "chunk, two examples", f"eval {GENERATION} task.shots=2"),
            Job(
                "generation",
                "chunk, trained",
                f"train {GENERATION} optimizer.lr=1e-4 trainer.tokens_per_step=2048 {BUDGET}",
            ),
        ),
    ),
    Section(
        "Probe: a key in a text, without training",
        None,
        about="SmolLM2, without training, is asked for a number that occurs in a text; 60 texts of 256 to 2,048 words.",
        metrics=("recall",),
        jobs=tuple(
            Job(
                f"passkey_{strategy}",
                strategy,
                f"eval task=probe model=smollm2 strategy={strategy} context={context} {PASSKEY_TEXTS}",
            )
            for strategy, context in (("chunk", 4096), ("truncate", 1024))
        ),
        rivals=("passkey_chunk", "passkey_truncate"),
    ),
    Section(
        "Probe: a key in 512 tokens",
        None,
        about="A tiny model learns from scratch to find one of ten keys (chance is 0.1); a model that does not reach "
        "the key stays near chance.",
        metrics=("recall",),
        jobs=(
            Job("passkey", "dense", "train +experiment=passkey_reach strategy=dense trainer.max_seconds=180", 0.95),
            Job(
                "passkey_reached",
                "dense, key in the second half",
                f"eval run={{runs}}/passkey {SECOND_HALF}",
                0.95,
            ),
            Job(
                "passkey_cut",
                "the same model, truncated to 128 tokens",
                f"eval run={{runs}}/passkey strategy=truncate context=128 {SECOND_HALF}",
            ),
        ),
        rivals=("passkey_reached", "passkey_cut"),
    ),
)
