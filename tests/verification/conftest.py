"""Real runs, with the fixtures of the stages' tests."""

from tests.stages.conftest import refused, trained  # noqa: F401
