"""The folders mirror the configuration: a folder of components holds components only, and each has its YAML file."""

from pathlib import Path

import pytest

import ctxlab
from ctxlab.config import catalogue

PACKAGE = Path(ctxlab.__file__).parent

FOLDERS = {
    "task": "tasks",
    "model": "models",
    "objective": "objectives",
    "continual": "continual",
    "augment": "augment",
    "knowledge": "knowledge",
    "optimizer": "optim/optimizers",
    "scheduler": "optim/schedules",
    "tuning": "optim/tuning",
    "averaging": "optim/averaging",
    "label": "labelling",
    "audit": "audit",
    "explanation": "explanation",
    "compression": "compression",
    "export": "export",
    "runtime": "runtime/engines",
    "privacy": "privacy",
    "drift": "monitoring/drift",
    "surge": "monitoring/surge",
    "data": "data/sources",
    "probe": "corpora/probes",
    **{
        f"strategy/{part}": f"strategies/{part}"
        for part in ("reading", "positions", "attention", "memory", "curriculum")
    },
}
"""Where the components of a group lie."""


def modules(folder: str) -> set[str]:
    return {path.stem for path in (PACKAGE / folder).glob("*.py")} - {"__init__"}


@pytest.mark.parametrize(("group", "folder"), FOLDERS.items())
def test_a_folder_of_components_lists_components_and_nothing_else(group, folder):
    targets = {
        target.rsplit(".", 2)[1]
        for option in catalogue.options(group)
        if (target := catalogue.read(catalogue.option_file(group, option)).get("_target_"))
    }
    assert modules(folder) == (targets or set(catalogue.options(group)))


def test_every_group_with_classes_is_checked():
    """Except trackers, whose folder also holds the log and the display, and perturbations, which are augmentations."""
    targets = {
        group
        for group in catalogue.groups()
        if any("_target_" in catalogue.read(catalogue.option_file(group, name)) for name in catalogue.options(group))
    }
    assert targets - {"tracking", "perturb"} <= set(FOLDERS)
    perturbed = {
        catalogue.read(catalogue.option_file("perturb", one))["_target_"] for one in catalogue.options("perturb")
    }
    assert {target.rsplit(".", 2)[1] for target in perturbed} <= modules("augment")


def test_the_stages_are_the_commands():
    assert modules("stages") == set(catalogue.stages()) == {path.stem for path in catalogue.conf_dir().glob("*.yaml")}


def test_every_task_has_a_grammar():
    assert set(catalogue.options("task")) <= modules("corpora")


TESTS = Path(__file__).parent.parent

TOGETHER = {
    "__main__": "test_cli",
    "audit/lists/toxic": "audit/lists/test_words",
    "audit/measures/grouping": "audit/test_groups",
    "audit/measures/verdicts": "audit/test_robustness",
    "augment": "augment/test_every_augmentation",
    "command": "command/test_suggestions",
    "comparison": "comparison/test_candidate_results",
    "compression/choosing": "compression/test_vocabulary",
    "compression/choosing/fitting": "compression/test_heads",
    "compression/choosing/influence": "compression/test_layers",
    "compression/choosing/taylor": "compression/test_heads",
    "core/compression": "compression/test_every_compression",
    "core/projections": "compression/test_heads",
    "models/loading/reduced": "compression/test_every_compression",
    "workbench/compressing": "stages/test_compress",
    "command/fixed_keys": "command/test_replay",
    "command/job": "command/test_run_directory",
    "command/screen": "command/test_help",
    "command/stage_error": "command/test_launch",
    "config/preflight": "config/test_build",
    "config/synonyms": "command/test_suggestions",
    "continual": "continual/test_mechanisms",
    "workbench/continuing": "stages/test_continual",
    "reporting/matrix": "stages/test_continual",
    "core": "contracts/test_protocols",
    "core/audit": "audit/test_groups",
    "core/augmentation": "augment/test_every_augmentation",
    "core/shape": "augment/test_every_augmentation",
    "core/generation": "runtime/test_generator",
    "core/task_hooks": "knowledge/test_gazetteer",
    "core/added_modules": "training/test_tuning_seam",
    "core/passes": "runtime/test_forward",
    "core/types": "runtime/test_reader",
    "corpora": "corpora/test_ner",
    "corpora/dialogue": "corpora/test_recommendation",
    "corpora/mlm": "corpora/test_lm",
    "corpora/nli": "corpora/test_classification",
    "corpora/probes": "corpora/test_probe",
    "corpora/summarization": "corpora/test_translation",
    "data/formats": "data/formats/test_known",
    "data/local_splits": "data/test_splits",
    "data/parsing": "data/test_splits",
    "data/readers": "data/readers/test_read",
    "data/sources": "data/readers/test_read",
    "evaluation": "evaluation/test_scores",
    "explanation/attributing": "explanation/test_shapley",
    "runtime/explaining": "runtime/explaining/test_document",
    "tasks/forms/explained": "stages/test_explain",
    "workbench/explaining": "stages/test_explain",
    "reporting/explanations": "reporting/explanations/test_html",
    "core/explanation": "explanation/test_integrated",
    "export": "stages/test_export",
    "knowledge/none": "knowledge/test_constraints",
    "evaluation/metrics/choosing": "evaluation/metrics/test_ranking",
    "evaluation/metrics/masked": "evaluation/metrics/test_language",
    "evaluation/metrics/probe_recall": "evaluation/metrics/test_probe",
    "evaluation/metrics/replies": "tasks/generative/test_dialogue",
    "core/monitoring": "workbench/monitoring/test_ledger",
    "monitoring": "monitoring/drift/test_cusum",
    "monitoring/surge/none": "monitoring/surge/test_poisson",
    "reporting/monitoring": "stages/test_monitor",
    "workbench/monitoring": "stages/test_monitor",
    "models/loading": "models/loading/test_weights",
    "models/tiny_bert": "contracts/test_tiny_models",
    "models/tiny_gpt2": "contracts/test_tiny_models",
    "optim": "optim/test_schedules_and_tuning",
    "optim/averaging": "optim/test_averaging",
    "optim/optimizers": "training/test_optimizer_file",
    "reporting/charts": "reporting/charts/test_pareto",
    "reporting/page": "reporting/page/test_html",
    "planning": "planning/test_measured",
    "privacy": "privacy/test_patterns",
    "privacy/model": "stages/test_privacy",
    "privacy/none": "privacy/replacing/test_records",
    "privacy/replacing/styles": "privacy/replacing/test_records",
    "core/privacy": "privacy/replacing/test_records",
    "workbench/protecting": "stages/test_privacy",
    "planning/shape": "planning/test_growth",
    "reporting/labelling": "stages/test_label",
    "reporting/verification": "stages/test_verify",
    "serving": "stages/test_serve",
    "stages/predict": "stages/test_eval",
    "strategies/attention": "strategies/attention/test_sparse_patterns",
    "strategies/attention/full": "strategies/attention/kernels/test_interface",
    "strategies/attention/kernels": "strategies/attention/kernels/test_sparse",
    "strategies/attention/kernels/ramps": "strategies/attention/test_adaptive_span",
    "strategies/attention/kernels/soft_span": "strategies/attention/test_adaptive_span",
    "strategies/curriculum": "strategies/test_memory_and_curriculum",
    "strategies/memory": "strategies/memory/test_sinks",
    "strategies/positions": "strategies/positions/tables/test_rotary",
    "strategies/positions/keep": "strategies/positions/tables/test_learned",
    "strategies/positions/interpolate": "strategies/positions/tables/test_learned",
    "strategies/positions/random": "strategies/positions/tables/test_learned",
    "strategies/positions/tile": "strategies/positions/tables/test_learned",
    "strategies/reading": "strategies/reading/test_chunk",
    "strategies/reading/choosing": "strategies/reading/test_select",
    "strategies/reading/choosing/information": "strategies/reading/test_compress",
    "strategies/reading/segments": "strategies/reading/test_hierarchical",
    "strategies/reading/windows/window_encoder": "strategies/reading/test_hierarchical",
    "tasks/dialogue": "tasks/forms/test_ranking",
    "tasks/forms": "tasks/test_classification",
    "tasks/forms/marking": "tasks/test_scripts",
    "tasks/forms/mention_labels": "tasks/test_relation",
    "tasks/forms/perplexity_fields": "tasks/forms/test_vocabulary",
    "tasks/forms/token_predictor": "tasks/forms/test_vocabulary",
    "tasks/lm": "tasks/forms/test_vocabulary",
    "tasks/mlm": "tasks/forms/test_vocabulary",
    "tasks/records": "tasks/records/test_labels",
    "tasks/records/given_features": "tasks/test_recommendation",
    "tasks/records/matched": "tasks/test_relation_found",
    "tasks/records/rankings": "tasks/test_retrieval",
    "tasks/records/relation_records": "tasks/test_relation_found",
    "tasks/forms/query_pairs": "tasks/test_retrieval",
    "evaluation/recommended": "tasks/test_recommendation",
    "corpora/named/emotion": "corpora/named/test_texts",
    "corpora/named/intent": "corpora/named/test_texts",
    "corpora/named/routing": "corpora/named/test_texts",
    "corpora/named/sentiment": "corpora/named/test_texts",
    "workbench/graphs": "workbench/test_graphs",
    "workbench/mentioning": "tasks/test_relation_found",
    "tasks/forms/vectors": "tasks/test_retrieval",
    "tasks/forms/embedding": "tasks/test_contrastive",
    "tasks/records/retrieval_records": "tasks/test_retrieval",
    "tasks/records/turns": "tasks/generative/test_dialogue",
    "tasks/records/probes": "tasks/test_probe",
    "tasks/records/mentions": "tasks/test_relation",
    "tasks/records/questions": "tasks/test_qa",
    "tasks/text": "tasks/text/test_encoding",
    "tasks/text/pairs": "tasks/test_nli",
    "tasks/generative": "tasks/generative/test_qa",
    "tracking": "tracking/test_trackers",
    "objectives/standard": "training/test_objectives",
    "objectives/inner": "objectives/test_smart",
    "runtime/teacher": "objectives/test_distill",
    "training/averages": "contracts/test_averaging",
    "training/job": "training/test_objectives",
    "verification": "verification/test_verify_faults",
    "workbench": "workbench/test_opening",
    "workbench/asking": "stages/test_ask",
    "workbench/auditing": "stages/test_audit",
    "workbench/augmenting": "augment/test_training",
    "workbench/translating": "augment/test_back_translation",
    "workbench/comparing": "workbench/comparing/test_running",
    "command/doctor": "stages/test_doctor",
    "command/runs": "stages/test_doctor",
    "runtime/engines": "stages/test_export",
    "runtime/exported_model": "stages/test_export",
    "runtime/memory": "training/test_interrupted",
    "training/saving": "faults/test_rotation",
    "training/spikes": "training/test_interrupted",
    "workbench/doctor": "stages/test_doctor",
    "workbench/history": "stages/test_doctor",
    "workbench/ensemble": "stages/test_ensemble",
    "workbench/exporting": "stages/test_export",
    "workbench/finish": "stages/test_train",
    "workbench/members": "stages/test_soup",
    "workbench/soup": "stages/test_soup",
    "workbench/planning": "workbench/planning/test_measuring",
    "workbench/labelling": "stages/test_label",
    "workbench/planning/page": "stages/test_plan",
    "workbench/planning/remedies": "stages/test_plan",
    "workbench/planning/stored": "stages/test_plan",
    "workbench/reporting": "stages/test_report",
    "workbench/sweeping": "stages/test_sweep",
    "workbench/training_data": "training/test_block_stream",
    "config/keys": "config/test_schema",
}
"""Modules, and folders of modules, without a test file of their own → the one that tests them together."""


def test_every_module_has_a_test_file_of_its_name():
    """``ctxlab/a/b.py`` is tested by ``tests/a/test_b.py``, or by what the nearest entry above names."""
    used = set()
    for path in sorted(PACKAGE.rglob("*.py")):
        module = path.relative_to(PACKAGE).with_suffix("")
        if path.stem == "__init__" or (TESTS / module.parent / f"test_{module.name}.py").is_file():
            continue
        entry = next((str(one) for one in (module, *module.parents) if str(one) in TOGETHER), None)
        assert entry, f"ctxlab/{module}.py has no tests/{module.parent}/test_{module.name}.py"
        used.add(entry)
    assert used == TOGETHER.keys()
    assert [name for name in TOGETHER.values() if not (TESTS / f"{name}.py").is_file()] == []
