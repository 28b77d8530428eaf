"""Families of wordings for objectives, and for what is none: what one says, the others say."""

from datetime import date

import pytest

from ml.intent.parse import parse_goal

DAY = date(2026, 5, 14)


def read(text):
    return parse_goal(text, DAY)


def flags(intent):
    return {name for name, is_set in intent.tax.model_dump().items() if is_set}


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
        "Emergency savings. They stay safe here.",
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
        "Losses to offset my gains, please. On top of that, no short-term gains.",
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
        "Ten tips for long-term growth: start early, hold on",
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
        "Can you explain what short-term alpha means?",
        "Warren Buffett says never lose money.",
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
        "I write crime novels. In this one, the hero must protect the money.",
        "In our D&D campaign I need 5,000 gold by next session.",
        "I collect stamps and hope to beat the market leader at the chess club in two weeks.",
        "My daughter's essay: I want to preserve the capital of ancient Rome.",
    ],
)
def test_other_walks_of_life_in_the_first_person(text):
    intent = read(text)
    assert intent.objective is None and not intent.actionable


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


@pytest.mark.parametrize(
    "text",
    [
        "She wants growth, I want safety. It's my account.",
        "He'd like to day trade, but I want it kept safe.",
        "They want quick profits; I prefer safe income.",
        "Suze Orman says buy growth, but I want to keep it safe.",
        "My sister wants growth. I want my savings kept safe.",
    ],
)
def test_two_people_of_two_minds(text):
    intent = read(text)
    assert (intent.objective, intent.secondary) == ("capital_preservation", None)
