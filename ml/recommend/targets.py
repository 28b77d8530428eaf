"""The target of each account: experts asked at t0, blended by the user's mix.

What belongs here: grouping accounts by the session of their target and calling the experts on whole
panels. What does not: which names an account may have (``candidates.py``).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date

import numpy as np
import polars as pl

from ml.policy.experts import MarketPlan, expert_targets, plan_market
from ml.policy.objectives import effective_mix, expert_weights
from ml.policy.panels import AccountPanel, MarketPanel
from ml.recommend.book import account_panel, build_book
from ml.recommend.inputs import NightInputs
from ml.recommend.market import Universe, market_panel
from ml.types import EXPERTS, OBJECTIVES

TargetFunction = Callable[[MarketPanel, AccountPanel], np.ndarray]


@dataclass
class TargetMaker:
    """Asks the experts once per session of the week, for one chunk of accounts after another.

    Parameters
    ----------
    inputs : NightInputs
    universe : Universe
    targets_of : callable, optional
        ``(MarketPanel, AccountPanel) -> [R, 4, N + 1]``; default: the analytic experts.
    """

    inputs: NightInputs
    universe: Universe
    targets_of: TargetFunction | None = None
    _markets: dict[date, tuple[MarketPanel, MarketPlan | None]] = field(default_factory=dict)

    def _market(self, session: date) -> tuple[MarketPanel, MarketPlan | None]:
        if session not in self._markets:
            panel = market_panel(self.inputs, self.universe, session)
            self._markets[session] = (panel, plan_market(panel) if self.targets_of is None else None)
        return self._markets[session]

    def blended(
        self,
        accounts: pl.DataFrame,
        rows: np.ndarray,
        mix: np.ndarray,
        lots: dict[date, pl.DataFrame],
        cash: dict[date, pl.DataFrame],
    ) -> tuple[np.ndarray, np.ndarray]:
        """Blend the experts' targets for some accounts of a chunk.

        Parameters
        ----------
        accounts : polars.DataFrame
            A accounts: account_id, ``a`` (position), is_tax_deferred, target_date.
        rows : ndarray of shape (R,)
            Positions of the accounts to serve, ascending.
        mix : ndarray of shape (A, 6)
            Mix given to the policy; rows not served are ignored.
        lots, cash : dict of date to polars.DataFrame
            State per session.

        Returns
        -------
        targets : ndarray of shape (A, N + 1)
            Cash last; nan for rows not served.
        experts : ndarray of shape (A, 4)
            Weights used; nan for rows not served.
        """
        targets = np.full((len(accounts), len(self.universe.asset_ids) + 1), np.nan)
        experts = np.full((len(accounts), len(EXPERTS)), np.nan)
        if not len(rows):
            return targets, experts
        experts[rows] = expert_weights(mix[rows])
        ids = accounts["account_id"].to_list()
        deferred = accounts["is_tax_deferred"].to_numpy()
        dates = accounts["target_date"].to_numpy()
        for session in sorted(set(accounts["target_date"].gather(rows).to_list())):
            chosen = rows[dates[rows] == np.datetime64(session)]
            book = build_book(accounts, lots[session], cash[session], self.universe, session)
            panel = account_panel(book, chosen, ids, deferred, len(self.universe.asset_ids))
            market, plan = self._market(session)
            if self.targets_of is None:
                portfolios = expert_targets(market, panel, plan)
            else:
                portfolios = self.targets_of(market, panel)
            targets[chosen] = np.einsum("ak,akn->an", experts[chosen], portfolios)
        return targets, experts


def policy_mix(accounts: pl.DataFrame, mixes: pl.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Look up each account's mix of objectives.

    Parameters
    ----------
    accounts : polars.DataFrame
        A accounts: user_id, is_tax_deferred.
    mixes : polars.DataFrame
        user_id and p_<objective>.

    Returns
    -------
    mix : ndarray of shape (A, 6)
        The mix given to the policy: in tax-deferred accounts harvesting counts as long_term_gain.
    is_known : ndarray of shape (A,)
        bool: the user has a row whose weights are >= 0 and sum to 1 within 1e-6.
    """
    names = [f"p_{objective}" for objective in OBJECTIVES]
    joined = accounts.select("user_id").join(mixes, on="user_id", how="left", maintain_order="left")
    mix = joined.select(pl.col(names).cast(pl.Float64).fill_null(float("nan"))).to_numpy()
    known = np.isfinite(mix).all(axis=1) & (np.nan_to_num(mix, nan=-1.0) >= 0.0).all(axis=1)
    known &= np.abs(np.nan_to_num(mix).sum(axis=1) - 1.0) <= 1e-6
    return effective_mix(mix, accounts["is_tax_deferred"].to_numpy()), known
