"""The night's last step in ``ml``: from lots, prices and mixes to weights and lot-level orders.

``night.recommend_night`` is the entry; ``guardrails.check_guardrails`` judges its result. Nothing here
reads a clock, an environment variable or a database: frames in, frames out.
"""

from ml.recommend.explain import explain
from ml.recommend.guardrails import GuardrailError, Violation, check_guardrails, require_guardrails
from ml.recommend.inputs import NightInputs, RecommendSettings
from ml.recommend.night import recommend_night
from ml.recommend.schema import REASON_CODES, NightResult

__all__ = [
    "REASON_CODES",
    "GuardrailError",
    "NightInputs",
    "NightResult",
    "RecommendSettings",
    "Violation",
    "check_guardrails",
    "explain",
    "recommend_night",
    "require_guardrails",
]
