"""Hypothesis profiles: "quick" is the default; HYPOTHESIS_PROFILE=long looks 25 times as far, with new examples.

"brief" is for tests that run others once more, under another compiler setting.
"""

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "quick", max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("brief", settings.get_profile("quick"), max_examples=8)
settings.register_profile("long", max_examples=1000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))
