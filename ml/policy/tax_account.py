"""The tax year of B portfolios: nets by term, carryforwards, tax due, and the tax of a liquidation.

What belongs here: Schedule D netting at marginal rates, elementwise over portfolios. What does not: brackets
(``ml.tax.rates``), lots (``lot_book.py``), wash sales (``wash_window.py``).

Sources: IRC 1211, 1212, 1222; Schedule D with its Capital Loss Carryover Worksheet.
"""

from dataclasses import dataclass

import torch


@dataclass(frozen=True, slots=True)
class TaxRates:
    """Marginal rates on short and long-term gains and the yearly deduction of losses; (B,) each.

    All 0 in tax-deferred accounts.
    """

    short: torch.Tensor
    long: torch.Tensor
    loss_limit: torch.Tensor


@dataclass(frozen=True, slots=True)
class Netting:
    """A netted year; (B,) each.

    Attributes
    ----------
    tax : Tensor
        Due on net gains; negative: income tax saved by the deduction of losses.
    short_carry, long_carry : Tensor
        Losses left for the next year, >= 0.
    """

    tax: torch.Tensor
    short_carry: torch.Tensor
    long_carry: torch.Tensor


def net_year(short: torch.Tensor, long: torch.Tensor, rates: TaxRates) -> Netting:
    """Net a year's results, carryovers included.

    Parameters
    ----------
    short, long : Tensor of shape (B,)
        Net result of each term less the losses carried in.
    rates : TaxRates

    Returns
    -------
    Netting
        A loss of one term first meets the gain of the other; up to the limit the rest lowers ordinary
        income, taxed at the short rate, short-term losses first.
    """
    crossed = torch.minimum(short.relu(), (-long).relu()) - torch.minimum((-short).relu(), long.relu())
    short, long = short - crossed, long + crossed
    short_loss, long_loss = (-short).relu(), (-long).relu()
    from_short = torch.minimum(short_loss, rates.loss_limit)
    from_long = torch.minimum(long_loss, rates.loss_limit - from_short)
    tax = rates.short * (short.relu() - from_short - from_long) + rates.long * long.relu()
    return Netting(tax, short_loss - from_short, long_loss - from_long)


@dataclass(frozen=True, slots=True)
class TaxAccount:
    """The running year of B portfolios; (B,) each.

    Attributes
    ----------
    short_net, long_net : Tensor
        Results realised this year, disallowed losses left out.
    short_carry, long_carry : Tensor
        Losses carried in, >= 0.
    tax_due : Tensor
        Tax of closed years not yet paid; negative: a refund.
    """

    short_net: torch.Tensor
    long_net: torch.Tensor
    short_carry: torch.Tensor
    long_carry: torch.Tensor
    tax_due: torch.Tensor

    @classmethod
    def empty(cls, like: torch.Tensor) -> "TaxAccount":
        """A first year without carryovers, shaped as ``like``."""
        return cls(*(torch.zeros_like(like) for _ in range(5)))

    def with_results(self, short: torch.Tensor, long: torch.Tensor) -> "TaxAccount":
        """Book realised results (B,) of each term."""
        return TaxAccount(
            self.short_net + short, self.long_net + long, self.short_carry, self.long_carry, self.tax_due
        )

    def with_payment(self, paid: torch.Tensor) -> "TaxAccount":
        """Book a payment (B,) of tax due."""
        return TaxAccount(
            self.short_net, self.long_net, self.short_carry, self.long_carry, self.tax_due - paid
        )

    def closed(self, is_year_end: torch.Tensor, rates: TaxRates) -> "TaxAccount":
        """Net and close the year where ``is_year_end`` (B,); its tax falls due."""
        year = net_year(self.short_net - self.short_carry, self.long_net - self.long_carry, rates)
        zero = torch.zeros_like(self.short_net)
        return TaxAccount(
            torch.where(is_year_end, zero, self.short_net),
            torch.where(is_year_end, zero, self.long_net),
            torch.where(is_year_end, year.short_carry, self.short_carry),
            torch.where(is_year_end, year.long_carry, self.long_carry),
            torch.where(is_year_end, self.tax_due + year.tax, self.tax_due),
        )

    def tax_if_realised(
        self, short: torch.Tensor, long: torch.Tensor, rates: TaxRates, carry_discount: float
    ) -> torch.Tensor:
        """Tax of the running year if further results were realised now, less the worth of what is carried.

        Parameters
        ----------
        short, long : Tensor of shape (B,)
            Further results of each term.
        rates : TaxRates
        carry_discount : float
            Worth of a carried loss per unit of loss times the rate of its term.

        Returns
        -------
        Tensor of shape (B,)
            Without ``tax_due``; negative where losses are worth more than gains cost.
        """
        year = net_year(
            self.short_net - self.short_carry + short, self.long_net - self.long_carry + long, rates
        )
        carried = rates.short * year.short_carry + rates.long * year.long_carry
        return year.tax - carry_discount * carried
