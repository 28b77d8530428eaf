"""Likelihood of each decision under the six objectives and under a random trader, from counted choices.

What belongs here: decisions to ``log_p [D, 7]`` - the one interface behind which another model of choice
(a policy's discrete head) may stand. What does not: counting (``ml/features/choices.py``), rates
(``rates.py``), learning from the likelihoods (``fit.py``, ``population.py``).

In a session with sales, each unit sold is a draw from the units that could have been sold: of cell c with
probability r_kc f_c / sum r_kc' f_c' under objective k and f_c under the random trader, f the cell's share of
what was eligible that day; purchases likewise from the universe of the day. Logs are summed over units,
purchases tempered by 1/4 (``evidence.py``): they repeat themselves.
"""

from collections.abc import Callable
from hashlib import sha256
from typing import Final

import numpy as np
import polars as pl

from ml.features.choices import BUY_CELLS, SALE_CELLS
from ml.features.decisions import Decisions
from ml.personalization.evidence import BUY_TEMPER, SALE_TEMPER
from ml.personalization.rates import BUY_RATES, RATES_VERSION, SALE_RATES
from ml.types import OBJECTIVES

# Decisions -> log p_k(a_t) of the six objectives and log p_0(a_t), float64 (D, 7); rows without a choice are
# equal in all seven.
ChoiceModel = Callable[[Decisions], np.ndarray]

CHOICE_MODEL_HASH: Final = sha256(
    repr(("counted choices", RATES_VERSION, SALE_TEMPER, BUY_TEMPER, SALE_RATES, BUY_RATES)).encode()
).hexdigest()


def counted_log_p(decisions: Decisions) -> np.ndarray:
    """Score decisions by the rates of counted choices.

    Parameters
    ----------
    decisions : ml.features.decisions.Decisions

    Returns
    -------
    ndarray of shape (D, 7)
        Tempered log-probabilities, nats; 0 in rows without a choice.
    """
    sale_rates = np.array([np.ravel(SALE_RATES[name]) for name in OBJECTIVES])
    buy_rates = np.array([np.ravel(BUY_RATES[name]) for name in OBJECTIVES])
    sold = _session_log_p(decisions.sales, "sold__", "eligible__", SALE_CELLS, sale_rates)
    bought = _session_log_p(decisions.buys, "bought__", "available__", BUY_CELLS, buy_rates)
    keys = decisions.rows.select("account_id", "trade_date")
    return SALE_TEMPER * _placed(keys, decisions.sales, sold) + BUY_TEMPER * _placed(
        keys, decisions.buys, bought
    )


def decision_weights(decisions: Decisions, log_p: np.ndarray) -> np.ndarray:
    """Weigh decisions: 1 where a choice was seen, 0 without an order or without a choice; (D,)."""
    is_informative = (log_p != log_p[:, :1]).any(axis=1) | (log_p[:, 0] != 0.0)
    return (decisions.rows["has_order"].to_numpy() & is_informative).astype(np.float64)


def choice_strength(decisions: Decisions) -> np.ndarray:
    """Count a decision with a choice of sales as 1, one with purchases alone as 1/4, others as 0; (D,)."""
    keys = decisions.rows.select("account_id", "trade_date")
    sold, bought = (
        _placed(keys, sessions, np.ones((sessions.height, 1)))[:, 0]
        for sessions in (decisions.sales, decisions.buys)
    )
    return np.maximum(SALE_TEMPER * sold, BUY_TEMPER * bought)


def _session_log_p(
    sessions: pl.DataFrame, chosen: str, eligible: str, cells: tuple[str, ...], rates: np.ndarray
) -> np.ndarray:
    """Log-probability of a session's choices under each row of rates, then at random; (S, 7)."""
    made, offered = (
        sessions.select(f"{prefix}{cell}" for cell in cells)
        .to_numpy()
        .astype(np.float64)
        .reshape(-1, len(cells))
        for prefix in (chosen, eligible)
    )
    all_rates = np.vstack([rates, np.ones(len(cells))])
    total = np.maximum(offered @ all_rates.T, np.finfo(np.float64).tiny)
    # A cell that was chosen was on offer; 0 log 0 elsewhere is 0.
    log_offered = np.log(np.maximum(offered, 1.0))
    return (
        made @ np.log(all_rates).T
        + (made * log_offered).sum(axis=1)[:, None]
        - made.sum(axis=1)[:, None] * np.log(total)
    )


def _placed(keys: pl.DataFrame, sessions: pl.DataFrame, log_p: np.ndarray) -> np.ndarray:
    """Bring per-session scores into the order of the decisions; 0 where there was no choice."""
    numbered = sessions.select("account_id", "trade_date").with_row_index("session")
    place = (
        keys.join(numbered, on=["account_id", "trade_date"], how="left", maintain_order="left")["session"]
        .cast(pl.Int64)
        .fill_null(-1)
        .to_numpy()
    )
    return np.vstack([log_p, np.zeros((1, log_p.shape[1]))])[place]
