"""What an archive of ``torch.export`` would unpickle."""

import json
import zipfile
from pathlib import Path


def pickled_parts(path: Path) -> list[str]:
    """Return the names of what an archive has as pickle: weights by their config, example inputs unless empty."""
    found = []
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if name.endswith("_config.json"):
                entries = json.loads(archive.read(name)).get("config", {})
                found += [key for key, entry in entries.items() if entry.get("use_pickle")]
            elif "/sample_inputs/" in name and archive.getinfo(name).file_size:
                found.append(name)
    return found
