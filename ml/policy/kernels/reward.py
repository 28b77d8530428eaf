"""The six rewards of a week for one portfolio; the formulas stand in :mod:`ml.policy.objectives`' design."""

import math

from ml.policy.kernels import layout as c
from ml.policy.kernels.account import positive
from ml.policy.kernels.layout import COMPILER


@COMPILER.hot
def write_rewards(reward, account, info, pretax_before, wealth_before, equal, sigma, settings):
    """Write the rewards (6,) in the order of :data:`ml.types.OBJECTIVES`.

    With r the weekly log return of after-tax wealth, flows taken out, and e that of equal weight:
    short_term_alpha r before tax - e; short_term_gain and long_term_gain r - e; capital_preservation
    r - 2 x rise of the drawdown - 0.5 x max(0, -r - 1.65 sigma), sigma the market's weekly standard
    deviation over 63 sessions; tax_loss_harvesting credited / V - 10 x (r before tax - e)^2 -
    disallowed / V; long_term_gains_only r.

    Equal weight is the mean simple return, before tax and cost, of the assets tradeable at a decision until
    the next. It is subtracted from after-tax returns too: no action moves it, so that it shifts a reward
    and leaves every comparison of actions as it is.
    """
    floor, zero, one = settings.wealth_floor, settings.zero, settings.one
    flow = info[c.I_FLOW]
    after_tax = math.log(max(account[c.WEALTH], floor) / max(wealth_before + flow, floor))
    pretax = math.log(
        max(account[c.PRETAX_VALUE], floor) / max(pretax_before + flow - info[c.I_TAX_PAID], floor)
    )
    drawdown = one - math.exp(account[c.INDEX] - account[c.PEAK])
    account[c.INDEX] += after_tax
    account[c.PEAK] = max(account[c.PEAK], account[c.INDEX])
    rise = positive(one - math.exp(account[c.INDEX] - account[c.PEAK]) - drawdown, zero)
    shortfall = positive(-after_tax - settings.shortfall_sigmas * sigma, zero)
    preservation = after_tax - settings.drawdown_weight * rise - settings.shortfall_weight * shortfall
    value = max(wealth_before, floor)
    harvesting = (info[c.I_CREDITED] - info[c.I_DISALLOWED]) / value
    harvesting -= settings.tracking_weight * (pretax - equal) * (pretax - equal)
    reward[0] = pretax - equal
    reward[1] = reward[2] = after_tax - equal
    reward[3] = preservation
    reward[4] = harvesting
    reward[5] = after_tax
