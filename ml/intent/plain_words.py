"""Words of any English text, and words that money has: they tell nothing of another walk of life.

What belongs here: the two lists. What does not: how foreign words are weighed (``evidence.py``).
Tools, animals, sports, dishes, machines and places are left out on purpose: they are what a text may be
about instead of money.
"""

# ruff: noqa: E501 - words flow to the line's end

from typing import Final

# Words of any English text: they tell nothing about its subject.
PLAIN_WORDS: Final = frozenset(
    """a an the this that these those it its it's he him his she her hers they them their theirs we us our ours i me my mine you your yours
    who whom whose which what when where why how whether if then else than as at by for from in into of off on onto out over per to toward towards
    under until till up upon via with within without about above across after against along among around before behind below beneath beside
    besides between beyond despite down during except inside near outside past since through throughout and or but nor so yet because while
    although though however also too very really quite just only even still already again always never ever often sometimes maybe perhaps
    is are was were be been being am do does did done doing have has had having will would shall should can could may might must ought
    i'm i'd i'll i've we're we'd we'll we've you're don't dont doesn't didn't won't wouldn't can't cannot isn't aren't wasn't that's there's let's
    not no yes none nothing something anything everything all any some each every both either neither other others another such same own few
    many much more most less least several enough lot lots bit little big small large good bad better best worse worst great fine ok okay well
    new old young first second third last next one two three four five six seven eight nine ten eleven twelve fifteen twenty thirty forty fifty
    hundred thousand million dozen half quarter whole part rest time times day days daily week weeks weekly month months monthly year years
    yearly annual annually today tomorrow yesterday now soon later early late ago once twice january february march april may june july august
    september october november december spring summer autumn fall winter monday tuesday wednesday thursday friday
    get gets got getting go goes going gone come comes came make makes made making take takes took taken give gives given want wants wanted need
    needs needed like likes love hate wish wishes hope hoping plan plans planning prefer try trying keep keeps kept keeping let stay leave left
    put set say says think know see look looking use used using work works help please pls plz thanks thank hi hello hey dear sir team sorry
    here there back away ahead together alone thing things way ways stuff people person everyone anyone someone nobody kind sort goal goals aim
    idea point matter matters important main mainly mostly most simple simply careful carefully patient patience slow slowly steady steadily fast
    quick quickly high higher highest low lower lowest medium moderate strong safe safely safety secure security sure certain possible available eligible dial fail fails failed free easy
    hard able willing happy ready comfortable nervous worried afraid sleep night nights age aged old retired retiree retirees life lifetime live
    living wife husband partner spouse kid kids child children son daughter daughters family grandkids grandchildren parents mother father future
    generation heirs home house job start started end ends begin beginning continue stop wait hold holds held long longer short shorter term
    run haul horizon mind minded okay cool man guys basically honestly decade decades centuries above all total totally percent
    max maximum min minimum eleven thirteen fourteen sixteen seventeen eighteen nineteen sixty seventy eighty ninety fifth tenth birthday christmas thanksgiving halloween
    easter quarters season anniversary sometime anyway otherwise ideally plenty average middle choose suppose guess yeah thats whats cant wont im ive gonna wanna lets cuz coz yrs yr
    mos jst tops read watch watching see seeing saw seen hear said saying told tell ask asked add becomes become became chance event happen happens happened care cares rich richer wealthy
    double doubled triple tripled piece pieces sum amount amounts remainder anxious scared afraid worry hate insane catastrophe disaster drama surprise surprises surprised excitement appetite
    stomach nature step allowed must handle handled chosen financially freedom independence believe believer feel feeling feels bother bothers reach reaches reaching turn turned turns
    run runs running ride move moves moving change changes changed open close closed begin began call called pay pays paid bring brings spend spending add adds build builds building built
    grow cover covers suit suits count counts show shows follow follows lead leads send receive cost costs afford afforded earn earns earning owner owners own owns owned retire single married
    divorced widow widower newlyweds inherited exposure industry industries company companies business fund limits limit off entirely whatsoever appreciation quarter halfway
    mony evry swng acct advisor adviser accountant suggest suggested recommend recommended agree agreed college school university semester payable uncle sam teh distant dec jan feb mar apr aug sept sep oct nov
    recent crave craves despise despises foresee detest adore anticipate loathe ensure ensures ensured boy boys girl girls navy army tolerate tolerates tolerated deep deeper ourselves yourself himself herself themselves argued argue wrecked rekt everybody original effective outpace outpacing room scope space slack rank ranks ranked disagree likewise everyday usual normal regular general particular especially instead rather almost nearly roughly approximately least worth""".split()
)
MONEY_WORDS: Final = frozenset(
    """money cash savings account accounts portfolio portfolios capital wealth funds fund principal assets asset balance holdings holding position
    positions stock stocks share shares bond bonds etf etfs equity equities security index invest invests invested investing investment
    investments investor brokerage broker ira roth 401k retirement retire tax taxes taxable taxed deduction deductions irs income dividend
    dividends profit profits profitable return returns gain gains loss losses losers winners lot lots trade trades trader trading benchmark market
    markets s&p nasdaq dow spy qqq vti voo msci world acwi eafe ftse stoxx dax nikkei wilshire russell fluctuation fluctuations alpha outperform outperformance volatility volatile risk risks risky diversify diversified rebalance
    turnover proceeds bonus rsu rsus remainder withdrawable liquid interest payout payouts debt chips dime cent cents buck money-market loan crash deduct deductible rebuy longterm shortterm opportunistic hedge hedged momentum tactical
    owes owe settlement foundation trust estate donation charity esg crypto bitcoin gold dollar dollars bucks grand tuition endowment inheritance egg nest pension mortgage deposit withdraw withdrawal
    harvest harvesting tlh wash realise realize realised realized stcg ltcg bracket rate rates expense expenses payment
    appreciate appreciation compound compounding growth grow grows growing swing swings drawdown drawdowns scalp scalping liquidity liquid
    monetise monetize monetised monetized levered unlevered beta memo attendees review reviewed unchanged entry entries tolerance tolerances budget budgets sleeve satellite mandate tactical strategic fiscal partnership vest vested vesting unvested espp grant grants aum nav distribution distributions indexing biotech
    conservative aggressive speculative exclude excluding exclusion avoid avoiding sector sectors client clients reits reit options preserve
    preservation protect protected protecting protection maximise maximize minimise minimize offset sell selling sold buy buying""".split()
)
# Politeness, work, family and home, feelings, degrees and order.
COMMON_WORDS: Final = frozenset(
    """grateful gratefully oblige obliged kindly regards regard sincerely faithfully forward confirm confirmed note noted notes further letter letters meeting met discussed discuss discussion
    attached enclosed mate mates cheers ta sirs madam mr mrs ms miss dr message email mail phone called request requested requests question questions answer regarding concerning concerns
    concern instruction instructions arrange arranged arrangement arrangements prepare prepared remit remitted proceed attention appreciate appreciated subject reference re asap fyi tbh imo lol
    property properties cottage flat condo apartment estate land figure figures statement statements fee fees bill bills mortgage lease rental rentals rent renting salary wage wages payroll
    clinic practice shop store firm boss career profession professional nurse nurses teacher teachers engineer engineers doctor doctors lawyer lawyers attorney driver farmer farm builder plumber electrician
    consultant manager clerk soldier officer pilot carpenter mechanic firefighter policeman postman baker chef waiter waitress secretary accountant accountants bookkeeper dentist surgeon vet pharmacist
    professor student students retired freelancer freelance contractor self-employed employed employer employee employees employment working works worked laid shift shifts overtime unemployed military veteran
    stick sticks stuck climb climbs climbing backwards backward forwards fussed chunky tidy decent handsome sizeable sizable modest adventurous sensible brave bold timid cautious prudent reasonable
    chief primary secondary objective objectives purpose purposes intention intentions intend intends intended preference preferences require requires required requirement requirements instruct
    smaller bigger larger fatter greater lesser fewer shorter taller deeper wider stronger weaker cheaper dearer faster slower earlier latest sooner
    fact facts truth true false case cases reason reasons example instance detail details summary conclusion list item items rule rules exception exceptions condition conditions proviso caveat caveats
    extra spare additional remaining remain remains remained left leftover cushion buffer backup fallback safeguard
    pedal floor ceiling road path track line lines bottom top side sides edge edges corner front end ends half halves halving halved third fourth fifth fraction portion
    harm hurt hurts damage damaged trouble troubles problem problems mistake mistakes error wrong right rights fault blame
    cut cuts hit hits blow blows knock shock shocks storm storms rough bumpy smooth calm quiet loud noise wild crazy mad silly stupid idiot smart clever wise dumb
    sick illness ill health healthy hospital surgery operation treatment medical insurance insured premium premiums copay deductible subsidy medicaid medicare social benefits disability
    wedding marriage marry marrying married divorce divorcing settlement funeral birth born pregnant adoption adopting baby babies toddler twins teenager teen grown grownup adult adults elderly senior seniors
    uncle aunt nephew niece cousin brother sister siblings grandma grandpa grandmother grandfather granny granddaughter grandson stepson stepdaughter godson fiance fiancee girlfriend boyfriend relatives household families
    died dies death dead passed late funeral will wills heir inherit inherits inheriting bequest legacy probate executor trustee trustees beneficiary
    deposit deposits deposited transfer transfers transferred wire wired check checks cheque paycheck paychecks card credit loan loans lend borrow borrowed borrowing debts interest-free installment installments
    renovation renovate renovating remodel remodeling repair repairs repairing fix fixed fixing replace replaced replacing furnace boiler roof kitchen bathroom basement deck porch garage windows driveway heating plumbing
    car cars truck van ute vehicle transmission braces orthodontist dental dentures glasses hearing camp hockey uniform lessons fees schooling preschool kindergarten nursery graduate graduation degree masters
    trip trips travel travelling traveling vacation holiday cruise flight honeymoon sabbatical visa moving relocation relocate immigration abroad overseas
    bakery restaurant cafe salon gym studio franchise startup venture partnership partner partners buyout clients customers customer supplier suppliers invoice invoices
    church mosque temple synagogue faith religious religion grounds values ethics ethical conscience quaker catholic christian muslim jewish hindu buddhist vegan vegetarian
    oppose opposed object against support supports supporting allow allows allowed permitted forbidden ban bans banned restrict restricted restriction policy policies compliance
    settle settled satisfied content pleased glad delighted enjoy enjoyed upset angry sad tired bored boring exciting excited thrilled terrified dread dreading fear fears fearful anxious anxiety stress stressed stressful
    lesson lessons learned learnt burn burned burnt scar scars remember remembers forget forgot forgotten promise promised promises swear understand understands understood explain explained mean means meant
    anywhere everywhere nowhere somewhere elsewhere wherever whenever whatever whichever whoever however hence therefore thus likewise meanwhile afterwards afterward beforehand thereafter until within
    forever eternal permanent temporary brief briefly shortly gradually eventually finally lastly firstly secondly thirdly initially originally currently presently previously formerly
    per cent fortnight fortnights decade midnight noon morning afternoon evening weekend weekends weekday century era season moment minute minutes hour hours second seconds
    number numbers count counted counting measure measured measures measuring compare compared comparing comparison yardstick versus vs equal equally double triple
    big huge massive giant tiny enormous substantial considerable significant slight slightly barely hardly scarcely nearly extremely incredibly super ultra pretty fairly rather somewhat
    whole entire complete completely perfect perfectly exact exactly precise precisely absolute absolutely definite definitely certainly surely probably likely unlikely perhaps
    drop drops dropped dropping fall falls fell fallen rise rises rose rising climb lift lifts lifted slide slides slid sink sinks sank plunge plunged tank tanked crash crashed crashes dip dips dipped bounce bounced
    shrink shrinks shrank shrunk swell expand expands expanded contract contracts evaporate evaporated vanish vanished disappear disappeared wiped wipe
    winning winnings win wins won lost lose loser beat beats beaten lead leads led ahead behind middle race
    bet bets betting gamble gambles gambling gambled gambler risked risking chance chances odds luck lucky unlucky fortune
    quid buck bucks pound pounds euro euros penny pennies cents coin coins cash note notes
    tell tells telling asked asking asks heard hears listen listens speak speaks spoke talk talks talked talking write writes wrote written reading signed sign signature named name names
    bring brought carry carried hand hands handed pass passes passing pull pulls pulled push pushed drag draw draws drew drawn throw throws threw catch catches caught pick picks picked picking choose
    walk walked stand stands stood sit sits sat sitting lie lies lay laid rest rests resting sleep sleeps slept wake wakes woke
    finish finished finishes complete completes completed achieve achieved accomplish reach arrived arrive arrives leave leaves
    capable able unable fit fits suitable suits proper properly correct correctly accurate
    account's market's wife's husband's mom mum dad mommy daddy mom's dad's kid's son's daughter's mother's father's parents'
    obvious obviously clear clearly plain plainly frank frankly honest personally realistic realistically
    due dues payable owed owing outstanding overdue estimated estimate estimates estimateds quarterly monthly weekly yearly biweekly
    lunch dinner breakfast coffee tea food meal meals grocery groceries utilities electricity water gas bill
    newspaper news television radio internet website online app screen page button
    country state states city town village street neighborhood neighbourhood neighbor neighbour neighbors neighbours community
    american british english australian canadian indian irish scottish german french mexican chinese russian
    yo dude bro man guys folks y'all ya yep yup nah nope okie um uh uhh erm hmm oh ah ha haha
    memo voice siri alexa comma period recording dictation
    lump windfall nestegg payout severance buyback escrow closing closes
    middling average medium moderately balanced neutral
    steady-as-she-goes hands-off
    hurry rush rushing urgent urgently patient patience waiting delay delayed
    protects guards guard guarded guarding shelter sheltered shield shielded
    suppose supposed supposing assume assumed guess guessed guessing bet
    stomach nerves nerve heart gut guts head brain mind minds soul
    fill enough ample sufficient insufficient lacking lack lacks short
    sensibly quietly silently loudly nicely kindly
    pleasure welcome welcomes welcomed bonus perk perks
    hectic busy lazy idle asleep awake
    rebuild rebuilding rebuilt recover recovers recovered recovering recovery replaceable irreplaceable
    worthwhile worthless precious valuable priceless""".split()
)
