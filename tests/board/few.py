"""A pytest plugin for an emulated processor: fewer examples of each property; the host's tests try them all."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

EXAMPLES = 10

settings.register_profile(
    "few",
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
