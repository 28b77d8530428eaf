"""Cues of the paraphrase grammar: short wordings that lean towards one objective.

What belongs here: cues, one a line's item, joined by ``|``. What does not: whole templates
(``paraphrase_templates.py``, ``paraphrase_registers.py``), which join two or three cues to a text.
"""

# ruff: noqa: E501 - one register a line

from typing import Final

CUES: Final[dict[str, str]] = {
    "short_term_alpha": (
        "fade overreactions|cover in a day or two|hop from one stock to the next|tight stops|quick hands|market neutral|pairs|mean reversion|momentum names|outguess the crowd|score me against <index>|relative return|an active hand|stay nimble|"
        "swing for days|breakouts|intraday|overnight holds|a few sessions|week to week|finish each month above <index>|outpace <index>|better than passive|tracking error is welcome|buy the dip, sell the rip|don't sit on stocks|nothing held long|"
        "as the news comes|react to headlines|in monday out friday|trade it hard|beat <index>|ahead of <index>|more than the benchmark|edge over <index>|excess return|short holding periods|rotate quickly|event driven|catalyst trades|no buy and hold|"
        "exploit mispricings|high turnover|information ratio|weekly alpha|gap to <index>|intraweek|play the gaps|out before the weekend|keep it moving|in front of <index>|swing around data days|rapid fire|in by lunch, out by thursday|out-trade <index>|"
        "over short stretches|a passive tracker is the competition|ten-day window|short squeezes|follow the flow|ride the tape|technical setups|trade the range|scalp a few ticks|hit and run|stay one step ahead of <index>|leave <index> in the dust|"
        "win the week|win the month against <index>|rebalance daily|never hold over earnings|trade around the fed|sector rotation weekly|chase relative strength|arbitrage|spread trades|quant signals|trade like a prop desk|close everything by friday|"
        "lap the index|outrun <index>|i day trade|swing trade|active trading|trade often|trade more, beat more|measured against <index> each week"
    ),
    "short_term_gain": (
        "make what you can|then i take it out|then sell|clear a thousand bucks|hopefully richer|in now, out in ten weeks|while the going is good|before it turns|this rally won't last|bank the difference|a short stay|then i'll spend it|flip it|double by summer|"
        "cash out near the top|strike while the iron is hot|sell at the peak|take what the market gives|a winner i can sell|sell the ones that have doubled|realise the profits|cash in|book gains|take the money and run|profit this quarter|short trade|quick win|"
        "i'm not here long|by <soonish>|<soonish>|four months|in ten weeks|before the baby comes|then done|a bit of profit|more by new year|get out ahead|sell high soon|roll the dice for six months|if it pops, sell|harvest the gains|lock in the run|"
        "get a return by halloween|up a few thousand by the end of the semester|unload what has popped|hand me the profit|cash those gains in|a nice little earner|a four-month fling|leave with more than i brought|it tripled, sell it|sell it at this high price|"
        "keep the gain|quick dough|bail before september|a fast turn|a tidy sum in a hurry|make it pay by christmas|one good trade|a short-lived play|ride this wave and hop off|skim the top|take some winnings|sell into the hype|milk the boom|"
        "a summer trade|a holiday fund from profits|turn 10k into 12k|turn a profit|squeeze out a gain|ten percent and out|small profit, soon|pocket money by june|get paid quickly|a near-term payoff|sell on the bounce|profit and goodbye|cash me out up|"
        "don't get greedy, sell the winners|sell my winners|take profits now|profits before they vanish|short term profit|short-term gain"
    ),
    "long_term_gain": (
        "think generations, not quarters|the biggest balance in 2050|no fiddling|thirty years|equities|my sixties|a quarter century|compound it|i'm 31|i'm 24|let it multiply|retire with a million|snowball|year after year|time in the market|reinvest everything|"
        "never look at it|hold through everything|build wealth|a legacy|financial independence|fire in my forties|more and more over time|the upside|go for the upside|i've got time|loads of time|time is on my side|decades|won't spend a dime of it until i'm old|"
        "my grandkids will thank me|nineteen years from now|it's a roth|stocks only|all in on growth|the long game|bigger later|no hurry|nest egg|appreciate|for the baby when she's grown|a larger pile at the end|it should become something|want it up not down|"
        "till i quit working|worth multiples when i'm sixty|as much as possible by adulthood|on behalf of a six-year-old|load up on growth|check back in the 2040s|autopilot for a few decades|a patient man|increase my wealth|take as many years as you need|"
        "horizon is measured in decades|real value should rise|25 years before i need it|maximize|long runway|build equity value|salary covers us|future me|my future self|old age|retirement pot|a fortune eventually|grow slowly and surely|grow like a tree|"
        "plant it and wait|an oak from an acorn|the magic of compounding|hold for life|buy and never sell|for the next generation|a college fund for a newborn|pension money|for when we're grey|decades of earnings growth|own great businesses|ride out the cycles|"
        "long term growth|growth|steady growth|grow it|capital appreciation|bigger in ten years|bigger in twenty years|double it a few times over the decades|increase over the years|accumulate|keep adding and let it build|far horizon|far-off goal"
    ),
    "capital_preservation": (
        "needs to last|took us a lifetime|be gentle with it|has to carry me|all still there|gains are a bonus|nothing clever|treasury bills|t-bills and sleep|a quiet life|boring|no nasty surprises|content with inflation|leave the capital alone|"
        "a trickle of dividends|don't want to see red|a cushion|rainy day money|emergency money|i'm a widow|life insurance paid out|fixed income|capital guaranteed|keep what i've got|can't go back to work|forty years of early mornings|do not gamble with it|"
        "don't let it slide|we live on the income|spit out grocery money|without shrinking|every month|still here when i need it|hold steady|low drama|calm|protect it|safe hands|not a cent less|what i have is enough|make it last|it must not go wrong|defensive|"
        "no risk please|sleep at night|stable value|money market|like my mother's china|ruined by a loss|stay out of trouble|i've won the game|no need to keep playing|hold what i have|the number today is the number i want to see next year|"
        "give or take nothing|payments i can rely on|no heart attacks|low and slow|mostly cash and bonds|guard the downside|avoid losses first|if it yields something, lovely|must never be endangered|preserve it|shelter from storms|a safe harbour|a fortress|"
        "wrap it in cotton wool|handle with care|no adventures|nothing that can blow up|no bets|i can't start over|not one step back|don't lose it|don't lose a penny|it's all i have|all we've got|keep it safe|keep it somewhere safe|keep its value|"
        "hold its worth|ladder of bonds|coupons|interest to live on|a paycheck from it|income first|a pension substitute|cover my rent from dividends|stability above all|safety|security|peace of mind|protect the principal|a big loss would be a catastrophe|"
        "i'm 78|i'm 81|at our age|recovering from losses is not an option|as safe as a bank|boring is beautiful|no volatility"
    ),
    "tax_loss_harvesting": (
        "prune the losers|what can be sold at a loss should be|i owe a lot in april|three grand in losses|swap it for a twin and book the deduction|cancel out gains|a smaller tax bill|realised losses|tax-aware selling|positions that are down|"
        "losses are worth gold to us right now|bank every paper loss|uncle sam|loss carryforwards|dig for losses|to blunt the tax|write it off|below cost|offset the gain|harvest|capital losses|windfall this year|sold the practice|sold the patent|"
        "big gain to shelter|tax deduction|schedule d|keep banking losses|carry them forward|sell the dogs|use the losses|tax alpha from losses|comb the account for tax losses|sell whatever's negative|rebuy something like it|i need the tax break|"
        "find offsets|realize losses up to the limit|losers should be harvested|turn bad bets into deductions|using losing positions|something to deduct|red ink for the return|make lemonade from the losers|let the losers earn their keep at tax time|"
        "sell low on purpose|loss selling|swap funds when they dip|substitute funds|net against my bonus|net against the house sale|wipe out the gain|erase the gain|sell what's down before december|capture losses in dips|tax loss swaps|"
        "give the accountant some losses|lower my taxes by selling losers|losses against gains|take the write-off|claim the loss|use up the duds|harvest as things drop|harvest all year|tlh"
    ),
    "long_term_gains_only": (
        "wait for it|the irs gets 20 percent, not 37|till the year is up|at least until the year is up|while it would still be taxed as income|no short-dated gains|366 days minimum|never sell inside a year|only what qualifies for the 15 or 20 percent rate|"
        "under a year it stays|long term treatment on all sales|i'd sooner wait than pay short-term tax|patience until each share qualifies|age everything thirteen months|not taxed as ordinary income|past the anniversary|the lower rate only|"
        "hold winners a year|let nothing go too early|my bracket is 37 percent|before it goes long-term|whatever the stock does|over twelve months|short-term tax is out|one year and a day|twelve months and a day, then you may sell|i mind paying 35% on it|"
        "one year minimum|every gain should be a long-term one|sit on new purchases until they age|the lower tax bracket|check each lot's date|under 365 days is untouchable|if a trade creates a short-term gain, skip it|the taxman gets the long-term rate|"
        "no realized gains on anything held less than a year|nothing younger than a year|seasoned lots only|old lots only|sell the oldest lots|let the lots ripen|holding period first|mind the holding period|long-term rate or no sale|no sale before the year mark|"
        "no stcg|ltcg only|short-term gains are forbidden|never a short-term gain|not at ordinary rates|wait out the clock|the one-year clock|until the clock runs out|no gain before month thirteen"
    ),
    "none": (
        "hello again|thanks for the letter|please call me|the weather is awful|my phone died|see attached|what a year|the dog is fine|we moved house|i was reading the news|markets are strange|is anyone there|my password is lost|let me know|no changes|"
        "same as before|i will think about it|ask my wife|it depends|not sure yet|nice office|happy birthday|we are all busy|memory loss|hormone levels|daily walks|in the long run we are all dead|he who hesitates is lost|old sayings|"
        "buy two get one free|sale ends sunday|the museum|the museum's collection|the choir|the goalkeeper|lemons in salt|my skin|gain weight|lose sleep|lose my keys|beat the champions|the season|the story|cooking|chess|the lawn|school|the bus|"
        "save the date|lost my luggage|keep my seat|the recipe needs salt|growth targets at work|loss reports at work|the tide|the castle|the moat|a bird in the hand|long-term forecast|rain all week|the record time|my personal best|run every week|"
        "player two|win by turn ten|the wetlands|the reef|our union|the village|a new knee|the cat gained weight|hold the line please|keep your receipt|protect the goal|preserve the jam|save the whales|grow tomatoes|harvest the apples|"
        "book a table for four|keep it cheap, around $200|order a cake for saturday|reserve two seats|an appointment on tuesday|deliver it by noon|pick up the kids at five|fix the printer|rent a van for the day|leave those two out|take that one off the list|please have it there|have it ready|that's all|nothing else|many thanks|talk soon|buy buy buy|sell sell sell|moon moon moon|lol|whatever|blah|test test"
    ),
}
CUE_TEMPLATES: Final[tuple[str, ...]] = (
    "{0}, {0}",
    "[i want|please|we want|my wish:|just|] {0}[.| and| -|,] {0}",
    "<about> [and|.|,] {0}, {0}",
    "{0}",
    "{0}, [that's the plan|please|thank you|you know|ok|simple as that]",
    "[<want> that|i mean|basically|well], {0}. {0}. {0}",
)
