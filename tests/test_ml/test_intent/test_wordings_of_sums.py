"""Families of wordings for all that is there, parts of it, and days that a word points back to."""

from datetime import date

import pytest

from ml.intent.parse import parse_goal

DAY = date(2026, 5, 14)


def need(text):
    return parse_goal(text, DAY).liquidity


@pytest.mark.parametrize(
    ("text", "month"),
    [
        ("By October all of it goes toward the farm, so nothing risky.", (2026, 10)),
        ("I'm pulling everything out in July. Moving to Portugal.", (2026, 7)),
        ("Please liquidate the entire account by June 30, it's for the buyout.", (2026, 6)),
        ("The whole balance is our down payment, due on 1 September. Keep it safe.", (2026, 9)),
        ("cash out the whole thing next month", (2026, 6)),
        ("Withdraw the lot in August please, I'm buying into a dental practice.", (2026, 8)),
        ("all of it will be needed for the house by spring next year", (2027, 6)),
        ("The whole portfolio is going toward a clinic in 2028; until then no losses.", (2028, 12)),
        ("A quick gain by July, then I'm taking the whole thing out in August to buy a shop.", (2026, 8)),
        ("Everything out by Labor Day. All of it, I am closing the account.", (2026, 9)),
    ],
)
def test_all_that_is_there(text, month):
    liquidity = need(text)
    assert liquidity.share_of_portfolio == 1.0
    assert (liquidity.by[1].year, liquidity.by[1].month) == month


@pytest.mark.parametrize(
    "text",
    [
        "Everything goes to my kids when I die, so let it grow.",
        "Put everything into index funds and let it grow for 20 years.",
        "Move everything into bonds, I want income.",
        "Everything should be held over a year before it's sold.",
        "Sell all of it that is under water, for the deduction.",
        "All of it goes into stocks for ten years.",
        "I don't want to take everything out in June.",
        "I want everything out of tobacco this year.",
    ],
)
def test_all_of_it_stays(text):
    assert need(text) is None


def test_a_sum_that_is_all_there_is_has_the_purchase_as_horizon():
    intent = parse_goal("We close on 30 June 2027 and the whole account goes into it. It can't shrink.", DAY)
    assert intent.objective == "capital_preservation"
    assert intent.horizon_months[0] <= 13 <= intent.horizon_months[1]


@pytest.mark.parametrize(
    ("text", "share", "month"),
    [
        ("a third of it, cash, in november. braces.", 1 / 3, 11),
        ("half the portfolio, cash, next month. tuition.", 0.5, 6),
        ("Withdrawal: 8% of NAV, March, for the scholarship.", 0.08, 3),
        ("Distribution: 12.5% of AUM, Feb, foundation grant.", 0.125, 2),
        ("A fifth of the portfolio leaves in August for the wedding.", 0.2, 8),
        ("two thirds of whatever's there comes out at christmas", 2 / 3, 12),
        ("15% of the account, in cash, by the end of June.", 0.15, 6),
        ("we take 5% out in December, rest stays invested for growth", 0.05, 12),
        ("Put 25% aside for the divorce lawyer, needed before Christmas.", 0.25, 12),
        ("1/4 of the account to my sister in Q3 for the settlement.", 0.25, 9),
    ],
)
def test_parts_that_leave(text, share, month):
    liquidity = need(text)
    assert liquidity.share_of_portfolio == pytest.approx(share, abs=1e-6)
    assert liquidity.by[1].month == month


@pytest.mark.parametrize(
    ("text", "amount", "day"),
    [
        ("We close on August 3. $40,000 has to be there on that day.", 40_000, date(2026, 8, 3)),
        ("The surgery is on 12 June and I need 8k right then.", 8_000, date(2026, 6, 12)),
        ("Leave starts in January 2027. $15,000 comes out at that point.", 15_000, date(2027, 1, 31)),
        ("My sabbatical starts on 1 July 2027. $26,000 comes out that same day.", 26_000, date(2027, 7, 1)),
        ("Tuition is due on 20 August. I need 9k by that date.", 9_000, date(2026, 8, 20)),
        ("wire me 2,500 on tuesday for the plumber", 2_500, date(2026, 5, 19)),
        ("I need $900 this Thursday for the vet.", 900, date(2026, 5, 21)),
        ("I'll be pulling three thousand dollars on Friday to pay the vet.", 3_000, date(2026, 5, 15)),
        ("Q2 of next year I take 20,000 out, rest growth.", 20_000, date(2027, 6, 30)),
        ("I need 5k in March of next year for the deck.", 5_000, date(2027, 3, 31)),
    ],
)
def test_days_that_are_pointed_at(text, amount, day):
    liquidity = need(text)
    assert (liquidity.amount_usd, liquidity.by[1]) == (amount, day)


@pytest.mark.parametrize(
    "text",
    [
        "sell my losers so i get the $3,000 write off",
        "Harvest enough for the $3,000 deduction.",
        "We had 50k of long-term gains; want losses to set against it.",
        "I made $30,000 of short-term gains trading earlier. Harvest losses against it.",
        "I put 300 dollars in every month. Growth for 20 years.",
    ],
)
def test_sums_that_are_not_taken_out(text):
    assert need(text) is None
