"""Sentences for people: what a night recommends for one account, and why.

What belongs here: wording. What does not: any computation beyond sums of the rows shown.
"""

from typing import Final

import polars as pl

from ml.recommend.schema import NEW_LOT_ID, REASON_CODES
from ml.types import CASH_ASSET_ID, EXPERTS, OBJECTIVES

# Total variation distance of stated and revealed objectives from which it is worth a sentence.
NOTABLE_DISAGREEMENT: Final = 0.5
_WHY: Final = {
    "target_above_current": "its target is above the holding by more than the band",
    "target_below_current": "its target is below the holding by more than the band",
    "harvest_loss": "the lots sold realise a loss that tax can use",
    "excluded_by_goal": "the stated goal excludes it",
    "cash_need": "cash is needed and the ordinary sales do not raise it",
    "inside_band": "the drift is inside the no-trade band",
    "wash_locked": "a purchase would wash a loss of the household",
    "would_wash": "the lots to sell are losses that a recent purchase would wash",
    "short_term_gain_held": "no short-term gain may be chosen",
    "tax_cost_above_drift": "tax and cost of selling outweigh the drift",
    "cash_short": "there is no cash left for it",
    "turnover_capped": "the night's turnover went to larger drifts",
    "below_minimum": "the order would be below the smallest one",
    "stale_price": "it has had no bar for five sessions and is valued at its last price",
    "not_a_candidate": "it is not a name that may be traded here",
    "cash_residual": "what the orders leave",
}
if set(_WHY) != set(REASON_CODES):
    raise AssertionError(f"explain has no words for {sorted(set(REASON_CODES) ^ set(_WHY))}")


def explain(portfolios: pl.DataFrame, target_weights: pl.DataFrame, lot_orders: pl.DataFrame) -> list[str]:
    """Say what was recommended for one account.

    Parameters
    ----------
    portfolios, target_weights, lot_orders : polars.DataFrame
        The account's rows of the three tables; exactly one portfolio row.

    Returns
    -------
    list of str
        One sentence each.

    Raises
    ------
    ValueError
        If there is not exactly one portfolio row.
    """
    if len(portfolios) != 1:
        raise ValueError(f"explain takes one account's rows: got {len(portfolios)} portfolio rows")
    row = portfolios.row(0, named=True)
    lines = [f"Account {row['account_id']} on {row['as_of_date']}: status {row['status']}; {row['reason']}."]
    lines += _mix_sentences(row)
    if row["status"] != "ok":
        return lines
    trades = target_weights.filter(pl.col("action") != "hold").sort("notional_usd", descending=True)
    if trades.is_empty():
        lines.append("Nothing to trade tonight.")
    for trade in trades.sort(
        ["action", "notional_usd", "asset_id"], descending=[True, True, False]
    ).iter_rows(named=True):
        lines.append(_trade_sentence(trade, lot_orders.filter(pl.col("asset_id") == trade["asset_id"])))
    lines += _hold_sentences(target_weights)
    cash = target_weights.filter(pl.col("asset_id") == CASH_ASSET_ID).row(0, named=True)
    lines.append(
        f"Cash goes from {cash['current_weight']:.2%} to {cash['target_weight']:.2%} of the account."
    )
    tax, loss = row["expected_tax_usd"], row["harvested_loss_usd"]
    effect = f"add {tax:,.2f} USD to" if tax >= 0 else f"save {-tax:,.2f} USD of"
    lines.append(
        f"{row['n_orders']} lot orders turn over {row['turnover_ratio']:.2%} of the account; at marginal rates they "
        f"{effect} tax, with {loss:,.2f} USD of losses realised."
    )
    return lines


def _mix_sentences(row: dict) -> list[str]:
    """The objectives and experts behind the target, largest first."""
    lines = []
    for prefix, names, lead in (("p_", OBJECTIVES, "Objectives"), ("e_", EXPERTS, "Experts")):
        known = [(row[prefix + name], name) for name in names if row[prefix + name] is not None]
        parts = [
            f"{name} {weight:.0%}"
            for weight, name in sorted(known, key=lambda p: (-p[0], p[1]))
            if weight >= 0.005
        ]
        if parts:
            lines.append(f"{lead}: {', '.join(parts)}.")
    if row["stated_objective"]:
        lines.append(f"Stated objective: {row['stated_objective']}.")
    if row["disagreement"] is not None and row["disagreement"] >= NOTABLE_DISAGREEMENT:
        revealed = max(OBJECTIVES, key=lambda name: row[f"revealed_{name}"])
        lines.append(
            f"The trades point elsewhere: to {revealed} ({row[f'revealed_{revealed}']:.0%}); stated and revealed "
            f"objectives differ by {row['disagreement']:.0%}. The mix weighs the statement as {row['n_stated']:.0f} "
            f"decisions and the trades as {row['n_revealed']:.0f}."
        )
    return lines


def _trade_sentence(trade: dict, orders: pl.DataFrame) -> str:
    quantity = f"{trade['quantity']:f}".rstrip("0").rstrip(".")
    sentence = (
        f"{trade['action'].capitalize()} {quantity} {trade['asset_id']} ({trade['notional_usd']:,.2f} USD), from "
        f"{trade['current_weight']:.2%} to {trade['target_weight']:.2%}: {_WHY[trade['reason_code']]}"
    )
    lots = orders.filter(pl.col("lot_id") != NEW_LOT_ID)
    if lots.is_empty():
        return sentence + "."
    gain, tax = lots["gain_usd"].sum(), lots["tax_usd"].sum()
    terms = " and ".join(
        f"{n} {term}-term" for term, n in lots.group_by("term").len().sort("term").iter_rows()
    )
    plural = "" if len(lots) == 1 else "s"
    return f"{sentence}; {terms} lot{plural}, gain {gain:,.2f} USD, tax {tax:,.2f} USD."


def _hold_sentences(target_weights: pl.DataFrame) -> list[str]:
    """Group the names that are held by reason."""
    held = target_weights.filter((pl.col("action") == "hold") & (pl.col("asset_id") != CASH_ASSET_ID))
    groups = held.group_by("reason_code").agg(pl.col("asset_id").sort()).sort("reason_code")
    lines = []
    for code, assets in groups.iter_rows():
        names = ", ".join(assets[:10]) + (f" and {len(assets) - 10} more" if len(assets) > 10 else "")
        lines.append(f"Hold {names}: {_WHY[code]}.")
    return lines
