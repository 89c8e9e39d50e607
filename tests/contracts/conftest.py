"""Real runs here are refused as elsewhere."""

from tests.stages.conftest import refused  # noqa: F401
