"""Whether a text speaks of money at all: gardens, gyms and freezers use an investor's words too.

What belongs here: words of other walks of life, words that only money has, and how they are weighed.
What does not: which objective is meant (``lexicon.py``), the trained classifier (``classifier.py``).
"""

# ruff: noqa: E501 - a pattern reads best with one alternative a line

import re
from typing import Final

# No trade ("I run a bakery") and nothing that cash is commonly needed for (a kitchen, a boat, a wedding).
ELSEWHERE: Final = re.compile(
    r"\b(?:"
    # kitchen and larder
    r"recipes?|simmer\w*|saut[eé]\w*|whisk\w*|knead\w*|yeast|flour|sourdough|marinat\w+|teaspoons?|tablespoons?|tbsp|tsp|preheat\w*|oven|jam|pickles?|pickled|brine|freezer|fridge|thaw\w*|"
    r"sugar|garlic|onions?|plums|tomato(?:es)?|potato(?:es)?|carrots?|berries|strawberr(?:y|ies)|lettuce|vegetables?|cabbages?|apples|soup|stew|broth|sauce|\d+\s?(?:lbs?|oz|grams?|ml|cups?)(?=\s+(?:of\s+)?[a-z])|"
    # garden and field
    r"seedlings?|seeds|compost\w*|fertili[sz]er|mulch\w*|prun(?:e|ing)|weeds|weeding|watering|hedge\s+(?:in|trimm\w+|needs)|lawn|flowerbeds?|flowers|roses|tulips|shrubs?|orchard|bees|beehives?|planted|replant\w*|repot\w*|soil|greenhouse|"
    # gym and body
    r"gym|workouts?|work\s+out|bench\s?press\w*|squats?|deadlifts?|dumbbells?|biceps|muscles?|protein|creatine|calories|carbs|cardio|treadmill|lifting|weightlift\w*|personal\s+trainer|reps|abs|physio\w*|knees?|marathon|jogging|hair|beard|(?<!thick\s)skin|diet|"
    # laboratory
    r"aliquot\w*|pipett\w*|glycerol|agar|petri|incubat\w+|centrifug\w*|bacteri\w+|cultures?\s+(?:of|in|at|grow)|growth\s+medium|reagents?|-?\d\d\s?(?:°|deg(?:rees)?)\s?[cf]\b|specimens?|enzymes?|cell\s+lines?|crystals|"
    # games and sport
    r"(?<!i )coach(?:es|ed)?|(?:long|high)\s+jump|swimming|sprint(?:s|ing)|chess|pawns?|bishops?|checkmate|goalkeeper|midfield|innings|quarterback|touchdowns?|playoffs|referee|penalty\s+kick|teammates?|level\s+\d+\s+(?:boss|mage|wizard)|dungeon|quests?|"
    # machines and programs
    r"compil(?:e|er|ing)|refactor\w*|unit\s+tests?|pull\s+request|database\s+index|memory\s+leak|garbage\s+collect\w*|kubernetes|docker|packet\s+loss\w*|router|latency|backups?|hard\s+drives?|servers?|firmware|battery|engine|tyres?|tires|gearbox|"
    # people, beasts, weather, school
    r"rabbits?|foxes|hens?|chickens|goats|sheep|cows|ponies|hay|stable\s+door|puppy|kitten|litter\s+box|(?:fish|cheese|fruit|flower|market)\s?stalls?|fishmonger|\d\s?[ap]m|\d\s?(?:kgs?|kilos?|lbs?|km|mph|reps|cm|mm)\b|bench|shoulder|bus|train|farmers?'?\s+market|flea\s+market|supermarket|groceries|poems?|novels?|choir|piano\s+lessons?|homework|essays?|grammar|thunderstorms?|rainfall|hay\s?fever|dating|girlfriend|boyfriend|long[\s-]distance\s+relationship"
    r")(?:\b|(?<=\W))"
)
_SIMILE: Final = re.compile(r"\b(?:like|as|than|unlike)\s+(?:\w+\s+){0,3}\Z")
# Words that hardly stand for anything but money; "market", "stock", "gain", "growth" and "safe" are none.
_MONEY_ONLY: Final = re.compile(
    r"(?:[$€£]\s?\d|\b(?:\d[\d,.]*\s?(?:k|grand|dollars?|bucks|usd|eur)\b|invest\w*|portfolios?|brokerages?|dividends?|etfs?|tlh|ltcg|stcg|lots?|objective|horizon|trustees?|principal|harvest\w*\s+(?:\w+\s+){0,2}?loss\w*|loss\w*\s+harvest\w*|mutual\s+funds?|index\s+funds?|ira|401k|roth|capital\s+gains?|tax(?:es|able)?|irs|savings|retire\w*|"
    r"shares|holdings|wash\s+sales?|s\s?&\s?p|nasdaq|dow|qqq|spy|voo|vti|benchmark|profits?|money|cash|dollars?|wealth|nest\s+egg|my\s+principal|(?:my|the|this|our)\s+account|cost\s+basis|crypto|bonds?(?!\s+(?:of|between)\b)|equit(?:y|ies)|tuition|down[\s-]?payment|trad(?:e|es|ing)|alpha|returns?|exclude|clients?)\b)"
)
_WISHES: Final = re.compile(
    r"\b(?:i|we|i'd|we'd)\s+(?:want|wanna|need|would|prefer|aim|hope|wish|love|like)\b|\bi'd\b|\bplease\b|\bpls\b"
)
_MANY: Final = 2
_PREVAILS: Final = 3


def is_about_something_else(lower: str) -> bool:
    """Say whether words of other walks of life prevail over those of money.

    Parameters
    ----------
    lower : str
        Cleaned lower-case text, or a part of one.

    Returns
    -------
    bool
        True for a text without a word that only money has, if two different words belong elsewhere,
        or one where no wish is uttered; and where words from elsewhere are thrice as many. A simile
        ("like tomatoes in the sun") does not count.
    """
    elsewhere = {
        match.group()
        for match in ELSEWHERE.finditer(lower)
        if not _SIMILE.search(lower[max(0, match.start() - 40) : match.start()])
    }
    if not elsewhere:
        return False
    money = {match.group() for match in _MONEY_ONLY.finditer(lower)}
    if not money:
        return len(elsewhere) >= _MANY or _WISHES.search(lower) is None
    return len(elsewhere) >= _PREVAILS * len(money)
