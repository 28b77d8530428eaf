"""The target of each account: the policy, or the analytic experts, asked at t0 with the user's mix.

What belongs here: grouping accounts by the session of their target and calling the policy on whole
panels; where it cannot decide, the analytic experts do, with a reason. What does not: which names an
account may have (``candidates.py``).
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date

import numpy as np
import polars as pl

from ml.policy.account_state import AccountTax
from ml.policy.experts import MarketPlan, expert_targets, plan_market
from ml.policy.objectives import effective_mix, expert_weights
from ml.policy.panels import AccountPanel, MarketPanel
from ml.policy.serve import PolicyServer
from ml.recommend.book import Book, account_panel, build_book
from ml.recommend.inputs import NightInputs, RecommendSettings
from ml.recommend.market import Universe, market_panel
from ml.recommend.policy_targets import PolicyMarket, account_tax, policy_market
from ml.recommend.status import Rates
from ml.types import EXPERTS, OBJECTIVES

TargetFunction = Callable[[MarketPanel, AccountPanel], np.ndarray]
ANALYTIC = "analytic"


@dataclass
class TargetMaker:
    """Asks for targets once per session of the week, for one chunk of accounts after another.

    Parameters
    ----------
    inputs : NightInputs
    universe : Universe
    settings : RecommendSettings
    policy : PolicyServer, optional
        The trained policy; without it the experts of ``targets_of`` decide.
    targets_of : callable, optional
        ``(MarketPanel, AccountPanel) -> [R, 4, N + 1]``; default: the analytic experts.
    """

    inputs: NightInputs
    universe: Universe
    settings: RecommendSettings
    policy: PolicyServer | None = None
    targets_of: TargetFunction | None = None
    _markets: dict[date, tuple[MarketPanel, MarketPlan | None, PolicyMarket | None]] = field(
        default_factory=dict
    )

    def _market(self, session: date) -> tuple[MarketPanel, MarketPlan | None, PolicyMarket | None]:
        if session not in self._markets:
            panel = market_panel(self.inputs, self.universe, session)
            seen = policy_market(self.inputs, self.universe, panel) if self.policy else None
            self._markets[session] = (panel, plan_market(panel) if self.targets_of is None else None, seen)
        return self._markets[session]

    def targets(
        self,
        accounts: pl.DataFrame,
        rows: np.ndarray,
        mix: np.ndarray,
        no_short_gains: np.ndarray,
        rates: Rates,
        lots: dict[date, pl.DataFrame],
        cash: dict[date, pl.DataFrame],
    ) -> "Targets":
        """Find the targets of some accounts of a chunk.

        Parameters
        ----------
        accounts : polars.DataFrame
            A accounts: account_id, ``a`` (position), household_id, tax_unit_id, is_tax_deferred, target_date.
        rows : ndarray of shape (R,)
            Positions of the accounts to serve, ascending.
        mix : ndarray of shape (A, 6)
            Mix given to the policy; rows not served are ignored.
        no_short_gains : ndarray of shape (A,)
            bool: no voluntary sale may realise a short-term gain.
        rates : Rates
            Marginal rates of the accounts.
        lots, cash : dict of date to polars.DataFrame
            State per session.
        """
        found = Targets.empty(len(accounts), len(self.universe.asset_ids))
        ids = accounts["account_id"].to_list()
        deferred = accounts["is_tax_deferred"].to_numpy()
        dates = accounts["target_date"].to_numpy()
        for session in sorted(set(accounts["target_date"].gather(rows).to_list())):
            chosen = rows[dates[rows] == np.datetime64(session)]
            book = build_book(accounts, lots[session], cash[session], self.universe, session)
            panel = account_panel(book, chosen, ids, deferred, len(self.universe.asset_ids))
            why = self._ask_policy(accounts, chosen, mix, no_short_gains, rates, book, panel, found)
            if why is not None:
                tax = account_tax(accounts, chosen, book, rates, self.inputs, self.universe, self.settings)
                self._ask_experts(session, chosen, mix, panel, tax, found, why)
        return found

    def _ask_policy(
        self,
        accounts: pl.DataFrame,
        chosen: np.ndarray,
        mix: np.ndarray,
        no_short_gains: np.ndarray,
        rates: Rates,
        book: Book,
        panel: AccountPanel,
        found: "Targets",
    ) -> str | None:
        """Fill in the policy's targets; otherwise say why it cannot decide."""
        if self.policy is None:
            return "" if self.targets_of is not None else "no policy in use"
        market, _, seen = self._market(book.session)
        assert seen is not None
        if not (seen.has_embedding & market.tradeable).any():
            return f"no embeddings of {book.session}"
        # An asset without an embedding is neither bought nor sold.
        market = replace(market, tradeable=market.tradeable & seen.has_embedding)
        tax = account_tax(accounts, chosen, book, rates, self.inputs, self.universe, self.settings)
        targets, experts = self.policy.targets(
            market, seen.embeddings, seen.regime, panel, tax, mix[chosen], no_short_gains[chosen]
        )
        found.weights[chosen], found.experts[chosen] = targets, experts
        found.source[chosen] = self.policy.model_id
        return None

    def _ask_experts(
        self,
        session: date,
        chosen: np.ndarray,
        mix: np.ndarray,
        panel: AccountPanel,
        tax: AccountTax,
        found: "Targets",
        why: str,
    ) -> None:
        market, plan, _ = self._market(session)
        if self.targets_of is None:
            portfolios = expert_targets(market, panel, plan, tax)
        else:
            portfolios = self.targets_of(market, panel)
        found.experts[chosen] = expert_weights(mix[chosen])
        found.weights[chosen] = np.einsum("ak,akn->an", found.experts[chosen], portfolios)
        found.source[chosen] = ANALYTIC
        found.notes[chosen] = f"; analytic experts: {why}" if why else ""


@dataclass(frozen=True)
class Targets:
    """Targets of A accounts.

    Attributes
    ----------
    weights : ndarray of shape (A, N + 1)
        Cash last; nan for accounts not served.
    experts : ndarray of shape (A, 4)
        Weights of the experts; nan for accounts not served.
    source : ndarray of shape (A,)
        Id of the policy that decided, or :data:`ANALYTIC`; None for accounts not served.
    notes : ndarray of shape (A,)
        Why the policy did not decide; empty where it did.
    """

    weights: np.ndarray
    experts: np.ndarray
    source: np.ndarray
    notes: np.ndarray

    @classmethod
    def empty(cls, accounts: int, assets: int) -> "Targets":
        """Nothing served yet."""
        return cls(
            np.full((accounts, assets + 1), np.nan),
            np.full((accounts, len(EXPERTS)), np.nan),
            np.full(accounts, None, dtype=object),
            np.full(accounts, "", dtype=object),
        )


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
