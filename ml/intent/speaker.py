"""Who speaks, and whether in earnest: what a text says of others, of what might be, or as another kind of text.

What belongs here: code and logs, news, advertisements, homework, third parties and hypotheses, by their
form. What does not: instructions to a machine, markup and quotations (``text.py``), which words are
foreign to an investor's statement (``evidence.py``).

The rules look at the grammar of a sentence (its subject, its mood), not at its topic: "my neighbour
wants to day-trade" and "our club sold its striker for a quick profit" have a subject that is not the
investor, whatever they speak of. A household (wife, husband, parents in one's care) is the investor.
"""

# ruff: noqa: E501 - a pattern reads best with one alternative a line

import re
from collections.abc import Sequence
from typing import Final

_CODE_LINE: Final = re.compile(
    r"^[ \t]*(?:def|class|function|func|fn|public|private|static|void|const|var|let|import|from|return|if|for|while|elif|else|switch|case|try|catch|struct|enum|package|using|#include|@\w+)\b[^\n]{0,200}?(?:[{};]|\)[ \t]*:?|:)[ \t]*(?:#[^\n]*|//[^\n]*)?$"
    r"|^[ \t]*(?:def|class|function|const|var|import|return|#include|package)\s[^\n]{0,200}?[\[\](){}=;_][^\n]*$"
    r"|^[^\n]{0,300}?(?:[!=]=|\+=|-=|&&|\|\||=>|::|\$\(|\)\s?\{|\};|\(\)|\b\w+\[\w+\]|\w\.\w+\([^)\n]{0,60}\)|^\s*\w+\s?=\s?[\[{(\"'\d])[^\n]*$"
    r"|^[^\n]{0,80}\b(?:info|warn|warning|error|debug|trace|fatal)\b[:\] ][^\n]*(?:[=\[(]|\bms\b)[^\n]*$"
    r"|^[^\n]{0,20}\d{4}-\d\d-\d\dt?[ ]?\d\d:\d\d(?::\d\d)?[^\n]*$"
    r"|^[^\n]{0,200}?\b[a-z_]{2,20}=[\w\"'.-]+[ ,&]+[a-z_]{2,20}=[\w\"'.-]+[^\n]*$"
    r"|^[ \t]*[$>#%]?[ \t]?(?:git|npm|pip|sudo|docker|kubectl|curl|ssh|make|python3?|node|yarn|brew|apt(?:-get)?|cargo|aws|terraform)\s+[a-z./-][^\n]*?(?:\s-{1,2}\w|\s&&|\.\w{2,4}\b|/)[^\n]*$"
    r"|^[ \t]*(?:todo|fixme|feat|fix|chore|refactor|docs|test|perf|ci|build)(?:\([\w/-]{1,30}\))?:\s[^\n]*$"
    r"|^[ \t]*\|[^\n|]{0,80}\|[^\n]*\|[ \t]*$|^[ \t]*[\w ]{1,30}(?:,[\w .%-]{0,30}){3,}$(?=\n[\w ]{1,30}(?:,[\w .%-]{0,30}){3,}$)",
    re.MULTILINE,
)
_MARKED_UP: Final = re.compile(r"<[a-z/!?]|\[\[")  # elements are taken apart elsewhere (text.py)
# A line beside code is code's too if it is indented or a comment.
_CODE_BESIDE: Final = re.compile(r"(?:[ \t]+\S|[ \t]*(?:#|//|/\*|\*|--|\}|\]|\)))")
_DATELINE: Final = re.compile(
    r"^[ \t]*[A-Z][A-Z.]{2,}(?:[ ,]+[A-Z][A-Za-z.]+){0,3}(?:[ ,]+\d{1,2})?[ ]*(?:\([^)\n]{1,30}\)[ ]*)?-{1,2}[ ](?=[A-Z])[^\n]*",
    re.MULTILINE,
)
# A headline: its label, or a market that moves by so much or on some news.
_HEADLINE: Final = re.compile(
    r"^[ \t]*(?:(?:breaking|just\s+in|news\s?flash|headlines?(?:\s+of\s+the\s+\w+)?|(?:markets?|stocks?)\s+(?:wrap|update|recap|report|watch)|(?:morning|evening|daily|closing)\s+(?:brief|wrap|news|bell)|opinion|op-ed|exclusive|developing|editorial|live\s+updates?|(?:top|latest)\s+(?:news|stories|story)|news|bloomberg|reuters|cnbc|wsj|marketwatch|barron's|afp|bbc|cnn|associated\s+press)(?:\s+news)?[ \t]*[:|-]"
    r"|(?:the\s+)?(?:\d{1,2}|two|three|four|five|six|seven|eight|nine|ten|twelve)\s+(?:\w+\s+)?(?:tips|ways|reasons|rules|steps|secrets|mistakes|things|strategies|lessons|myths)\s+(?:for|to|that|of|why|you|about)\b"
    r"|(?:us\s+)?(?:s&p(?:\s?500)?|dow(?:\s+jones)?|nasdaq|ftse(?:\s?100)?|stocks|shares|wall\s+street|the\s+fed|fed|treasuries|oil|gold|bitcoin|bonds|markets?)\s+(?:futures\s+)?(?:closes?|ends?|ended|slips?|slid|slides?|climbs?|rall(?:y|ies|ied)|falls?|fell|jumps?|gains?|rises?|rose|surges?|tumbles?|drops?|holds?|cuts?|hikes?|raises?|edges?|opens?|steady)\s*(?:\w+\s+)?(?:up|down|higher|lower|rates|flat)?\s*(?:(?:by\s+)?\d[\d.]{0,5}\s?%)?\s*(?:;|\bas\s|\bafter\s|\bamid\s|\bon\s+(?:news|hopes|fears)\b))[^\n]*",
    re.MULTILINE,
)
# "Warren Buffett says never lose money": a name of one or more words, at a sentence's beginning.
_NAME_SAYS: Final = re.compile(
    r"(?:^|(?<=[.!?]\s))[ \t]*(?!(?:Client|Clients|Wife|Husband|Spouse|Partner|Trustee|Trustees|Everyone|It|That|This|Who|He|She|They|We|You|I)\b)(?:[A-Z][a-z'.-]{2,15}\s){1,3}(?:always\s+|once\s+|famously\s+)?(?:says|said|thinks|claims|claimed|believes|swears|recommends|recommended|preaches|tweeted|argues)\b[^.!?\n]{0,200}?(?=,?\s(?:but|and|so)\s(?:i|I|we|please)\b|,\s(?:I|we|please)\b|[.!?\n]|$)",
    re.MULTILINE,
)
# Made up, whoever says "I" in it: a novel, a game, homework.
_WORK: Final = r"(?:novel|thriller|story|stories|book|play|film|movie|screenplay|script|musical|comic|fanfic|fiction|chapter|poem|song|sketch|drama|series|sitcom|essay|campaign|quest|video\s?game|board\s?game|role-?play|larp|sim(?:ulation)?|d&d)"
_FICTION: Final = re.compile(
    rf"[\s\"'(-]*(?:so\s+|and\s+|well\s+)?in\s+(?!my\s+book\b)(?:my|our|the|this|his|her|a|an)\s+(?:(?!(?:i|we|you|to)\s)[\w'&-]+\s+){{0,2}}?{_WORK}\b(?!\s+(?:account|money|deal|advance|royalt\w+))"
    rf"|[^.!?\n]{{0,40}}?\b(?:i'm|i\s+am|we're|we\s+are|i've\s+been|busy)\s+(?:\w+\s+)?(?:writing|reading|watching|playing|acting|staging|filming|drafting|rehearsing)\s+(?:[\w'-]+\s+){{0,3}}?{_WORK}\b"
    r"|[^.!?\n]{0,40}?\bthe\s+(?:hero(?:ine)?|protagonist|narrator|villain|main\s+character)\b"
    rf"|[\s\"'(-]*(?:my|our)\s+(?:daughter|son|kid|student|niece|nephew|grandson|granddaughter)'s\s+(?:\w+\s+)?(?:{_WORK}|homework|assignment|school\s+play)\b"
)
# Whole texts of another kind, by what only such a text says.
_GENRE: Final = re.compile(
    r"\bcongratulations\b[^.\n]{0,80}\b(?:you|winner|selected)\b|\byou(?:'ve|\s+have)?\s+(?:been\s+)?(?:selected|chosen|won)\b|\bclick\s+(?:here|below|the\s+link)|\b(?:claim|redeem)\s+your\b|\b(?:act|order|call|sign\s+up|apply|enrol+|subscribe|buy|book)\s+(?:now|today)\b(?!\s+and)|\blimited[\s-](?:time\s+)?offer|\btext\s+\w+\s+to\s+\d{4,6}|\bprocessing\s+fee\b|"
    r"\bwhile\s+you\s+sleep\b|\bour\s+(?:\w+\s+)?(?:bot|app|robot|algorithm|course|signals?|webinar|newsletter|software)\b|\bdeposit\s+\$?\d+\s+(?:today|now)\b|"
    r"\bguaranteed\s+(?:\d+\s?%|returns?|profits?)|\b(?:\d+\s?%|returns?|profits?)\s+guaranteed\b|\bunsubscribe\b|\bpromo\s+code\b|\bdm\s+(?:me|us)\b|\bfree\s+(?:trial|webinar|ebook|shipping)\b|\b(?:join|in)\s+(?:our|the)\s+(?:\w+\s+){0,2}(?:telegram|discord|whatsapp|vip)\b|\brespected\s+beneficiary|\b(?:our|the)\s+(?:fund|product|app|course)\s+(?:offers|delivers|helps)\s+(?:you|investors|clients)\b|"
    r"\b(?:we(?:'re|\s+are)\s+(?:now\s+)?(?:hiring|recruiting|looking\s+for\s+an?\s+\w+\s+(?:analyst|manager|engineer|associate))|job\s+(?:ad|posting|description|opening)|the\s+(?:successful|ideal)\s+candidate|you\s+will\s+(?:be\s+responsible|report|join|work\s+with)|competitive\s+salary|send\s+(?:your|a)\s+(?:cv|resume))\b|"
    r"\b(?:homework|exam|quiz|essay|assignment|coursework|problem\s+set|multiple[\s-]choice|true\s+or\s+false)\b|^[ \t]*(?:q(?:uestion)?\s?\d{1,2}\s?[:.)]|exercise\s+\d)|\bdiscuss\b[^.\n]{0,40}\b(?:reference|examples|merits)\b|\b(?:how\s+much|how\s+many|what)\s+(?:must|should|will|does)\s+(?:he|she|they|the\s+(?:man|woman|couple|firm|trader|investor))\b|"
    r"^[ \t]*(?:receipt|invoice|order|ticket|booking|tracking)\s*(?:no\.?|number|#)?\s*[:#]?\s*\d|\b(?:chapter|act|scene|verse|canto|episode|season)\s+(?:[ivx]{1,5}|\d{1,3}|one|two|three)\b\s*[:.\n-]|\bin\s+(?:chapter|act|scene|episode|season|verse)\s+\w+\b|^[ \t]*(?:wanted|for\s+sale|wtb|wts|iso|lost|found|swap|reminder\s+from|notice|memo\s+to|attention)\s*:|^[ \t]*(?:ode|elegy|ballad|hymn|sonnet|song|poem)\s+(?:to|of|for)\b|^[ \t]*(?:the\s+)?(?:manual|brochure|label|sign|poster|handbook|leaflet|textbook|legend|prophecy|horoscope)\s+(?:says|reads|states|explains)|\bonce\s+upon\s+a\s+time\b|^[ \t]*(?:abstract|synopsis|lyrics|haiku|recipe|ingredients|agenda|transcript|subject:\s+re)\b|"
    r"^[ \t]*(?:[\w']+\s+){0,2}minutes\s*(?:of\b|,|:|-)|\bresolved\s*[,:]?\s+that\b|"
    r"\b(?:clause|article|section|§)\s+\d+(?:\.\d+)?\s+of\s+the\b|\b(?:the\s+(?:parties|lessee|lessor|licensee|undersigned|trustees?\s+shall))\b|\bet\s+al\.|\bdoi:|\bpursuant\s+to\b",
    re.MULTILINE,
)
_FILLER: Final = r"[\s\"'(-]*(?:(?:so|and|but|well|ok|okay|lol|haha|btw|fyi|yesterday|today|apparently|anyway|honestly|look|yeah|um|uh|like|man|dude|bro|also|then|now|sometimes|last\s+(?:night|week|month|year)|at\s+(?:work|lunch|dinner|church|the\s+\w+)|every\s+(?:day|week|time)|meanwhile|funny|guess\s+what|breaking|update|rumou?r\s+has\s+it)[\s,:!-]+){0,3}"
_PERSON: Final = (
    r"(?:neighbou?rs?|friends?|budd(?:y|ies)|mates?|pals?|brothers?(?:[\s-]in[\s-]law)?|sisters?(?:[\s-]in[\s-]law)?|(?:father|mother|son|daughter)[\s-]in[\s-]law|in[\s-]laws|uncles?|aunt(?:ie|s)?|cousins?|nephews?|nieces?|colleagues?|co-?workers?|boss(?:es)?|manager|supervisor|room-?mates?|flat-?mates?|classmates?|landlord|tenant|"
    r"guys?|man|men|woman|women|lady|ladies|blokes?|lads?|fellow|gentleman|kid|stranger|barber|hairdresser|dentist|doctor|plumber|mechanic|driver|teacher|professor|lecturer|coach|trainer|priest|pastor|rabbi|mayor|senator|president|minister|lawyer|solicitor|"
    r"investors?|traders?|speculators?|analysts?|strategists?|economists?|experts?|pundits?|gurus?|influencers?|columnists?|reporters?|bankers?|brokers?|managers?|officials?|executives?|ceo|cfo|regulators?|buyers|sellers|shoppers|farmers|workers|students|pensioners|people|folks|celebrit(?:y|ies)|hero(?:ine)?|character|protagonist|narrator|villain|king|queen|prince|knight|wizard|dragon|goblin|paladin|captain|pirate|detective|"
    r"ex(?:[\s-](?:wife|husband|boyfriend|girlfriend))?|boyfriend|girlfriend|(?<=other\s)clients?|(?<=my\s)(?:office|workplace|block|street|gym|club|class))"
)
_PARENT: Final = r"(?:dad|mom|mum|father|mother|grandpa|grandma|grandfather|grandmother|granddad|gran|parents|grandparents|husband|wife|son|daughter|kids?)"
_GROUP: Final = r"(?:club|team|band|choir|school|college|university|committee|council|board|government|union|village|town|city|county|state|army|navy|league|federation|parish|museum|library|hospital|firm|company|start-?up|corporation|bank|fund|fed|treasury|court|senate|congress|parliament|ministry|department|police|squad|side|crew|class|guild|clan|tribe|company's\s+board|market|markets|index|ftse|dow|nasdaq|shares\s+of\s+\w+|housebuilders|chipmakers|retailers|miners|banks|stocks)"
_THIRD_VERB: Final = (
    r"(?:(?:also|just|really|always|never|still|recently|finally|now|already|once|keeps?|kept|would|will|may|might|should|must|shall|has|have|had|is|are|was|were|did|does|doesn't|don't|didn't|isn't|wants?)\s+){0,3}"
    r"(?:wants?|wanted|needs?|needed|says?|said|thinks?|thought|tells?|told|telling|talks?|talked|claims?|claimed|believes?|believed|swears?|swore|insists?|insisted|bragg?(?:s|ed|ing)|puts?|lost|loses|made|makes|making|sold|sells?|bought|buys?|trades?|traded|trading|is|are|was|were|has|had|have|does|did|"
    r"got|gets|went|goes|took|takes|gave|gives|kept|keeps?|plans?|planned|hopes?|hoped|tries|tried|likes?|loves?|hates?|hoards?|guards?|protects?|preserves?|beats?|won|wins?|rose|fell|slid|led|held|moved|rotated|gained|dropped|climbed|jumped|\w{3,12}ed|should|would|will|shall|must|can|could|may|might|never|expects?|prefers?|seeks?|aims?|sees?|forecasts?|predicts?|chas(?:e|es|ing)|looks?|eyes?|flock|lift|raise|cut|favou?r|advise|recommend|upgrade|downgrade|trim|expect|forecast|urge|warn|pile|rush|pour|flee|shun|brace|bets?|retires?|\w{3,12}ing)\b"
)
_THIRD: Final = re.compile(
    rf"{_FILLER}(?:(?:my|our|his|her|their|your|a|an|the|this|that|these|those|some|most|many|few|all|other|two|three|(?:one|half|most|some|all)\s+(?:of\s+)?(?:my|the|our))\s+(?:[a-z'-]{{2,15}}\s+){{0,2}}?)?(?P<who>{_PERSON}|(?<=the\s){_GROUP}|(?<=our\s){_GROUP}|(?<=a\s){_GROUP}|everyone|everybody|somebody|someone|nobody|anybody|anyone|others)"
    rf"(?:\s+(?:[a-z'-]{{2,15}}\s+){{0,3}}?|\s*,[^,.!?\n]{{1,40}},\s*|\s+(?:at|in|on|from|of|with|next|who)\s[^,.!?\n]{{1,40}}?\s)(?:{_THIRD_VERB})"
)
# "My barber's goal is to double his money."
_THIRD_AIM: Final = re.compile(
    rf"{_FILLER}(?:(?:my|our|his|her|their|your|a|an|the|this|that|one)\s+(?:[a-z'-]{{2,15}}\s+){{0,2}}?)(?:{_PERSON})(?:'s|s')\s+(?:[a-z'-]{{2,15}}\s+){{0,3}}?(?:goals?|aims?|plans?|dreams?|ideas?|strateg(?:y|ies)|wish(?:es)?|hopes?|portfolio|account|advice|objectives?|approach|theory|motto|philosophy|rule|bet|horizon|trick|secret|money|savings)\b"
)
# What a paper argues, and what a form or a policy says of the writer.
_PRINTED: Final = re.compile(
    r"\b(?:argues?|says|writes|notes|reports|finds|found|claims|according\s+to|reads)\s+(?:an?|the|one|this|that)\s+(?:[\w'-]+\s+){0,3}?(?:paper|study|report|article|survey|column\w*|analyst|strategist|economist|bank|book|blog|magazine|headline|newspaper)\b"
)
_FORM_SAYS: Final = re.compile(
    rf"{_FILLER}(?:(?:the|a|an|this|that|your|some|new|my|our)\s+){{0,2}}(?:[a-z-]{{2,12}}\s+)?(?:policy|system|rules?|message|profile|screen|form|report|letter|email|app|site|website|questionnaire|quiz|ads?|headline|manual|sign|label|software|computer|memo|note|paper|study|article|book|podcast|newsletter)\s+(?:says?|said|reads?|claims?|states?|tells?|told|thinks?|suggests?|recommends?)\b"
)
# A parent's past or opinion: "my dad wanted low risk his whole life".
# "Airline pilots trade shifts": many others act, and nothing of the investor's is among them.
_PLURAL: Final = re.compile(
    rf"{_FILLER}(?:(?:the|some|most|many|all|our|these)\s+)?(?:[a-z'-]{{3,15}}\s+)?(?!(?:losses|gains|stocks|shares|bonds|lots|positions|holdings|funds|savings|dividends|profits|returns|winners|losers|assets|trustees|taxes|options|etfs|equities|years|months|weeks|days|decades|always|perhaps|sometimes|thanks|yes|pls|please|its|his|this|ours|clients|beneficiaries|heirs|kids|parents|sales|dogs|names|needs|wants|goals|wishes|plans|payments|checks|coupons|its|less|unless|across|as|is|was|has|does|lets)\b)[a-z]{{3,15}}(?<!s)s\s+(?:trade|beat|hope|want|need|keep|hold|grow|protect|take|sell|buy|lose|gain|aim|prefer|preserve|harvest|say|think|believe|move|expect|guard|save|store|fear|love)\b(?!\s+(?:it|them|this|my|our)\b)"
)
_THIRD_PARENT: Final = re.compile(
    rf"{_FILLER}(?:(?:my|our|his|her|their|the)\s+(?:late\s+|own\s+|\w+\s+)?)?{_PARENT}\s+(?:always\s+|never\s+|once\s+|also\s+|only\s+)?(?:wanted|said|says|thinks?|thought|told|tells|lost|made|believed|swore|swears|insisted|used\s+to|did|put|kept|liked|loved|hated|traded|gambled|bet|tried|had\s+(?:a|an|his|her|their|some|all|most))\b"
)
_PRONOUN: Final = re.compile(
    rf"{_FILLER}(?:he|she|they|his|her|their|him|them|that's\s+(?:his|her|their)|what\s+an?|good\s+for|poor\s+(?:guy|man|thing|woman)|who\s+does)\b"
)
# "She wants growth, I want safety."
_CONTRASTED: Final = re.compile(
    rf"{_FILLER}(?:he|she|they)(?:'d)?\s+(?:\w+\s+)?(?:wants?|needs?|likes?|prefers?|would|is\s+after|thinks?)\b[^.!?\n]{{0,80}}?[.,;-]\s*(?:but\s+|while\s+|whereas\s+)?(?=(?:i'd|i\s+(?:\w+\s+)?(?:want|need|prefer|like|would))\b)"
)
_SUPPOSED: Final = re.compile(
    rf"{_FILLER}(?:(?:and\s+|but\s+)?if\s+(?:only\s+)?(?:i|we|you|one|he|she|they|somebody|someone|anybody|people)\s+(?:ever\s+)?(?:(?:were|was|weren't|wasn't)(?!\s+(?:to\s+(?:choose|pick|rank)|forced|asked))|won|hadn't|had(?!\s+to\s+(?:choose|pick|rank|say|decide))|inherited|could(?!\s+(?:also|just|please)))"
    r"|(?:let's\s+|let\s+us\s+)?(?:suppose|supposing|imagine|assume|assuming\s+(?:that\s+)?(?:an?|somebody|someone|one|you)|pretend|picture\s+(?:this|a))\b|hypothetical(?:ly)?\b|theoretically\b|in\s+theory\b|for\s+the\s+sake\s+of\s+argument|what\s+(?:if|would\s+happen)\b|in\s+(?:another|my\s+next|a\s+past)\s+life|in\s+my\s+dreams|i\s+(?:wish|dreamed|dreamt)\s+(?:i|we|that\s+i|about)\b|i\s+had\s+a\s+dream\b|let's\s+play\b|let's\s+say\s+(?:that\s+)?(?:an?|somebody|someone|one|you)\b|say\s+(?:somebody|someone|an?\s+\w+)\s+(?:wants|has|were))"
)
# Who says "your savings" addresses the reader: an advertisement, an employer, a bank.
_TO_READER: Final = re.compile(
    r"\byour\s+(?:\w+\s+)?(?:savings|retirement|money|portfolio|wealth|capital|nest\s+egg|investments?|taxes|gains|losses|returns|401k|ira|future|goals|dreams|principal|income|rent|card)\b|\byour\s+(?:\w+\s+)?account\s+(?:will|has|is|was)\b|\bunless\s+you\s+pay\b"
)
_ASKED_GENERALLY: Final = re.compile(
    rf"{_FILLER}(?:(?:should|would|could|can|do|does|did|may|must|will|has|have|is|are)\s+(?:anybody|anyone|somebody|someone|one|people|investors|everyone|a\s+person|it|there|this|that|these|they|he|she|the|an?)\b|would\s+that\s+be|(?:which|what|who|whose|how|why|where|when)\b|(?:do|did|have|are|were|would|can|could)\s+you\s+(?:ever|usually|normally|often|also|offer|always|really|generally|guys)\b|is\s+it\b|are\s+there\b|(?:explain|define|compare|describe)\b|(?:any|has\s+any)(?:one|body)\b|any\s+(?:tips|ideas|thoughts|advice)\b)"
)
# The investor speaks in this sentence after all.
_SELF: Final = re.compile(
    r"\b(?:i|i'm|i'd|i'll|i've|we|we're|we'd|we'll|we've|me|us|myself|please|let's)\b|\bmy\s+(?:money|account|portfolio|savings|investments?|funds?|own)\b|\bthis\s+account\b"
)
_TURN: Final = re.compile(
    r"[,;]?\s(?:but|and|so|while|whereas|though)\s(?=(?:i|i'm|i'd|i'll|we|we'd|we're|please|for\s+(?:me|us|my|mine|our)|my\s+(?:own|money|account|goal|aim|wish)|mine|ours?|let's|just|keep|don't|do\s+not|all\s+i|what\s+i|that's\s+(?:\w+\s+)?what\s+i)\b)|[,;-]\s(?=(?:i|i'd|i'm|we|please|as\s+for\s+me)\b)"
)
AGREES: Final = re.compile(
    r"\b(?:i\s+agree|agreed|let's\s+(?:do|go|try|follow)|please\s+do|do\s+(?:it|that|so)\b|sounds?\s+(?:good|right)|makes\s+sense|go\s+for\s+it|count\s+me\s+in|i(?:'d|\s+would)\s+like\s+that|(?:he|she|they)(?:'s|\s+is|'re|\s+are)\s+right|i\s+want\s+(?:that|it|to)|i'm\s+convinced|follow\s+(?:it|that|his|her|their)|see\s+to\s+it|so\s+(?:do|don't|dont)\b)"
)
_SENTENCE: Final = re.compile(r"(?<![0-9])[.](?=\s|$)|(?<=[0-9])[.](?=\s|$)|[!?\n]+|[.]{2,}|;\s")


def is_someone_elses(clause: str) -> bool:
    """Say whether a clause, up to a phrase in it, has another person as its subject: "investors want".

    Parameters
    ----------
    clause : str
        Lower-case text from the clause's beginning to the phrase.
    """
    return _THIRD.match(clause) is not None and _SELF.search(clause) is None


def not_the_investors(lower: str, cased: str, reported: Sequence[int] = ()) -> list[tuple[int, int, str]]:
    """Find what is not the investor's own, earnest statement, by its form.

    Parameters
    ----------
    lower, cased : str
        The text in lower case and as typed, of equal length.
    reported : sequence of int
        Where reported speech, already set aside, ends: "he" of the next sentence is who spoke.

    Returns
    -------
    list of (start, end, reason)
        Ascending, not overlapping.
    """
    if _GENRE.search(lower) and not _OWN_WISH.search(lower):
        return [(0, len(lower), "another kind of text")]
    found: list[tuple[int, int, str]] = []
    if sum(char.isupper() for char in cased) <= 0.6 * max(1, sum(char.isalpha() for char in cased)):
        found += [(m.start(), m.end(), "a report") for m in _DATELINE.finditer(cased)]
    headlines = [(m.start(), m.end()) for m in _HEADLINE.finditer(lower) if not _SELF.search(m.group())]
    found += [(s, e, "a report") for s, e in headlines if not any(o[0] < e and s < o[1] for o in found)]
    agrees = AGREES.search(lower) is not None
    if not agrees:
        named = [(m.start(), m.end()) for m in _NAME_SAYS.finditer(cased)]
        found += [
            (s, e, "someone else's words") for s, e in named if not any(o[0] < e and s < o[1] for o in found)
        ]
    taken = [(start, end) for start, end, _ in found]
    follows = False
    for start, end in _sentences(lower):
        if any(s < end and start < e for s, e in taken):
            continue
        follows |= any(0 <= start - last <= _AFTER_STOP for last in reported)
        verdict = _judge(lower, start, end, follows)
        follows = verdict is not None and verdict[1] == "someone else's wish"
        if verdict is not None and not (agrees and follows):
            found.append((start, *verdict))
    return sorted(found)


# Another kind of text may still hold a wish: then its sentences are judged one by one.
_OWN_WISH: Final = re.compile(
    r"\b(?:i|we)(?:'d|'m|'re)?\s+(?:\w+\s+){0,2}?(?:want|need|would\s+like|like|prefer|wish|hope|hoping|trying|saving|looking)\b|\b(?:my|our)\s+(?:\w+\s+)?(?:goal|aim|objective|priority|money|savings|account|portfolio)\b|\bplease\s+(?:keep|grow|sell|don't|do\s+not|exclude|invest|take|protect|preserve|harvest|send)\b"
)


_AFTER_STOP: Final = 3  # a full stop and a blank
_HOW: Final = re.compile(rf"{_FILLER}(?:how|why|which|what)\s+(?:would|do|could|can|are|is)\s+you\b")


def _judge(lower: str, start: int, end: int, follows: bool) -> tuple[int, str] | None:
    """Say up to where a sentence is not the investor's, and why; None if it is."""
    sentence = lower[start:end]
    if _SUPPOSED.match(sentence):
        return end, "a supposition"
    fiction = _FICTION.match(sentence)
    if fiction is not None:
        turn = _TURN.search(sentence, fiction.end())
        return (start + turn.start() if turn else end), "fiction"
    if (
        lower[end : end + 1] == "?"
        and _ASKED_GENERALLY.match(sentence)
        and (_HOW.match(sentence) or not _ASKS_ADVISER.search(sentence))
    ):
        return end, "a question"
    if _PRINTED.search(sentence) or _FORM_SAYS.match(sentence):
        turn = _TURN.search(sentence)
        return (start + turn.start() if turn else end), "a report"
    if _ASSIGNMENT.search(sentence):
        return end, "a task"
    if _WANTS_TO_KNOW.match(sentence):
        return end, "a question"
    if _TO_READER.search(sentence) and not _SELF.search(sentence):
        return end, "addressed to the reader"
    contrast = _CONTRASTED.match(lower[start : end + 24])
    if contrast is not None:
        return min(start + contrast.end(), end), "someone else's words"
    third = (
        _THIRD.match(sentence)
        or _THIRD_AIM.match(sentence)
        or _THIRD_PARENT.match(sentence)
        or _PLURAL.match(sentence)
    )
    if third is None and not (follows and _PRONOUN.match(sentence)):
        return None
    at = third.end() if third else 0
    turn = _TURN.search(sentence, at)
    if turn is not None:
        return start + turn.start(), "someone else's wish"
    if third is not None and _SPEECH.search(third.group()):
        return end, "someone else's wish"
    # "Everyone in this sub says VOO and chill so that's what I'm asking for": he takes part in it.
    return None if _SELF.search(sentence, at) else (end, "someone else's wish")


_SPEECH: Final = re.compile(
    r"\b(?:says?|said|thinks?|thought|tells?|told|telling|claims?|claimed|believes?|believed|swears?|swore|insists?|insisted|bragg?(?:s|ed))\b"
)
# Texts to be written, whoever writes them: "I need 500 words about why investors should avoid tobacco".
_PIECE: Final = r"(?:article|essay|blog(?:\s*post)?|post|speech|talk|lecture|presentation|slides?|slide\s+deck|paper|column|piece|thesis|dissertation|podcast|episode|video|tweet|thread|newsletter|script|op-ed|toast|lesson|workshop|seminar|quiz|headlines?|slogans?|taglines?|brochure|(?:ad|marketing|web)\s+copy|leaflet|flyer|poster|press\s+release|white\s?paper|case\s+study|sermon|debate)"
_ASSIGNMENT: Final = re.compile(
    rf"\b(?:writ(?:e|ing)|draft(?:ing)?|prepar(?:e|ing)|giv(?:e|ing)|edit(?:ing)?|proofread(?:ing)?|publish(?:ing)?|record(?:ing)?|present(?:ing)?|deliver(?:ing)?|finish(?:ing)?|need|do(?:ing)?|mak(?:e|ing)|design(?:ing)?|host(?:ing)?|teach(?:ing)?|run(?:ning)?|organi[sz](?:e|ing)|attend(?:ing)?|us|me)\s+(?:[\w'-]+\s+){{0,3}}?(?:\d[\d,]*\s+words|(?:an?|my|the|some|this|our|ten|five|three)\s+(?:[\w'-]+\s+){{0,3}}?{_PIECE})\b[^.!?\n]{{0,40}}?(?:\b(?:about|on|why|how|called|titled|explaining|arguing|entitled|saying)\b|:)"
)
_WANTS_TO_KNOW: Final = re.compile(
    rf"{_FILLER}(?:(?:can|could|would|will)\s+you\s+)?(?:please\s+)?(?:(?:tell|teach|show)\s+me\s+(?:more\s+)?(?:about|what|how|why)|explain|define|describe|(?:i'm|i\s+am)\s+(?:just\s+)?(?:curious|wondering)|just\s+curious|curious\s+(?:about|how|whether))\b"
)
_ASKS_ADVISER: Final = re.compile(
    r"\b(?:can|could|would|will)\s+you\b|\bplease\b|\bi\s+(?:want|need|would\s+like)\b|\bi'd\b"
)


def code_lines(lower: str) -> list[tuple[int, int]]:
    """Find lines of code, logs and commands, with what is indented or commented beside them.

    Parameters
    ----------
    lower : str
        The text in lower case, before braces are taken for templates.

    Returns
    -------
    list of (start, end)
        Whole lines, ascending.
    """
    lines = [(m.start(), m.end()) for m in re.finditer(r"[^\n]+", lower)]
    is_code = [
        _MARKED_UP.search(lower, start, end) is None and _CODE_LINE.match(lower, start, end) is not None
        for start, end in lines
    ]
    if not any(is_code):
        return []
    for order in (range(1, len(lines)), range(len(lines) - 2, -1, -1)):
        step = -1 if order.step > 0 else 1
        for i in order:
            is_code[i] |= is_code[i + step] and _CODE_BESIDE.match(lower, *lines[i]) is not None
    return [line for line, hit in zip(lines, is_code, strict=True) if hit]


def _sentences(lower: str) -> list[tuple[int, int]]:
    edges = [0]
    for match in _SENTENCE.finditer(lower):
        edges += [match.start(), match.end()]
    edges.append(len(lower))
    return [(s, e) for s, e in zip(edges[::2], edges[1::2], strict=True) if lower[s:e].strip(" \n\x01")]
