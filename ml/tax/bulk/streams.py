"""All streams of a ledger: rows put in order, run one by one, and what is left of each written out.

A stream is what one household books in one security. Nothing here knows a rule of taxation.
"""

import numpy as np

from ml.tax.bulk import columns as c
from ml.tax.bulk.arithmetic import share
from ml.tax.bulk.columns import COMPILER
from ml.tax.bulk.engine import run_stream

# why the loop over streams comes back early: a table of a stream, or one of the results, is full
STREAM_TABLES, RESULT_TABLES = 1, 2


@COMPILER.inner
def _is_before(day, time, a, b):
    return day[a] < day[b] or (day[a] == day[b] and time[a] < time[b])


@COMPILER.inner
def _sort_by_time(order, first, end, day, time, spare, runs):
    """Sort ``order[first:end]`` by day and time, ties in their order: natural merge sort."""
    count = 0
    for i in range(first, end):
        if i == first or _is_before(day, time, order[i], order[i - 1]):
            runs[count] = i
            count += 1
    runs[count] = end
    while count > 1:
        kept = 0
        for r in range(0, count - 1, 2):
            left, middle, stop = runs[r], runs[r + 1], runs[r + 2]
            size = middle - left
            for i in range(size):
                spare[i] = order[left + i]
            i, j, k = 0, middle, left
            while i < size:
                if j < stop and _is_before(day, time, order[j], spare[i]):
                    order[k] = order[j]
                    j += 1
                else:
                    order[k] = spare[i]
                    i += 1
                k += 1
            runs[kept] = left
            kept += 1
        if count % 2:
            runs[kept] = runs[count - 1]
            kept += 1
        runs[kept] = end
        count = kept


@COMPILER.compiled
def arrange(account, asset, day, time, accounts, assets):
    """Order rows by household, security, day and time, ties as given; rows without an asset are left out.

    Returns
    -------
    order : numpy.ndarray
        Row numbers, int32.
    starts : numpy.ndarray
        First place in ``order`` of each stream, and the end; int64.
    households : numpy.ndarray
        Household of each stream, int32.
    is_tied : bool
        Whether two rows of a stream have the same day and time.
    """
    securities = households = count = 0
    for x in range(assets.shape[0]):
        securities = max(securities, assets[x, c.X_SECURITY] + 1)
    for a in range(accounts.shape[0]):
        households = max(households, accounts[a, c.A_HOUSEHOLD] + 1)
    places, ends = np.zeros(securities + 1, np.int64), np.zeros(households + 1, np.int64)
    for row in range(len(asset)):
        if asset[row] >= 0:
            places[assets[asset[row], c.X_SECURITY] + 1] += 1
            ends[accounts[account[row], c.A_HOUSEHOLD] + 1] += 1
            count += 1
    places, ends = np.cumsum(places), np.cumsum(ends)
    by_security, order = np.empty(count, np.int32), np.empty(count, np.int32)
    for row in range(len(asset)):
        if asset[row] >= 0:
            s = assets[asset[row], c.X_SECURITY]
            by_security[places[s]] = row
            places[s] += 1
    for row in by_security:
        h = accounts[account[row], c.A_HOUSEHOLD]
        order[ends[h]] = row
        ends[h] += 1
    starts, owners = np.empty(count + 1, np.int64), np.empty(count, np.int32)
    streams, last_household, last_security = 0, -1, -1
    for i in range(count):
        h, s = accounts[account[order[i]], c.A_HOUSEHOLD], assets[asset[order[i]], c.X_SECURITY]
        if h != last_household or s != last_security:
            starts[streams], owners[streams] = i, h
            streams += 1
            last_household, last_security = h, s
    starts[streams] = count
    spare, runs = by_security, np.empty(count + 1, np.int64)
    is_tied = False
    for stream in range(streams):
        first, end = starts[stream], starts[stream + 1]
        _sort_by_time(order, first, end, day, time, spare, runs)
        for i in range(first + 1, end):
            is_tied |= day[order[i]] == day[order[i - 1]] and time[order[i]] == time[order[i - 1]]
    return order, starts[: streams + 1].copy(), owners[:streams].copy(), is_tied


@COMPILER.compiled
def tie_groups(order, starts, day, time):
    """Number the groups of rows of one stream, day and time by place in ``order``; 0 for a row alone."""
    groups, number = np.zeros(len(order), np.int64), 0
    for stream in range(len(starts) - 1):
        for i in range(starts[stream] + 1, starts[stream + 1]):
            a, b = order[i - 1], order[i]
            if day[a] == day[b] and time[a] == time[b]:
                if groups[i - 1] == 0:
                    number += 1
                groups[i - 1] = groups[i] = number
    return groups


@COMPILER.hot
def _load(rows, order, first, end, orders, holdings, slots, accounts, assets, references, events):
    """Copy a stream's rows into its table of events and number its holdings; return how many there are."""
    kind, flags, day, account, asset, order_of, reference, quantity, price, amount, fees = rows
    held = 0
    for place in range(first, end):
        row, e = order[place], place - first
        a, x = account[row], asset[row]
        # holdings of an account are a chain: several only where assets were renamed or are identical
        h = slots[a]
        while h != c.NONE and holdings[h, c.H_ASSET] != x:
            h = holdings[h, c.H_OTHER]
        if h == c.NONE:
            h = held
            held += 1
            holdings[h, c.H_ACCOUNT], holdings[h, c.H_ASSET], holdings[h, c.H_OTHER] = a, x, slots[a]
            holdings[h, c.H_FUND], holdings[h, c.H_DIGITAL] = assets[x, c.X_FUND], assets[x, c.X_DIGITAL]
            holdings[h, c.H_METHOD], holdings[h, c.H_USER] = accounts[a, c.A_METHOD], accounts[a, c.A_USER]
            holdings[h, c.H_DEFERRED] = accounts[a, c.A_DEFERRED]
            holdings[h, c.H_EMPLOYER] = accounts[a, c.A_EMPLOYER]
            slots[a] = h
        k, f = kind[row], flags[row]
        events[e, c.E_KIND], events[e, c.E_FLAGS], events[e, c.E_DAY] = k, f, day[row]
        events[e, c.E_HOLDING], events[e, c.E_QUANTITY] = h, quantity[row]
        events[e, c.E_AMOUNT] = amount[row]
        # a trade's stated amount counts; what else it says costs memory reads
        if k > c.SELL or not f & c.HAS_AMOUNT or (k != c.SELL and amount[row] >= 0):
            events[e, c.E_PRICE], events[e, c.E_FEES] = price[row], fees[row]
        # what counts as one purchase (A4): the order, else the row
        events[e, c.E_ORDER] = order_of[row] if orders else c.NONE
        events[e, c.E_KEY] = events[e, c.E_ORDER] if events[e, c.E_ORDER] != c.NONE else orders + e
        events[e, c.E_REFERENCE] = c.NONE
        if len(reference):
            r = events[e, c.E_REFERENCE] = reference[row]
            while r != c.NONE:
                named = references[r, c.F_PLACE] - first
                references[r, c.F_EVENT] = named if 0 <= named < end - first else c.NONE
                r = references[r, c.F_NEXT]
    for h in range(held):
        slots[holdings[h, c.H_ACCOUNT]] = c.NONE
    return held


@COMPILER.hot
def _write_lots(lots, used, holdings, order, first, table, narrow, wide, counts):
    """Append the lots that are still open; return DONE, or FAR_DATE if a period starts out of range."""
    n = counts[c.T_LOTS]
    for lot in range(used):
        if not lots[lot, c.L_OPEN]:
            continue
        place = lots[lot, c.L_START] - table[0]
        if place < 1 or place >= len(table):
            return c.FAR_DATE
        h = lots[lot, c.L_HOLDING]
        narrow[c.O_SOURCE, n], narrow[c.O_SUB, n] = order[first + lots[lot, c.L_SOURCE]], lots[lot, c.L_SUB]
        narrow[c.O_ACCOUNT, n], narrow[c.O_ASSET, n] = holdings[h, c.H_ACCOUNT], holdings[h, c.H_ASSET]
        narrow[c.O_ACQUIRED, n], narrow[c.O_START, n] = lots[lot, c.L_ACQUIRED], lots[lot, c.L_START]
        narrow[c.O_USED, n] = lots[lot, c.L_USED]
        wide[c.O_QUANTITY, n], wide[c.O_COST, n] = lots[lot, c.L_QUANTITY], lots[lot, c.L_COST]
        wide[c.O_ADJUSTMENT, n] = lots[lot, c.L_ADJUSTMENT]
        n += 1
    counts[c.T_LOTS] = n
    return c.DONE


@COMPILER.hot
def _write_pieces(
    pieces, used, events, holdings, order, first, table, narrow, wide, match_narrow, match_wide, counts
):
    """Append the pieces sold, and a row for each that a wash sale matched; return DONE or FAR_DATE."""
    n, m = counts[c.T_PIECES], counts[c.T_MATCHES]
    for piece in range(used):
        place = pieces[piece, c.P_START] - table[0]
        if place < 1 or place >= len(table):
            return c.FAR_DATE
        h, sale = pieces[piece, c.P_HOLDING], pieces[piece, c.P_SALE]
        narrow[c.Q_SALE, n], narrow[c.Q_SOURCE, n] = (
            order[first + sale],
            order[first + pieces[piece, c.P_SOURCE]],
        )
        narrow[c.Q_SUB, n], narrow[c.Q_DAY, n] = pieces[piece, c.P_SUB], events[sale, c.E_DAY]
        narrow[c.Q_ACCOUNT, n], narrow[c.Q_ASSET, n] = holdings[h, c.H_ACCOUNT], holdings[h, c.H_ASSET]
        narrow[c.Q_ACQUIRED, n], narrow[c.Q_START, n] = pieces[piece, c.P_ACQUIRED], pieces[piece, c.P_START]
        narrow[c.Q_CODES, n] = pieces[piece, c.P_CODES]
        narrow[c.Q_LONG, n] = 1 if events[sale, c.E_DAY] >= table[place] else 0
        narrow[c.Q_PERMANENT, n] = pieces[piece, c.P_PERMANENT]
        narrow[c.Q_PENDING, n] = pieces[piece, c.P_PENDING]
        wide[c.Q_QUANTITY, n], wide[c.Q_PROCEEDS, n] = (
            pieces[piece, c.P_QUANTITY],
            pieces[piece, c.P_PROCEEDS],
        )
        wide[c.Q_COST, n], wide[c.Q_DISALLOWED, n] = pieces[piece, c.P_COST], pieces[piece, c.P_DISALLOWED]
        waiting = pieces[piece, c.P_QUANTITY]
        if pieces[piece, c.P_NUMERATOR] != pieces[piece, c.P_DENOMINATOR]:
            waiting, _ = share(waiting, pieces[piece, c.P_NUMERATOR], pieces[piece, c.P_DENOMINATOR])
        wide[c.Q_WAITING, n] = waiting
        if pieces[piece, c.R_SOURCE] != c.NONE:
            r = pieces[piece, c.R_HOLDING]
            match_narrow[c.M_PIECE, m] = n
            match_narrow[c.M_ACCOUNT, m] = holdings[r, c.H_ACCOUNT]
            match_narrow[c.M_ASSET, m] = holdings[r, c.H_ASSET]
            match_narrow[c.M_SOURCE, m] = order[first + pieces[piece, c.R_SOURCE]]
            match_narrow[c.M_SUB, m] = pieces[piece, c.R_SUB]
            match_narrow[c.M_ACQUIRED, m] = pieces[piece, c.R_ACQUIRED]
            match_narrow[c.M_TACKED, m] = pieces[piece, c.R_TACKED]
            match_wide[c.M_QUANTITY, m] = pieces[piece, c.R_QUANTITY]
            match_wide[c.M_MOVED, m] = pieces[piece, c.R_MOVED]
            m += 1
        n += 1
    counts[c.T_PIECES], counts[c.T_MATCHES] = n, m
    return c.DONE


@COMPILER.inner
def _write_rest(events, size, entries, used, order, first, out_entries, out_issues, counts):
    """Append the dividends that wait for the holding test, and the sales with an issue."""
    for i in range(used):
        n = counts[c.T_ENTRIES]
        out_entries[c.N_ROW, n] = order[first + entries[i, c.D_EVENT]]
        out_entries[c.N_AMOUNT, n], out_entries[c.N_FAILED, n] = (
            entries[i, c.D_AMOUNT],
            entries[i, c.D_FAILED],
        )
        out_entries[c.N_QUANTITY, n] = entries[i, c.D_QUANTITY]
        counts[c.T_ENTRIES] = n + 1
    for e in range(size):
        if events[e, c.E_ODD]:
            out_issues[counts[c.T_ISSUES]] = order[first + e]
            counts[c.T_ISSUES] += 1


@COMPILER.compiled
def run_streams(
    resume, rows, orders, order, starts, households, accounts, assets, references,
    holdings, slots, events, lots, pieces, entries, intact, table, scratch,
    out_lots, out_lots_wide, out_pieces, out_pieces_wide, out_matches, out_matches_wide,
    out_entries, out_issues, counts, before, reasons,
):  # fmt: skip
    """Run streams from ``resume[0]`` on; ``resume[1]`` says which tables were full, 0 if all are done.

    ``reasons`` says per household why it is left to the reference engine (0: it is not); such a household
    leaves no rows. ``before`` holds the counts at the beginning of the household that is being run.
    """
    state = np.empty(c.STATE_COLUMNS, np.int64)
    resume[1] = 0
    for stream in range(resume[0], len(starts) - 1):
        household, first, size = households[stream], starts[stream], starts[stream + 1] - starts[stream]
        resume[0] = stream
        if stream == 0 or households[stream - 1] != household:
            before[:] = counts
        if reasons[household]:
            continue
        held = _load(
            rows, order, first, first + size, orders, holdings, slots, accounts, assets, references, events
        )
        status = run_stream(
            events, size, holdings, held, lots, pieces, state, entries, references, intact, scratch
        )
        if status == c.FULL:
            resume[1] = STREAM_TABLES
            return
        if (
            counts[c.T_LOTS] + state[c.C_LOTS] > out_lots.shape[1]
            or counts[c.T_PIECES] + state[c.C_PIECES] > out_pieces.shape[1]
        ):
            resume[1] = RESULT_TABLES
            return
        if status == c.DONE:
            status = _write_lots(
                lots, state[c.C_LOTS], holdings, order, first, table, out_lots, out_lots_wide, counts
            )
        if status == c.DONE:
            status = _write_pieces(
                pieces, state[c.C_PIECES], events, holdings, order, first, table,
                out_pieces, out_pieces_wide, out_matches, out_matches_wide, counts,
            )  # fmt: skip
        if status == c.DONE:
            _write_rest(
                events, size, entries, state[c.C_ENTRIES], order, first, out_entries, out_issues, counts
            )
        else:
            counts[:] = before
            reasons[household] = status
    resume[0] = len(starts) - 1
