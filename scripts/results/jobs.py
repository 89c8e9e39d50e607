"""What ``docs/results.md`` is made of: real documents, the commands that score them, and what each is held against.

The files of a section's corpus, training and validation split, are added to its commands.
"""

from dataclasses import dataclass

BUDGET = "trainer.max_seconds=300"

FAR = "probe.lengths=[512] probe.depths=[0.5,0.75,1]"
"""Keys that lie behind the first half of texts of 512 words."""

SHORT = (
    "data.documents=6000 data.validation_documents=300 data.words_per_document=48 data.evidence_distance=[8,16,24] "
    "data.ambiguous_share=0 optimizer.lr=1e-4 trainer.tokens_per_step=2048"
)
"""Many documents from which MiniLM learns within the budget."""

FURTHER = "context.length=128 data.words_per_document=400 data.evidence_distance=[8,64,256]"
"""Longer ones, to be read in windows of 128 tokens."""

ASKED = (
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
    """One command and the line of figures that it gives."""

    name: str
    """Of its figures under ``outputs/results``."""
    label: str
    """What tells it from the others of its section."""
    command: str
    """Without the files of the corpus and without the tracker; ``{runs}`` is the folder of the other jobs' runs."""
    floor: float | None = None
    """What the primary metric has to reach (for a perplexity: stay below)."""


@dataclass(frozen=True, slots=True)
class Section:
    """One task on one corpus."""

    title: str
    corpus: str | None
    """Folder of the real documents; None for the built-in corpus."""
    about: str
    """What a reader must know of the figures."""
    metrics: tuple[str, ...]
    """Figures of the validation split that are shown."""
    jobs: tuple[Job, ...]
    beside: tuple[str, ...] = ()
    """Rows of the split's first table that are shown below, baselines say."""
    trigram: bool = False
    """Whether interpolated trigrams of the training documents are shown below."""


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
    ),
    Section(
        "Classification: SpamAssassin's emails",
        "classification_spam",
        about="300 emails of 40 to 200,000 characters.",
        metrics=("accuracy", "macro_f1", "auroc", "calibration_error"),
        jobs=(
            Job(
                "spam",
                "longformer over the first 2,048",
                "train task=classification context=2048 strategy=longformer strategy/reading=truncate "
                f"optimizer.lr=3e-4 trainer.eval_every_steps=80 {BUDGET}",
                0.97,
            ),
            Job("spam_whole", "longformer over all of it", f"train task=classification context=2048 {BUDGET}"),
        ),
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
        about="137 questions about ten held-out papers of about 5,000 tokens. All have an answer, so that the best "
        "stretch is always given (`no_answer_threshold`).",
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
        beside=("first sentence", "BM25 sentence"),
    ),
    Section(
        "Language modelling: novels",
        "lm_novels",
        about="SmolLM2 as it is, with windows of 2,048 tokens over the first held-out novel.",
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
        about="Extractive: the summary is what the reading keeps of the meeting; nothing is trained and no model is "
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
    ),
    Section(
        "Masked tokens: novels",
        "lm_novels",
        about="Two held-out novels. The weights of MiniLM come without a head for this, so that it learns one from "
        "nothing.",
        metrics=("pseudo_perplexity", "accuracy"),
        jobs=(Job("mlm", "longformer", f"train task=mlm context=2048 {BUDGET}"),),
    ),
    Section(
        "Inference: built-in corpus",
        None,
        about="Premises of which one sentence decides, 48 words long; then the same model on premises of 400 words: "
        "the mean over windows drowns the one that knows. Chance is 0.333.",
        metrics=("accuracy", "macro_f1", "calibration_error"),
        jobs=(
            Job("nli", "chunk, 48 words", f"train task=nli strategy=chunk context=256 {SHORT} {BUDGET}"),
            *(
                Job(f"nli_{strategy}", f"{strategy}, 400 words", f"eval run={{runs}}/nli strategy={strategy} {FURTHER}")
                for strategy in ("chunk", "truncate")
            ),
        ),
    ),
    Section(
        "Recommendation: built-in corpus",
        None,
        about="Ten candidates for a history of 48 words, one or two sentences of which tell a taste; then the same "
        "model on histories of 400 words.",
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
                    f"eval run={{runs}}/recommendation strategy={strategy} {FURTHER}",
                )
                for strategy in ("chunk", "truncate")
            ),
        ),
    ),
    Section(
        "Dialogue: conversations of two strangers",
        "dialogue_chitchat",
        about="The last turn of 150 conversations, to be found among ten, the others from other conversations.",
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
    ),
    Section(
        "Translation: chapters of the Bible, English to French",
        "translation_enfr",
        about="Twenty chapters of about 700 words. SmolLM2 has hardly read French, and repeats itself; 300 seconds of "
        "training on a CPU do not change that.",
        metrics=("chrf", "bleu", "ter", "length_ratio"),
        jobs=(
            Job("translation_shown", "chunk, two examples", f"eval {TRANSLATION} context=1024 task.shots=2"),
            Job("translation", "chunk, trained", f"train {TRANSLATION} context=1024 optimizer.lr=1e-4 {BUDGET}"),
        ),
        beside=("chrf of the source, copied",),
    ),
    Section(
        "Generation under constraints: built-in corpus",
        None,
        about="Twenty prompts of 300 words, in which a few sentences ask for words and a topic.",
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
        about="A number in 60 texts of 256 to 2,048 words, asked of SmolLM2 as it is.",
        metrics=("recall",),
        jobs=tuple(
            Job(
                f"passkey_{strategy}",
                strategy,
                f"eval task=probe model=smollm2 strategy={strategy} context={context} {ASKED}",
            )
            for strategy, context in (("chunk", 4096), ("truncate", 1024))
        ),
    ),
    Section(
        "Probe: a key in 512 tokens",
        None,
        about="A tiny model from scratch learns to find one of ten keys (chance is 0.1); what does not reach the key "
        "stays near chance.",
        metrics=("recall",),
        jobs=(
            Job("passkey", "dense", "train +experiment=passkey_reach strategy=dense trainer.max_seconds=180", 0.95),
            Job("passkey_reached", "dense, key in the second half of 512", f"eval run={{runs}}/passkey {FAR}", 0.95),
            Job(
                "passkey_cut",
                "the same model, cut at 128",
                f"eval run={{runs}}/passkey strategy=truncate context=128 {FAR}",
            ),
        ),
    ),
)
