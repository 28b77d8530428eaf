"""Words: which phrases name an objective, a tax wish, an attitude to risk or something to leave out.

What belongs here: phrases and their weight. What does not: negation, scope and ranking
(``grammar.py``). Patterns are written for cleaned lower-case text, British and American spelling.

A weight of 1 names the objective by itself; 0.5 needs company (a second phrase, a wish verb or a word
about money). ``inherent`` marks phrases whose negation is part of the phrase ("don't lose").
"""

# ruff: noqa: E501 - a pattern reads best with one alternative a line

import re
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Phrase:
    """One pattern of an objective."""

    pattern: re.Pattern[str]
    weight: float
    inherent: bool = False


def phrases(strong: str, weak: str = "", inherent: str = "") -> tuple[Phrase, ...]:
    """Compile the phrases of one objective, one alternative a line."""
    return tuple(
        Phrase(re.compile(rf"\b(?:{'|'.join(lines)})"), weight, is_inherent)
        for text, weight, is_inherent in ((strong, 1.0, False), (weak, 0.5, False), (inherent, 1.0, True))
        if (lines := [line.strip() for line in text.strip().splitlines() if line.strip()])
    )


MARKET = (
    r"(?:the\s+)?(?:broad(?:er)?\s+|overall\s+|stock\s+|us\s+|whole\s+)?(?:markets?|s\s?&\s?p(?:\s?500)?|sp\s?500|spx?|spy|voo|vti|nasdaq|qqq|dow|russell(?:\s?\d+)?|wilshire(?:\s?\d+)?|msci(?:\s+(?:world|acwi|eafe|usa|em))?|acwi|eafe|ftse(?:\s?\d+)?|(?:euro\s?)?stoxx(?:\s?\d+)?|dax|nikkei(?:\s?\d+)?|"
    r"index(?:es)?(?:\s+funds?)?|indices|benchmarks?|averages?)\b"
)
LOSS = r"(?:loss(?:es)?|losers?|(?:losing|minus|negative|loss[\s-]making|sunken)\s+(?:positions?|lots?|stocks?|trades?|names?|holdings?)|paper\s+loss(?:es)?|capital\s+loss(?:es)?|red\s+(?:positions?|lots?|names?))"
REALISE = r"(?:reali[sz]\w{0,3}|harvest\w{0,3}|captur\w{1,3}|book(?:ing)?|bank(?:ing)?|tak(?:e|ing)|tri?gger(?:ing)?|crystalli[sz]\w{0,3}|collect(?:ing)?|generat\w{1,3}|creat\w{1,3}|claim(?:ing)?|recogni[sz]\w{0,3}|lock(?:ing)?\s+in|cash(?:ing)?\s+in|us(?:e|ing)(?:\s+up)?|incur(?:ring)?|bag(?:ging)?|pick(?:ing)?\s+up|scoop(?:ing)?\s+up|grab(?:bing)?)"
YEAR_HELD = r"(?:a\s+(?:full\s+)?year|one\s+year|1\s+year|one[\s-]year|1[\s-]?yr|(?:12|twelve)\s+months?|first\s+anniversary|36[56]\s+days|a\s+year\s+and\s+a\s+day|long[\s-]?term)"

OBJECTIVE_PHRASES: Final[dict[str, tuple[Phrase, ...]]] = {
    "short_term_alpha": phrases(
        rf"""
        (?:beat|beats|beating|outperform\w{{0,3}}|outrun\w{{0,4}}|outpac\w{{1,3}}|top|topping|crush\w{{0,3}}|smok(?:e|ing)|surpass\w{{0,3}}|outdo|exceed)\s+(?:[\w']+\s+){{0,2}}?{MARKET}
        (?<!matters\s)(?<!worth\s)(?:better|more|higher|faster|further)\s+(?:returns?\s+)?than\s+(?:[\w']+\s+){{0,2}}?{MARKET}
        (?:ahead\s+of|an?\s+edge\s+(?:over|on)|excess\s+returns?\s+(?:over|to|above|versus)|relative\s+to|measured\s+against|over\s+and\s+above|in\s+excess\s+of)\s+(?:[\w']+\s+){{0,2}}?{MARKET}
        (?:outperform\w{{0,4}}|alpha|excess\s+returns?)\s+(?:against|over|above|versus|vs\.?|relative\s+to|compared\s+(?:to|with))\s+(?:[\w']+\s+){{0,2}}?{MARKET}
        (?:weekly|daily|short[\s-]term|short[\s-]run|near[\s-]term|pure|active|generate|generating|chas\w+|seek\w*|hunt\w*|find\w*|for)\s+alpha\b
        alpha\s+(?:is|from|over|within|in|generation|this|each|every|on\s+a)\b
        (?:swing|day|scalp|momentum|intraday|short[\s-]term)[\s-]?trad(?:e|es|ing|er)\b
        scalp(?:ing)?\b
        trad(?:e|ing)\s+(?:it\s+|this\s+|the\s+account\s+|my\s+account\s+)?(?:actively|aggressively|daily|weekly|every\s+(?:day|week)|day\s+to\s+day|in\s+and\s+out|frequently|often|constantly|fast|the\s+(?:news|swings|momentum|volatility))
        (?:active|frequent|fast|quick|rapid|nimble|tactical|daily|high[\s-]turnover)\s+(?:short[\s-]term\s+)?(?:trad(?:es?|ing)|rotation|turnover)\b
        (?:rotate|rotating|rotation|flip(?:ping)?)\s+(?:\w+\s+){{0,4}}?(?:weekly|daily|often|every\s+(?:few\s+)?(?:days?|weeks?)|week\s+to\s+week)
        (?:exploit|exploiting|trade|trading|arbitrage|profit\s+from|capture|capturing)\s+(?:\w+[\s-]+){{0,3}}?(?:mispricings?|inefficienc(?:y|ies)|dislocations?|anomal(?:y|ies)|signals?)
        (?:moves?|edges?|signals?|trades?|swings?|bets|positions?|mispricings?)\s+(?:that\s+)?(?:last(?:ing)?|over|within|of|for)\s+(?:only\s+)?(?:a\s+)?(?:(?:few|couple\s+of|matter\s+of|handful\s+of)\s+)?(?:days|weeks|hours)\b
        (?:weekly|daily|short)\s+(?:edge|signals?|bets|swings?|outperformance|excess\s+returns?)
        (?:outperform\w{{0,4}}|beat\s+(?:it|them|others))\s+(?:\w+\s+){{0,3}}?(?:days|weeks?|short[\s-](?:term|run)|month)\b
        (?:short[\s-](?:term|run|lived)|near[\s-]term)\s+(?:\w+\s+)?(?:outperformance|edge|mispricings?|opportunit(?:y|ies)|inefficiencies|bets|moves)
        (?:quick|fast|rapid|short)\s+(?:turns?|moves?|punts?|trades?|bets?|in-and-outs?)\s+(?:\w+\s+){{0,2}}?(?:against|versus|vs|around|relative\s+to)\s+(?:[\w']+\s+){{0,2}}?{MARKET}
        quick\s+in[\s-]and[\s-]out|in\s+and\s+out\s+(?:quickly|fast|of\s+(?:positions|stocks|names))
        """,
        r"""
        alpha\b
        outperform\w{0,4}
        excess\s+returns?
        """,
    ),
    "short_term_gain": phrases(
        r"""
        (?:quick|fast|short[\s-](?:term|run|lived)|near[\s-]term|easy|rapid|speedy)\s+(?:profits?|gains?|bucks?|wins?|cash|money|returns?|flip|score|turnaround|payoff|pop)\b
        (?:tak(?:e|ing)|book(?:ing)?|lock(?:ing)?\s+in|bank(?:ing)?|cash(?:ing)?\s+in|reali[sz](?:e|ing)|pocket(?:ing)?|harvest(?:ing)?|crystalli[sz]\w{0,3}|secur(?:e|ing)|grab(?:bing)?|bag(?:ging)?|skim(?:ming)?|scoop(?:ing)?)\s+(?:up\s+|in\s+)?(?:on\s+)?(?:some\s+|my\s+|the\s+|those\s+|a\s+|an\s+|any\s+|all\s+|nice\s+|decent\s+|good\s+|healthy\s+|modest\s+|quick\s+|short[\s-]term\s+|these\s+|in\s+){0,3}(?:profits?|gains?|winners|wins?)\b
        (?:profits?|gains?)\s+(?:that\s+)?(?:i\s+can\s+|to\s+(?:be\s+)?)?(?:tak(?:e|en)|lock(?:ed)?\s+in|reali[sz]\w{0,2}|book(?:ed)?|bank(?:ed)?|cash(?:ed)?\s+in|pocket(?:ed)?)\b
        ring(?:ing)?\s+the\s+register
        (?:profits?|gains?|returns?|money)\s+(?:in|within|over)\s+(?:a\s+|the\s+|very\s+)*short\s+(?:time|while|period|order)\b
        (?:profits?|gains?|win)\s+(?:\w+\s+){0,2}?(?:this|by|before|within|over|in|inside)\s+(?:the\s+)?(?:next\s+|coming\s+|following\s+|half\s+a\s+|end\s+of\s+(?:the\s+)?)?(?:\d{1,2}(?:\s?-\s?\d{1,2})?\s+|(?:two|three|four|five|six|eight|nine|few|couple\s+of)\s+)?(?:summer|spring|fall|autumn|winter|christmas|months?|weeks?|quarters?|half\s+year|year[\s-]?end|season)\b
        cash(?:ing)?\s+(?:in|out)\s+(?:on\s+)?(?:my\s+|the\s+|these\s+|some\s+)?(?:winners?|gains?|profits?|rally|run[\s-]?up|pop)
        (?:make|making|earn|earning|turn|turning|aim\s+for|get|want|looking\s+for|seek\w*|after|squeeze\s+out|generate|book|score|land)\s+(?:me\s+|myself\s+)?(?:a\s+|an\s+|some\s+|another\s+)?(?:[\w$%.,]+\s+){0,2}?(?:profits?|gains?|money|returns?|win)\s+(?:\w+\s+){0,3}?(?:by|within|over|in|this|before|inside)\s+(?:the\s+|about\s+|around\s+|roughly\s+|a\s+)?(?:next\s+|coming\s+|end|few\s+|couple\s+of\s+|year|quarter|summer|spring|fall|autumn|winter|christmas|matter\s+of\s+|\d{1,2}(?!\d)\s*-?\s*(?:\d{1,2}\s+)?(?!\s*(?:years?|yrs?|decades?)\b)|(?:two|three|four|five|six|nine)\s+)(?:few\s+|couple\s+of\s+)?(?:months?|weeks?|quarters?|of|summer|spring|fall|autumn|winter|year|end|christmas)?(?!\s*(?:years?|yrs?|decades?)\b)
        (?:reali[sz]e|make|earn|achieve|book|capture|get|see|gain)\s+(?:an?\s+|some\s+)?(?:appreciation|uplift|rise|increase|gain|return|profit)\s+of\s+(?:[\w']+\s+){0,2}?\d{1,2}\s?(?:%|percent)\s+(?:\w+\s+){0,2}?(?:between\s+now\s+and|by|before|within|inside|this|until|over\s+the\s+(?:next|coming)\s+(?:\w+\s+)?(?:weeks|months|quarter))\b
        sell(?:ing)?\s+(?:whenever|when|once|as\s+soon\s+as|after|anything|whatever)\s+(?:\w+\s+){0,3}?(?:up|pops?|jumps?|rises?|gains?|profit|hits?)\b
        (?:sell|unload|get\s+out)\s+(?:into|on)\s+(?:the\s+)?(?:strength|rally|pop|bounce|spike)
        (?:flip|flipping)\s+(?:\w+\s+){0,3}?(?:profit|stocks?|shares?|positions?|months?|quickly|gains?)
        (?:double|triple|grow|turn)\s+(?:\w+\s+){0,3}?(?:\$?[\d,.]+k?\s+)?(?:\w+\s+){0,3}?(?:by|within|in|before)\s+(?:the\s+)?(?:next\s+)?(?:(?:a\s+)?(?:few|couple\s+of)\s+(?:months|weeks)|summer|spring|fall|autumn|winter|christmas|year[\s-]?end|(?:the\s+)?end\s+of\s+(?:the\s+)?(?:year|summer|quarter|month)|\d{1,2}\s+(?:months|weeks)|(?:two|three|four|six|nine)\s+(?:months|weeks))
        (?<!in\s)(?<!%\s)(?<!of\s)cash\s+in\b(?!\s+(?:the\s+|early\s+|late\s+|mid[\s-])?(?:account|next|by|for|hand|on\s+hand|ready|january|february|march|april|may|june|july|august|september|october|november|december|spring|summer|fall|autumn|winter|q[1-4]|20\d\d|two|three|four|five|six|a\s+(?:week|month|year|few|couple)|\d))
        (?:book|bag|score|land|have)\s+(?:a\s+|some\s+)?(?:nice|quick|tidy|decent|solid|good)\s+(?:win|profit|gain|return)s?
        (?:take|taking)\s+(?:some\s+)?(?:chips|money)\s+off\s+the\s+table
        profit[\s-]taking|take[\s-]profits?
        """,
        r"""
        (?<!at a )(?<!at )profits?\b
        short[\s-]term\s+gains?\b
        payday\b
        """,
    ),
    "long_term_gain": phrases(
        r"""
        long(?:er)?[\s-]*(?:term|run|haul|horizon)\s+(?:\w+\s+){0,2}?(?:growth|gains?|appreciation|returns?|investing|investor|investment|wealth|compounding|accumulation|hold(?:er|ing)?s?)\b
        (?:growth|appreciation|grow|compound\w*|invest\w*|gains?|wealth)\s+(?:\w+[\s,]+){0,4}?(?:for|over|in)\s+the\s+long(?:er)?[\s-]?(?:term|run|haul)
        (?:growth|grow|growing|appreciat\w+|compound\w*|returns|wealth|building)\b[^.;!?\n]{0,40}?\b(?:over|for|in|across|within|during)\s+(?:the\s+)?(?:next\s+|coming\s+|about\s+|roughly\s+|around\s+|many\s+|several\s+|like\s+|maybe\s+|at\s+least\s+|another\s+)*(?:[\w-]+\s+){0,3}?(?:years|yrs|decades?)\b
        (?:build\w*|creat\w+|accumulat\w+|amass\w*|grow\w*)\s+(?:\w+\s+){0,3}?(?:wealth|nest[\s-]egg|fortune|capital\s+over)
        wealth[\s-]building|generational\s+wealth
        (?:steady|patient|slow|solid|maximum|max|aggressive|capital|consistent|sustained|lasting|gradual|compound(?:ed)?)\s+(?:and\s+\w+\s+)?(?:growth|appreciation|compounding)\b
        capital\s+(?:growth|appreciation)
        (?:let|watch|leave)\s+(?:it|this|that|everything|the\s+(?:money|account)|my\s+money|things)\s+(?:\w+\s+){0,2}?(?:grow|compound|multiply|expand|accumulate|appreciate|ride|run|cook|snowball|alone\s+for)
        compound(?:ing)?\s+(?:\w+\s+){0,3}?(?:until|over|for|till)
        buy[\s-]and[\s-]hold|set[\s-]it[\s-]and[\s-]forget[\s-]it|set\s+and\s+forget
        (?:sav(?:e|ing)|invest(?:ing)?|money|growing|account|fund|grow|plan(?:ning)?|accumulate)\s+(?:\w+\s+){0,3}?(?:for|toward)\s+(?:my\s+|our\s+|an?\s+|early\s+)?(?:retirement|old\s+age|pension)
        retire(?:ment)?\s+(?:\w+\s+){0,2}?(?:fund|money|savings|account|nest[\s-]?egg|growth|goal)\b(?!\s+(?:living|income))
        (?:worth|be)\s+(?:a\s?lot|much|way|far)\s+more\s+(?:in|by|when|later)
        (?:for|over|in|take)\s+(?:the\s+)?(?:next\s+|coming\s+)?(?:few\s+|several\s+|two\s+|three\s+)?decades?\b
        (?:kids?|child|children|daughter|son|grandkids?|grandchildren|baby|grandson|granddaughter)(?:'?s|'|s')?\s+(?:college|university|education|future)\b(?![^.;!?\n]{0,40}\b(?:bill|due|tuition)\b)
        (?:patient|patiently)\b[^.;!?\n]{0,30}\b(?:years|growth|hold|invest)
        """,
        r"""
        grow(?:th|ing|s)?\b
        appreciat(?:e|ion)\b
        compound(?:ing)?\b
        long[\s-]?(?:term|run|haul)\b(?!\s+(?:capital\s+)?(?:gain|rate|status|treatment|lot|tax|loss|care))
        retir(?:e|es|ing|ement)\b
        nest[\s-]egg
        """,
    ),
    "capital_preservation": phrases(
        r"""
        (?:capital|wealth|principal|asset)\s+(?:preservation|protection)
        (?:preserv\w{1,3}|protect\w{0,3}|safeguard\w{0,3}|shield\w{0,3}|guard\w{0,3}|keep\s+safe|defend)\s+(?:\w+\s+){0,3}?(?:capital|principal|savings|money|nest[\s-]egg|wealth|value|it|purchasing\s+power|what\s+(?:i|we|is|was)|everything|account|cash|portfolio|gains|against)
        (?:protect|preserv)(?:ing|ion|e)\b(?=[^.;!?\n]{0,30}\b(?:matters|first|comes|more|priority|is)\b)
        safety\s+(?:first|of\s+(?:principal|capital)|over|above|matters|is|comes)
        (?:safe|safely|stable|secure|intact|low[\s-]risk|conservative|risk[\s-]free)\s+(?:and\s+\w+\s+)?(?:place|investments?|income|returns?|portfolio|parking|holdings?|assets|mix|allocation|stuff|options?)
        (?:keep|kept|stay|stays|staying|remain|remains|be|have)\s+(?:it\s+|this\s+|the\s+|my\s+|our\s+|his\s+|her\s+|their\s+|everything\s+|them\s+|there\s+)?(?:money\s+|principal\s+|capital\s+|account\s+|savings\s+|cash\s+|funds\s+|nest[\s-]egg\s+|inheritance\s+|proceeds\s+)?(?:very\s+|absolutely\s+|completely\s+|perfectly\s+|really\s+)?(?:safe|intact|stable|whole|steady|secure|untouched\s+by\s+losses|good(?=\s+for\s))\b
        (?:steady|regular|reliable|monthly|stable|predictable|modest|some|dividend|interest|enough|retirement|fixed|little|bit\s+of)\s+(?:dividend\s+|interest\s+)?income\b
        (?:income|interest|dividends)\s+(?:over|rather\s+than|instead\s+of|not|more\s+than|matters|stream|portfolio|investor|generation|to\s+live)\b
        (?:live|living|lives)\s+(?:off|on)\s+(?:of\s+)?(?:it|this|the|my|our|these|dividends?|interest|what)
        (?:throw(?:ing)?\s+off|generat\w+|produc\w+|pays|paying|pay\s+me|draw(?:ing)?)\s+(?:\w+\s+){0,2}?(?:income|interest|dividends|yield)\b(?!\s+(?:tax|rates?))
        (?:low|small|minimal|minimum|minimi[sz]e|minimi[sz]ing|limit(?:ed|ing)?|avoid(?:ing)?|smallest|tiny)\s+(?:\w+\s+)?(?:drawdowns?|downside|volatility|swings|fluctuations?|losses)\b
        (?:downside|drawdown|crash|inflation)\s+(?:protection|control)
        keep\s+(?:up\s+with|pace\s+with)\s+inflation|(?:beat|ahead\s+of|match)\s+inflation
        emergency\s+(?:fund|savings|reserve|money|cushion)|rainy[\s-]day\s+(?:fund|money)
        sleep\s+(?:\w+\s+){0,2}?(?:at\s+night|well|soundly|easy)
        return\s+of\s+(?:my\s+|the\s+)?(?:capital|principal|money)\b
        capital\s+(?:is\s+)?(?:safe|secure|intact|guaranteed)
        keep(?:ing)?\s+(?:the|my|our|this)\s+(?:bags?|stack|pile|pot|stash|dough|loot|winnings|lump|kitty)\s+(?:safe|intact|secure|whole)\b
        (?:go|keep|carry)\s*(?:on|ing)?\s+having\s+(?:it|enough|what\s+we)\b|rock[\s-]solid\b
        (?:as\s+)?little\s+(?:damage|harm|pain|loss)\b|(?:least|minimal|minimum)\s+(?:possible\s+)?(?:damage|harm|pain)\b
        (?:keep|hold|hang)\s+(?:on\s+to\s+|onto\s+)?what\s+(?:i|we)(?:'ve|\s+have)?(?:\s+(?:already\s+)?(?:got|have|saved|made|earned))?\b(?!\s+(?:bought|in\s+\w+\s+stock))
        (?:nothing|not\s+(?:one|a(?:\s+single)?)\s+\w+)\s+(?:may|can|must|should|shall|is\s+to)\s+(?:\w+\s+)?be\s+lost\b
        (?:park|parking|stash)\s+(?:(?!and\b)\w+\s+){0,3}?(?:money|cash|fund|proceeds|savings|it)\b
        (?:money|it|this)\s+(?:has\s+to|must|needs?\s+to|should)\s+(?:still\s+)?be\s+there
        (?:stay|staying|play|playing)\s+(?:it\s+|this\s+(?:one\s+)?)?(?:\w+\s+)?(?:safe|defensive|conservative|defen[cs]e)
        defensive(?:ly)?\b
        """,
        r"""
        safe(?:ty|ly|r)?\b
        conservative(?:ly)?\b
        stab(?:le|ility)\b
        preserv(?:e|ing|ation)\b
        (?<!my )(?<!our )(?<!his )(?<!her )(?<!high )(?<!ordinary )(?<!taxable )(?<!earned )income\b(?!\s+(?:tax|rates?|is\s+(?:high|unusually|low)|bracket|year))
        dividends?\b
        (?:sleep\s+badly|lose\s+sleep|losing\s+sleep|keeps\s+me\s+up)
        """,
        r"""
        (?:don'?t|do\s+not|didn'?t|never|not|can'?t|cannot|can\s+not|won'?t|couldn'?t|without|no|avoid|afraid\s+of|scared\s+of|fear\s+of|terrified\s+of|hate|stop|unable\s+to|isn'?t\s+about)\s+(?:\w+\s+){0,4}?(?:los(?:e|es|ing)|lost)\s+(?:\w+\s+){0,2}?(?:money|capital|principal|savings|it|this|that|any|anything|what|my|the|our|a\s+(?:cent|penny|dime|dollar|single)|everything|much|value|any\s+of)
        (?:don't|do\s+not|never|not|won't|can't|no)\b[^.;!?\n]{0,40}?\s(?:or|nor)\s+(?:to\s+)?los(?:e|ing)\s+(?:\w+\s+){0,2}?(?:money|capital|principal|savings|it|any|anything|value)\b
        not\s+losing\b
        (?:don't|do\s+not|never|not|without|no|avoid|rather\s+not|hate\s+to)\s+(?:\w+\s+){0,3}?(?:get(?:ting)?|be(?:ing)?|go(?:ing)?)\s+(?:me\s+|us\s+)?(?:rekt|wrecked|burn(?:ed|t)|wiped(?:\s+out)?|cleaned\s+out|ruined|hammered|clobbered|crushed|bust|broke|smoked)\b(?!\s+by\s+tax)
        (?:don'?t|do\s+not|never|not\s+to|no)\s+(?:\w+\s+)?gambl(?:e|ing)\s+(?:with\s+|away\s+)(?:it|this|that|my|our|the|what)\b
        (?:can'?t|cannot|can\s+not|couldn'?t|won'?t|will\s+not|unable\s+to|not\s+(?:able|willing|prepared)\s+to|no\s+appetite\s+for|no\s+stomach\s+for|don'?t\s+want(?:\s+to\s+see)?|never\s+want|hate|refuse\s+to|can'?t\s+afford|no\s+room\s+for)\s+(?:to\s+)?(?:\w+\s+){0,3}?(?:loss(?:es)?|drawdowns?|drops?|declines?|crash(?:es)?|(?:big|large|huge|major|serious|another|steep|deep|sharp)\s+(?:drops?|falls?|swings?|fluctuations?|drawdowns?|declines?|hits?|blows?|loss(?:es)?)|go(?:es)?\s+down|down\s+years?|falls?|volatility|swings|red|surprises|rollercoaster)\b
        (?:no|zero|without)\s+(?:big\s+|large\s+|major\s+|nasty\s+|more\s+|any\s+|real\s+)?(?:loss(?:es)?|loses|drawdowns?|surprises|drama|rollercoaster|wild\s+(?:rides?|swings)|risk\s+of\s+loss)\b
        (?:never|not|don'?t)\s+(?:let\s+it\s+|have\s+it\s+)?(?:go(?:es)?|drop|fall|shrink|dip)\s+(?:down|below|under|in\s+value|much)
        """,
    ),
    "tax_loss_harvesting": phrases(
        rf"""
        tax[\s-]*loss(?:es)?(?:[\s-]+(?:harvest\w*|sell\w*|swap\w*|strateg\w+))?\b
        loss[\s-]harvest\w*|harvest\w*\s+(?:\w+\s+){{0,4}}?(?:loss\w*|losers?)|\btlh\b
        {REALISE}\s+(?:up\s+)?(?:on\s+)?(?:(?:some|any|all|my|the|those|these|every|more|available|unreali[sz]ed|a\s+few|a|tax|short[\s-]term|long[\s-]term|deductible|paper|enough|as\s+many|big|\$?[\d,]+k?|of)\s+){{0,4}}{LOSS}\b
        (?:sell|selling|dump|dumping|unload|unloading|ditch|get\s+rid\s+of|swap\s+out|swap)\s+(?:\w+\s+){{0,3}}?(?:losers?|losing|under\s?water|in\s+the\s+red|what(?:'s|ever\s+is|ever's|\s+is)\s+(?:down|under|in\s+the\s+red|losing|below))\b[^.;!?\n]{{0,60}}?(?:tax|loss|write|deduct|offset|return|replace|similar|carry|against)
        (?:losses|{LOSS})\s+(?:\w+\s+){{0,6}}?(?:to\s+(?:offset|set\s+against|net|cancel|write\s+off|deduct|shelter|wipe\s+out|use)|against\s+(?:my|the|those|other|gains|it|them)|(?:on|for)\s+(?:my\s+)?(?:taxes|(?:tax\s+)?return|schedule\s+d))
        (?:offset|offsetting|wipe\s+out|cancel\s+out|net\s+against|shelter|neutrali[sz]e|counter|soak\s+up)\s+(?:\w+[\s,']+){{0,5}}?(?:gains?|income|profits?)\b(?:[^.;!?\n]{{0,30}}?\bloss)?
        (?:write|writing)\s+(?:off|down)\s+(?:\w+\s+){{0,3}}?(?:losses|losers|\$?3,?000|3k)|write[\s-]offs?\b
        (?:deduct|deducting|deduction\s+for)\s+(?:\w+\s+){{0,3}}?(?:losses|\$?3,?000)
        (?:need|want|get|give\s+me|find)\s+(?:me\s+)?(?:some\s+|more\s+|capital\s+|tax\s+|deductible\s+|reali[sz]ed\s+)+losses\b
        harvest(?:ing)?\s+(?:every(?:thing|\s+\w+)|anything|whatever|what|as\s+(?:much|many)|all|any)\s+(?:that\s+|of\s+it\s+|as\s+|tax\s+)?(?:you|we|i|is|are|that's|there|possible|available|eligible|can|in\s+sight|by|before)\b(?![^.,;!?\n]{{0,30}}\b(?:gains?|profits?|winners|upside|rally|ripe)\b)
        (?<=:\s)harvest(?:ing)?(?=\s*(?:[.,;]|$))
        losses\s+(?:are|would\s+be)\s+(?:worth|valuable|useful)
        losses?\s+(?:to\s+be\s+|be\s+|should\s+be\s+)?(?:harvested|reali[sz]ed|taken|captured|booked|banked|crystalli[sz]ed|claimed)\b
        """,
        r"""
        losers?\b
        (?:capital\s+)?losses\b(?=[^.;!?\n]{0,40}\b(?:tax|deduct|offset|irs|schedule))
        under\s?water\b
        """,
    ),
    "long_term_gains_only": phrases(
        rf"""
        (?:only|just|exclusively|nothing\s+but|solely|strictly)\s+(?:\w+\s+){{0,4}}?long[\s-]*term\s+(?:capital\s+)?(?:gains?|rates?|treatment|lots?|sales|tax\s+rates?)\b
        long[\s-]*term\s+(?:capital\s+)?gains?\s+(?:only|exclusively|treatment\s+only|or\s+nothing)
        (?:hold|keep|holding|keeping|wait|waiting|sit|stay|hang|own|held|owned|age|aged|season\w*)\b[^.;!?\n]{{0,50}}?\b(?:past|beyond|until|till|for|over|longer\s+than|more\s+than|at\s+least|to)\s+(?:at\s+least\s+|over\s+|more\s+than\s+|it\s+is\s+|it's\s+|they're\s+|they\s+are\s+|it\s+(?:goes|turns|becomes|qualifies)\s+|they\s+(?:go|turn|become|qualify)\s+(?:for\s+)?(?:as\s+)?|the\s+)*{YEAR_HELD}\b(?:\s+(?:mark|holding|point|line|anniversary|status|rate|treatment|before|so|to\s+(?:get|qualify))\b|[^.;!?\n]{{0,40}}\b(?:before|sell|tax|rate|status|qualif\w+|lot|lots|gain|gains)\b|(?=\s*(?:$|[.;,!?\n])))
        (?:wait|waiting)\s+(?:out\s+)?(?:the\s+)?(?:full\s+)?(?:{YEAR_HELD})\b
        (?:reach|reached|hit|get\s+to|gone|qualif(?:y|ies|ied)\s+(?:for|as)|turn(?:ed|s)?|becom\w+|goes|go|aged\s+into|crossed|cross|clear(?:ed|s)?|pass(?:ed|es)?|make\s+it\s+to|been\s+held)\s+(?:the\s+|their\s+|into\s+|for\s+|over\s+|at\s+least\s+|past\s+)*(?:long[\s-]*term(?:\s+(?:status|rates?|treatment|gains?|capital))?|(?:one|1)[\s-]year\s+(?:mark|holding|line)|twelve[\s-]month|12[\s-]month|a\s+year|one\s+year)\b
        long[\s-]*term\s+(?:capital\s+gains?\s+)?(?:rates?|status|treatment)\b
        """,
        "",
        rf"""
        (?:no|never|avoid\w*|zero|without|don'?t|do\s+not|not|refuse\s+to|won'?t|nothing|hate|stop|any|skip|keep\s+me\s+out\s+of|stay\s+away\s+from|steer\s+clear\s+of|rather\s+not|minimi[sz]e)\s+(?:[\w']+\s+){{0,5}}?short[\s-]*term\s+(?:cap(?:ital)?\s+|taxable\s+|reali[sz]ed\s+)?(?:gains?|rates?|ones|profits?|sales|holdings?|lots?|tax(?:es|\s+rates?)?|treatment|stuff)\b
        (?:no|never|don'?t|do\s+not|not|won'?t|refuse\s+to|nothing)\s+(?:\w+\s+){{0,3}}?(?:(?:sell|sold|selling|sale|touch|part)\w*|let\s+(?:\w+\s+){{1,3}}?go)\s+(?:\w+[\s']+){{0,8}}?(?:before|until|unless|if|(?:i've\s+|i\s+|we\s+|we've\s+)?(?:held|owned|had)\s+(?:it\s+)?(?:for\s+)?(?:less|under|fewer|shorter)|(?:less|under|younger|newer)\s+than|held\s+(?:for\s+)?(?:less|under)|inside|within)\b[^.;!?\n]{{0,45}}?{YEAR_HELD}
        (?:if|when|where|anything|whatever|any\s+(?:sale|trade|lot))\b[^.;!?\n]{{0,40}}?\bshort[\s-]*term\s+(?:capital\s+)?(?:gains?|rates?|profits?|tax)\b[^.;!?\n]{{0,20}}?\b(?:do\s+not|don'?t|skip|leave|wait|hold|forget\s+it|pass|stays?|no)\b
        (?:no|never|not|nothing|don'?t|won't)\s+(?:\w+\s+){{0,3}}?(?:gains?|profits?|winners?|sell|sold|sale|touch|tak(?:e|en|ing))\s+(?:[\w']+\s+){{0,6}}?(?:(?:younger|newer)\s+than\s+{YEAR_HELD}|(?:held|owned|had|bought|age[ds]?)\s+(?:for\s+)?(?:(?:a|one|1|twelve|12)\s+(?:years?|months?)\s+or\s+(?:less|under|fewer|younger|shorter)|(?:under|less\s+than|inside|within|fewer\s+than|no\s+longer\s+than|not\s+more\s+than|at\s+most)\s+(?:{YEAR_HELD})))
        (?:no|never|not|nothing|don'?t|do\s+not|won't)\s+(?:\w+\s+){{0,3}}?(?:sell|sold|touch|trim|unload|part\s+with|book|realis\w+|realiz\w+)\s+(?:[\w']+\s+){{0,4}}?(?:still|that's|that\s+is|which\s+is|is|are|counts?\s+as|qualif\w+\s+as|counted\s+as|currently|thats)\s+(?:\w+\s+){{0,2}}?short[\s-]*term\b
        (?:nothing|no\s+(?:lots?|positions?|shares?|winners?))\s+(?:\w+\s+){{0,3}}?(?:under|less\s+than|younger\s+than|newer\s+than|inside|within|before|until)\s+(?:\w+\s+){{0,2}}?{YEAR_HELD}\b
        (?:no|never|not)\s+(?:\w+\s+){{0,3}}?(?:gains?|profits?|winners?)\s+(?:\w+\s+){{0,5}}?(?:under|less\s+than|before|within|inside|younger\s+than|until)\s+(?:\w+\s+){{0,2}}?{YEAR_HELD}
        """,
    ),
}

AVOID_REALISING: Final = re.compile(
    r"\b(?:reali[sz](?:ing|ation\s+of)|taking|triggering|booking|incurring|generating|crystalli[sz]ing)\s+(?:[\w'-]+\s+){0,3}?(?:gains?|taxable\s+events?)\b(?:\s+tax(?:es)?)?[^.;!?\n]{0,45}?\b(?:be\s+(?:\w+\s+)?avoided|is\s+(?:out\b|off\s+the\s+table|unwelcome|undesirable)|(?:is|are)\s+(?:not|something)\s+(?:\w+\s+){0,2}?(?:don't|want(?:ed)?|welcome|avoid|wish))|"
    r"\b(?:avoid\w*|never|don'?t|do\s+not|not|without|no|loath|loth|minimi[sz]\w+|defer\w*|postpon\w+|delay\w*|put\s+off|rather\s+not|hate\s+to|refuse\s+to|won'?t|stop|limit|as\s+few|prefer\s+not\s+to|keep\s+from|hold\s+off)\s+(?:[\w'-]+\s+){0,5}?"
    r"(?:(?:reali[sz]\w{0,3}|trigger\w{0,3}|tak(?:e|ing)|incur\w{0,4}|generat\w{1,3}|creat\w{1,3}|pay\w{0,3}|recogni[sz]\w{0,3}|book\w{0,3}|crystalli[sz]\w{0,3}|kick\s+off|set\s+off|run\s+up|rack\s+up|face)\s+(?:[\w'-]+\s+){0,3}?(?:gains?(?:\s+(?:tax(?:es)?|bill))?|tax\s+on\s+(?:\w+\s+)?gains?|taxable\s+events?|tax\s+(?:bill|hit|event)|taxes)\b"
    r"|reali[sz]ed?\s+(?:capital\s+)?gains?\b|capital\s+gains(?:\s+(?:tax|taxes|bill|hit|distributions?))?\b|taxable\s+(?:gains?|events?|sales?))"
    r"|(?<!basis\s)\bstep(?:ped)?[\s-]*up(?!\s+(?:in\s+)?(?:19|20)\d\d)(?:\s+in)?(?:\s+(?:in\s+)?basis)?\b"
    r"|\b(?:don'?t|do\s+not|never|not|won'?t|refuse\s+to|without|rather\s+not|no)\s+(?:\w+\s+){0,4}?(?:sell|selling|touch|part\s+with|liquidat\w+|unload)\s+(?:\w+\s+){0,3}?(?:winners?|appreciated|gainers?|(?:big|embedded|unreali[sz]ed|built[\s-]in)\s+gains?|(?:low|zero)[\s-](?:cost[\s-])?basis)"
    r"|\bleave\s+(?:\w+\s+){0,3}?gains?\s+(?:where|alone|untouched|be\b|as\s+they)|\b(?:gains?)\s+(?:\w+\s+)?unreali[sz]ed\b"
    r"|\b(?:don'?t|do\s+not|never|not)\s+(?:\w+\s+){0,3}?(?:sell|touch|part\s+with)\s+(?:\w+\s+){0,3}?(?:with|at|for|that\s+has|that's\s+at|carrying)\s+(?:a|an|any|big|large|embedded)\s+(?:\w+\s+)?gains?\b(?!\s+(?:before|until|unless|under))"
    r"|\bstays?\s+put\b[^.;!?\n]{0,40}\b(?:die|death|estate|heirs|step)"
    r"|\b(?:defer|deferring|deferral\s+of|let)\s+(?:\w+\s+){0,3}?(?:capital\s+)?gains\b(?!\s+(?:run|grow|ride|compound))"
    r"|\b(?:embedded|unreali[sz]ed|built[\s-]in|low[\s-](?:cost[\s-])?basis)\s+(?:\w+\s+){0,3}?(?:gains?|shares|stock)\b[^.;!?\n]{0,40}\b(?:alone|untouched|don'?t|never|not|avoid)"
)
WASH_SALE: Final = re.compile(
    r"\b(?:buy\w*|bought|back|again|same|identical|repurchas\w*|re-?buy\w*|re-?enter\w*)\b[^.;!?\n]{0,60}?\b(?:within|inside|before|for|in|under|until|of|than)\s+(?:the\s+|those\s+|that\s+)?(?:3[01]|thirty|thirty[\s-]one)[\s-]*days?\b|\bwash[\s-]*(?:sales?|rules?|d\b|window|trades?|out\s+rule)|\b(?:3[01]|thirty|thirty[\s-]one)[\s-]*(?:calendar[\s-])?days?\b(?=[^.;!?\n]{0,60}\b(?:window|rule|loss|disallow|buy|bought|repurchas|before\s+re|after|same|rebuy|back|between|period|wait|sale|apart|limit))"
    r"|\b(?:3[01]|thirty|thirty[\s-]one)[\s-]*days?\s+(?:rule|window)|substantially\s+identical|\b(?:3[01]|thirty|thirty[\s-]one)[\s-]*days?\s+(?:thing|business|period|issue|requirement|law)"
    r"|\b(?:wife|husband|spouse|partner|fianc\w+|ira|401k|roth)\b[^.;!?\n]{0,50}\b(?:buys?|bought|buying|owns?|own|holds?|has|purchas\w+|same)\b[^.;!?\n]{0,40}\b(?:same|identical|them\s+too|those\s+too|it\s+too)\b"
    r"|\b(?:loss|losses|deduction)\b[^.;!?\n]{0,40}\bdisallow\w*|\bdisallow\w*[^.;!?\n]{0,30}\bloss"
    r"|\b(?:don'?t|do\s+not|never|without|not|avoid)\s+(?:\w+\s+){0,3}?(?:buy\w*|rebuy\w*|repurchas\w*|purchas\w*)\s+(?:\w+\s+){0,4}?(?:back|again|same)\b[^.;!?\n]{0,40}\b(?:month|days|soon|right\s+away|quickly|weeks)"
)

RISK: Final[dict[str, re.Pattern[str]]] = {
    "low": re.compile(
        r"\b(?:low(?:er|est)?|little|minimal|minimum|not\s+much|not\s+any|no|zero|very\s+little|limited|less)\s+(?:appetite\s+for\s+|tolerance\s+for\s+|willingness\s+to\s+take\s+)?risks?\b(?!\s+of\s+missing)|\brisk[\s-]*(?:averse|aversion|adverse|shy|free)|\b(?:very\s+|rather\s+|pretty\s+|quite\s+|fairly\s+|extremely\s+|super\s+|ultra[\s-]?)?(?:conservative|cautious|timid)\b(?!\s+party)"
        r"|\b(?:don'?t|do\s+not|never|can'?t|cannot|won'?t|not|couldn'?t|hate\s+to|hate|without|avoid|afraid\s+of|scared\s+of|terrified\s+of)\s+(?:\w+\s+){0,4}?(?:lose|losing|lost)\s+(?:\w+\s+){0,2}?(?:money|capital|principal|savings|it|this|that|any|anything|what|my|our|the|a\s+(?:cent|penny|dime|dollar))"
        r"|\b(?:can'?t|cannot|won'?t|will\s+not|don'?t|do\s+not|couldn'?t|not|hate|no|never|refuse\s+to|nervous\s+about|zero|unable\s+to)\s+(?:\w+\s+){0,4}?(?:stomach|handle|take|afford|stand|tolerate|put\s+up\s+with|bear|accept|like|want)\s+(?:\w+\s+){0,3}?(?:loss(?:es)?|risks?|swings?|volatility|drops?|declines?|drawdowns?|rollercoaster|big\s+(?:drops?|moves?|falls?|drawdowns?|loss))\b|\bpanic\b[^.;!?\n]{0,30}\b(?:loss|losses|drops?|down|dips?|falls?)"
        r"|\b(?:hate|dislike|fear|nervous|uncomfortable\s+with|no|small|low|minimal|limited|little)\s+(?:\w+\s+){0,2}?(?:volatility|swings?|drawdowns?|loss(?:es)?|fluctuations?|ups\s+and\s+downs|market\s+drops?)\b|\bsleep\s+(?:\w+\s+){0,2}?(?:at\s+night|badly|soundly|well)|\b(?:nothing\s+(?:wild|risky|crazy)|small\s+ups\s+and\s+downs|principal\s+must\s+stay|no\s+drama)\b"
        r"|\bavoid(?:ing)?\s+(?:\w+\s+)?(?:drawdowns?|losses|volatility|big\s+\w+)\b|\bno\s+big\s+los(?:s|ses|es)\b|\b(?:weak|sensitive|nervous)\s+stomach\b|\b(?:risks?|swings|volatility|losses|drops)\s+(?:makes?|scares?|frightens?|terrif(?:y|ies)|worr(?:y|ies))\s+me\b"
        r"|\b(?:safety\s+first|play\s+it\s+safe|not\s+losing\s+(?:the|my|our|any|money|what))"
    ),
    "medium": re.compile(
        r"\b(?:moderate|mod[aeo]?rate|medium|med[iu]{1,3}[nm]|average|middling|balanced|mid|reasonable|normal|some)[\s-]*(?:level\s+of\s+|amount\s+of\s+|degree\s+of\s+)?(?:risk|volatility|tolerance|swings)\b|\brisk\s*(?:tolerance|level|appetite|profile)?\s*(?:is|:|=|would\s+be)?\s*(?:moderate|medium|average|in\s+the\s+middle|balanced)\b|\b(?:moderately|medium)\s+(?:aggressive|conservative|risky)\b|\bneither\s+(?:too\s+)?(?:aggressive|conservative|risky|safe)\b|\bmiddle[\s-]of[\s-]the[\s-]road\b|\bsomewhere\s+in\s+(?:the\s+middle|between)\b|\bmiddle\s+risk\b|\b(?:say|call\s+it|i'?m|i\s+am|go\s+with|we'?re|be|keep\s+it)\s+(?:a\s+|about\s+)?(?:moderate|medium)\b(?!\s+(?:growth|income|gain|profit|return))"
    ),
    "high": re.compile(
        r"\b(?:high(?:er|est)?|big|lots?\s+of|a\s+lot\s+of|maximum|max|large|extreme|serious|plenty\s+of|considerable|substantial|significant|heavy)[\s-]*(?:appetite\s+for\s+|tolerance\s+for\s+|(?:levels?|amounts?|degrees?)\s+of\s+)?(?:risks?|volatility)\b|\b(?:appetite|tolerance|taste|stomach)\s+for\s+(?:\w+\s+)?(?:risks?|loss(?:es)?|swings|volatility)\s+(?:is|:)\s+(?:\w+\s+)?(?:high|large|big|strong|great|considerable|enormous|unlimited|healthy)\b|\brisk\s+(?:turned|dialled|dialed|cranked|ramped)\s+(?:\w+\s+){0,3}?up\b|\brisk\s+(?:dial|knob|level|setting|slider)\s+(?:\w+\s+){0,2}?(?:max\w*|full|eleven|11|the\s+top)\b|\b(?:risk\s*(?:tolerance|appetite|level|profile)?|tolerance)\s*(?:is|:|=|would\s+be)?\s*(?:very\s+|quite\s+|pretty\s+)?(?:high|aggressive|through\s+the\s+roof|sky[\s-]high)\b"
        r"|\b(?:comfortable|fine|ok|okay|cool|happy|at\s+ease|good)\s+with\s+(?:\w+\s+){0,3}?(?:swings?|volatility|drawdowns?|risks?|loss(?:es)?|ups\s+and\s+downs|drops?|rollercoaster|rides?|bumps|turbulence)\b|\b(?:wild|bumpy|rough)\s+rides?\b[^.;!?\n,]{0,20}\b(?:ok|okay|fine|welcome|cool)\b"
        r"|(?<!tax )(?<!tax-)\b(?:swings?|volatility|drawdowns?|losses|loss(?![\s-]+harvest)|drops?|risks?|dips?|crash(?:es)?|ups\s+and\s+downs|rollercoaster)\b[^.;!?\n,]{0,25}?\b(?:(?:is|are|r|would\s+be)\s+(?:totally\s+|perfectly\s+|completely\s+|all\s+)?(?:ok|okay|fine|acceptable|no\s+problem|welcome|alright)|(?:don'?t|doesn'?t|won'?t|wouldn'?t|do\s+not|does\s+not|would\s+not|will\s+not)\s+(?:really\s+|even\s+)?(?:bother|scare|faze|worry|keep\s+me|upset|frighten|rattle))"
        r"|\b(?:i|we)\s+(?:also\s+|fully\s+|gladly\s+)?(?:accept|tolerate|welcome)\s+(?:(?:big|large|high|deep|even|any|all|the|a)\s+){0,3}(?:swings?|volatility|drawdowns?|risks?|loss(?:es)?|drops?)\b"
        r"|\b(?:strong|iron|steel|cast[\s-]iron)\s+(?:stomach|nerves)\b|\bnerves\s+of\s+steel\b|\bthick[\s-]skinned\b|\brisk[\s-]*(?:taker|tolerant|seeking|lover|hungry)\b|\bgo\s+big\s+or\s+go\s+home\b"
        r"|\b(?:losing|lose)\s+(?:half|most|it\s+all|everything|\d\d\s?%)[^.;!?\n]{0,30}\b(?:fine|ok|okay|no\s+big\s+deal|wouldn'?t|doesn'?t|acceptable)\b"
        r"|\bno\s+(?:problem|issue|worries|trouble)s?\s+(?:with|about)\s+(?:\S+\s+){0,3}?(?:swings?|volatility|drawdowns?|risks?|drops?|loss(?:es)?)\b|\b(?:can|could|able\s+to|willing\s+to|prepared\s+to|happy\s+to|ready\s+to|i'll|will)\s+(?:\w+\s+){0,2}?(?:stomach|handle|take|accept|tolerate|ride\s+out|live\s+with|absorb|withstand|sit\s+through|lose)\s+(?:\w+\s+){0,3}?(?:swings?|volatility|drawdowns?|risks?|big\s+\w+|loss(?:es)?|drops?|most|half|all\s+of\s+it|it\s+all|everything|(?:a\s+)?\d\d\s?%\s+(?:loss|drop|drawdown|swings?|decline|hit|crash|fall|down)|a\s+lot)"
        r"|\b(?:don'?t\s+(?:mind|care\s+(?:about|if)|worry\s+about)|not\s+(?:afraid|scared|worried|bothered)\s+(?:of|about|by)|unfazed\s+by|indifferent\s+to|relaxed\s+about|at\s+peace\s+with|love|bring\s+on)\s+(?:\w+\s+){0,3}?(?:swings?|volatility|drawdowns?|risks?|dips?|crashes|corrections|turbulence|los(?:s|ses|ing|e)|drops?|rollercoaster|ups\s+and\s+downs|going\s+to\s+zero)"
        r"|\b(?:aggressive(?:ly)?|risky|speculative|yolo|go(?:ing)?\s+all[\s-]in|swing\s+for\s+the\s+fences|high[\s-]octane)\b(?!\s+(?:harvest|tax|loss|dog|driv|market|sell|sales))|\bhigh[\s-]risk\b(?!\s+sofa)"
    ),
}

# "Not afraid to lose half": losses are borne, not refused.
UNAFRAID: Final = re.compile(
    r"\b(?:not|never|n't|don't|no\s+longer|isn't|aren't|without(?:\s+being)?)\s+(?:\w+\s+){0,2}?(?:afraid|scared|frightened|terrified|worried|bothered|fear(?:ing)?|mind|fussed|unwilling|care(?=\s+(?:if|that|about)))\s+(?:to|of|about|that|if|by)?\b"
)
PRIMARY_CUE: Final = re.compile(
    r"\b(?:first(?:\s+and\s+foremost)?|foremost|above\s+all|mainly|main|primar(?:y|ily)|(?<!on\s)top|priority|number\s+one|most\s+important(?:ly)?|mostly|chiefly|more\s+than\s+anything|the\s+(?:aim|goal|point|objective)\s+is|is\s+the\s+(?:aim|goal|point)|matters?\s+(?:most|more)|comes\s+first|only\s+(?:thing|goal)|what\s+i\s+really|essential|if\s+(?:you|i|we)\s+(?:must|have\s+to|had\s+to)\s+choose|when\s+in\s+doubt|if\s+(?:it|push)\s+comes\s+(?:down\s+)?to)\b|#1"
)
SECONDARY_CUE: Final = re.compile(
    r"\b(?:second(?:ly|ary)?|number\s+two|two(?=\s?[:.])|rule\s+two|#2|background|after\s+that|close\s+behind|behind\s+(?:it|that|this)|on\s+top\s+of\s+(?:it|that|this)|and\s+(?:please|pls)\b[^\n]*\n|failing\s+that|fall-?back|plan\s+b|then|also|as\s+well|on\s+the\s+side|if\s+possible|if\s+you\s+can|nice\s+to\s+have|bonus|ideally|some|a\s+(?:little|bit)(?:\s+of)?|partly|where\s+(?:you\s+can|possible)|besides|apart\s+from\s+that|additionally|in\s+addition|along\s+the\s+way|beyond\s+that|otherwise|less\s+important\w*|lower\s+priority|while\s+(?:you're\s+)?at\s+it)\b"
)
VAGUE: Final = re.compile(
    r"\b(?:less|lower|no|little|low|minimal)\s+risk\b[^.;!?\n]{0,40}\b(?:more|higher|high|big|great|max\w*|huge|better)\s+(?:returns?|profits?|gains?)|\b(?:more|higher|high|big|great|huge|max\w*)\s+(?:returns?|profits?|gains?)\b[^.;!?\n]{0,40}\b(?:less|lower|no|without|little|low|zero|minimal)\s+(?:any\s+)?risk"
    r"|\b(?:guarantee[ds]?|guaranteed|risk[\s-]free|no[\s-]risk|without\s+(?:any\s+)?risk|zero\s+risk|can'?t\s+lose)\b[^.;!?\n]{0,50}\b(?:doubl\w+|tripl\w+|profits?|beat\w*|\d{2,3}\s?%|gains?|high|big|moon)"
    r"|\b(?:aggressive(?:ly)?|day)\s+trad\w+[^.;!?\n]{0,30}\b(?:no|zero|without|never)\s+(?:any\s+)?loss\w*"
    r"|\b(?:high|max\w*|huge|big|strong|explosive|aggressive)\s+growth\b[^.;!?\n]{0,40}\b(?:no|zero|without|guaranteed)\s*(?:any\s+)?(?:risk|volatility|loss\w*|swings)?"
    r"|\b(?:preserv\w+|protect\w*|safe\w*|no\s+loss\w*)\b[^.;!?\n]{0,60}\b(?:all[\s-]in|leverag\w+|yolo|gambl\w+|moonshots?|lottery)\b"
    r"|\b(?:doubl\w+|tripl\w+|beat\w*|\d{2,3}\s?%|outperform\w*|moon)\b[^.;!?\n]{0,50}\b(?:guarantee[ds]?|risk[\s-]free|no[\s-]risk|without\s+(?:any\s+)?(?:risk|losses|losing)|zero\s+risk|never\s+los\w+|no\s+losses)"
)
# Both at once cannot be had, whatever else is said.
IMPOSSIBLE: Final = re.compile(
    r"\b(?:no|zero|without|never|not\s+(?:a\s+single|one|any))\s+(?:any\s+|a\s+|single\s+|down\s+|losing\s+)?(?:loss(?:es)?|risks?|drawdowns?|months?|days?|weeks?|down\s+(?:days?|weeks?|months?))\b[^.;!?\n]{0,50}?\b(?:[2-9]\d|[1-9]\d\d)\s?(?:%|percent)\s*(?:return\w*|profit|gains?)?\s*(?:a|per|every|each)\s+(?:day|week|month|quarter)\b"
    r"|\b(?:[2-9]\d|[1-9]\d\d)\s?(?:%|percent)\s*(?:return\w*|profit|gains?)?\s*(?:a|per|every|each)\s+(?:day|week|month|quarter)\b[^.;!?\n]{0,50}?\b(?:no|zero|without|never|not\s+(?:a\s+single|one|any))\s+(?:any\s+|a\s+|single\s+)?(?:loss(?:es)?|risks?|drawdowns?|los(?:e|ing)|down\s+(?:days?|weeks?|months?))\b"
)
UNDECIDED: Final = re.compile(
    r"\b(?:not\s+(?:really\s+)?sure\s+(?:yet|what|if|whether)|dunno|no\s+idea\s*(?:$|[.,;!?\n]|yet|what\s+(?:i|we)\s+want|which|whether|if\b)|undecided|i\s+don'?t\s+(?:really\s+)?know\s+(?:yet|what)|can'?t\s+decide|either\s+(?:one\s+)?is\s+(?:fine|ok)|maybe\s+[^.;!?\n]{1,40}\bmaybe|talk\s+to\s+my|i\s+guess\b[^.;!\n]{0,80}\?|(?:go(?:ing)?\s+)?back\s+and\s+forth|torn\s+between|make\s+up\s+my\s+mind|not\s+sure\s+which|either\s+[^.;!?\n]{2,50}\s+or\s+[^.;!?\n]{2,50}[,-]+\s*(?:i|you|whichever|not\s+sure|your\s+call|dealer))"
)
NEGATION: Final = re.compile(
    r"\b(?:not|no|never|don'?t|doesn'?t|didn'?t|isn'?t|aren'?t|won'?t|wouldn'?t|can'?t|cannot|without|instead\s+of|rather\s+than|not\s+interested\s+in|against|avoid(?:ing)?|stop(?:ped)?|tired\s+of|done\s+with|less\s+about|no\s+need\s+(?:for|to)|nothing\s+to\s+do\s+with|forget(?:\s+about)?|skip|quit|enough\s+of|neither|nor|used\s+to|tried|lost|burn(?:ed|t)|stupid|failed|regret|anything\s+but|hold(?:ing)?\s+off(?:\s+on)?|postpon\w+|defer\w*|delay\w*|put(?:ting)?\s+off|refrain\w*\s+from)\s+(?:[\w'&/-]+\s+){0,4}\Z"
)
DECLINED_AFTER: Final = re.compile(
    r"^[^.;!?\n]{0,25}?(?:\bnever\s+again\b|\bno\s+more\b|\b(?:is|are|was|were)\s+(?:not\s+for|over|behind|a\s+mistake)|\b(?:isn'?t|aren'?t|wasn'?t|is\s+not|are\s+not)\s+(?:for\s+|so\s+|that\s+|very\s+|really\s+)?(?:me|us|my|important|a\s+(?:priority|concern|goal)|necessary|needed|what\s+i|interesting|of\s+interest|the\s+(?:point|goal|aim|idea))|\b(?:cost|burn(?:ed|t)|ruined|killed|hurt|bit|wrecked|drained|taught|bankrupted)\s+(?:me|us)\b|\bdoesn't\s+(?:interest|matter|work)|\bdo(?:es)?\s+not\s+(?:interest|matter)|(?<!i\s)(?<!we\s)\bcan\s+wait\b|\bis\s+handled\s+elsewhere)|^[^.;!?\n]{0,70}?\b(?:elsewhere|separate(?:ly)?|at\s+(?:the|my|our)\s+(?:bank|credit\s+union)|not\s+your\s+concern|taken\s+care\s+of)\b"
)
WISH: Final = re.compile(
    r"\b(?:want|need|please|pls|plz|goal|aim(?:ing)?|would\s+like|i'd\s+like|i'd\s+love|looking\s+(?:to|for)|hope|hoping|plan(?:ning)?|trying|wish|prefer|objective|priority|focus|keep|make|let|help|should|must|only|just|never|don'?t|no|i'm\s+(?:after|in)|interested\s+in|care\s+about|intend|mind)\b"
)
MONEY_TOPIC: Final = re.compile(
    r"\b(?:invest\w*|portfolio|account|stocks?|shares?|funds?|etfs?|market|money|savings|capital|gains?|loss(?:es)?|tax(?:es)?|returns?|profits?|lots?|holdings?|positions?|retire\w*|ira|401k|brokerage|dividends?|growth|trad(?:e|es|ing)|risk|principal|wealth|cash|income|sell|buy|hold)\b"
)
