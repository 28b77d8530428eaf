"""Families of wordings for horizons, sums, exclusions and risk: what one says, the others say."""

from datetime import date

import pytest

from ml.intent.parse import parse_goal

DAY = date(2026, 5, 14)


def read(text):
    return parse_goal(text, DAY)


@pytest.mark.parametrize(
    ("text", "years"),
    [
        ("29 yo, FIRE at 45, all growth.", 16),
        ("Starting over at 51 after the divorce, planning to retire at 67. Growth comes first.", 16),
        ("F34, want out of work by 50, grow it", 16),
        ("38 y/o engineer, early retirement at 55, long term growth please", 17),
        ("At 42 I have nothing saved; I'd like to stop working at 65. Growth.", 23),
        ("Age 47, retirement age 67, growth", 20),
        ("I turned 30 last week and want this to grow until I'm 60", 30),
        ("Client, age 55, intends to retire at 65; growth of capital", 10),
        ("we're both 40 and hope to be done by 58, so invest for growth", 18),
        ("I'm turning 46 this fall and plan to hang it up at 62, so growth matters most", 16),
        ("Age: 52. Target retirement age: 67. Objective: growth.", 15),
        ("56, separated, starting from scratch. Working till 70. This must grow.", 14),
        ("Doc here, 36. FatFIRE target is 50. Growth.", 14),
        ("My wife and I (both 48) retire at 63. Growth until then!", 15),
        ("Client (61) to retire at 66, preserve principal", 5),
        ("at age 39 with a target of 59 1/2. maximum growth.", 20),
        ("My daughter is 6, college at 18, grow this for her", 12),
        ("He's 3 now. Grow it until he's 21.", 18),
        ("I'm a 33-year-old nurse and I want to quit at 53. Grow this.", 20),
    ],
)
def test_from_one_age_to_another(text, years):
    low, high = read(text).horizon_months
    assert low <= 12 * years <= high and high <= 14 * years


@pytest.mark.parametrize(
    ("text", "months"),
    [
        ("Parking this for 18 months. Can't afford to lose any of it.", 18),
        ("It stays here for two years. Not one dollar may be lost.", 24),
        ("I'm leaving this alone for 12 years. Growth.", 144),
        ("Putting this away for 15 years. I want growth.", 180),
        ("Money sits here for a year. Keep it safe.", 12),
        ("Safety first. We're tucking this away for 3 years.", 36),
    ],
)
def test_how_long_the_money_stays(text, months):
    low, high = read(text).horizon_months
    assert low <= months <= high <= 1.5 * months + 3


@pytest.mark.parametrize(
    "text",
    [
        "Income first, keep it safe, no insurers: I worked for one for 30 years.",
        "I taught school for 25 years. Please grow what I have.",
        "We were married for 40 years. Keep the principal safe.",
        "Growth, please. I have been a nurse for 20 years.",
        "I ran a bakery for 15 years and now I want growth.",
        "I served in the Navy for 22 years; steady income is all I ask for.",
    ],
)
def test_years_that_lie_behind_are_no_horizon(text):
    intent = read(text)
    assert intent.objective is not None and intent.horizon_months is None


@pytest.mark.parametrize(
    "text",
    [
        "I need capital losses to cancel the gains from my RSU sale in July.",
        "Harvest losses against the gain on the condo I sold in August.",
        "Use losses to offset the profit from the business sale in October.",
        "Tax loss harvesting against the gains of my option exercise in June, please.",
        "Please offset the income from my bonus in September with losses.",
    ],
)
def test_the_date_of_a_gain_is_no_horizon(text):
    intent = read(text)
    assert intent.objective == "tax_loss_harvesting" and intent.horizon_months is None
    assert intent.liquidity is None


@pytest.mark.parametrize(
    "text",
    [
        "44, divorced, two kids, mortgage at 2.9%, 401k maxed out, HSA too, car paid off.",
        "My 401k is out of reach until I'm 60.",
        "We finished paying off $310k of med school debt in March.",
        "I just paid off a $25,000 car loan.",
        "We have already spent $40k on the roof.",
        "I closed on a $600k house in February.",
        "I got a $15,000 bonus and refinanced a 300k mortgage last month.",
    ],
)
def test_what_was_paid_or_is_owned_is_no_need(text):
    intent = read(text)
    assert intent.liquidity is None and not intent.actionable


@pytest.mark.parametrize(
    ("text", "amount", "share"),
    [
        ("I'd like to take out, what did we say, five percent, in the spring, for the kitchen.", None, 0.05),
        ("Please take out, oh I don't know, ten percent next month for the roof.", None, 0.10),
        ("I will need, let me think, 20 thousand dollars by August for the roof.", 20_000, None),
        ("We must withdraw, say, $8,000 in June for the wedding.", 8_000, None),
        ("I want to pull out, hmm, roughly a quarter of the account by Christmas for a boat.", None, 0.25),
    ],
)
def test_a_sum_after_a_pause(text, amount, share):
    need = read(text).liquidity
    assert (need.amount_usd, need.share_of_portfolio) == (amount, share)
    assert need.by is not None


@pytest.mark.parametrize(
    "text",
    [
        "never sell anything under a year old. apart from that 12,000 USD in July for the new furnace and ducts",
        "Only long-term gains. Other than that, $12,000 in July for the furnace.",
        "Long-term gains only. On top of that 12k in July for a new roof.",
        "No short-term gains. One more thing: 12k in July for the orthodontist.",
        "No short-term gains ever. Separately, $12,000 by July for tuition.",
        "Long-term gains only, please. Oh and 12k in July for the deck.",
    ],
)
def test_a_sum_that_opens_a_sentence(text):
    intent = read(text)
    assert intent.objective == "long_term_gains_only" and intent.horizon_months is None
    assert intent.liquidity.amount_usd == 12_000
    assert intent.liquidity.by[1].month == 7


@pytest.mark.parametrize(
    "text",
    [
        "Please avoid realising any gains this year, we'd lose our ACA subsidy.",
        "I would lose my FAFSA aid, so no realised gains please.",
        "No capital gains, please: we'd lose our VA benefits.",
        "Don't realise gains, my MAGI must stay low or I lose the credit.",
        "Avoid capital gains this year, otherwise we lose SSI.",
    ],
)
def test_what_would_be_lost_is_no_exclusion(text):
    intent = read(text)
    assert intent.exclusions == () and intent.tax.avoid_realising_gains


@pytest.mark.parametrize(
    "text",
    [
        "Things I won't own: pharma (conflict of interest with my committee work) and tobacco.",
        "No pharma (I work for one), tobacco.",
        "Please exclude tobacco (my father died of lung cancer) and pharma.",
        "Not to be bought: tobacco (for religious reasons), pharma.",
        "I don't want pharma (too much of it already) or tobacco.",
    ],
)
def test_a_list_goes_on_after_brackets(text):
    assert {item.name for item in read(text).exclusions} == {"Pharmaceuticals", "Tobacco"}


@pytest.mark.parametrize(
    "text",
    [
        "Long-term growth. I am accepting the very large fluctuation.",
        "Long-term growth. Risk: high.",
        "Long-term growth. My risk is high.",
        "Long-term growth. I take a high level of risk.",
        "Long-term growth. Big fluctuations are fine.",
        "Long-term growth. Very big swings do not trouble me.",
        "Long-term growth. My appetite for risk is large.",
        "Long-term growth with risk turned all the way up.",
        "Long-term growth. I'm okay seeing it fall by 40%.",
        "Long-term growth. I can watch it drop by half.",
        "Long-term growth. I laugh at 40% drawdowns.",
        "Long-term growth. Volatility? Love it.",
        "Long-term growth with the risk dial at max.",
        "Long-term growth; risk level 5 out of 5.",
        "Long-term growth. On a scale from one to ten my risk is a nine.",
        "Long-term growth. Risk 9/10.",
        "Long-term growth; we tolerate deep losses along the way.",
    ],
)
def test_large_risks_are_accepted(text):
    intent = read(text)
    assert intent.objective == "long_term_gain" and intent.risk_tolerance == "high"


@pytest.mark.parametrize(
    "text",
    [
        "Long-term growth, but I can't accept large fluctuations.",
        "Long-term growth, but big fluctuations are not fine with me.",
        "Long-term growth. I would not tolerate deep losses.",
        "Long-term growth. The inflation risk is high these days.",
        "Long-term growth. High risk is not for me.",
        "Long-term growth. There's a high risk of losing my job.",
        "Long-term growth. Volatility? No thanks.",
        "Long-term growth; risk level 2 out of 5.",
        "Long-term growth. Risk: 5/10.",
    ],
)
def test_large_risks_are_not(text):
    assert read(text).risk_tolerance != "high"


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("I have $250k in here. Grow it for 20 years.", None),
        ("The account is at 480,000 and I want safe income.", None),
        ("With 90k sitting in cash I'd like long-term growth.", None),
        ("Portfolio value $1.2M; preserve capital.", None),
        ("There's 75k in the brokerage. I want growth, and 10k out by July for a car.", 10_000),
        ("We sold the house for $640,000. Growth over ten years.", None),
        ("I've got about 65k in VTI and 20k in cash. Beat the S&P this month.", None),
        ("We hold $300k here, 50k in bonds. Safe income.", None),
        ("The roof quote is $23,400, wanted by mid November. Growth otherwise.", 23_400),
        ("Our share of the new roof is $9,000, the board wants it before July. Growth.", 9_000),
        ("The lawyer's bill comes to $8,000 and is due in July. Growth otherwise.", 8_000),
        ("401k has 300k, IRA 100k; this one is for safe income.", None),
        ("I have 20k in cash ready for you to invest. Growth.", None),
        ("My rent is 3k a month, so I want steady income.", None),
        ("I'm up 30k this year and want to keep it safe.", None),
    ],
)
def test_what_is_held_is_no_need_and_a_bill_is(text, amount):
    need = read(text).liquidity
    assert (need.amount_usd if need else None) == amount


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("I need $5,000 by June 15.", "2026-06-15", "2026-06-15"),
        ("I need $5,000 by the end of June.", "2026-06-30", "2026-06-30"),
        ("I need $5,000 no later than 1 July.", "2026-07-01", "2026-07-01"),
        ("$5,000 must be out by mid-August for tuition.", "2026-08-05", "2026-08-25"),
        ("I need $5,000 by Labor Day.", "2026-09-01", "2026-09-07"),
        ("I need $5,000 before school starts in September.", "2026-09-01", "2026-09-30"),
        ("I need $5,000 by 9/30 for taxes.", "2026-09-30", "2026-09-30"),
        ("I need $5,000 by Friday.", "2026-05-15", "2026-05-15"),
        ("Please send $5,000 no later than Monday.", "2026-05-18", "2026-05-18"),
        ("I need $5,000 before next Wednesday.", "2026-05-20", "2026-05-27"),
        ("I need $5,000 come October.", "2026-10-01", "2026-10-31"),
    ],
)
def test_by_when(text, first, last):
    need = read(text).liquidity
    assert need.amount_usd == 5_000
    assert date.fromisoformat(first) <= need.by[1] <= date.fromisoformat(last)
