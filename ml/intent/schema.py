"""The structured goal: fields, closed vocabularies and their checks.

What belongs here: what an intent may hold. What does not: how a text becomes one (``grammar.py``).
"""

from datetime import date
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ml.types import SECTORS

Objective = Literal[
    "short_term_alpha",
    "short_term_gain",
    "long_term_gain",
    "capital_preservation",
    "tax_loss_harvesting",
    "long_term_gains_only",
]
RiskTolerance = Literal["low", "medium", "high"]
ExclusionKind = Literal["sector", "industry", "asset_class", "symbol", "theme"]

EXCLUSION_NAMES: Final[dict[str, tuple[str, ...]]] = {
    "sector": SECTORS,
    "industry": (
        "Aerospace & Defense",
        "Airlines",
        "Automobiles",
        "Banks",
        "Biotechnology",
        "Casinos & Gaming",
        "Insurance",
        "Oil & Gas",
        "Pharmaceuticals",
        "Semiconductors",
        "Tobacco",
    ),
    "asset_class": (
        "annuities",
        "bonds",
        "commodities",
        "crypto",
        "gold",
        "junk_bonds",
        "leveraged_etfs",
        "options",
        "penny_stocks",
        "reits",
        "spacs",
    ),
    "theme": (
        "adult_entertainment",
        "alcohol",
        "animal_testing",
        "cannabis",
        "china",
        "fossil_fuels",
        "gambling",
        "meme_stocks",
        "private_prisons",
        "weapons",
    ),
}
MAX_HORIZON_MONTHS: Final = 600


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Liquidity(_Strict):
    """Money to be taken out.

    Attributes
    ----------
    amount_usd : float or None
        In dollars; None if unstated or in another currency.
    share_of_portfolio : float or None
        0..1.
    by : tuple of date or None
        First and last day of the window in which the cash must be there.
    """

    amount_usd: float | None = Field(default=None, gt=0.0, le=1e12)
    share_of_portfolio: float | None = Field(default=None, gt=0.0, le=1.0)
    by: tuple[date, date] | None = None

    @model_validator(mode="after")
    def _is_stated(self) -> "Liquidity":
        if self.amount_usd is None and self.share_of_portfolio is None and self.by is None:
            raise ValueError("liquidity without amount, share and date: leave it None")
        if self.by is not None and self.by[0] > self.by[1]:
            raise ValueError(f"liquidity window {self.by[0]}..{self.by[1]} ends before it starts")
        return self


class Exclusion(_Strict):
    """Something not to be owned or bought; names come from :data:`EXCLUSION_NAMES` or are tickers."""

    kind: ExclusionKind
    name: str = Field(min_length=1, max_length=40)

    @model_validator(mode="after")
    def _is_in_vocabulary(self) -> "Exclusion":
        if self.kind != "symbol" and self.name not in EXCLUSION_NAMES[self.kind]:
            raise ValueError(f"exclusion {self.kind}:{self.name} is not in the closed vocabulary")
        return self


class TaxWishes(_Strict):
    """Wishes about tax; all false if none is stated."""

    avoid_short_term_gains: bool = False
    harvest_losses: bool = False
    avoid_realising_gains: bool = False
    wash_sale_concern: bool = False

    def any(self) -> bool:
        """Say whether one is set."""
        return (
            self.avoid_short_term_gains
            or self.harvest_losses
            or self.avoid_realising_gains
            or self.wash_sale_concern
        )


class Span(_Strict):
    """A part of the text, by character positions in the text as given, with the reason it was set aside."""

    start: int = Field(ge=0)
    end: int = Field(ge=0)
    text: str = Field(max_length=200)
    reason: str


class InvestmentIntent(_Strict):
    """What an investor stated; what he did not state is None, empty or False.

    Attributes
    ----------
    objective, secondary : str or None
        Of :data:`ml.types.OBJECTIVES`.
    horizon_months : tuple of int or None
        Shortest and longest; 600 is "or more".
    liquidity, risk_tolerance, exclusions, tax
        As in their classes; exclusions sorted by kind and name.
    actionable : bool
        Usable without asking back.
    not_understood : tuple of Span
        Parts in which nothing was recognised or that are not the investor's own statement.
    note : str or None
        What the person who runs it should know: that an endpoint failed and the offline parser read it.
    parser_version : str
        What read it.
    """

    objective: Objective | None = None
    secondary: Objective | None = None
    horizon_months: tuple[int, int] | None = None
    liquidity: Liquidity | None = None
    risk_tolerance: RiskTolerance | None = None
    exclusions: tuple[Exclusion, ...] = ()
    tax: TaxWishes = TaxWishes()
    actionable: bool = False
    not_understood: tuple[Span, ...] = ()
    note: str | None = None
    parser_version: str

    @model_validator(mode="after")
    def _is_consistent(self) -> "InvestmentIntent":
        if self.secondary is not None and self.secondary == self.objective:
            raise ValueError(f"secondary repeats the objective {self.objective!r}")
        if self.horizon_months is not None:
            low, high = self.horizon_months
            if not 0 <= low <= high <= MAX_HORIZON_MONTHS:
                raise ValueError(f"horizon {low}..{high} months is not within 0..{MAX_HORIZON_MONTHS}")
        return self
