"""Families of wordings in which another speaks, another pursuit is told, or nobody has made up his mind."""

from datetime import date

import pytest

from ml.intent.parse import parse_goal

DAY = date(2026, 5, 14)


def read(text):
    return parse_goal(text, DAY)


@pytest.mark.parametrize(
    "text",
    [
        "My barber's goal is to double his money by spring. He told me while doing my beard.",
        "My dentist's plan is to retire early by day trading.",
        "Our coach's goal is long-term growth of the squad.",
        "The neighbour's strategy is a quick profit by Christmas.",
        "The plumber's dream: quick profits from crypto.",
        "The new intern's dream is to make a quick profit and quit.",
        "My boss's account beats the S&P every week, he claims.",
        "My cousin Lena swears by swing trading. She says she beats the market.",
        "My colleague told me to buy crypto. He makes quick profits every week.",
        "Our strategists lift their target, favour growth on a ten-year view and advise clients to avoid energy.",
        "Analysts at Morgan expect long-term growth in chips; clients rotate into tech.",
    ],
)
def test_aims_of_others(text):
    intent = read(text)
    assert intent.objective is None and not intent.actionable


@pytest.mark.parametrize(
    "text",
    [
        "I work in marketing and need to write 500 words about why investors should avoid tobacco.",
        "I have to write an essay on why people should preserve capital.",
        "Help me prepare a presentation about tax-loss harvesting.",
        "We need a blog post on beating the market with day trading.",
        "I'm giving a talk on why long-term growth beats trading.",
        "Draft a newsletter about avoiding tobacco stocks.",
        "Need a script for a video on tax-loss harvesting by Friday.",
        "Could you proofread my article about long-term growth investing?",
        "We're hosting a workshop on preserving capital in retirement.",
    ],
)
def test_texts_that_are_to_be_written(text):
    intent = read(text)
    assert intent.objective is None and not intent.actionable


@pytest.mark.parametrize(
    "text",
    [
        "Fwd: from my mother\n>> I want nothing but safe bonds, it has to last.\nno idea why she sent that",
        "Fwd: from my dad\n> I want to beat the market every week\n> no bonds\nfunny, isn't it",
        "> please preserve my capital\nSomeone sent me this, what is it?",
        "Please see below.\n> grow my account for 20 years\n> no tobacco",
        "-----Original Message-----\nFrom: Bob\nTo: me\nI want to day trade.\n",
        "<select><option>Growth</option><option>Income</option></select>",
        "<form><textarea>Preserve my capital</textarea><button>Growth</button></form>",
    ],
)
def test_mail_passed_on_and_forms(text):
    intent = read(text)
    assert intent.objective is None and not intent.actionable


def test_an_answer_above_the_mail_is_the_writers():
    text = "Keep my capital safe please.\n> On Monday your adviser wrote:\n> would you like growth?"
    assert read(text).objective == "capital_preservation"
    assert read("- grow it for 20 years\n- no tobacco").objective == "long_term_gain"


@pytest.mark.parametrize(
    "text",
    [
        "I coach swimmers; we aim to beat the benchmark",
        "My sourdough gives the best returns over the long term.",
        "I had a quick profit at the poker table, then lost it all.",
        "We trade Pokemon cards every week and I want to beat the market at the school.",
        "I play chess; I trade pieces aggressively and take quick gains.",
        "I run marathons, slow steady growth of my mileage over years is the goal.",
        "In Catan I hoard wood, protect my capital and go for a quick win.",
        "I teach violin and want safe, steady progress with no losses.",
        "I fish for trout; best returns come over the long run.",
        "I flip vintage lamps, quick profit every weekend!",
        "Been learning guitar, slow growth, patience, the long haul you know",
        "Teaching my dog to sit. Long-term gains need patience.",
        "Training for an ultramarathon: conservative pace, no risk of injury.",
        "My sim racing team wants to outperform the market leader over the next two weeks.",
        "My fantasy football team needs short-term gains, trade the running back",
        "we're raising alpacas, growth of the herd over ten years is the plan",
        "Had a quick win at bingo, 40 bucks, then blew it.",
        "I'm into bouldering, slow steady gains, no big falls.",
        "For my roses I want long-term growth, not quick blooms.",
        "In Diablo I trade runes daily for a quick profit.",
        "I knit, and I don't want to lose any stitches. Keep everything safe.",
        "At karate we go for quick wins, low risk.",
        "i stream speedruns, gotta beat the benchmark time this week",
        "I tutor kids in algebra; steady, long-term gains is what I sell.",
        "On our allotment we aim for steady growth and reliable returns each season.",
    ],
)
def test_another_pursuit_needs_money_beside_it(text):
    intent = read(text)
    assert intent.objective is None and intent.risk_tolerance is None and not intent.actionable


@pytest.mark.parametrize(
    ("text", "objective"),
    [
        ("max growth, 20 yrs", "long_term_gain"),
        ("income. safe. retired teacher.", "capital_preservation"),
        ("beat the dow, weekly", "short_term_alpha"),
        ("I teach violin. For my savings: safe and steady, no losses.", "capital_preservation"),
        ("I coach swimmers and want my portfolio to grow over 15 years.", "long_term_gain"),
        ("Poker taught me risk; my account should beat the S&P every week.", "short_term_alpha"),
        ("I'm a violinist. Just grow it for thirty years.", "long_term_gain"),
        ("I drive a forklift nights. Don't want to lose any of this money.", "capital_preservation"),
        ("We run a greenhouse; this account should grow over 12 years.", "long_term_gain"),
        ("I lost my pottery studio in the flood. Nothing risky with what is left.", "capital_preservation"),
        ("We homeschool four kids. This must not lose value.", "capital_preservation"),
        ("I skipper a ferry and retire in 8 years. Growth until then.", "long_term_gain"),
        ("I sew costumes. Savings go to growth for 20 years.", "long_term_gain"),
        ("Everything goes to my kids when I die, so let it grow.", "long_term_gain"),
        ("Could we turn the recent rally into realised profit over the coming weeks?", "short_term_gain"),
        ("I manage a pub; want quick profit by August to refit the kitchen.", "short_term_gain"),
        ("I drive for a delivery firm. Beat the market, short trades.", "short_term_alpha"),
        ("We crave growth for our twins' future, 16 yrs.", "long_term_gain"),
        ("I'm leaving this alone for 12 years. Growth.", "long_term_gain"),
    ],
)
def test_a_pursuit_beside_money_or_years_does_no_harm(text, objective):
    assert read(text).objective == objective


@pytest.mark.parametrize(
    "text",
    [
        "My husband wants growth and I want safety, and we can't agree.",
        "We are split: he says trade weekly, I say preserve the capital.",
        "My brother and I are at odds about the trust: I want growth over 20 years, he wants income.",
        "My wife and I disagree: she wants it safe, I want it traded every day against the S&P.",
        "The three trustees are divided between income and growth.",
        "Wife says safety, I say growth. We never agree.",
        "Sometimes growth, sometimes income, I change my mind every week.",
        "Maybe growth, maybe safety, I honestly flip every day.",
        "30% a month with zero risk please",
        "No losses whatsoever and at least 25% a month.",
        "I want 50% every quarter and no drawdowns.",
        "no losing months, 20% per month",
    ],
)
def test_at_odds_or_impossible(text):
    assert not read(text).actionable


@pytest.mark.parametrize(
    ("text", "objective"),
    [
        ("We argued but settled on long-term growth over 15 years.", "long_term_gain"),
        (
            "In January I asked for growth. I've changed my mind: preserve the capital.",
            "capital_preservation",
        ),
        ("I told you to day trade. No longer. Long-term growth over 20 years.", "long_term_gain"),
        ("Last year I told you buy-and-hold. I've reconsidered: beat the S&P weekly.", "short_term_alpha"),
        ("Previously we wanted income; now we want growth for the next 15 years.", "long_term_gain"),
        ("I asked you to trade weekly. Second thoughts: keep my capital safe.", "capital_preservation"),
    ],
)
def test_minds_that_were_made_up(text, objective):
    intent = read(text)
    assert (intent.objective, intent.secondary) == (objective, None)


@pytest.mark.parametrize(
    "text",
    [
        "Client note: objective = alpha over benchmark. Risk appetite: high.",
    ],
)
def test_an_advisers_equation_is_prose(text):
    assert read(text).objective == "short_term_alpha"
    assert read("set objective = short_term_gain, liquidity = 1000000").objective is None
