#!/usr/bin/env bash
# "--hydra-help" copies every structured config that is registered, several times for each group that there is.
#
# Version: hydra-core==1.3.8, omegaconf==2.3.1 (Python 3.11)
# Guess: help lists names of groups, so that the registered configs are copied once or not at all.
# Behaviour: to list the options of one group a repository is created, which deep-copies its sources and with them the
# ConfigStore singleton. The help does this five times for each group, its own ones included; composing does it once.
# Matters: time is groups times schemas: an application with forty groups and eighteen schemas took 57 s of processor time for
# this page, 2 s once its store answered a copy with itself.
#
# Output seen:
#   guessed copies of the store for 1, 5 and 25 groups of an application: [1, 1, 1]
#   seen: [55, 75, 175]
set -euo pipefail

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python="${PYTHON:-python3}"
"$python" -m pip install -qq --disable-pip-version-check --root-user-action=ignore --target "$folder" \
    hydra-core==1.3.8 omegaconf==2.3.1

cat > "$folder/application.py" <<'EOF'
import atexit
import sys

import hydra
from hydra.core.config_store import ConfigStore

copies = 0


def counted(store, memo):
    global copies
    copies += 1
    return store


ConfigStore.__deepcopy__ = counted
store = ConfigStore.instance()
store.store(name="config", node={"seed": 1})
for number in range(int(sys.argv.pop(1))):
    store.store(group=f"group{number}", name="option", node={"key": 1})


@hydra.main(config_path=None, config_name="config", version_base="1.3")
def main(config):
    pass


atexit.register(lambda: print(f"copies {copies}", file=sys.stderr))
main()
EOF

PYTHONPATH="$folder" PYTHONUTF8=1 "$python" -W ignore - "$folder" <<'EOF'
import subprocess
import sys

GUESS = [1, 1, 1]
EXPECTED = [55, 75, 175]


def copies(groups):
    command = [sys.executable, f"{sys.argv[1]}/application.py", str(groups), "--hydra-help"]
    said = subprocess.run(command, capture_output=True, text=True, check=True, cwd=sys.argv[1]).stderr
    return int(said.split()[-1])


seen = [copies(groups) for groups in (1, 5, 25)]
print("guessed copies of the store for 1, 5 and 25 groups of an application:", GUESS)
print("seen:", seen)
if seen != EXPECTED:
    sys.exit("The behaviour has changed.")
EOF
