"""Goals in words: a paraphrase grammar that states an objective the way investors write.

A statement is drawn from slots (opening, wish, horizon, cash need, exclusion, tax remark, mood),
so that a few dozen phrases make many thousands of texts. The grammar knows the objective, the
planned withdrawal and the excluded sector; what it states can agree with the behaviour or not.
"""

from dataclasses import dataclass

from ml.simulate.counter_rng import uniform
from ml.types import SECTORS

_WISHES: dict[str, tuple[str, ...]] = {
    "short_term_alpha": (
        "I want to outrun the index with quick trades",
        "my aim is to beat the S&P from one week to the next",
        "trade actively on signals and outperform",
        "catch moves that last a few days and be ahead of the benchmark",
        "I like fast trades, the point is to do better than the market this month",
        "use short swings to earn more than an index fund would",
    ),
    "short_term_gain": (
        "I'd like to make 10% on a position within a few months and take the profit",
        "buy, wait for a decent pop, cash in, repeat",
        "I am after profits I can lock in this year",
        "quick profits over the next couple of months",
        "sell whenever something is up nicely",
        "looking for gains I can realise by the summer",
    ),
    "long_term_gain": (
        "grow the account over many years",
        "patient growth, I hardly look at prices",
        "let it compound until I stop working",
        "build wealth slowly with good companies",
        "I am in stocks for the long haul and want growth",
        "steady growth for later in life",
    ),
    "capital_preservation": (
        "do not lose what I have",
        "safety first, small ups and downs only",
        "I sleep badly when the account falls, keep it stable",
        "protect the principal and give me a bit of income",
        "low risk please, this money has to still be there",
        "I can't afford a big drawdown",
    ),
    "tax_loss_harvesting": (
        "sell what is under water and book the losses for my taxes",
        "harvest losses whenever you can and stay invested",
        "I have gains elsewhere and need losses to set against them",
        "realise losses through the year, swap into something similar",
        "use every dip to bank a tax loss",
        "please collect capital losses for my return",
    ),
    "long_term_gains_only": (
        "never sell a winner before it has been held for over a year",
        "only long-term capital gains, no short-term ones ever",
        "hold each winner past the one-year mark before selling it",
        "I refuse to pay the short-term rate on gains",
        "sales at a profit must qualify for the long-term rate",
        "wait out the twelve months before taking any profit",
    ),
}
_OPENINGS = (
    "",
    "",
    "",
    "Hi, ",
    "To be clear: ",
    "Mainly, ",
    "My goal: ",
    "Short version: ",
    "For this account, ",
)
_LINKS = (". ", "; ", ", and ", ". Also, ")
_HORIZONS = ("over the next {n} years", "for about {n} years", "within {n} years or so", "I have {n} years")
_NEEDS = (
    "I need {amount} for a down payment next month",
    "{amount} has to be in cash next month for the house",
    "next month I must pay {amount} in tuition",
    "please free up {amount} by the end of next month",
    "a tax bill of {amount} is due in about a month",
)
_EXCLUSIONS = (
    "no {name} stocks",
    "leave out {name}",
    "I don't want {name} in there",
    "skip the {name} sector",
)
_TAX = (
    "and mind the wash sale rule",
    "taxes matter to me",
    "I would rather not trigger taxes",
    "my spouse holds some of the same stocks",
)
_MOODS = ("I can take a lot of risk", "medium risk is fine", "nothing wild please", "I am rather cautious")
_SECTOR_WORDS: dict[str, str] = dict(
    zip(
        SECTORS,
        ("energy", "materials", "industrial", "consumer discretionary", "consumer staples", "healthcare",
         "financial", "tech", "communication", "utility", "real estate"),
        strict=True,
    )
)  # fmt: skip
_YEARS = {
    "short_term_alpha": 0.0, "short_term_gain": 0.0, "long_term_gain": 0.55, "capital_preservation": 0.25,
    "tax_loss_harvesting": 0.1, "long_term_gains_only": 0.25,
}  # fmt: skip


@dataclass(frozen=True)
class Statement:
    """What a statement has to say: objectives, excluded sector (name or None), need in USD or None."""

    primary: str
    secondary: str | None
    excluded_sector: str | None
    need_usd: int | None


def compose(statement: Statement, key, number: int) -> str:
    """Return the statement's text; ``key`` (uint64) and ``number`` address its draws."""

    def draw(slot: int) -> float:
        return uniform(key, number, 300, slot)

    def choose(slot: int, options: tuple[str, ...]) -> str:
        return options[int(draw(slot) * len(options))]

    text = choose(0, _OPENINGS) + choose(1, _WISHES[statement.primary])
    if statement.secondary:
        text += choose(2, (", but also ", ", and a little bit: ", "; second, ")) + choose(
            3, _WISHES[statement.secondary]
        )
    if draw(4) < _YEARS[statement.primary]:
        text += choose(5, (", ", " - ")) + choose(6, _HORIZONS).format(n=int(3 + draw(7) * 25))
    extras = []
    if statement.need_usd:
        amount = choose(8, ("{:,}", "${:,}", "{:,} USD", "about ${:,}")).format(statement.need_usd)
        extras.append(choose(9, _NEEDS).format(amount=amount))
    if statement.excluded_sector:
        extras.append(choose(10, _EXCLUSIONS).format(name=_SECTOR_WORDS[statement.excluded_sector]))
    if draw(11) < 0.2:
        extras.append(choose(12, _MOODS))
    if draw(13) < 0.15:
        extras.append(choose(14, _TAX))
    for i, extra in enumerate(extras):
        text += choose(20 + i, _LINKS) + extra
    text = text[0].upper() + text[1:] if draw(30) < 0.7 else text
    return text + ("." if draw(31) < 0.6 else "")
