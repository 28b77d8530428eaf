"""Windows of the evaluation and the sessions at which strategies decide.

What belongs here: development blocks, the closed test window, the long baselines-only window, schedules.
What does not: what is decided (``strategies.py``), who may open the test (``trials.py``).
"""

from dataclasses import dataclass, replace
from datetime import date
from typing import Final

import numpy as np

from ml.backtest.panel import BacktestPanel, BacktestPanelError

PURGE_SESSIONS: Final = 63
QUARTER_SESSIONS: Final = 63
TRAINING_SESSIONS: Final = 504
PAPER_SESSIONS: Final = 14
DEVELOPMENT_BLOCKS: Final = ((2002, 2004), (2005, 2007), (2008, 2010), (2011, 2013), (2014, 2016))
TEST_BLOCK: Final = (2017, 2022)
# A block of years counts where prices cover this share of its sessions.
MIN_BLOCK_SHARE: Final = 0.9
SESSIONS_A_YEAR: Final = 252
SCHEDULES: Final = ("once", "weekly", "monthly", "quarterly", "daily")


@dataclass(frozen=True, slots=True)
class Window:
    """A span of sessions that strategies are judged on.

    Attributes
    ----------
    name : str
        Column value.
    start, end : int
        Positions into the panel's sessions: the first decision's close (cash alone is held until the fill at
        the next session) and the last session.
    train_until : int
        Last session that a strategy which learns may have been trained on: 63 sessions before ``start``.
    is_test : bool
        Whether opening it is logged under a tag.
    whole_history_only : bool
        Only assets with a bar at both ends of the data take part.
    law_from : int
        Calendar year of ``start``: actual law needs its tables from then on.
    """

    name: str
    start: int
    end: int
    train_until: int
    is_test: bool = False
    whole_history_only: bool = False
    law_from: int = 0


def make_windows(panel: BacktestPanel, *, until: date | None = None) -> tuple[Window, ...]:
    """Return every window that the panel's sessions can fill, the test among them.

    Parameters
    ----------
    panel : BacktestPanel
    until : datetime.date, optional
        Last session to use; windows that reach beyond it are left out.

    Returns
    -------
    tuple of Window
        Development blocks, test, ``thirty_years`` (from the 505th price on, packaged data), and
        ``paper_14_days`` (the last 14 sessions of the last development block). Where the data fill no block of
        years, ``whole_panel``: what follows half of the sessions, at most 504, of history.

    Raises
    ------
    BacktestPanelError
        If nothing is left.
    """
    last = len(panel.dates) - 1
    if until is not None:
        last = int(np.searchsorted(panel.dates, np.datetime64(until), side="right")) - 1
    found = [w for block in DEVELOPMENT_BLOCKS if (w := _block(panel, block, "development", last))]
    developed = list(found)
    test = _block(panel, TEST_BLOCK, "test", last)
    if test is not None:
        found.append(test)
    if last - TRAINING_SESSIONS >= 20 * SESSIONS_A_YEAR:
        found.append(
            Window("thirty_years", TRAINING_SESSIONS, last, TRAINING_SESSIONS, whole_history_only=True)
        )
    if not developed and test is None:
        start = min(TRAINING_SESSIONS, last // 2)
        if last - start < 1:
            raise BacktestPanelError(
                f"source {panel.source!r} has {last + 1} sessions up to {until}: give more, or a later --until"
            )
        developed = [Window("whole_panel", start, last, max(0, start - PURGE_SESSIONS))]
        found += developed
    if developed and developed[-1].end - developed[-1].start > PAPER_SESSIONS:
        end = developed[-1].end
        start = end - PAPER_SESSIONS
        found.append(Window("paper_14_days", start, end, max(0, start - PURGE_SESSIONS)))
    years = panel.dates.astype("datetime64[Y]").astype(np.int64) + 1970
    return tuple(replace(window, law_from=int(years[window.start])) for window in found)


def _block(panel: BacktestPanel, years: tuple[int, int], kind: str, last: int) -> Window | None:
    """The window of a block of years, or None where data do not cover it."""
    first_day, end_day = np.datetime64(f"{years[0]}-01-01"), np.datetime64(f"{years[1] + 1}-01-01")
    inside = np.flatnonzero((panel.dates[: last + 1] >= first_day) & (panel.dates[: last + 1] < end_day))
    wanted = SESSIONS_A_YEAR * (years[1] - years[0] + 1)
    if len(inside) < MIN_BLOCK_SHARE * wanted or inside[0] < PURGE_SESSIONS + 1:
        return None
    start = int(inside[0]) - 1
    name = f"{kind}_{years[0]}_{years[1]}"
    return Window(name, start, int(inside[-1]), start - PURGE_SESSIONS, is_test=kind == "test")


def restrict(panel: BacktestPanel, window: Window) -> BacktestPanel:
    """The assets that take part in a window."""
    if not window.whole_history_only:
        return panel
    whole = panel.has_bar[:5].any(axis=0) & panel.has_bar[max(0, window.end - 4) : window.end + 1].any(axis=0)
    if not whole.any():
        raise BacktestPanelError(f"window {window.name}: no asset has prices over all of it")
    return panel.take(np.flatnonzero(whole))


def decision_sessions(dates: np.ndarray, window: Window, schedule: str) -> np.ndarray:
    """Positions of the sessions at whose close a strategy decides.

    Parameters
    ----------
    dates : ndarray of shape (D,)
        datetime64[D], ascending.
    window : Window
        The first decision is at ``window.start``; the last has a session after it.
    schedule : str
        ``once``; ``weekly`` (a week's first session); ``monthly`` (a month's last session); ``quarterly`` (every
        63 sessions from the start); ``daily``.

    Returns
    -------
    ndarray of int64
    """
    sessions = np.arange(window.start, window.end)
    after = np.arange(window.start + 1, window.end + 1)
    if schedule == "once":
        chosen = np.zeros(len(sessions), bool)
    elif schedule == "weekly":
        week = week_number(dates)
        chosen = week[sessions] != week[np.maximum(sessions - 1, 0)]
    elif schedule == "monthly":
        month = dates.astype("datetime64[M]").astype(np.int64)
        chosen = month[sessions] != month[after]
    elif schedule == "quarterly":
        chosen = (sessions - window.start) % QUARTER_SESSIONS == 0
    elif schedule == "daily":
        chosen = np.ones(len(sessions), bool)
    else:
        raise ValueError(f"schedule {schedule!r} is unknown: use one of {', '.join(SCHEDULES)}")
    chosen[:1] = True
    return sessions[chosen]


def week_number(dates: np.ndarray) -> np.ndarray:
    """Number of each date's calendar week, from Monday; int64."""
    return (dates.astype("datetime64[D]").astype(np.int64) + 3) // 7  # 1970-01-01 was a Thursday


def week_ends(dates: np.ndarray, window: Window) -> np.ndarray:
    """Positions at which wealth is recorded: the start, each week's last session, the end."""
    sessions = np.arange(window.start, window.end + 1)
    week = week_number(dates)
    last = np.append(week[sessions[:-1]] != week[sessions[1:]], True)
    last[0] = True
    return sessions[last]
