"""What is not to be owned: terms of the closed vocabulary and the wording that excludes them.

What belongs here: the words for each sector, industry, asset class, theme and company, and the scope
of "no", "avoid", "keep ... out". What does not: which assets an exclusion hits (``parse.py``).
"""

# ruff: noqa: E501 - a pattern reads best with one alternative a line

import re
from typing import Final

from ml.intent.schema import Exclusion

_TERMS: Final[tuple[tuple[str, str, str], ...]] = (
    ("asset_class", "junk_bonds", r"junk(?:\s+(?:bonds?|debt))?|high[\s-]yield(?:\s+(?:bonds?|debt|credit|paper))?"),
    ("asset_class", "penny_stocks", r"penny[\s-]stocks?|pink\s+sheets|otc\s+stocks"),
    ("theme", "meme_stocks", r"meme(?:[\s-]?(?:stocks?|coins?|names?|stuff))?s?\b|reddit\s+stocks"),
    ("asset_class", "leveraged_etfs", r"(?:leveraged?|levered|inverse|[23]x)(?:\s+(?:and|or|/)\s+(?:leveraged?|inverse))?\s*(?:etfs?|funds?|products?|etps?|stuff|things|anything|instruments?)|leverage\b|levered\b"),
    ("asset_class", "spacs", r"spacs?|blank[\s-]check\s+compan(?:y|ies)"),
    ("asset_class", "annuities", r"annuit(?:y|ies)"),
    ("asset_class", "options", r"options?\s+trad\w+|(?:stock\s+|covered\s+)?(?:calls?\s+(?:and|or)\s+puts?|options|derivatives)\b(?!\s+(?:open|are|available|on\s+the\s+table|for\s+me))"),
    ("asset_class", "crypto", r"crypto(?:currenc(?:y|ies)|s)?|bitcoins?|btc|ethereum|eth|digital\s+(?:coins?|assets?|currenc\w+)|(?:alt|shit|meme)[\s-]?coins?|coins"),
    ("asset_class", "reits", r"reits?|(?:real[\s-]estate|property)\s+(?:investment\s+)?trusts?"),
    ("asset_class", "gold", r"gold(?:\s+(?:miners?|bullion|bars|etfs?))?\b|precious\s+metals"),
    ("asset_class", "commodities", r"commodit(?:y|ies)|raw\s+materials|futures"),
    ("asset_class", "bonds", r"bonds?(?:\s+funds?)?|fixed[\s-]income|treasur(?:y|ies)|treasury\s+bonds"),
    ("theme", "fossil_fuels", r"fossil[\s-]fuels?|coal(?:\s+min\w+)?|carbon[\s-](?:heavy|intensive)|dirty\s+energy|big\s+polluters|polluters"),
    ("industry", "Oil & Gas", r"(?:big\s+)?oil(?:\s*(?:and|&|or|/)\s*(?:natural\s+)?gas)?(?:\s+(?:majors?|drillers?|producers?))?|natural\s+gas|gas\s+drillers|frack\w*|pipelines?|petroleum|drillers"),
    ("industry", "Tobacco", r"tobacco|cigarettes?|cigs|smokes|smoking|vap(?:e|es|ing)|big\s+tobacco|nicotine"),
    ("theme", "alcohol", r"alcohol(?:ic)?(?:\s+(?:drinks?|beverages?|makers?))?|booze|liquor|beer|breweries|brewers?|distiller(?:s|ies)|spirits|wine(?:makers)?"),
    ("theme", "cannabis", r"cannabis|marijuana|weed|pot\b|hemp|thc"),
    ("industry", "Casinos & Gaming", r"casinos?(?:\s*(?:and|&)\s*gaming)?"),
    ("theme", "gambling", r"gambling|gaming(?=\s*(?:,|and\b|or\b|\.|;|$))|gaming\s+(?:stocks|companies)|betting|sports[\s-]?books?|lotter(?:y|ies)|bookmakers"),
    ("theme", "adult_entertainment", r"adult\s+(?:entertainment|content|industry|films?)|porn(?:ography)?|strip\s+clubs"),
    ("theme", "private_prisons", r"(?:private\s+|for[\s-]profit\s+)?prisons?(?:\s+operators?)?|detention\s+cent(?:er|re)s|jails"),
    ("theme", "animal_testing", r"animal[\s-]test\w*|(?:test\w*|experiment\w*)\s+on\s+animals|vivisection|animal\s+(?:cruelty|abuse|experiments?)|cruel\w*\s+to\s+animals"),
    ("theme", "weapons", r"weapons?(?:\s+(?:makers?|manufacturers?))?|guns?(?:\s*makers?|\s+manufacturers?)?|gunmakers|firearms?|arms(?=\s+(?:makers?|manufacturers?|dealers?|companies|trade|industry|producers?|stocks?)|\s*(?:,|and\b|or\b|\.|;|$))(?:\s+(?:makers?|manufacturers?|dealers?|companies|trade|industry|producers?|stocks?))?|ammunition|munitions|war\s+profiteers|military\s+contractors?|bombs"),
    ("industry", "Aerospace & Defense", r"aerospace(?:\s*(?:and|&)\s*defen[cs]e)?|defen[cs]e(?=\s+(?:stocks?|contractors?|companies|sector|industry|names|firms|shares|makers)|\s*(?:,|and|or|\.|;|$))(?:\s+contractors?)?"),
    ("theme", "china", r"china|chinese(?:\s+(?:stocks?|companies|equities|adrs?|tech|names))?"),
    ("industry", "Airlines", r"airlines?|air\s+carriers|airline\s+stocks"),
    ("industry", "Automobiles", r"auto(?:s|mobiles?|mobile\s+makers|\s?makers?|\s+manufacturers?|motive)?(?=\s|,|\.|;|$)(?:\s+(?:stocks?|companies|makers?|industry|sector))?|car\s?(?:makers?|companies|manufacturers?|stocks?)|carmakers|ev\s+(?:makers?|stocks?)|evs|electric\s+(?:cars?|vehicles?)(?:\s+makers?)?"),
    ("industry", "Banks", r"(?:big\s+|regional\s+|small\s+)?banks?(?:ing)?(?:\s+(?:stocks?|sector|shares))?|bankers|lenders"),
    ("industry", "Biotechnology", r"bio[\s-]?tech(?:s|nology)?|biotechs"),
    ("industry", "Insurance", r"(?<!life )(?<!health )(?<!car )(?<!home )(?:insurance(?=\s+(?:stocks?|companies|sector|industry|names|firms|shares))|insurers?|insurance\s+companies|insurance(?=\s*(?:,|and|or|\.|;|$)))"),
    ("industry", "Pharmaceuticals", r"(?:big\s+)?pharma(?:ceuticals?|s)?(?:\s+(?:companies|stocks?))?|drug\s?(?:makers?|companies|stocks?|manufacturers?)|drugmakers"),
    ("industry", "Semiconductors", r"semi(?:s|conductors?)|chip\s?(?:makers?|stocks?|companies)|chips\b|chipmakers"),
    ("sector", "Real Estate", r"real[\s-]estate|property\s+(?:stocks|companies|sector)"),
    ("sector", "Information Technology", r"(?:information\s+|big\s+)?tech(?:nology|s)?\b(?:\s+(?:stocks?|sector|companies|names|shares))?|software(?:\s+(?:stocks?|companies))?|i\.?t\.?\s+(?:sector|stocks)"),
    ("sector", "Health Care", r"health[\s-]?care(?:\s+(?:stocks?|sector))?|hospitals?\s+(?:stocks|companies)|medical\s+(?:stocks?|sector)"),
    ("sector", "Financials", r"financials?(?:\s+(?:stocks?|sector|companies|services|institutions|names|shares))|financials\b|financial\b(?!\s+(?:advi\w+|goals?|plan\w*|situation|crisis|independence|future|freedom|health|year))|finance\s+(?:stocks?|sector|companies)|wall\s+street\s+(?:firms|banks)"),
    ("sector", "Communication Services", r"communications?(?:\s+(?:services?|stocks?|sector|companies))?|telecoms?(?:munications?)?|media\s+(?:stocks?|companies|sector)|social\s+media(?:\s+(?:stocks?|companies))?"),
    ("sector", "Consumer Staples", r"(?:consumer\s+)?staples|food\s+and\s+beverage\s+stocks|packaged\s+food"),
    ("sector", "Consumer Discretionary", r"(?:consumer\s+)?discretionar(?:y|ies)(?:\s+(?:stocks?|sector))?|consumer\s+cyclicals?|retail(?:ers?)?(?:\s+(?:stocks?|sector))|retailers|luxury\s+(?:stocks|goods)"),
    ("sector", "Utilities", r"utilit(?:y|ies)(?:\s+(?:stocks?|sector|companies))?|power\s+companies|electric\s+companies"),
    ("sector", "Materials", r"(?:basic\s+)?materials(?:\s+(?:stocks?|sector|companies))?|mining(?:\s+(?:stocks?|companies))?|miners|chemicals?\s+(?:stocks?|companies|makers)"),
    ("sector", "Industrials", r"industrials?(?:\s+(?:stocks?|sector|companies))?"),
    ("sector", "Energy", r"energy(?:\s+(?:stocks?|sector|companies|names|shares))?"),
)  # fmt: skip
_COMPANIES: Final[dict[str, str]] = {
    "AAPL": "apple", "MSFT": "microsoft", "GOOGL": "google|alphabet", "AMZN": "amazon", "META": "meta|facebook|fb",
    "TSLA": "tesla", "NVDA": "nvidia", "NFLX": "netflix", "AMD": "amd|advanced micro devices", "INTC": "intel",
    "IBM": "ibm", "ORCL": "oracle", "CRM": "salesforce", "ADBE": "adobe", "CSCO": "cisco", "QCOM": "qualcomm",
    "AVGO": "broadcom", "TXN": "texas instruments", "PLTR": "palantir", "UBER": "uber", "LYFT": "lyft",
    "ABNB": "airbnb", "PYPL": "paypal", "COIN": "coinbase", "HOOD": "robinhood", "GME": "gamestop|game stop",
    "AMC": "amc", "JPM": "jp ?morgan|jpmorgan(?: chase)?|j\\.p\\. morgan|chase bank", "BAC": "bank of america|bofa",
    "WFC": "wells fargo", "C": "citi(?:group|bank)", "GS": "goldman(?: sachs)?", "MS": "morgan stanley",
    "BRK.B": "berkshire(?: hathaway)?", "V": "visa", "MA": "mastercard", "AXP": "american express|amex",
    "JNJ": "johnson (?:and|&) johnson|j&j|jnj", "PFE": "pfizer", "MRK": "merck", "LLY": "eli lilly|lilly",
    "UNH": "united ?health(?: group)?", "RRC": "range resources", "ABBV": "abbvie", "BMY": "bristol[ -]myers(?: squibb)?",
    "MRNA": "moderna", "CVS": "cvs", "WBA": "walgreens", "XOM": "exxon ?(?:mobil)?|exxonmobil", "CVX": "chevron",
    "BP": "bp", "COP": "conocophillips", "GE": "general electric|ge", "BA": "boeing", "LMT": "lockheed(?: martin)?",
    "RTX": "raytheon", "NOC": "northrop(?: grumman)?", "CAT": "caterpillar", "DE": "john deere|deere", "MMM": "3m",
    "HON": "honeywell", "UPS": "ups", "FDX": "fedex", "DAL": "delta(?: air ?lines)?", "UAL": "united airlines",
    "AAL": "american airlines", "LUV": "southwest(?: airlines)?", "F": "ford", "GM": "gm|general motors",
    "WMT": "wal-?mart", "TGT": "target(?= stock| shares|,| and| or|\\.|$)", "COST": "costco", "HD": "home depot",
    "LOW": "lowe'?s", "NKE": "nike", "SBUX": "starbucks", "MCD": "mcdonald'?s", "KO": "coca[ -]?cola|coke",
    "PEP": "pepsi(?:co)?", "PG": "procter (?:and|&) gamble|p&g", "PM": "philip morris", "MO": "altria",
    "DIS": "disney", "CMCSA": "comcast", "T": "at&t", "VZ": "verizon", "TMUS": "t-mobile", "BBY": "best buy",
    "NESN": "nestle", "BABA": "alibaba", "TSM": "tsmc", "RIVN": "rivian", "SNAP": "snap(?:chat)?", "SPOT": "spotify",
    "SHOP": "shopify", "ZM": "zoom", "RBLX": "roblox", "DKNG": "draftkings", "MGM": "mgm", "CCL": "carnival",
    "BX": "blackstone", "BLK": "blackrock", "SCHW": "schwab", "TWTR": "twitter", "MSTR": "microstrategy",
    "RKT": "rocket mortgage", "PTON": "peloton", "BYND": "beyond meat", "SNOW": "snowflake", "SQ": "square inc",
}  # fmt: skip

_NAMED: Final = [(kind, name) for kind, name, _ in _TERMS] + [("symbol", ticker) for ticker in _COMPANIES]
_TERM: Final = re.compile(
    "|".join(
        [rf"(?P<t{i}>\b(?:{pattern})\b)" for i, (_, _, pattern) in enumerate(_TERMS)]
        + [rf"(?P<t{i + len(_TERMS)}>\b(?:{names})\b)" for i, names in enumerate(_COMPANIES.values())]
    )
)
_CUE: Final = re.compile(
    r"\b(?:no|never|without|avoid(?:ing|s)?|exclud(?:e|es|ing)|except(?:\s+for)?|skip(?:ping)?|leav(?:e|ing)\s+out|keep(?:ing)?\s+(?:me\s+|it\s+|us\s+|this\s+|everything\s+)?(?:out\s+of|away\s+from|clear\s+of|free\s+of)|"
    r"stay(?:ing)?\s+(?:out\s+of|away\s+from|clear\s+of|far\s+from)|steer(?:ing)?\s+clear\s+of|hands\s+off|"
    r"(?:don'?t|do\s+not|won'?t|will\s+not|wouldn'?t|can'?t|cannot|not|refuse\s+to|rather\s+not|hate\s+to|not\s+going\s+to|wish\s+not\s+to|prefer\s+not\s+to)|nothing|none|zero|ban(?:ning)?|hate|opposed\s+to|object\s+to|boycott(?:ing)?|divest(?:ing)?(?:\s+from)?|"
    r"free\s+of|minus|apart\s+from|other\s+than|anything\s+but|everything\s+but|all\s+but|omit(?:ting)?|remov(?:e|ing)|blacklist|screen(?:ing)?\s+out|drop|ditch|dump|strike|scratch|(?:am|i'm|we're|are|is)\s+against|leave|keep|filter\s+out|weed\s+out|cut|lose|get\s+rid\s+of|rule\s+out|bars?|bans|forbids?|prohibits?|disallows?|rules\s+out|pass(?:ed|ing)?\s+on|stop\s+buying|allergic\s+to|restricted\s+from|barred\s+from|nor|neither|(?:had|have|got)\s+(?:my\s+|our\s+)?(?:fill|enough)\s+of|sick\s+of|done\s+with|ex|x)\b|\b(?:restrict(?:ions?|ed)(?:\s+list)?|exclusions?|no[\s-]buy(?:\s+list)?|blacklist(?:ed)?|excluded|prohibited|forbidden|off[\s-]limits|screened|do\s+not\s+(?:buy|own))(?:\s?:|\s+(?:is|are|includes?|has)\b)"
)
_NEEDS_OUT: Final = re.compile(r"^(?:leave|keep|cut|screen\w*|take|filter|weed)$")
_GAP_WORDS = (
    "buy|buying|bought|purchase|own|owning|hold|holding|want|wanting|to|me|us|any|all|the|a|an|in|into|of|from|with|anything|stuff|stocks?|stock|shares?|"
    "compan(?:y|ies)|exposure|invest|invested|investing|investments?|money|put|putting|include|including|add|adding|touch|touching|like|do|does|anymore|more|single|kinds?|sorts?|types?|out|"
    "away|clear|it|i|we|see|related|connected|tied|that|which|are|is|make|makes|making|made|maker|makers|get|give|have|having|has|please|ever|again|sectors?|industr(?:y|ies)|names?|funds?|etfs?|for|by|"
    "holdings?|allowed|permitted|able|supposed|positions?|cent|penny|dime|dollar|bit|trace|good|conscience|individual|foreign|these|those|either|involved|profit|profits|profiting|linked|producers?|dealing|deals?|supporting|support|be|being|account|portfolio|this|my|our|on|even|also|go|going|near|anywhere|at|whatsoever|whole|entire|so-called|big|ties|"
    "one|other|should|shall|must|held|kept|placed|put|bought|sells?|builds?|runs?|operates?|manages?|profits?|stand|bear|abide|quite|so|little|smallest|employer|competitors?|rivals?|former|old|work|firms?|business(?:es)?|manufactur\\w+|things|except|such|as|no|nor|not|or|and|both|especially|particularly|certainly|absolutely|definitely|really|much|there|ones|owned|tied|heavy|trade|trading"
)
_FIRST_GAP: Final = re.compile(rf"^(?:\s|[-'\"/&,:]|\b(?:{_GAP_WORDS})\b){{0,24}}$")
_NEXT_GAP: Final = re.compile(
    r"^(?:\s|[,/&'\"()-]|\b(?:and|or|nor|any|the|stocks?|compan(?:y|ies)|shares|sectors?|industr(?:y|ies)|anything|that|which|who|pumps?|burns?|drills?|digs?|mines|makes|sells|runs|builds|produces|in|of|from|related|names?|makers?|producers?|firms?|stuff|plus|also|no|to|do|with|things?|like|such|as|other|all|kinds?|types?|funds?|etfs?|either|both|not|even|contractors?|manufacturers?|businesses|especially|including|even|out|really|whole|entire|actually|basically|indeed|certainly|definitely|frankly|sector's)\b){1,14}$"
)
# "no boomer oil stocks", "nothing from landlords or REITs": one word that is none of the known ones.
_ONE_STRANGER: Final = re.compile(
    r"^\s(?:from\s|in\s|of\s|any\s)?(?!more\b|longer\b|less\b|problem|need|rush|particular|matter|issue|idea|hurry|worries|doubt|fees?\b|short|risk|loss|gain|limit)[a-z-]{3,16}\s(?:or\s|and\s)?$"
)
_TOLERATED: Final = re.compile(
    r"(?:nothing|not)\s+(?:\w+\s+)?against\b|(?:don'?t|do\s+not|wouldn'?t)\s+(?:\w+\s+)?(?:mind|care)\b|no\s+(?:problem|issue|objection|quarrel|qualm)s?\s+(?:with|to|about)\b|not\s+(?:opposed|averse)\b"
)
_SELLING: Final = re.compile(r"\b(?:sell|selling|sold|trim|part\s+with|liquidate|unload|get\s+rid)\b")
_STRICT_CUES: Final = re.compile(r"^(?:no|zero|nothing|none|minus|cut|lose|drop|against|except)$")
_AFTER: Final = re.compile(
    r"^\s*(?:stocks?|shares|compan(?:y|ies)|sector|industry|names|funds?|etfs?)?\s*(?:(?:is|are|would\s+be|stays?|must\s+be|should\s+be|to\s+be)\s+(?:strictly\s+|completely\s+|totally\s+|absolutely\s+|all\s+)?(?:off[\s-]limits|off\s+the\s+table|out\b|avoided|left\s+out|not\s+to\s+be\s+(?:bought|purchased|held|owned|touched|included)|not\s+(?:to\s+my|for\s+me|allowed|ok|okay|acceptable|welcome|an\s+option)|excluded|banned|forbidden|taboo|a\s+no|no[\s-]go|unacceptable)|not\s+to\s+be\s+(?:bought|purchased|held|owned|touched|included)|[^.;!?\n]{0,40}?\bnone\s+in\s+(?:this|the|my|here)\b|need\s+not\s+apply|[\s,:-]+(?:i\s+want\s+)?none\s+of\s+(?:it|that|those|them|these)\b|off[\s-]limits|[\s:-]+(?:no|never|no\s+thanks?|not\s+for\s+me|hard\s+pass|out)\b)|^-free\b|^\s*\?\s*(?:nope|no\b|never|nah|pass\b|no\s+thanks?|not\s+for\s+me)"
)
# "Tesla I don't want to see again"; "crypto is the answer, he says; I don't want any in here".
_FRONTED: Final = re.compile(
    r"^\s*(?:stocks?|shares|compan(?:y|ies)|names|sector|industry)?\s*,?\s*(?:that\s+)?(?:i|we)\s+(?:don'?t|do\s+not|never|won'?t|can'?t|cannot|refuse\s+to)\s+(?:\w+\s+){0,2}?(?:want|own|owning|hold|holding|buy|touch|see|have|having|stand|abide|bear|stomach)\b"
    r"|^[^.!?\n]{0,90}?\b(?:don'?t|do\s+not|never)\s+want\s+(?:any|it|that|them)\b(?:\s+(?:of\s+(?:it|that|them)|in\s+(?:here|there|my\s+account)|here|there))?\s*(?:$|[.,;!?\n])"
)
_SO_ARE: Final = re.compile(
    r"\b(?:so|neither|nor)\s+(?:are|is|do|does)\b|\b(?:same|likewise)\s+(?:goes\s+)?(?:for|with)\b"
)
_BARE_TICKER: Final = re.compile(r"\$?\b[A-Z]{2,5}(?:\.[A-Z])?\b")
_NOT_TICKERS: Final = frozenset(
    "IRA IRAS ETF ETFS USA US CPA IRS ESG REIT REITS SPAC SPACS FDIC CD CDS OK NO NOT AND OR THE FOR ANY PLEASE PLS STOCK STOCKS "
    "I AM MY NEVER BUY SELL ALL CEO IPO EV EVS AI RSU RSUS ESPP TLH AMT NIIT LLC LTD INC FAQ BTC ETH OTC ASAP FYI IMO USD TV "
    "STCG LTCG STCGS LTCGS SPX QTD YTD EOY EOM DO DONT NEED WANT OF IN ON TO IT IS OUT ME WE SO AT BY UP IF AS BE GO HSA ACA AGI MAGI IRMAA FAFSA SSA SSI SSDI VA HOA MBA PHD PTO CFO CTO HR NGO UN FIRE UK EU NYSE VIX QE FED GDP OIL GAS GUN GUNS".split()
)
# "We'd lose our subsidy": what would happen, not what is to be left out.
_WOULD_LOSE: Final = re.compile(
    r"\b(?:i|we|they|he|she|it|you|who)(?:'d|'ll)?\s+\Z|\b(?:would|could|might|will|may|can|otherwise|or|not|to)\s+\Z"
)
_BRACKETS: Final = re.compile(r"\([^()\n]{0,90}\)")
# "I work at X, so don't buy more of it": the company is named before the pronoun that excludes it.
_EMPLOYER: Final = re.compile(
    r"\b(?:work(?:s|ed|ing)?\s+(?:at|for|in)|employ(?:ed|er)\s+(?:at|by|is)|employee\s+(?:at|of)|job\s+(?:at|with)|insider\s+at|plenty\s+of|enough|too\s+much|overweight(?:\s+in)?)\s+\Z"
)
_NO_MORE: Final = re.compile(
    r"\bnone\s+of\s+(?:that|it|this|them|their|its)\b|"
    r"\b(?:don'?t|do\s+not|never|no|not|can'?t|cannot|avoid|without|won'?t)\s+(?:\w+\s+){0,4}?(?:it\b|them\b|any\s+more|more\b|(?:their|its|that|company)\s+(?:stock|shares)|there\b|(?:buy|buying|own|owning)\s+the\s+same\b)"
)
# "Sell NFLX and don't re-buy it."
_NOT_AGAIN: Final = re.compile(
    r"[^.!?\n]{0,70}?\b(?:don'?t|do\s+not|never|not)\s+(?:\w+\s+)?(?:re-?buy|repurchase|re-?enter|buy\s+(?:it|them|any)\s+(?:back|again))\b"
)
# "No banks. Actually, banks are fine."
_RECONSIDERED: Final = re.compile(
    r"\s*(?:stocks?|shares|compan(?:y|ies)|names|funds?)?(?:\s*(?:are|is|would\s+be)|'s)\s+(?:\w+\s+)?(?:fine|ok|okay|all\s*right|allowed|welcome|acceptable)\b"
)
_SENTENCE_STOP: Final = re.compile(
    r"[.;!?\n](?:\s|$)|\n|\bbut\b(?!\s+(?:not|no)\b)|\bhowever\b|\bwhile\b|\bbecause\b|\bsince\b"
)


def find_exclusions(lower: str, cased: str) -> tuple[tuple[Exclusion, ...], list[tuple[int, int]]]:
    """Find what the investor does not want to own.

    Parameters
    ----------
    lower, cased : str
        Cleaned text, in lower case and as typed; of equal length.

    Returns
    -------
    exclusions : tuple of Exclusion
        Distinct, sorted by kind and name.
    spans : list of (start, end)
        Where they stand.
    """
    terms = [
        (match.start(), match.end(), *_NAMED[int(match.lastgroup[1:])])
        for match in _TERM.finditer(lower)
        if match.lastgroup
    ]
    terms = sorted(terms + _bare_tickers(cased, lower))
    found: set[tuple[str, str]] = set()
    spans: list[tuple[int, int]] = []
    cues = [*_CUE.finditer(lower), *_SO_ARE.finditer(lower)]
    for cue in cues:
        if cue.re is _SO_ARE and not any(end <= cue.start() for _, end in spans):
            continue
        if cue.group() == "lose" and _WOULD_LOSE.search(lower, max(0, cue.start() - 12), cue.start()):
            continue
        if _TOLERATED.match(lower, cue.start(), min(len(lower), cue.start() + 40)):
            continue
        for _, end, kind, name in _scope(lower, cue, terms):
            found.add((kind, name))
            spans.append((cue.start(), end))
    for start, end, kind, name in terms:
        after = _AFTER.match(lower[end : end + 60]) or _FRONTED.match(lower[end : end + 130])
        around = (
            re.split(r"[.!?;\n]", lower[max(0, start - 30) : start])[-1] + lower[start : end + after.end()]
            if after
            else ""
        )
        if after and not _SELLING.search(around):
            for first, last, listed_kind, listed in _listed_before(lower, terms, start):
                found.add((listed_kind, listed))
                spans.append((first, last))
            found.add((kind, name))
            spans.append((start, end + after.end()))
    for start, end, kind, name in terms:
        if kind == "symbol" and (
            (_EMPLOYER.search(lower[max(0, start - 40) : start]) and _NO_MORE.search(lower, end, end + 120))
            or _NOT_AGAIN.match(lower, end, end + 90)
        ):
            found.add((kind, name))
            spans.append((start, end))
    found -= {(kind, name) for _, end, kind, name in terms if _RECONSIDERED.match(lower, end, end + 40)}
    exclusions = tuple(Exclusion(kind=kind, name=name) for kind, name in sorted(found))  # type: ignore[arg-type]
    return exclusions, spans


def _listed_before(
    lower: str, terms: list[tuple[int, int, str, str]], start: int
) -> list[tuple[int, int, str, str]]:
    """Collect the terms of a list that ends at a position: "options and leveraged funds"."""
    listed: list[tuple[int, int, str, str]] = []
    for term in reversed([t for t in terms if t[1] <= start]):
        if not _NEXT_GAP.match(lower[term[1] : start]):
            break
        listed.append(term)
        start = term[0]
    return listed


def _scope(
    lower: str, cue: re.Match[str], terms: list[tuple[int, int, str, str]]
) -> list[tuple[int, int, str, str]]:
    """Collect the terms that a cue governs: a list that begins near it."""
    stop = _SENTENCE_STOP.search(lower, cue.end())
    limit = min(stop.start() if stop else len(lower), cue.end() + 240)
    word = cue.group().split()[0]
    governed: list[tuple[int, int, str, str]] = []
    brackets = list(_BRACKETS.finditer(lower, cue.end(), limit))
    at = cue.end()
    for start, end, kind, name in terms:
        if start < cue.end() or (governed and start < at):
            continue
        if any(b.start() < start < b.end() for b in brackets) and governed:
            continue  # a reason, given in passing
        if end > limit:
            break
        gap = lower[at:start]
        if governed:
            if not _NEXT_GAP.match(_BRACKETS.sub(" ", gap)):
                break
        elif len(gap) > 90 or _SELLING.search(gap) or not (_FIRST_GAP.match(gap) or _ONE_STRANGER.match(gap)):
            return []
        elif _STRICT_CUES.match(word) and len(gap.split()) > 6:
            return []
        governed.append((start, end, kind, name))
        at = end
    if (
        governed
        and _NEEDS_OUT.match(cue.group())
        and not re.match(r"[\w\s,'/&-]{0,30}?\bout\b", lower[at : at + 40])
    ):
        return []
    if (
        governed
        and re.search(r"\bmy\s+(?:\w+\s+)?\Z", lower[cue.end() : governed[0][0]])
        and "touch" in lower[cue.end() : governed[0][0]]
    ):
        return []
    return governed


def _bare_tickers(cased: str, lower: str) -> list[tuple[int, int, str, str]]:
    """Find tickers written in capitals; none in a text that is all capitals."""
    letters = [char for char in cased if char.isalpha()]
    if not letters or sum(char.isupper() for char in letters) > 0.6 * len(letters):
        return []
    found = []
    for match in _BARE_TICKER.finditer(cased):
        ticker = match.group().lstrip("$")
        if ticker not in _NOT_TICKERS and not _TERM.fullmatch(lower[match.start() : match.end()]):
            found.append((match.start(), match.end(), "symbol", ticker))
    return found
