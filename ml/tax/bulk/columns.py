"""Names of the columns of the engine's integer tables, and the codes in them."""

from pathlib import Path
from typing import Final

from ml.compiled import PackageCompiler, source_hash

COMPILER: Final = PackageCompiler(source_hash(Path(__file__).parent))

# events of one stream (a household's rows of one security), in order of time; a table of the stream alone
E_KIND, E_DAY, E_HOLDING, E_QUANTITY = range(4)
E_PRICE, E_AMOUNT, E_FEES, E_FLAGS, E_ORDER, E_KEY, E_REFERENCE = range(4, 11)
# sub-lots that came of a purchase, the purchase that a fill joined, a later fill of a sale, average basis denied
E_SUBS, E_JOINED, E_DONE, E_ODD = range(11, 15)
EVENT_COLUMNS: Final = 15
BUY, REINVESTMENT, SELL, DIVIDEND, SPLIT, OTHER = range(6)
# a split carries its ratio's numerator in E_PRICE and its denominator in E_AMOUNT
HAS_AMOUNT, HAS_PRICE, HAS_RATIO, REMOVES = 1, 2, 4, 8

# accounts
A_METHOD, A_DEFERRED, A_EMPLOYER, A_USER, A_HOUSEHOLD = range(5)
FIFO, LIFO, HIFO, AVERAGE = range(4)

# holdings: one account's lots of one asset, a linked list in order of acquisition
H_ACCOUNT, H_ASSET, H_FUND, H_DIGITAL, H_HEAD, H_TAIL, H_QUANTITY, H_TACKED = range(8)
H_ENTRY, H_ENTRIES, H_OTHER, H_METHOD, H_DEFERRED, H_EMPLOYER, H_USER = range(8, 15)
HOLDING_COLUMNS: Final = 15

# assets
X_SECURITY, X_FUND, X_DIGITAL = range(3)

# the stream's state: recent purchases, losses that wait, shares sold, how many rows of its tables are in use
S_FIRST, S_LAST, S_WAIT_FIRST, S_WAIT_LAST, S_QUANTITY, S_SPLIT_DAY = range(6)
S_CLOSED_KEY, S_CLOSED_DAY, S_CLOSED_OTHER_DAY = range(6, 9)
C_LOTS, C_PIECES, C_ENTRIES = range(9, 12)
STATE_COLUMNS: Final = 12

L_SOURCE, L_SUB, L_HOLDING, L_QUANTITY, L_COST, L_ACQUIRED, L_START, L_ADJUSTMENT = range(8)
L_KEY, L_USED, L_OPEN, L_CODES, L_ENTRIES, L_NEXT, L_PREVIOUS = range(8, 15)
L_RECENT, L_RECENT_NEXT, L_RECENT_PREVIOUS, L_TAKEN = range(15, 19)
LOT_COLUMNS: Final = 19

P_SALE, P_SOURCE, P_SUB, P_HOLDING, P_KEY, P_ACQUIRED, P_START, P_QUANTITY = range(8)
P_PROCEEDS, P_COST, P_ADJUSTMENT, P_DISALLOWED, P_PERMANENT, P_PENDING = range(8, 14)
P_CODES, P_NUMERATOR, P_DENOMINATOR, P_NEXT, P_PREVIOUS = range(14, 19)
R_HOLDING, R_SOURCE, R_SUB, R_ACQUIRED, R_QUANTITY, R_MOVED, R_TACKED = range(19, 26)
PIECE_COLUMNS: Final = 26

# dividends whose qualified part waits for the holding test
D_EVENT, D_AMOUNT, D_QUANTITY, D_FAILED, D_NUMBER, D_PREVIOUS = range(6)
ENTRY_COLUMNS: Final = 6

# lots that sales name: the purchase as an event of the stream and as a place in the order of all rows
F_EVENT, F_SUB, F_SHARES, F_NEXT, F_PLACE = range(5)
REFERENCE_COLUMNS: Final = 5

# results, one table of 32-bit and one of 64-bit integers each; a row is a column, so that columns are contiguous
O_SOURCE, O_SUB, O_ACCOUNT, O_ASSET, O_ACQUIRED, O_START, O_USED = range(7)
O_QUANTITY, O_COST, O_ADJUSTMENT = range(3)
LOTS_NARROW, LOTS_WIDE = 7, 3
Q_SALE, Q_SOURCE, Q_SUB, Q_DAY, Q_ACCOUNT, Q_ASSET, Q_ACQUIRED, Q_START = range(8)
Q_CODES, Q_LONG, Q_PERMANENT, Q_PENDING = range(8, 12)
Q_DISALLOWED, Q_QUANTITY, Q_PROCEEDS, Q_COST, Q_WAITING = range(5)
PIECES_NARROW, PIECES_WIDE = 12, 5
M_PIECE, M_ACCOUNT, M_ASSET, M_SOURCE, M_SUB, M_ACQUIRED, M_TACKED = range(7)
M_QUANTITY, M_MOVED = range(2)
MATCHES_NARROW, MATCHES_WIDE = 7, 2
N_ROW, N_AMOUNT, N_QUANTITY, N_FAILED = range(4)
ENTRIES_OUT: Final = 4

# how many rows of each result are in use
T_LOTS, T_PIECES, T_MATCHES, T_ENTRIES, T_ISSUES = range(5)

# a stream's scratch: amounts to apportion, the lots and fills of a sale
W_WEIGHTS, W_PARTS, W_RESTS, W_OWNERS, W_CHOSEN, W_AMOUNTS, W_FILLS = range(7)
SCRATCH_ROWS: Final = 7

# convention codes as bits
A1, A2, A3, A4, A5, A6, A8, A9, A10, A14, A15, A17, A18, AVERAGE_AS_FIFO = (1 << i for i in range(14))
CODE_NAMES: Final = ("A1", "A2", "A3", "A4", "A5", "A6", "A8", "A9", "A10", "A14", "A15", "A17", "A18")
PASSED_ON: Final = A1 | A6 | A10 | A14

# why the engine leaves a household to the reference while it runs
DONE, FULL, OVERSOLD, TOO_LARGE, EMPTY_PART, SHORT_REFERENCE, EMPTY_SPLIT, FAR_DATE = range(8)

NONE: Final = -1
LONG_AGO: Final = -(1 << 40)
LARGEST: Final = 4 * 10**18
