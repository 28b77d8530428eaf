"""The way in: one text, or a frame of statements.

What belongs here: putting the fields together and the rows of ``ml.parsed_intents``. What does not:
reading words (``grammar.py``), which stated limits bind on a night (``constraints.py``).
"""

import hashlib
import json
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Final

import polars as pl

from ml.intent.classifier import shipped_classifier
from ml.intent.combine import Guess, combine
from ml.intent.constraints import active_constraints
from ml.intent.dates import find_times
from ml.intent.evidence import Evidence
from ml.intent.exclusions import find_exclusions
from ml.intent.grammar import Mention, find_mentions, strengthen
from ml.intent.horizon import find_horizon, find_horizon_item, horizon_of_purchase, is_horizon_alone
from ml.intent.needs import Need, find_liquidity
from ml.intent.numbers import find_amounts, find_shares
from ml.intent.ranking import Ranked, find_tax, rank_objectives, settle_alpha, tax_spans
from ml.intent.risk import find_risk
from ml.intent.schema import InvestmentIntent, Span
from ml.intent.text import MAX_CHARS, CleanText, clean
from ml.intent.timespan import TimeSpan

__all__ = ["PARSED_SCHEMA", "active_constraints", "parse_goal", "parse_goals", "parser_version"]

_MAX_SPANS: Final = 20
_UNUSED_WORDS: Final = 3
_SAVING: Final = ("capital_preservation", "long_term_gain")

PARSED_SCHEMA: dict[str, pl.DataType] = {
    "as_of_date": pl.Date(),
    "statement_id": pl.String(),
    "user_id": pl.String(),
    "stated_at": pl.Datetime("us", "UTC"),
    "objective": pl.String(),
    "secondary": pl.String(),
    "horizon_min_months": pl.Int32(),
    "horizon_max_months": pl.Int32(),
    "liquidity_amount_usd": pl.Decimal(20, 6),
    "liquidity_share": pl.Float64(),
    "liquidity_from": pl.Date(),
    "liquidity_to": pl.Date(),
    "risk_tolerance": pl.String(),
    "exclusions": pl.String(),
    "avoid_short_term_gains": pl.Boolean(),
    "harvest_losses": pl.Boolean(),
    "avoid_realising_gains": pl.Boolean(),
    "wash_sale_concern": pl.Boolean(),
    "actionable": pl.Boolean(),
    "not_understood": pl.String(),
    "note": pl.String(),
    "parser_version": pl.String(),
}


@cache
def parser_version() -> str:
    """Name what reads: a hash over this package's source and the classifier's weights.

    Returns
    -------
    str
        ``offline-`` and 12 hex digits.
    """
    digest = hashlib.sha256(shipped_classifier().digest.encode())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return f"offline-{digest.hexdigest()[:12]}"


def parse_goal(text: str, stated_at: date) -> InvestmentIntent:
    """Read one statement.

    Parameters
    ----------
    text : str
        As typed; anything. Of more than 8,000 characters the rest goes unread, which is listed.
    stated_at : datetime.date
        The day it was written; relative dates count from it.

    Returns
    -------
    InvestmentIntent
        What is not stated is None, empty or False. Never raises on any text.
    """
    cleaned = clean(text)
    if cleaned.is_flood:
        whole = Span(
            start=0, end=len(cleaned.original), text=cleaned.original[:120], reason="one phrase repeated"
        )
        return InvestmentIntent(not_understood=(whole,), parser_version=parser_version())
    times = find_times(cleaned.lower, stated_at)
    exclusions, exclusion_spans = find_exclusions(cleaned.lower, cleaned.cased)
    mentions, declined = find_mentions(cleaned)
    mentions = [m for m in mentions if not any(s < m.end and m.start < e for s, e in exclusion_spans)]
    is_elsewhere = any(reason == "about something else" for _, _, reason in cleaned.set_aside)
    evidence = Evidence(cleaned.lower, exclusion_spans, is_elsewhere)
    if exclusions and not evidence.supports_exclusion():
        exclusions, exclusion_spans = (), []
    mentions = _supported(mentions, evidence)
    mentions = strengthen(cleaned, mentions, times)
    risk = find_risk(cleaned, evidence.supports_risk)
    amounts, shares = find_amounts(cleaned.lower), find_shares(cleaned.lower)
    need = find_liquidity(cleaned, amounts, shares, times) if evidence.supports_need() else Need()
    ranked, guessed = combine(
        cleaned,
        rank_objectives(cleaned, mentions, risk),
        exclusion_spans + need.spans + tax_spans(cleaned) + [(m.start, m.end) for m in declined],
        mentions,
        frozenset(m.objective for m in declined),
    )
    if guessed is not None and not _is_own_guess(cleaned, evidence, guessed):
        ranked, guessed = Ranked(None, None, False), None
    if guessed is not None:
        mentions.append(Mention(ranked.primary or "", guessed.start, guessed.end, weight=1.0, rank=0))
    tax = find_tax(cleaned, mentions, ranked)
    ranked, horizon = _choose_horizon(
        cleaned, times, mentions, need, ranked, stated_at, bool(risk or exclusions)
    )
    used = [(m.start, m.end) for m in mentions] + exclusion_spans + need.deadlines + need.spans
    used += [(t.start, t.end) for t in times] + [(q.start, q.end) for q in (*amounts, *shares)]
    return InvestmentIntent(
        objective=ranked.primary,  # type: ignore[arg-type]
        secondary=ranked.secondary,  # type: ignore[arg-type]
        horizon_months=horizon,
        liquidity=need.liquidity,
        risk_tolerance=next(iter(risk)) if len(risk) == 1 else None,  # type: ignore[arg-type]
        exclusions=exclusions,
        tax=tax,
        actionable=not ranked.is_contradictory
        and (ranked.primary is not None or need.is_sized or bool(exclusions) or tax.any()),
        not_understood=_not_understood(text, cleaned, used),
        parser_version=parser_version(),
    )


def _is_own_guess(cleaned: CleanText, evidence: Evidence, guessed: Guess) -> bool:
    """Say whether the classifier's word may count: beside orders to a machine the writer must say "I"."""
    is_ordered = any(reason in ("instruction", "code", "sql") for _, _, reason in cleaned.set_aside)
    if is_ordered and not evidence.speaks_of_self():
        return False
    return evidence.supports_guess(guessed.start, guessed.end, guessed.certainty)


def _choose_horizon(
    cleaned: CleanText,
    times: list[TimeSpan],
    mentions: list[Mention],
    need: Need,
    ranked: Ranked,
    stated_at: date,
    has_limits: bool,
) -> tuple[Ranked, tuple[int, int] | None]:
    """Give the horizon, and the objectives as it settles them; without an objective one stands in a list of limits."""
    is_alone = is_horizon_alone(cleaned.lower)
    if is_alone:
        ranked = Ranked(None, None, False)
    if ranked.primary is None and not is_alone:
        is_item = has_limits and not ranked.is_contradictory
        return ranked, find_horizon_item(cleaned, times, need.deadlines) if is_item else None
    horizon = find_horizon(cleaned, times, mentions, need.deadlines, stated_at, ranked.primary)
    ranked = settle_alpha(cleaned, ranked, horizon)
    wanted = need.liquidity
    by = wanted.by if wanted is not None and wanted.share_of_portfolio == 1.0 else None
    if horizon is None and by is not None and ranked.primary in _SAVING:
        horizon = horizon_of_purchase(by, stated_at)
    return ranked, horizon


def _supported(mentions: list[Mention], evidence: Evidence) -> list[Mention]:
    """Keep the mentions that are the writer's wish about his money; a part of one that is not falls with it."""
    is_own = [evidence.supports_objective(m.start, m.end, m.weight < 1.0) for m in mentions]
    others = [m for m, own in zip(mentions, is_own, strict=True) if not own]
    return [
        m
        for m, own in zip(mentions, is_own, strict=True)
        if own and not any(o.start <= m.start and m.end <= o.end for o in others)
    ]


def _not_understood(text: str, cleaned: CleanText, used: list[tuple[int, int]]) -> tuple[Span, ...]:
    """List what was set aside, clauses in which nothing was recognised, and what went unread."""

    def span(start: int, end: int, reason: str) -> Span:
        first, last = cleaned.place(start, end)
        return Span(start=first, end=last, text=cleaned.original[first:last][:200], reason=reason)

    spans = [span(*aside) for aside in cleaned.set_aside]
    for sentence in cleaned.sentences():
        for clause in cleaned.clauses(sentence):
            words = cleaned.lower[clause.start : clause.end].split()
            if len(words) < _UNUSED_WORDS or any(s < clause.end and clause.start < e for s, e in used):
                continue
            spans.append(span(clause.start, clause.end, "nothing recognised"))
    spans = sorted(spans, key=lambda part: (part.start, part.end))[:_MAX_SPANS]
    if cleaned.is_truncated:
        rest = Span(
            start=MAX_CHARS, end=len(text), text="", reason=f"beyond {MAX_CHARS} characters: not read"
        )
        spans = [*spans[: _MAX_SPANS - 1], rest]
    return tuple(spans)


def parse_goals(
    statements: pl.DataFrame,
    as_of_date: date | None = None,
    read: Callable[[str, date], InvestmentIntent] = parse_goal,
) -> pl.DataFrame:
    """Read all statements of a night.

    Parameters
    ----------
    statements : polars.DataFrame
        ``core.fct_goal_statements``: statement_id, user_id, stated_at, text. Equal texts of one day
        are read once.
    as_of_date : datetime.date, optional
        Night to write into the rows; null where absent.
    read : callable, optional
        What reads one text stated on one day; the offline parser if absent.

    Returns
    -------
    polars.DataFrame
        :data:`PARSED_SCHEMA`, sorted by user_id, stated_at and statement_id; without as_of_date if
        none is given.
    """
    ordered = statements.sort("user_id", "stated_at", "statement_id")
    zone = getattr(ordered.schema["stated_at"], "time_zone", None)
    moment = (
        pl.col("stated_at")
        if zone
        else pl.col("stated_at").cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    )
    moment = moment.dt.convert_time_zone("UTC").cast(pl.Datetime("us", "UTC"))
    ordered = ordered.with_columns(moment.alias("stated_at"))
    days = ordered["stated_at"].dt.convert_time_zone("America/New_York").dt.date().to_list()
    known: dict[tuple[str, date], dict[str, object]] = {}
    rows = []
    for statement_id, user_id, stated_at, text, day in zip(
        ordered["statement_id"].to_list(),
        ordered["user_id"].to_list(),
        ordered["stated_at"].to_list(),
        ordered["text"].to_list(),
        days,
        strict=True,
    ):
        key = (text or "", day)
        if key not in known:
            known[key] = _row(read(*key))
        rows.append(
            {
                "as_of_date": as_of_date,
                "statement_id": statement_id,
                "user_id": user_id,
                "stated_at": stated_at,
            }
            | known[key]
        )
    frame = pl.DataFrame(rows, schema=PARSED_SCHEMA)
    return frame if as_of_date is not None else frame.drop("as_of_date")


def _row(intent: InvestmentIntent) -> dict[str, object]:
    liquidity, horizon = intent.liquidity, intent.horizon_months
    window = liquidity.by if liquidity is not None else None
    amount = liquidity.amount_usd if liquidity is not None else None
    return {
        "objective": intent.objective,
        "secondary": intent.secondary,
        "horizon_min_months": horizon[0] if horizon else None,
        "horizon_max_months": horizon[1] if horizon else None,
        "liquidity_amount_usd": None if amount is None else Decimal(f"{amount:.6f}"),
        "liquidity_share": liquidity.share_of_portfolio if liquidity is not None else None,
        "liquidity_from": window[0] if window else None,
        "liquidity_to": window[1] if window else None,
        "risk_tolerance": intent.risk_tolerance,
        "exclusions": json.dumps([item.model_dump() for item in intent.exclusions], sort_keys=True),
        **intent.tax.model_dump(),
        "actionable": intent.actionable,
        "not_understood": json.dumps([s.model_dump() for s in intent.not_understood], sort_keys=True),
        "note": intent.note,
        "parser_version": intent.parser_version,
    }
