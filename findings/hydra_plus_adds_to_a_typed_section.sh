#!/usr/bin/env bash
# "+section.typo=1" adds a field to a typed section, and the dataclass made from it gets an attribute that its repr hides.
#
# Version: hydra-core==1.3.8, omegaconf==2.3.1 (Python 3.11)
# Guess: a section that is a structured config has the fields of its dataclass and no others, so "+model.widnow=128" is
# refused like "model.widnow=128".
# Behaviour: the plus opens the section for any key. OmegaConf.to_object then sets the attribute on the dataclass, whose repr
# and fields() do not show it.
# Matters: a run with "+" before a misspelt key uses the default value of the intended key, without an error.
#
# Output seen:
#   guessed: {'model.widnow=128': 'refused', '+model.widnow=128': 'refused'}
#   seen:    {'model.widnow=128': 'refused', '+model.widnow=128': "Model(window=512) {'window': 512, 'widnow': 128}"}
set -euo pipefail

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python="${PYTHON:-python3}"
"$python" -m pip install -qq --disable-pip-version-check --root-user-action=ignore --target "$folder" \
    hydra-core==1.3.8 omegaconf==2.3.1

PYTHONPATH="$folder" PYTHONUTF8=1 "$python" -W ignore - <<'EOF'
import sys
from dataclasses import dataclass, field

from hydra import compose, initialize
from hydra.core.config_store import ConfigStore
from hydra.errors import HydraException
from omegaconf import OmegaConf


@dataclass
class Model:
    window: int = 512


@dataclass
class Config:
    model: Model = field(default_factory=Model)


GUESS = {"model.widnow=128": "refused", "+model.widnow=128": "refused"}
EXPECTED = {"model.widnow=128": "refused", "+model.widnow=128": "Model(window=512) {'window': 512, 'widnow': 128}"}


def outcome(override):
    try:
        model = OmegaConf.to_object(compose("config", overrides=[override])).model
    except HydraException:
        return "refused"
    return f"{model} {vars(model)}"


ConfigStore.instance().store(name="config", node=Config)
with initialize(config_path=None, version_base="1.3"):
    seen = {override: outcome(override) for override in GUESS}

print("guessed:", GUESS)
print("seen:   ", seen)
if seen != EXPECTED:
    sys.exit("The behaviour has changed.")
EOF
