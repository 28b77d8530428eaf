"""People and their accounts: filing status, income, state, broker settings (no trades)."""

import numpy as np
import polars as pl

from ml.simulate.archetypes import METHODS, P
from ml.simulate.counter_rng import normals, uniforms

STATES = ("CA", "NY", "TX", "FL", "WA", "MA", "NJ", "PA")
USER_SPAWN, HOUSEHOLD_SPAWN = 1, 2
_MONEY = pl.Decimal(20, 6)


def user_id(seed: int, number: int) -> str:
    """Return the pseudonym of a simulated user."""
    return f"u{seed}-{number:06d}"


def users_frame(
    seed: int, numbers: np.ndarray, keys: np.ndarray, household_keys: np.ndarray, joint: np.ndarray
) -> pl.DataFrame:
    """Return brokerage__users rows (contract columns without known_at), one per user.

    Parameters
    ----------
    seed, numbers:
        The simulation's seed and the users' running numbers.
    keys, household_keys:
        Keys of the user and of the pair (2k, 2k + 1) that it belongs to.
    joint:
        Whether the pair is a married_joint household; what a joint return states (income,
        carryovers, state) is then drawn from the pair's key and equal on both rows.
    """
    source = np.where(joint, household_keys, keys)
    draw = uniforms(keys, 200)
    single = np.array(["single", "married_separate", "head_of_household"])[
        np.searchsorted([0.84, 0.89], draw)
    ]
    state = np.searchsorted(np.array([0.27, 0.44, 0.58, 0.68, 0.75, 0.83, 0.90, 0.97]), uniforms(source, 201))
    income = np.exp(np.where(joint, np.log(125_000), np.log(78_000)) + 0.6 * normals(source, 202))
    income = np.rint(np.clip(income, 12_000, 1_500_000) / 100) * 100
    deduction = np.where(joint, 27_000, 13_500)
    extra = np.rint(income * 0.05 * uniforms(source, 203) / 100) * 100
    unknown = uniforms(source, 204) < 0.08
    carry = uniforms(source, 205)
    amount = np.rint(np.exp(np.log(4_000) + 1.0 * normals(source, 206)) / 10) * 10
    pair = np.where(joint, numbers - numbers % 2, numbers)
    return pl.DataFrame(
        {
            "user_id": [user_id(seed, n) for n in numbers],
            "tax_year": pl.Series([None] * len(numbers), dtype=pl.Int32),
            "household_id": [f"h{seed}-{n:06d}" for n in pair],
            "filing_status": np.where(joint, "married_joint", single).tolist(),
            "state": [STATES[s] if s < len(STATES) else None for s in state],
            "ordinary_taxable_income_usd": _money(income, ~unknown),
            "magi_usd": _money(income + deduction + extra, ~unknown),
            "st_carryover_usd": _money(np.where(carry < 0.04, amount, 0), carry < 0.8),
            "lt_carryover_usd": _money(np.where((carry > 0.03) & (carry < 0.08), 2 * amount, 0), carry < 0.8),
        }
    )


def accounts_frame(seed: int, users: pl.DataFrame, owners: np.ndarray, numbers: np.ndarray,
                   keys: np.ndarray, table: np.ndarray, is_ira: np.ndarray) -> pl.DataFrame:  # fmt: skip
    """Return brokerage__accounts rows (without opened_date and known_at), one per row of ``table``.

    Parameters
    ----------
    seed, users:
        The simulation's seed and :func:`users_frame`'s result.
    owners:
        Row of ``users`` that owns each account.
    numbers, keys:
        The owners' running numbers and keys.
    table, is_ira:
        Parameters of each account and whether it is the IRA.
    """
    ira_type = np.where(uniforms(keys, 210) < 0.55, "roth_ira", "traditional_ira")
    owner = users[owners]
    return pl.DataFrame(
        {
            "account_id": [f"a{seed}-{n:06d}-{2 if i else 1}" for n, i in zip(numbers, is_ira, strict=True)],
            "user_id": owner["user_id"],
            "household_id": owner["household_id"],
            "account_type": np.where(is_ira, ira_type, "taxable").tolist(),
            "broker": ["simulated" if b else None for b in uniforms(keys, 211) < 0.7],
            "lot_method": [METHODS[int(m)] for m in table[:, P["method"]]],
            "fractional": table[:, P["fractional"]] > 0,
        }
    )


def _money(values: np.ndarray, known: np.ndarray) -> pl.Series:
    """Return DECIMAL(20,6) values, null where not known."""
    cents = pl.Series(
        [round(float(v)) if k else None for v, k in zip(values, known, strict=True)], dtype=pl.Int64
    )
    return cents.cast(_MONEY)
