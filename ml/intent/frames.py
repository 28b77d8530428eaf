"""Frames: what names an objective by the roles of its words rather than by a set phrase.

What belongs here: classes of words (what the money is called, going down, staying, getting bigger, a
short time) and the frames that combine them ("[the figure on the statement] [never] [gets smaller]").
What does not: set phrases (``lexicon.py``), negation and rank (``grammar.py``).

A frame covers texts that nobody has written yet: each class times each other. Weights as in ``lexicon.py``.
"""

# ruff: noqa: E501 - a pattern reads best with one alternative a line

from typing import Final

from ml.intent.lexicon import LOSS, MARKET, REALISE, YEAR_HELD, Phrase, phrases

# What the money is called.
_POT: Final = (
    r"(?:it|this|everything|every\s+(?:last\s+)?(?:dollar|cent|penny|dime)|what(?:'s|\s+is|ever\s+is)?\s+(?:left|there|here|in\s+(?:it|there|here)|remains|over)|what\s+(?:i|we)(?:'ve|\s+have)?\s*(?:got|saved|put\s+(?:in|away))?|all\s+of\s+(?:it|this)|"
    r"(?:the|this|my|our|her|his|their|that|these|those)\s+(?:[\w']+\s+){0,2}?(?:money|account|balance|figure|number|total|pot|sum|capital|principal|savings|funds?|nest\s+egg|portfolio|rest|remainder|lot|amount|value|statement|investments?|inheritance|proceeds|stake|cash|dollars?|pile|stash))"
)
_NEG: Final = r"(?:not|never|don't|do\s+not|doesn't|does\s+not|mustn't|must\s+not|shouldn't|can't|cannot|can\s+not|couldn't|won't|will\s+not|may\s+not|isn't|nothing|no|without|nor|hardly|scarcely|barely|rarely)"
_DOWN: Final = (
    r"(?:los(?:e|ing)\s+(?:value|money|ground|any|it|a\s+(?:cent|penny|dime|dollar))|shrink(?:s|ing)?|shrunk|drop(?:s|ping)?(?!\s+(?:in|by|off|out|a\s+line))|fall(?:s|ing)?(?!\s+(?:behind|for|apart|short|off|out|back|under))|dip(?:s|ping)?(?!\s+into)|sink(?:s|ing)?|declin(?:e|es|ing)|go(?:es|ing)?\s+(?:down|backwards?|south|below)|"
    r"get(?:s|ting)?\s+(?:any\s+)?smaller|evaporat\w+|disappear\w*|melt\s+away|vanish\w*|(?:go|be|get)\s+(?:in|into)\s+(?:danger|the\s+red)|be\s+(?:lost|put\s+at\s+risk|at\s+risk|risked|endangered|jeopardi[sz]ed|smaller|diminished|touched\s+by\s+losses)|put\s+at\s+risk|at\s+(?:any\s+)?risk|worth\s+less|end\s+up\s+(?:with\s+)?(?:less|smaller)|diminish\w*|erode[sd]?)"
)
_UNMOVED: Final = r"(?:[\w']+\s+){0,2}?(?:mind|care|worr\w+|bother\w*|afraid|scared?|panic\w*|flinch|blink|sell|fear|faze[ds]?|sweat|matter|sleep|problem|stop|big\s+deal|deal\s+if|until|before|trouble|issue|qualms|upset)\b"
_OUGHT: Final = r"(?:has\s+to|have\s+to|must|should|needs?\s+to|ought\s+to|is\s+to|to|will|'ll|shall|absolutely|really|just|always|still){1}"
_WHOLE: Final = r"(?:whole|intact|there|safe|safely|here|preserved|protected|secure|sound|put|stable|steady|level|unharmed|undiminished|as\s+(?:it\s+is|much|big|is)|what\s+it\s+is|exactly\s+(?:as|what)|the\s+same|its\s+(?:value|worth)|in\s+one\s+piece)"
_BIGGER: Final = r"(?:bigger|larger|fatter|richer|wealthier|better\s+off|heavier|more\s+(?:valuable|than\s+(?:now|today|it\s+is))|worth\s+(?:a\s+(?:lot|good\s+deal|great\s+deal)\s+)?(?:much\s+|far\s+|way\s+)?more)"
_RISE: Final = r"(?:grow(?:s|ing|n)?|climb(?:s|ing)?|ris(?:e|es|ing)|increas(?:e|es|ing)|build(?:s|ing)?\s+up|get(?:s|ting)?\s+bigger|multipl(?:y|ies|ying)|mount(?:s|ing)?\s+up|snowball(?:s|ing)?|appreciat(?:e|es|ing)|accumulat(?:e|es|ing)|compound(?:s|ing)?|expand(?:s|ing)?|swell(?:s|ing)?|fatten(?:s|ing)?(?:\s+up)?)"
_AGES: Final = r"(?:time|the\s+years|many\s+years|years\s+and\s+years|the\s+decades|a\s+lifetime|generations|the\s+long\s+(?:run|term|haul))"
_SEASON: Final = r"(?:summer|spring|fall|autumn|winter|christmas|thanksgiving|easter|halloween|labor\s+day|memorial\s+day|the\s+holidays|new\s+year(?:'s)?|year[\s-]?end|month[\s-]?end|quarter[\s-]?end|january|february|march|april|may|june|july|august|september|october|november|december|the\s+end\s+of\s+(?:the\s+|this\s+|next\s+)?(?:year|summer|month|quarter|season|january|february|march|april|may|june|july|august|september|october|november|december))"
_SHORT_TIME: Final = (
    r"(?:(?:by|before|till|until|come|between\s+now\s+and)\s+(?:the\s+)?(?:next\s+|late\s+|early\s+|mid[\s-]?)?"
    + _SEASON
    + r"|(?:this|next)\s+(?:week|month|quarter|summer|spring|fall|autumn|winter|season)|"
    r"(?:within|over|in|inside|during)\s+(?:of\s+)?(?:the\s+)?(?:next\s+|coming\s+|following\s+|about\s+|roughly\s+|maybe\s+|just\s+|a\s+)*(?:\d{1,3}\s?(?:-|to|or)?\s?(?:\d{1,3})?|one|two|three|four|five|six|seven|eight|nine|ten|few|couple(?:\s+of)?|several|half|matter\s+of|or|to|and)?[\s-]*(?:two|three|four|five|six|eight|nine)?\s*(?:days|weeks?|fortnight|months?|quarters?|half[\s-]year|half\s+a\s+year|(?<!\d)(?<!\d\s)a?\s*year))"
)
_WON: Final = r"(?:pop|bump|buck|quid|win|wins|winnings|jump|bounce|returns?|profits?|gains?|payday|upside|payoff|score|killing|double|triple|punt|flyer)"
_CASH: Final = r"(?:dough|bread|dollars?|money|cash|coin|turn|quid|bucks?|\$|something|percent|%)"
_LOSING: Final = rf"(?:{LOSS}|dogs|laggards|duds|stinkers|losing\s+stuff|(?:what(?:ever)?|anything|things|stuff|stocks?|positions?|lots?|names?|holdings?|shares|something|it)(?:'s|\s+is|\s+are|\s+has|\s+have|\s+that\s+(?:is|are|has|have)|\s+which\s+(?:is|are|has|have)|\s+i)?\s+(?:\w+\s+){{0,2}}?(?:down|dropped|fallen|below\s+(?:cost|what\s+(?:i|we)\s+paid|basis|purchase)|under\s*water|in\s+the\s+red|at\s+a\s+loss|losing|sunk|lost|tanked))"
_TAXED: Final = r"(?:tax(?:es|able)?|write|written|deduct\w*|offset\w*|returns?\b(?!\s+on)|irs|schedule\s+d|against|loss(?:es)?|1040|gains?|accountant|cpa)"
_TOO_YOUNG: Final = rf"(?:{YEAR_HELD}|(?:first|one[\s-]year)\s+(?:birthday|anniversary)|twelve[\s-]month|12[\s-]month|(?:over|more\s+than)\s+(?:a\s+year|12\s+months|twelve\s+months)|long[\s-]*term)"
_WORSE_RATE: Final = r"(?:short[\s-]*term|ordinary(?:\s+income)?|higher|income[\s-]tax|top\s+marginal)\s+(?:capital\s+gains?\s+)?(?:tax\s+)?rates?"

FRAMES: Final[dict[str, tuple[Phrase, ...]]] = {
    "short_term_alpha": phrases(
        rf"""
        (?:bar|yardstick|benchmark|hurdle|measure|measuring\s+stick|mark|target|thing|number|one)\s+(?:to\s+beat\s+)?(?:is|are|should\s+be|being|=|:)\s+(?:[\w']+\s+){{0,2}}?{MARKET}
        (?:compar|measur|judg|grad|rank|benchmark|scor|rat)(?:e|es|ed|ing)?\s+(?:\w+\s+){{0,3}}?(?:with|against|to|by|versus|vs\.?)\s+(?:[\w']+\s+){{0,2}}?{MARKET}
        (?<!matters\s)(?<!worth\s)(?<!than\s)(?:bigger|better|higher|above|ahead\s+of|past|in\s+front\s+of|faster\s+than|more\s+than|north\s+of)\s+(?:than\s+)?(?:[\w']+\s+){{0,3}}?{MARKET}
        (?:clear|leave|lap|trounce|thrash|whip|destroy|run\s+past|edge\s+out|stay\s+ahead\s+of|get\s+ahead\s+of|leave\s+behind|win\s+against|out-?\w+)\s+(?:[\w']+\s+){{0,2}}?{MARKET}
        (?:chop\s+and\s+change|churn\s+(?:it|the|away)|short[\s-]dated\s+(?:trades|bets|positions)|trade\s+around\s+(?:\w+\s+){{0,2}}?(?:earnings|news|events|announcements)|in[\s,]+(?:and\s+)?out\s+(?:inside|within|in\s+(?:a\s+)?(?:few\s+)?(?:days|hours)|trades|of\s+(?:positions|trades|names))|get\s+(?:in\s+and\s+)?out\s+(?:again\s+)?(?:within|inside)\s+(?:\w+\s+){{0,3}}?(?:days|hours|week|sessions))
        turn(?:ing)?\s+(?:the\s+|my\s+|your\s+)?(?:positions?|book|portfolio|account|it|things)\s+over\s+(?:\w+\s+){{0,2}}?(?:inside|within|every|each|in|quickly|fast|weekly|daily|often|constantly)
        """,
        r"""
        (?:above|over|versus)\s+(?:the\s+)?(?:s&p|spy|qqq|nasdaq|dow|russell|index|benchmark)
        (?:beat|ahead|outdo)\s+(?:\w+\s+){0,3}?(?:fortnight|week|day)\s+(?:to|by|over|after|on)\s+(?:fortnight|week|day)
        trad(?:e|ing)\s+(?:it|this|the\s+account)\b
        """,
    ),
    "short_term_gain": phrases(
        rf"""
        (?:make|making|earn|earning|squeeze\s+out|scrape\s+together|rustle\s+up)\s+(?:[\w'$%.,]+\s+){{0,6}}?(?:{_WON}|{_CASH})(?:\s+(?:[\w']+\s+){{0,6}}?|[,;]\s+(?:[\w']+\s+){{0,3}}?){_SHORT_TIME}\b
        (?:see|get|want|take|turn|settle\s+for|aim(?:ing)?\s+for|look(?:ing)?\s+for|after|hit|catch|grab|squeeze|score|book|land|net|pull|have|like|fancy|need|snag|bag|pocket|chase|chasing|target(?:ing)?|shoot(?:ing)?\s+for|shot\s+at)\s+(?:[\w'$%.,]+\s+){{0,6}}?{_WON}(?:\s+(?:[\w']+\s+){{0,6}}?|[,;]\s+(?:[\w']+\s+){{0,3}}?){_SHORT_TIME}\b
        (?:settle\s+for|aim(?:ing)?\s+for|look(?:ing)?\s+for|after|target(?:ing)?|happy\s+with|want|make|get)\s+(?:[\w'.]+\s+){{0,2}}?(?:\d\d?(?:\.\d)?\s?(?:%|percent)|(?:five|six|seven|eight|ten|twelve|fifteen|twenty)\s+percent)\s+(?:(?!out\b|to\b|for\b|of\b|in\s+cash)[\w']+\s+){{0,3}}?{_SHORT_TIME}\b
        (?:\d{{1,2}}|two|three|four|five|six|nine|few)[\s-](?:month|week|day)s?[\s-](?:flyer|flier|flip|punt|play|trade|gain|bet|win|profit|return|shot)\b
        (?:{_SHORT_TIME}|in\s+a\s+hurry|quickly|fast)\s*[,;:-]?\s*(?:[\w']+\s+){{0,5}}?(?:double|triple|flip)\s+(?:it|this|my|the)
        (?:quick|fast|speedy|rapid)\s+(?:\w+\s+)?(?:earnings?|income|turnaround|upside|return)\b
        (?:a|an|some|any|modest|small|decent|tidy|nice|quick|\d\d?(?:\.\d)?\s?(?:%|percent)|(?:five|six|seven|eight|ten|twelve|fifteen|twenty)\s+percent)\s+(?:[\w']+\s+){{0,2}}?(?:pop|bump|win|return|profit|gain|jump|bounce|payoff|payday)\s+(?:[\w']+\s+){{0,3}}?{_SHORT_TIME}\b
        (?:\d\d?(?:\.\d)?\s?(?:%|percent)|(?:five|six|seven|eight|ten|twelve|fifteen|twenty)\s+percent)\s+(?:[\w']+\s+){{0,2}}?(?:by|before|within|inside)\s+(?:the\s+)?(?:{_SEASON})
        (?:quick|fast|easy|few|couple(?:\s+of)?)\s+(?:\w+\s+)?(?:bucks?|quid|coins?|pops?|flips?|wins?|turns?|trades?\s+for\s+profit)\b
        (?:lock|lock\w*|bank|bank\w*)\s+(?:in\s+)?(?:it|this|that|them|those|these|what\s+(?:i|we)(?:'ve)?\s*(?:have\s+)?(?:made|gained|won))\s*(?:in)?\b(?!\s+(?:loss|for\s+(?:years|decades)))
        (?:lock|bank|book|pocket|keep|take|secure|realise|realize|cash)\s+(?:in\s+)?(?:\w+\s+){{0,2}}?(?:winnings|spoils|the\s+run[\s-]?up|the\s+rally|the\s+(?:difference|surplus))\b
        (?:trim|sell|unload|offload|lighten\s+up\s+on|exit|dump|cash\s+in|take\s+profits?\s+(?:on|in)|reduce)\s+(?:[\w']+\s+){{0,5}}?(?:run\s+(?:up|hot|ahead)|in\s+the\s+money|gained|soared|popped|rallied|jumped|surged|in\s+the\s+green|in\s+profit|winning|winners|shot\s+up|gone\s+up|at\s+a\s+(?:\w+\s+)?(?:gain|profit)|for\s+a\s+(?:\w+\s+)?(?:gain|profit|win))\b
        sold\s+(?:\w+\s+){{0,3}}?at\s+a\s+(?:\w+\s+)?(?:gain|profit)
        take\s+the\s+money\s+and\s+run|if\s+(?:it|they|anything|something)\s+(?:pops|jumps|spikes|rises|doubles|goes\s+up)[\s,]+(?:\w+\s+)?(?:sell|take|cash)
        (?:moneti[sz]e|monetizing|monetising)\s+(?:it|this|them|the|my|our|those)\b
        (?:harvest|lock\s+in|realise|realize|capture|take|bank)\s+(?:\w+\s+)?(?:the\s+)?(?:upside|appreciation|pop|bounce)\b
        turn\s+\$?[\d,.]+k?\s+into\s+\$?[\d,.]+k?\b(?![^.;!?\n]{{0,30}}\b(?:decades?|years))
        turn(?:ing)?\s+a\s+(?:\w+\s+)?profit\b
        (?:pumping|mooning|printing)\s+(?:\w+\s+){{0,2}}?{_SHORT_TIME}
        in\s+(?:the\s+)?(?:green|profit)\s+(?:\w+\s+){{0,2}}?{_SHORT_TIME}
        """,
    ),
    "long_term_gain": phrases(
        rf"""
        {_RISE}\s+(?:[\w']+\s+){{0,4}}?(?:over|with|through|across|for|in)\s+{_AGES}\b
        {_POT}\s+(?:\w+\s+){{0,3}}?(?:be|get|become|made|grown|turn\s+into)\s+(?:a\s+(?:lot|bit|good\s+deal|great\s+deal)\s+|much\s+|way\s+|far\s+|considerably\s+|significantly\s+|something\s+)?(?:{_BIGGER})\b
        (?:be|get|end\s+up)\s+(?:a\s+(?:lot|bit|good\s+deal)\s+|much\s+|far\s+)?(?:richer|wealthier|better\s+off|well\s+off)\s+(?:come|by|at|in|when|one\s+day|eventually|later|for)\b
        (?:bigger|larger|fatter)\s+(?:in|by|after|when|come|at)\s+(?!a\s+(?:week|month|few\s+(?:weeks|months|days)))
        (?:see\s+you|talk\s+to\s+you|check\s+(?:back|in)|come\s+back(?!\s+for)|wake\s+me|ask\s+me|call\s+me|look\s+at\s+it|open\s+it)\s+(?:\w+\s+){{0,3}}?in\s+(?:[\w-]+\s+){{1,3}}?(?:years|yrs|decades?)
        (?:let|just\s+let)\s+(?:er|'er|her|it|this|that|them|things|my\s+money|the\s+money)\s+(?:just\s+)?(?:rip|ride|run|cook|work|snowball|grow|build|climb|marinate|do\s+its\s+thing)\b
        wealth\s+(?:creation|accumulation|building|growth)|creat(?:e|ing)\s+(?:\w+\s+)?wealth
        long\s+(?:growth|appreciation|horizon\s+growth)
        (?:let|have)\s+{_POT}\s+(?:\w+\s+)?{_RISE}\b
        (?:bigger|larger|fatter)\s+(?:pile|pot|sum|account|balance|nest\s+egg|number|figure|amount|total)\b
        (?:decades?|\d\d\s?(?:years|yrs|y)|(?:ten|fifteen|twenty|thirty|forty)[\s-](?:years|yrs))\b[^.;!?\n]{{0,25}}?\b(?:all\s+|only\s+|mostly\s+)?(?:stocks|equities|shares)\s*(?:only|all\s+the\s+way|mostly)?
        (?:all|only|mostly|100%)\s+(?:in\s+)?(?:stocks|equities)\b[^.;!?\n]{{0,30}}?\b(?:decades?|years|yrs)
        (?:\w+\s+(?:and|n)|index\s+and)\s+chill\b|diamond[\s-]hands?
        put\s+{_POT}\s+to\s+work\s+(?:until|till|for)\b
        put\s+(?:it|this|the\s+\w+|my\s+\w+|everything|this\s+lot)\s+to\s+work\s+for\s+the\s+long
        (?:stick|put|invest|place|leave)\s+(?:it|this|that|{_POT})\s+(?:all\s+)?(?:in|into)\s+(?:something|things|stuff|growth|stocks|equities|funds?)\s+(?:\w+\s+)?(?:that|which)?\s*(?:{_RISE}|growth|(?:goes|go)\s+up)
        (?:invest(?:ed|ing)?|it|this|money|saving|plan(?:ning)?|account)\s+(?:\w+\s+){{0,3}}?for\s+the\s+(?:long|very\s+long)\s+(?:term|run|haul|pull|game)
        (?:play(?:ing)?|in\s+it\s+for)\s+the\s+long\s+(?:game|haul|run)|the\s+long\s+game\b
        (?:make|get|turn|become|becomes)\s+(?:(?:it|this|that|{_POT})\s+)?(?:really\s+|much\s+|as\s+|more\s+)(?:big|bigger|large|larger|huge)\b
        (?:make|get|turn)\s+(?:it|this|that|{_POT})\s+(?:really\s+|much\s+|as\s+)?(?:big|bigger|large|larger|huge)\b
        {_RISE}\s+(?:it|this|that|{_POT})\s+(?:[\w']+\s+){{0,3}}?(?:till|until|for|over|by)\s+(?:\w+\s+){{0,3}}?(?:\d\d|retire\w*|college|old|decades?|years|yrs|20[3-9]\d)\b
        """,
        rf"""
        (?:won't|not|don't|never|no\s+need\s+to|without)\s+(?:\w+\s+){{0,3}}?(?:touch(?:ing)?|need(?:ing)?|look(?:ing)?\s+at|use|withdraw(?:ing)?|spend)\s+(?:[\w']+\s+){{0,3}}?(?:for\s+(?:ages|years|decades|a\s+(?:long|very\s+long)\s+time)|till|until|before)
        (?:want|like|see|need)\s+(?:it|this|{_POT})\s+(?:go\s+|going\s+|to\s+go\s+)?up\b
        {_RISE}\b(?!\s+(?:rates?|prices?|costs?|taxes))
        """,
    ),
    "capital_preservation": phrases(
        rf"""
        (?:hold|holds|keep|keeps|retain|retains|maintain|maintains)\s+(?:on\s+to\s+)?(?:its\s+|their\s+|the\s+)?(?:present\s+|current\s+|real\s+|full\s+)?(?:value|worth|purchasing\s+power|buying\s+power)\b
        {_POT}\s+(?:\w+\s+)?{_OUGHT}\s+(?:\w+\s+){{0,2}}?(?:stay|stays|remain|remains|be|hold|keep|survive|come\s+back)\s+(?:\w+\s+){{0,2}}?{_WHOLE}\b
        (?:need|want|expect|require|like)\s+{_POT}\s+(?:\w+\s+){{0,2}}?{_WHOLE}\b
        {_POT}\s+(?:\w+\s+)?(?:has\s+to|have\s+to|must|needs?\s+to|ought\s+to)\s+(?:\w+\s+){{0,2}}?(?:survive|hold\s+up|last|make\s+it|come\s+(?:back|through)|endure)\b
        {_POT}\s+(?:\w+\s+){{0,2}}?(?:kept|preserved|guarded|protected|looked\s+after)\s+(?:safe|intact|whole|secure|safely|carefully|out\s+of\s+harm|from)?
        {_POT}\s+(?:\w+\s+)?(?:be|is|are|to\s+be|should\s+be|must\s+be)\s+(?:preserved|protected|safeguarded|guarded|kept\s+safe|sheltered|defended)\b
        (?:preserv(?:e|ing)|protect(?:ing)?|safeguard(?:ing)?|conserve|conserving)\s+{_POT}\b
        (?:stay|stays|remain|remains|kept|keep|keeps)\s+(?:it\s+|this\s+|{_POT}\s+)?(?:whole|intact|in\s+one\s+piece|out\s+of\s+harm's\s+way|as\s+it\s+is\b|somewhere\s+(?:safe|boring|secure|quiet)|where\s+it\s+(?:can't|cannot|won't))
        (?:guard|protect|safeguard|look\s+after|take\s+(?:good\s+)?care\s+of|shelter|shield|be\s+(?:very\s+|really\s+|extra\s+|extremely\s+)?careful\s+with)\s+{_POT}\b
        (?:safety|security|protection|preservation|safekeeping)\s+of\s+(?:\w+\s+){{0,2}}?(?:capital|principal|money|savings|funds|value|investment)\b
        (?:only|just|maximum|complete|utmost|total)\s+(?:safety|security|protection)\b|(?:safety|security|protection)\s+(?:is|are)\s+(?:\w+\s+)?(?:needed|required|wanted|everything|key|all|paramount|what)
        (?:pay|pays|paying|give|gives|giving|send|sends|bring|brings|throw|throws|provide|provides|produce|produces|yield|yields)\s+(?:me|us|her|him|out|off|in)?\s*(?:[\w']+\s+){{0,5}}?(?:every|each|per)\s+(?:month|quarter|week|year)\b
        (?:steady|regular|reliable|dependable|monthly|modest|predictable|guaranteed|constant|quarterly|dividend)\s+(?:\w+\s+)?(?:checks?|paychecks?|income|payments?|payouts?|cash\s*flow|cash|dividends|interest|money)\b
        (?:checks?|income|money|payments?|something)\s+(?:that\s+)?(?:i|we)\s+can\s+(?:count|rely|depend|live)\s+on
        (?:dividends|coupons|interest|income)\s+(?:and|or|,)\s+(?:dividends|coupons|interest|income|bonds)\b
        (?:rather|sooner|prefer(?:\s+to)?)\s+(?:\w+\s+){{0,2}}?(?:miss|forgo|forego|give\s+up|earn|make|have|get|accept|settle\s+for)\s+[^.;!?\n]{{0,50}}?\bthan\s+(?:\w+\s+){{0,2}}?(?:tak(?:e|ing)|los(?:e|ing)|risk(?:ing)?|see(?:ing)?|suffer(?:ing)?|a\s+loss|watch(?:ing)?)
        principal\s+(?:safety|security|protection|preservation)
        (?:keep|make|hold)\s+(?:it|this|everything|things|{_POT})\s+(?:very\s+|all\s+|nice\s+and\s+)?(?:tame|calm|boring|quiet|mild|dull|steady|level|even|low[\s-]key)\b
        (?:shield|protect|shelter|guard|spare)\s+(?:me|us)\s+(?:from|against|another)\b
        (?:done|finished|through)\s+(?:with\s+)?(?:taking\s+)?(?:chances|risks?|gambling)\b|nothing\s+(?:reckless|risky|rash|wild|daring|speculative)\b
        do\s+no\s+harm|(?:no|without)\s+(?:any\s+)?(?:harm|damage)\s+to\s+(?:the\s+|my\s+|our\s+)?(?:principal|capital|money|savings)
        (?:in|after|until|till|for)\s+[^.;!?\n]{{0,25}}?\b(?:exactly|precisely|just)\s+(?:as|what)\s+(?:it\s+is|much\s+as)\s*(?:now|today)?
        every\s+(?:last\s+|single\s+)?(?:dollar|cent|penny|dime)\s+(?:\w+\s+){{0,3}}?(?:has\s+to|must|should|needs\s+to)\s+(?:\w+\s+){{0,2}}?(?:there|back|safe|intact|accounted|matters|counts)
        """,
        r"""
        (?:careful|caution|prudent(?:ly)?|cautious(?:ly)?)\s+with\b
        """,
        rf"""
        {_NEG}\s+(?!{_UNMOVED})(?:(?!(?:and|but)\s)[\w']+\s+){{0,5}}?{_DOWN}\b
        (?:no|zero|not\s+(?:\w+\s+){{0,2}}?(?:any|take|taking|want|like)\s+(?:\w+\s+){{0,2}}?)\s*(?:big\s+|real\s+|unnecessary\s+)?risks?\s+(?:at\s+all|whatsoever|of\s+any\s+kind|please|thanks|thank\s+you)\b
        (?:not|never|don't|won't|nor)\s+(?:\w+\s+){{0,2}}?(?:take|taking|run|running|want|accept)\s+(?:\w+\s+){{0,2}}?(?:any|big|needless|unnecessary|many)\s+(?:\w+\s+)?(?:risks?|chances)\b
        (?:not\s+(?:fussed|bothered|interested|worried|concerned|keen)|don't\s+care|indifferent|no\s+interest)\s+(?:\w+\s+)?(?:about|in|on)\s+(?:\w+\s+){{0,2}}?(?:upside|high\s+returns|big\s+gains|getting\s+rich)
        (?:without|not|never|don't|no)\s+(?:\w+\s+)?(?:eat(?:ing)?(?:\s+into)?|touch(?:ing)?|dip(?:ping)?\s+into|spend(?:ing)?(?:\s+down)?|draw(?:ing)?\s+down|invad(?:e|ing))\s+(?:\w+\s+)?(?:principal|capital|nest\s+egg)\b
        """,
    ),
    "tax_loss_harvesting": phrases(
        rf"""
        tax\s+alpha\b
        (?:if|where(?:ver)?|when(?:ever)?|as\s+soon\s+as|once)\b[^.;!?\n]{{0,24}}?\b(?:red|{_LOSING}|in\s+the\s+minus|below\s+(?:cost|basis))\b[^.;!?\n]{{0,30}}?\b(?:harvest\w*|realis(?:e|ed)|realiz(?:e|ed)|book(?:ed)?|bank(?:ed)?|crystalli[sz]\w+|used?|taken?)\b(?!\s+(?:profits?|gains?|a\s+look|care))
        (?:throw|throws|throwing|churn|spin|kick|produce|produces|producing|provide|provides|supply|supplies|make|making|manufacture|yield|create|creates|generate|generates)\s+(?:off\s+|out\s+|up\s+|me\s+|us\s+)?(?:\w+\s+){{0,2}}?losses\b[^.;!?\n]{{0,40}}?\b(?:against|offset|gains?|tax\w*|deduct\w*)\b
        losses\s+(?:\w+\s+){{0,4}}?against\s+(?:our|his|her|any|capital|other|this|future|income|gains)\b
        harvest(?:ing)?\s+(?:aggressively|heavily|hard|often)\b|(?:gains?|income)\s+to\s+(?:shelter|offset|cancel|soak\s+up|wipe\s+out)\b
        harvest(?:ing)?\s+(?:\w+\s+){{0,2}}?(?:down|under\s?water|red|losing|depressed|depreciated)\b
        (?:find|get|give|grab|need|want|use|use\s+up|using\s+up|pick\s+up|look\s+for|scrape\s+together|rustle\s+up|dig\s+up|hunt\s+for|hunt\s+down|gather|do|apply|keep\s+an\s+eye\s+out\s+for)\s+(?:me\s+|us\s+|up\s+)?(?:(?:some|any|all|the|my|as\s+many|enough|a\s+few|every|those|big|more|available|of|our)\s+){{0,3}}(?:(?:tax|capital|paper)\s+)?(?:losses|write[\s-]?offs?|deductions)\b[^.;!?\n]{{0,60}}?\b{_TAXED}\b
        (?:use|use\s+up|using\s+up|pick\s+up|picking\s+up|do|take|get|find|gather|collect|keep)\s+(?:\w+\s+){{0,2}}?(?:tax|capital)\s+losses\b
        (?:get|find|give|grab)\s+(?:me\s+|us\s+)?(?:\w+\s+)?write[\s-]?offs?\b
        {_TAXED}\b[^.;!?\n]{{0,60}}?\b(?:pick(?:ing)?\s+up|us(?:e|ing)\s+(?:up)?|find(?:ing)?|do(?:ing)?)\s+(?:\w+\s+){{0,2}}?losses\b
        (?:sell|selling|sold|let|letting|unload|unloading|clear\s+out|dump|dumping|get\s+rid\s+of|drop|ditch|shed|swap|close|closing)\s+(?:[\w']+\s+){{0,4}}?{_LOSING}\b[^.;!?\n]{{0,70}}?\b{_TAXED}\b
        {_LOSING}\b[^.;!?\n]{{0,50}}?\b(?:sell\s+it|sell\s+them|let\s+(?:it|them)\s+go|sold|dump\s+(?:it|them)|unload\s+(?:it|them)|get\s+rid\s+of\s+(?:it|them))\b[^.;!?\n]{{0,60}}?\b(?:tax(?:es)?|write|deduct\w*|offset\w*|return|schedule\s+d|loss(?:es)?)\b
        (?:sell|selling)\s+(?:[\w']+\s+){{0,4}}?(?:at|for)\s+a\s+(?:tax\s+)?loss\b[^.;!?\n]{{0,60}}?\b(?:tax|write|deduct\w*|offset\w*|return|against)
        (?:reduc\w+|cut\w*|lower\w*|shav\w+|trim\w*|bring\s+down|slash\w*|shrink\w*|minimi[sz]\w+)\s+(?:[\w']+\s+){{0,3}}?tax(?:es)?(?:\s+bill)?\s+(?:by|through|with)\s+(?:sell\w+|reali[sz]\w+|harvest\w+|tak\w+|loss\w*)
        losses\s+(?:\w+\s+){{0,2}}?(?:harvested|realised|realized|taken|booked|captured|banked|crystallised|used|set\s+against)\b
        {REALISE}\s+(?:\w+\s+){{0,2}}?(?:[\w$,']+\s+){{0,3}}?(?:worth\s+)?(?:of\s+|in\s+)losses\b
        (?:do|doing)\s+(?:the|some|my|those|our)\s+losses\b
        harvest(?:ing)?\s+(?:along\s+the\s+way|as\s+(?:you|we)\s+go|when(?:ever)?|where(?:ver)?|opportunistically|often|all\s+year|throughout|continuously|regularly|too\b|as\s+well|what|anything|in\s+(?:dips|december|q4))
        (?:set|put|use|net|match|pit|count)\s+(?:it|them|those|these|losses|the\s+losses)\s+against\b
        """,
        rf"""
        (?:sell|selling|unload|dump|clear\s+out|get\s+rid\s+of|let\s+go\s+of|shed|close)\s+(?:[\w']+\s+){{0,3}}?{_LOSING}\b
        {_LOSING}\b[^.;!?\n]{{0,50}}?\b(?:sell\s+(?:it|them)|let\s+(?:it|them)\s+go|sold|dump\s+(?:it|them))\b
        (?:some\s+|more\s+)?red\s+ink\b
        offset\s+(?:as\s+much|it|them|this|that|those|what)
        """,
    ),
    "long_term_gains_only": phrases(
        rf"""
        (?:gains?|profits?|sales?)\s+(?:\w+\s+){{0,4}}?(?:has\s+to|have\s+to|must|should|needs?\s+to|ought\s+to)\s+(?:be|qualify\s+as|count\s+as)\s+(?:a\s+)?long[\s-]*term\b
        (?:isn't|is\s+not|not)\s+(?:yet\s+)?long[\s-]*term(?:\s+yet)?\b[^.;!?\n]{{0,30}}?\b(?:alone|wait|stays?|leave|don't|keep|hold)
        (?:just|only|nothing\s+but|purely)\s+long[\s-]*term\s+(?:capital\s+)?gains\b
        (?:tak\w+|realis\w+|realiz\w+|sell\w*|book\w*|gains?|profits?)\b[^.;!?\n]{{0,30}}?\b(?:once|only\s+when|when|after|if)\s+(?:they|it|each|everything)(?:'re|'s|\s+are|\s+is|\s+has\s+gone|\s+have\s+gone|\s+turns?|\s+goes)?\s+(?:\w+\s+)?long[\s-]*term\b
        (?:all|every|each|any)\s+(?:disposals?|sales?|exits?|realisations?|realizations?)\s+(?:\w+\s+){{0,2}}?long[\s-]*term
        only\s+(?:[\w']+\s+){{0,3}}?(?:gains?|profits?|lots?|shares|positions?|winners?|things|stuff)\s+(?:\w+\s+){{0,3}}?(?:over|older\s+than|past|beyond|more\s+than)\s+{YEAR_HELD}
        (?:only|just)\s+(?:sell|take|realise|realize|touch|trim|book)\s+(?:[\w']+\s+){{0,5}}?(?:gone|went|turned|become|that's|that\s+is|already|been\s+held)\s+(?:\w+\s+){{0,2}}?{_TOO_YOUNG}
        (?:sold|sell|sale|sales|selling)\b[^.;!?\n]{{0,40}}?\b(?:make\s+sure|must\s+be|should\s+be|has\s+to\s+be|have\s+to\s+be|needs\s+to\s+be|only\s+(?:if|when))\s+(?:that\s+)?(?:it's|they're|it\s+is|they\s+are)?\s*long[\s-]*term
        (?:age|aged|season|seasoned|mature|ripen)\s+(?:\w+\s+){{0,3}}?(?:thirteen|13|twelve|12|fourteen|14)\s+months
        (?:until|till|unless|before|once|after)\s+(?:\w+\s+){{0,3}}?(?:it's|it\s+is|they're|they\s+are|it|they|each|every\s+lot|its)\s+(?:\w+\s+){{0,3}}?(?:long[\s-]*term)\b
        """,
        "",
        rf"""
        (?:no|nothing|never|not|don't|won't|can't|cannot|neither)\s+(?:[\w']+\s+){{0,5}}?(?:sell|sold|sale|leaves?|goes?|go|disposed\s+of|let\s+go|touch(?:ed)?|traded?|part\s+with|cashed\s+in|realised|realized)\b[^.;!?\n]{{0,40}}?\b(?:until|till|before|unless)\b[^.;!?\n]{{0,40}}?\b{_TOO_YOUNG}
        (?:no|never|not|refuse|hate|don't|won't|avoid|without|rather\s+not|no\s+wish|unwilling|keep\s+me\s+out)\s+(?:[\w']+\s+){{0,6}}?(?:at\s+|on\s+|in\s+)?(?:the\s+)?{_WORSE_RATE}
        {_WORSE_RATE}\s+(?:\w+\s+){{0,4}}?(?:(?:are|is)\s+(?:a\s+)?(?:no|not|out|unacceptable)|no\s+(?:way|thanks)|never)\b
        (?:can't|cannot|don't|do\s+not|not|never)\s+(?:\w+\s+){{0,3}}?sell\b[^.;!?\n]{{0,30}}?\b(?:at|for)\s+the\s+long[\s-]*term\s+rate
        (?:hasn't|has\s+not|haven't|have\s+not|isn't|not)\s+(?:yet\s+)?(?:been\s+)?(?:held\s+)?(?:for\s+)?{YEAR_HELD}\b[^.;!?\n]{{0,25}}?\b(?:don't|do\s+not|no\b|leave|wait|not\s+for\s+sale|stays?|skip)
        (?:bought|held|owned|acquired|purchased)\s+(?:for\s+)?(?:less\s+than|under|within|inside|in)\s+(?:the\s+(?:last|past)\s+)?(?:{YEAR_HELD}|year)\b[^.;!?\n]{{0,20}}?\b(?:frozen|off\s+limits|stays?|untouchable|locked|not\s+for\s+sale|hands\s+off|not\s+to\s+be|waits?)\b
        (?:under|less\s+than|younger\s+than|inside|within|not\s+yet)\s+{YEAR_HELD}(?:\s+old)?\b[^.;!?\n]{{0,15}}?\b(?:hands\s+off|don't|leave|stays?|off\s+limits|not\s+for\s+sale|no\s+touch)
        """,
    ),
}
