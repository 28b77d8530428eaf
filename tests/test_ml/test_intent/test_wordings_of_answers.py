"""Families of wordings for topics with answers, losses to use, attitudes, lots too young and limits in notes."""

from datetime import date

import pytest

from ml.intent.parse import parse_goal

DAY = date(2026, 5, 14)


def read(text):
    return parse_goal(text, DAY)


def flags(intent):
    return {name for name, is_set in intent.tax.model_dump().items() if is_set}


@pytest.mark.parametrize(
    ("text", "objective"),
    [
        ("Day trading? No thanks. Just safe income.", "capital_preservation"),
        ("Growth? Not at my age. Keep my capital safe.", "capital_preservation"),
        ("Long-term growth? We don't need it. Beat the S&P this month.", "short_term_alpha"),
        ("Trading? Gave that up. Income now.", "capital_preservation"),
        ("Income? Don't need it. Growth for fifteen years.", "long_term_gain"),
        ("Crypto? No. Growth? Yes, over 20 years.", "long_term_gain"),
    ],
)
def test_a_topic_that_is_declined(text, objective):
    intent = read(text)
    assert (intent.objective, intent.secondary) == (objective, None)


@pytest.mark.parametrize(
    "text",
    [
        "Short-term gains? Not in this account. Otherwise I want growth, over twelve years.",
        "Short-term profits? Never again. Hold for ten years.",
        "Short-term gains? No thank you.",
        "Short term gains? Absolutely not.",
        "Any short-term gains? None please.",
    ],
)
def test_short_term_gains_declined_in_an_answer(text):
    assert "avoid_short_term_gains" in flags(read(text))


@pytest.mark.parametrize(
    "text",
    [
        "Any paper losses? Use them.",
        "Any losers in there? Harvest them.",
        "Do I have unrealized losses? Then book them before December.",
        "See anything below cost? Sell it and take the deduction.",
        "Stocks under water? Use them for my taxes.",
        "Some paper losses left? Claim them this year please.",
        "Losses anywhere? Bank them, my gains were big.",
        "Got anything under water? Sell it.",
        "wherever something is red, book it",
        "Whenever a position falls below cost, realise it for the tax return.",
        "If there's a loss, take it, I've gains to offset.",
        "no growth goals here, this account exists to throw off losses against our gains",
        "This account is there to produce losses for our tax bill.",
        "realise the negative positions to lower my tax",
    ],
)
def test_losses_that_are_to_be_used(text):
    intent = read(text)
    assert intent.objective == "tax_loss_harvesting" and flags(intent) == {"harvest_losses"}


@pytest.mark.parametrize(
    "text",
    [
        "I have $85,000 of short term gains this year. Realize losses to cancel that out.",
        "I made $30,000 of short-term gains trading earlier. Harvest losses against it.",
        "We're sitting on big short-term gains; please find losses to cancel them.",
        "There is a short term gain of 12k from my RSUs, offset it with losses.",
        "We had 50k of long-term gains; want losses to set against it.",
    ],
)
def test_gains_already_made(text):
    intent = read(text)
    assert (intent.objective, intent.secondary) == ("tax_loss_harvesting", None)


@pytest.mark.parametrize(
    "text", ["I want a quick profit by summer.", "I'd like to have a quick gain by August."]
)
def test_gains_still_to_be_made(text):
    assert read(text).objective == "short_term_gain"


@pytest.mark.parametrize(
    "text",
    [
        "I'm not scared of losing half if it grows for 30 years.",
        "I accept I might lose most of it. Beat the Nasdaq weekly.",
        "Don't mind losing a lot on paper; growth over 25 years.",
        "Prepared that it could drop by half, it's for growth over 20 years.",
        "when it falls 40% i dont even look. growth for 20 yrs",
        "Losing 60% wouldn't scare me. Twenty years of growth.",
        "buy growth stuff n hold it 30 years. if it drops 60% i wont even log in",
        "Is my play money, so I am not afraid to lose the half. Beat the index in days.",
    ],
)
def test_losses_that_are_borne(text):
    intent = read(text)
    assert intent.risk_tolerance == "high" and intent.objective in ("long_term_gain", "short_term_alpha")


@pytest.mark.parametrize(
    "text",
    [
        "Tolerance for risk: low. Objective: income.",
        "Risk appetite is minimal, keep the principal intact.",
        "I couldn't sleep if it dropped. Keep it safe.",
        "A loss of ten percent would be more than I can bear. Income please.",
        "Appetite for risk: none. Dividends please.",
        "Tolerance is limited. Income.",
        "Anything over a 5% drop and I'm awake all night. Preserve it.",
        "i cant sleep when it drops. keep what I have safe",
    ],
)
def test_little_risk(text):
    intent = read(text)
    assert (intent.objective, intent.risk_tolerance) == ("capital_preservation", "low")


@pytest.mark.parametrize(
    "text",
    [
        "rotate aggressively to beat the S&P each week",
        "Growth over 9 years and no gambling companies please.",
    ],
)
def test_no_attitude_to_risk(text):
    assert read(text).risk_tolerance is None


@pytest.mark.parametrize(
    "text",
    [
        "Nothing that is still short-term may be sold.",
        "Don't sell anything I've had for less than a year.",
        "No profit should be taken on lots held twelve months or less.",
        "kindly ensure that no gain is taken on shares held one year or less",
        "never touch positions that are short term",
        "Please don't book gains on shares owned for under a year",
        "I won't have any gain booked on stock younger than a year.",
        "dont sell anything thats still short term",
        "Only lots past their first year may go.",
    ],
)
def test_lots_that_are_too_young(text):
    intent = read(text)
    assert (intent.objective, intent.horizon_months) == ("long_term_gains_only", None)


@pytest.mark.parametrize(
    "text",
    [
        "Harvest losses, but don't buy the same thing back within 30 days.",
        "Take losses; my wife might re-enter the same fund inside 31 days.",
        "sell losers for tax, no repurchasing for thirty days",
        "Never buy the same fund back inside 30 days of selling it at a loss; harvest.",
        "TLH. Watch out for her buying it inside the 31 days.",
    ],
)
def test_thirty_days_by_what_is_done_in_them(text):
    assert flags(read(text)) == {"harvest_losses", "wash_sale_concern"}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Excl. tobacco, weapons. LT growth.", {"Tobacco", "weapons"}),
        ("No oil. On reflection oil is fine, it's airlines I won't hold.", {"Airlines"}),
        (
            "No banks. Actually, banks are fine, it's the insurance companies I can't stand owning.",
            {"Insurance"},
        ),
        ("no crypto. scratch that, crypto's ok, no options", {"options"}),
        ("no REITs, nothing Chinese, no leveraged stuff", {"reits", "china", "leveraged_etfs"}),
        ("Exclude Tesla and certainly the entire Utilities sector.", {"TSLA", "Utilities"}),
        ("I'm employed by Apple and paid in shares, so none of it here. Growth.", {"AAPL"}),
    ],
)
def test_what_is_left_out(text, names):
    assert {item.name for item in read(text).exclusions} == names


@pytest.mark.parametrize(
    ("text", "months"),
    [
        ("I'm 44 and plan on stopping at 60. Growth.", 192),
        ("I'm 51 and figure on quitting at 67. I want it to grow until then.", 192),
        ("Our daughter (5) gets it when she turns 21, let it compound.", 192),
        ("We have a three-year-old; grow this until she's 18.", 180),
        ("our boy is nine, it's his at 21, let it grow", 144),
        ("Want it much bigger by the time I'm 65 (I'm 50 now). Growth.", 180),
        ("Build wealth for our seventies, we're both 52.", 240),
        ("Low risk, 4 years, no crypto.", 48),
        ("Exclude gambling; horizon 10 years; medium risk.", 120),
        ("no tobacco, fifteen years, risk high", 180),
        ("Ten-year horizon. No tobacco. Medium risk.", 120),
        ("comfortable with volatility; ~20yr; no weapons; no china", 240),
        ("want to retire, have 10 left, growth please", 120),
        ("Growth. I've got about 12 to go before retirement.", 144),
        ("We simply let it appreciate for fifteen-plus years.", 180),
    ],
)
def test_horizons_by_age_and_in_lists(text, months):
    low, high = read(text).horizon_months
    assert low <= months <= high


@pytest.mark.parametrize(
    "text",
    [
        "Day trader here, 11 yrs at it. Beat the S&P on a weekly scoreboard.",
        "Been at this for 15 years. Outperform the index over the next few weeks.",
        "Nine years in the business, beat the S&P every week.",
    ],
)
def test_years_behind_are_no_horizon(text):
    horizon = read(text).horizon_months
    assert horizon is None or horizon[1] <= 3
