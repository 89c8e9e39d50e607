"""JSON as the server writes it."""

import json
from typing import Any


def written(content: Any) -> bytes:
    """Return JSON as ``ctxlab predict`` writes it, except that numbers that JSON lacks become null."""
    try:
        return json.dumps(content, ensure_ascii=False, allow_nan=False).encode()
    except ValueError:
        return json.dumps(_finite(content), ensure_ascii=False, allow_nan=False).encode()


def _finite(content: Any) -> Any:
    if isinstance(content, dict):
        return {name: _finite(value) for name, value in content.items()}
    if isinstance(content, list | tuple):
        return [_finite(value) for value in content]
    return None if isinstance(content, float) and content - content != 0 else content
