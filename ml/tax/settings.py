"""The ambiguous points of the law as typed settings, A1 to A18 of TAX_RULES section 6.

A setting has the convention as its default. Alternatives that need positions which the ledger does
not keep (A7, A16) raise an error that says so when asked for; none is ignored.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Final

_CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "a1": ("execution_time", "worst_case", "show_both"),
    "a2": ("add_days", "replacement", "no_overlap"),
    "a3": ("acquisition_date", "tacked_date"),
    "a4": ("order", "fill"),
    "a5": ("washes_again",),
    "a6": ("same_security", "warn_similar"),
    "a7": ("refuse_options",),
    "a8": ("not_a_replacement", "replacement", "other_account"),
    "a9": ("no_wash_if_closed", "lot_to_lot"),
    "a10": ("literal", "later_purchases_only"),
    "a11": ("per_share", "earliest_first"),
    "a12": ("largest_remainder", "independent"),
    "a13": ("issuer_fraction", "other_valuation"),
    "a14": ("household", "taxpayer_only", "account"),
    "a15": ("pool", "specific_lot"),
    "a16": ("refuse_short_sales",),
    "a17": ("permanent", "not_a_replacement"),
    "a18": ("no_wash_sale", "as_security"),
}
# What an alternative lacks: it is refused with this reason.
_REFUSED: Final[Mapping[tuple[str, str], str]] = {
    ("a7", "replacement"): "option positions are not kept, so a call cannot carry the loss's basis",
    ("a7", "warning"): "option positions are not kept, so purchases of calls are not known",
    ("a16", "closing_date"): "short positions are not kept",
    ("a16", "entry_date"): "short positions are not kept",
}


@dataclass(frozen=True, slots=True)
class TaxSettings:
    """Conventions of the ledger.

    Attributes
    ----------
    a1 : str
        Same-day purchases in taxable and IRA accounts: by ``execution_time``, else file order;
        ``worst_case`` takes IRA purchases first; ``show_both`` computes the default and reports what
        the worst case would disallow for good, where it differs (status ``same_day_order``).
    a2 : str
        Tacking: ``add_days`` (default), ``replacement`` (old start taken over), ``no_overlap``.
    a3 : str
        FIFO and LIFO order by actual ``acquisition_date`` or ``tacked_date``.
    a4 : str
        One purchase is one ``order`` or one ``fill``.
    a5 : str
        A gain that an adjustment turned into a loss washes again.
    a6 : str
        Substantially identical: the same security, renamings joined, and ``identical_groups``;
        ``warn_similar`` reports losses near purchases in one of ``similar_groups`` (status
        ``possibly_identical``) and leaves the figures as they are.
    a7, a16 : str
        Options and short sales are refused with a status.
    a8 : str
        Shares sold before the loss are ``not_a_replacement``; ``replacement`` (literal s1091) lets
        them take the loss into the basis of their sale, ``other_account`` only those of other accounts.
    a9 : str
        Recent lots all closed the same day: ``no_wash_if_closed`` (one order, or nothing left), or
        ``lot_to_lot``, which moves the loss into the other lot's sale.
    a10 : str
        Other shares bought in the window before the shares sold: ``literal`` counts them,
        ``later_purchases_only`` does not.
    a11 : str
        Return of capital ``per_share`` over all lots, or ``earliest_first``.
    a12 : str
        Cents: exact units by ``largest_remainder``; ``independent`` rounds each reported amount to
        the cent on its own, so that sums drift.
    a13 : str
        Spin-off basis by the ``issuer_fraction``; ``other_valuation`` by the market values on the
        account's own row (price_usd per old share, fair_market_value_usd of all new shares).
    a14 : str
        Purchases of the ``household`` replace (basis to the buyer's shares), ``taxpayer_only``, or those of
        the same ``account`` alone: what a broker reports (s6045(g)), never the taxpayer's result.
    a15 : str
        A disallowed loss on average-basis shares is added to the ``pool``, or stays with its
        ``specific_lot``.
    a17 : str
        Replacement in a 401(k) or HSA: ``permanent`` or ``not_a_replacement``.
    a18 : str
        Digital assets: ``no_wash_sale`` or ``as_security``.
    identical_groups : tuple of tuple of str
        Asset ids that the user declares substantially identical (A6).
    similar_groups : tuple of tuple of str
        Asset ids to warn about under A6 = warn_similar (same index, convertibles).

    Raises
    ------
    ValueError
        If a choice is unknown, or known but not computed by this engine.
    """

    a1: str = "execution_time"
    a2: str = "add_days"
    a3: str = "acquisition_date"
    a4: str = "order"
    a5: str = "washes_again"
    a6: str = "same_security"
    a7: str = "refuse_options"
    a8: str = "not_a_replacement"
    a9: str = "no_wash_if_closed"
    a10: str = "literal"
    a11: str = "per_share"
    a12: str = "largest_remainder"
    a13: str = "issuer_fraction"
    a14: str = "household"
    a15: str = "pool"
    a16: str = "refuse_short_sales"
    a17: str = "permanent"
    a18: str = "no_wash_sale"
    identical_groups: tuple[tuple[str, ...], ...] = ()
    similar_groups: tuple[tuple[str, ...], ...] = ()

    def __post_init__(self) -> None:
        for name, choices in _CHOICES.items():
            value = getattr(self, name)
            if value in choices:
                continue
            lacking = _REFUSED.get((name, str(value)))
            problem = "is unknown" if lacking is None else f"is not computed: {lacking}"
            raise ValueError(f"setting {name.upper()}={value!r} {problem}; use one of {', '.join(choices)}")

    def changed(self) -> tuple[str, ...]:
        """Return the codes (``A2`` and so on) that do not hold their default."""
        return tuple(
            f.name.upper() for f in fields(self) if f.name in _CHOICES and getattr(self, f.name) != f.default
        )


def with_setting(settings: TaxSettings, assignment: str) -> TaxSettings:
    """Return settings with one ``CODE=value`` applied.

    Parameters
    ----------
    settings : TaxSettings
        Where to start.
    assignment : str
        For example ``A2=replacement``.

    Raises
    ------
    ValueError
        If it is not CODE=value, the code is not A1 to A18, or the value is not supported.
    """
    code, sign, value = assignment.partition("=")
    name = code.strip().lower()
    if not sign or name not in _CHOICES:
        raise ValueError(f"setting {assignment!r}: write CODE=value with CODE from A1 to A18")
    return replace(settings, **{name: value.strip()})
