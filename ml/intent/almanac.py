"""Months, seasons and holidays by name, with the days that each means.

What belongs here: the tables. What does not: finding them in a text, and in which year they fall
(``dates.py``).
"""

import calendar
from typing import Final

MONTHS: Final = {name.lower(): i for i, name in enumerate(calendar.month_name) if name} | {
    "jan": 1,
    "feb": 2,
    "mar": 3,
    "apr": 4,
    "jun": 6,
    "jul": 7,
    "aug": 8,
    "sep": 9,
    "sept": 9,
    "oct": 10,
    "nov": 11,
    "dec": 12,
}
SEASONS: Final = {  # first day, last day as (month, day); winter runs into the next year
    "spring": ((3, 1), (6, 21)),
    "summer": ((6, 1), (9, 22)),
    "fall": ((9, 1), (12, 21)),
    "autumn": ((9, 1), (12, 21)),
    "winter": ((12, 1), (3, 20)),
}
EVENTS: Final = {
    "christmas": ((12, 24), (12, 25)),
    "xmas": ((12, 24), (12, 25)),
    "thanksgiving": ((11, 20), (11, 28)),
    "new year's": ((12, 31), (12, 31)),
    "new years": ((12, 31), (12, 31)),
    "tax day": ((4, 15), (4, 15)),
    "tax time": ((4, 1), (4, 15)),
    "the holidays": ((12, 15), (12, 31)),
    "labor day": ((9, 1), (9, 7)),
    "memorial day": ((5, 25), (5, 31)),
    "easter": ((3, 22), (4, 25)),
    "presidents' day": ((2, 15), (2, 21)),
    "presidents day": ((2, 15), (2, 21)),
    "mlk day": ((1, 15), (1, 21)),
    "mother's day": ((5, 8), (5, 14)),
    "father's day": ((6, 15), (6, 21)),
    "independence day": ((7, 4), (7, 4)),
    "fourth of july": ((7, 4), (7, 4)),
    "4th of july": ((7, 4), (7, 4)),
    "columbus day": ((10, 8), (10, 14)),
    "veterans day": ((11, 11), (11, 11)),
    "halloween": ((10, 31), (10, 31)),
    "valentine's": ((2, 14), (2, 14)),
    "valentines": ((2, 14), (2, 14)),
    "new year": ((12, 31), (12, 31)),
    "boxing day": ((12, 26), (12, 26)),
    "diwali": ((10, 15), (11, 15)),
}
