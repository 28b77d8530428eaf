"""Families of wordings: what one form of a sentence says, it says in every other words."""

from datetime import date

import pytest

from ml.intent.parse import parse_goal

DAY = date(2026, 5, 14)


def read(text):
    return parse_goal(text, DAY)


def flags(intent):
    return {name for name, is_set in intent.tax.model_dump().items() if is_set}


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
        "harvest everything you can between now and Dec 31",
        "Please harvest whatever is available before year end.",
        "harvest as much as possible this year, my tax bill is huge",
        "Harvest anything that's under water in my account.",
        "I'd like you to harvest what you can in the taxable account.",
        "Harvest all you can find in my portfolio by December.",
        "Keep harvesting throughout the year, I have gains to cover.",
    ],
)
def test_a_wish_to_harvest_needs_no_word_for_a_loss(text):
    intent = read(text)
    assert intent.objective == "tax_loss_harvesting" and flags(intent) == {"harvest_losses"}


@pytest.mark.parametrize(
    "text",
    [
        "Harvest everything you can before the frost, the pumpkins too.",
        "We harvest all the honey we can in July.",
        "harvest as much as possible, the barley is ripe",
        "Harvest whatever is ripe in the orchard.",
        "We harvest what we can from the allotment each fall.",
    ],
)
def test_a_crop_is_none(text):
    assert read(text).objective is None


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
        "I am looking for the outperformance against MSCI World in a very short time frame, perhaps two weeks.",
        "Outperform the FTSE over the next two weeks by trading.",
        "I want alpha versus the Stoxx 600 within two weeks.",
        "Beat the MSCI ACWI, trading weekly for two weeks.",
        "We want outperformance over the Russell 2000 in the next two weeks.",
    ],
)
def test_markets_of_other_names(text):
    intent = read(text)
    assert intent.objective == "short_term_alpha" and intent.horizon_months[1] <= 2


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
        "Long-term growth; risk level 2 out of 5.",
        "Long-term growth. Risk: 5/10.",
    ],
)
def test_large_risks_are_not(text):
    assert read(text).risk_tolerance != "high"


@pytest.mark.parametrize(
    "text",
    [
        "make money",
        "I want to make some money",
        "get rich",
        "more money please",
        "good returns",
        "time horizon is five years",
        "My horizon: ten years.",
        "horizon about 5 yrs",
        "I have a ten year time frame.",
        "long term, short term, whichever works better at the moment",
        "growth or income, whatever you think is best",
        "trading or holding, you decide",
        "safety, growth, doesn't matter which",
        "Either growth or preservation, up to you.",
    ],
)
def test_too_little_to_act_upon(text):
    intent = read(text)
    assert not intent.actionable


@pytest.mark.parametrize(
    "text",
    [
        "got burned on taxes last yr from day trading, 19k to the irs. from now on nothing gets sold til it "
        "qualifies as long term",
        "I lost a lot with day trading two years ago. Only long-term gains from now on.",
        "After a bad year of swing trading I want long-term gains only.",
        "Day trading cost me dearly in taxes. Never sell anything before a year is up.",
        "My day trading days are over, please take long-term gains only.",
        "Used to beat the market every week. Now: no short-term gains.",
    ],
)
def test_what_was_done_before_is_no_wish(text):
    intent = read(text)
    assert (intent.objective, intent.secondary) == ("long_term_gains_only", None)


@pytest.mark.parametrize(
    "text",
    [
        "i dont care about long term growth or dividends or any of that. alpha, this week and next, thats it",
        "I don't need income, safety or growth. Beat the market this week.",
        "No interest in preservation nor dividends. Alpha this week.",
        "Not looking for income or long-term growth: outperform the S&P this week.",
        "Forget growth or income, just beat the market this week.",
    ],
)
def test_a_refusal_holds_for_its_whole_list(text):
    intent = read(text)
    assert (intent.objective, intent.secondary) == ("short_term_alpha", None)


@pytest.mark.parametrize(
    "text",
    [
        "1) outperform the Nasdaq by trading in and out every few days\n2) if that turns out not to work, plain growth",
        "Beat the market every week. Failing that, growth.",
        "Day trading first; plan B is growth.",
        "Trade actively and beat the index. If it fails, growth.",
        "a) beat the S&P weekly\nb) growth",
    ],
)
def test_what_comes_second(text):
    intent = read(text)
    assert (intent.objective, intent.secondary) == ("short_term_alpha", "long_term_gain")


@pytest.mark.parametrize(
    "text",
    [
        "First: a profit in 6 to 9 months. Second: the principal has to survive.",
        "A profit in six months, and then the capital must hold up.",
        "Take profits within 6 months. Second, my money has to make it through.",
        "First a quick profit within months; secondly what I put in must come back.",
        "A quick profit by fall. Second priority: the nest egg has to last.",
    ],
)
def test_what_has_to_survive(text):
    intent = read(text)
    assert (intent.objective, intent.secondary) == ("short_term_gain", "capital_preservation")


@pytest.mark.parametrize(
    "text",
    [
        "We retire in 3 years and cannot take a big hit right before that. Keep what we've got.",
        "I retire in two years. Hold on to what I have.",
        "Retirement in 4 years, so nothing may be lost now.",
        "My wife retires in 5 years. Don't let this shrink.",
        "Retiring at the end of 2028; keep what I have.",
    ],
)
def test_a_retirement_date_beside_a_wish_is_its_horizon(text):
    intent = read(text)
    assert (intent.objective, intent.secondary) == ("capital_preservation", None)
    assert 20 <= intent.horizon_months[1] <= 70


@pytest.mark.parametrize(
    "text",
    [
        "Emergency fund sits at Ally, so I want this to grow for 20 years.",
        "We have a six-month emergency fund. This money should grow for 20 years.",
        "My emergency fund is already covered; grow this over 20 years.",
        "Apart from the rainy day fund at our credit union, everything should grow for twenty years.",
        "I built an emergency fund first. Now growth for 20 years.",
        "I sat through two crashes without selling a share and big drops don't bother me. Growth for 20 years.",
    ],
)
def test_what_is_kept_elsewhere_is_no_wish_here(text):
    intent = read(text)
    assert (intent.objective, intent.secondary) == ("long_term_gain", None)


@pytest.mark.parametrize(
    "text",
    [
        "This is my emergency fund.",
        "Emergency fund: keep it safe.",
        "It's our rainy day money, don't lose it.",
        "Treat this as an emergency fund, please.",
    ],
)
def test_this_money_is_for_emergencies(text):
    assert read(text).objective == "capital_preservation"


@pytest.mark.parametrize(
    "text",
    [
        "I need capital losses to cancel my gains. And please, don't create any short-term gains on top of it.",
        "Harvest losses. Please also no short-term gains.",
        "Tax-loss harvesting, and please no short-term gains.",
        "Realise losses against my gains; also only long-term gains otherwise.",
    ],
)
def test_a_wish_that_is_added_comes_second(text):
    intent = read(text)
    assert (intent.objective, intent.secondary) == ("tax_loss_harvesting", "long_term_gains_only")


@pytest.mark.parametrize(
    "text",
    [
        "BREAKING: Fed holds rates steady; S&P 500 closes up 0.8%; analysts see growth over the next two years",
        "JUST IN: stocks rally, investors chase quick profits before year end",
        "Markets wrap: Dow ends higher as traders look for long-term growth",
        "Nasdaq slips 2%; strategists forecast capital preservation for the next two years",
        "Headline of the day: funds beat the market in two weeks",
        "S&P 500 futures climb; economists predict growth over ten years",
        "Bloomberg - Investors pile into safe income as rates fall",
        "Opinion: why growth over ten years beats income",
    ],
)
def test_headlines(text):
    intent = read(text)
    assert intent.objective is None and not intent.actionable and intent.horizon_months is None


@pytest.mark.parametrize(
    "text",
    [
        "My coworker Dave wants to day trade his whole account for two weeks.",
        "My mother-in-law keeps asking for safe income, but that's her.",
        "Half my office is harvesting losses this month.",
        "Our adviser's other client retires at 60 and wants growth.",
        "A guy at the gym told me he plans to double his money by Christmas.",
        "Is growth over ten years better than income?",
        "What does capital preservation mean for a retiree at 70?",
        "How do people beat the market in two weeks?",
        "Does tax loss harvesting even work if you retire at 50?",
        "Do long-term gains apply after a year?",
    ],
)
def test_what_others_want_and_what_is_asked(text):
    intent = read(text)
    assert intent.objective is None and not intent.actionable


@pytest.mark.parametrize(
    "text",
    [
        "I want my beard to grow for two years without losing any of its volume.",
        "In my novel the heroine needs $30,000 by April to save the lighthouse.",
        "I'm writing a thriller in which I play a banker who wants quick profits before Christmas.",
        "I restore old radios and need to protect the capital letters on the dial.",
        "My sourdough needs long-term growth and I keep it safe in the fridge.",
        "for goal in goals: print('I want long term growth over 20 years')",
        "self.objective = long_term_growth  # I want growth for 20 years",
        "I knit sweaters and my stash keeps growing; I want to protect it from mildew for years",
        "As the captain of this starship I need to preserve the capital ship at all costs",
        "I was thinking about long-term growth of my houseplants over the next two years",
        "In our D&D campaign I need 5,000 gold by next session.",
        "I collect stamps and hope to beat the market leader at the chess club in two weeks.",
        "My daughter's essay: I want to preserve the capital of ancient Rome.",
    ],
)
def test_other_walks_of_life_in_the_first_person(text):
    intent = read(text)
    assert intent.objective is None and not intent.actionable


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("I have $250k in here. Grow it for 20 years.", None),
        ("The account is at 480,000 and I want safe income.", None),
        ("With 90k sitting in cash I'd like long-term growth.", None),
        ("Portfolio value $1.2M; preserve capital.", None),
        ("There's 75k in the brokerage. I want growth, and 10k out by July for a car.", 10_000),
        ("We sold the house for $640,000. Growth over ten years.", None),
        ("I'm up 30k this year and want to keep it safe.", None),
    ],
)
def test_what_an_account_holds_is_no_need(text, amount):
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
        ("I need $5,000 come October.", "2026-10-01", "2026-10-31"),
    ],
)
def test_by_when(text, first, last):
    need = read(text).liquidity
    assert need.amount_usd == 5_000
    assert date.fromisoformat(first) <= need.by[1] <= date.fromisoformat(last)


@pytest.mark.parametrize(
    ("text", "objective", "secondary"),
    [
        ("Growth first, income second; which funds is up to you.", "long_term_gain", "capital_preservation"),
        ("Grow it until I'm 70 or dead, whichever comes first.", "long_term_gain", None),
        ("In my book nothing beats long-term growth over 20 years.", "long_term_gain", None),
        ("For my play money account I want day trading.", "short_term_alpha", None),
        ("I'm reading a book about investing, but I just want growth over 20 years.", "long_term_gain", None),
        ("I was burned by growth stocks in 2022. Keep it safe now.", "capital_preservation", None),
        ("I've been burned before and want to keep it safe.", "capital_preservation", None),
        (
            "I'd like to retire at 60 and have 300k in here, adding about a thousand a month.",
            "long_term_gain",
            None,
        ),
        ("Keep it safe and please no tobacco.", "capital_preservation", None),
        ("Stay on top of inflation and keep the principal intact.", "capital_preservation", None),
        (
            "Growth or income is not the question, I want to beat the market this month.",
            "short_term_alpha",
            None,
        ),
        ("I don't want to trade, or to lose money.", "capital_preservation", None),
        ("No day trading, just growth for 20 years.", "long_term_gain", None),
        ("Stocks may fall 30% and I will still hold for 20 years of growth.", "long_term_gain", None),
        ("My office pays me in RSUs and I want to harvest losses.", "tax_loss_harvesting", None),
        ("My club's accountant here: please harvest losses in my account.", "tax_loss_harvesting", None),
        ("We've been saving for 10 years and want another 10 years of growth.", "long_term_gain", None),
        ("I want to make money within three months, a quick profit.", "short_term_gain", None),
        ("I need the capital of the trust preserved.", "capital_preservation", None),
        ("Keep what I have. I also want some growth.", "capital_preservation", "long_term_gain"),
    ],
)
def test_rules_that_set_aside_leave_wishes_alone(text, objective, secondary):
    intent = read(text)
    assert (intent.objective, intent.secondary) == (objective, secondary)
