"""A tax year of one portfolio: Schedule D netting at marginal rates, and the tax of a liquidation.

Sources: IRC 1211, 1212, 1222; Schedule D with its Capital Loss Carryover Worksheet. Qualified dividends are
taxed at the rate of long-term gains and meet no capital loss (Qualified Dividends and Capital Gain Tax Worksheet).
"""

from ml.policy.kernels.layout import (
    COMPILER,
    DIVIDENDS,
    LONG_CARRY,
    LONG_NET,
    LONG_RATE,
    LOSS_LIMIT,
    SHORT_CARRY,
    SHORT_NET,
    SHORT_RATE,
    TAX_DUE,
)


@COMPILER.hot
def positive(x, zero):
    """The positive part."""
    return x if x > zero else zero


@COMPILER.hot
def net_year(short, long, rates, zero):
    """Net a year's results, carryovers included.

    A loss of one term first meets the gain of the other; up to the limit the rest lowers ordinary income,
    taxed at the short rate, short-term losses first.

    Returns
    -------
    tax, short_carry, long_carry
        Tax < 0: income tax saved.
    """
    crossed = min(positive(short, zero), positive(-long, zero)) - min(
        positive(-short, zero), positive(long, zero)
    )
    short, long = short - crossed, long + crossed
    short_loss, long_loss = positive(-short, zero), positive(-long, zero)
    from_short = min(short_loss, rates[LOSS_LIMIT])
    from_long = min(long_loss, rates[LOSS_LIMIT] - from_short)
    tax = rates[SHORT_RATE] * (positive(short, zero) - from_short - from_long)
    tax += rates[LONG_RATE] * positive(long, zero)
    return tax, short_loss - from_short, long_loss - from_long


@COMPILER.hot
def tax_if_realised(account, short, long, rates, settings):
    """Tax of the running year if further results were realised now, less the worth of what is carried."""
    tax, short_carry, long_carry = net_year(
        account[SHORT_NET] - account[SHORT_CARRY] + short,
        account[LONG_NET] - account[LONG_CARRY] + long,
        rates,
        settings.zero,
    )
    carried = rates[SHORT_RATE] * short_carry + rates[LONG_RATE] * long_carry
    return tax + rates[LONG_RATE] * account[DIVIDENDS] - settings.carry_discount * carried


@COMPILER.hot
def close_year(account, rates, zero):
    """Net and close the year; its tax falls due."""
    tax, short_carry, long_carry = net_year(
        account[SHORT_NET] - account[SHORT_CARRY], account[LONG_NET] - account[LONG_CARRY], rates, zero
    )
    account[TAX_DUE] += tax + rates[LONG_RATE] * account[DIVIDENDS]
    account[SHORT_CARRY], account[LONG_CARRY] = short_carry, long_carry
    account[SHORT_NET] = account[LONG_NET] = account[DIVIDENDS] = zero
