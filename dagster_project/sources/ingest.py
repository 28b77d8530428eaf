"""What becomes of each row that a source brings: accepted, duplicate, quarantined or not a transaction.

Call order::

    batches = market_batches(...) + brokerage_batches(...)        # selection.py
    result = ingest(batches, existing=..., run_id=..., as_of_date=..., ingested_at=..., today=...)
    for table, frame in result.accepted.items(): append frame to raw.<table>
    append result.quarantine and result.counts; show result.warnings

Market and brokerage rows may come in one call or in two, the second with what the first wrote
among ``existing``. The function is pure: same arguments, same frames. Nothing in a file raises.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from dagster_project.sources.batches import IMPUTED_KNOWN_AT, IMPUTED_PREFIX, LINE, Batch, typed_batch
from dagster_project.sources.calendar import session_frame
from dagster_project.sources.content import content_keys
from dagster_project.sources.contracts import RAW_TABLES, SOURCE_TABLES
from dagster_project.sources.defaults import fill_defaults
from dagster_project.sources.imputation import (
    ASSETS_SENTENCE,
    FILE,
    NAME,
    USERS_SENTENCE,
    imply_price_basis,
    imputed_assets,
    imputed_users,
)
from dagster_project.sources.prepare import prepare, row_schema
from dagster_project.sources.quarantine import count_rows, quarantine_records
from dagster_project.sources.references import (
    GOOD,
    KEPT,
    Existing,
    fill_ids,
    flag_ambiguous_symbols,
    flag_schema_failures,
    flag_sells_beyond_holdings,
    flag_unknown,
    flag_unknown_assets,
    map_symbols,
    settle_identity,
    stored,
    symbol_map,
)
from dagster_project.sources.rules import apply_rules, row_rules
from dagster_project.sources.symbols import symbol_key_expr

_ASSET_COLUMNS = {
    "market__daily_bars": ("asset_id",),
    "market__corporate_actions": ("asset_id", "new_asset_id"),
    "brokerage__transactions": ("asset_id", "related_asset_id", "underlying_asset_id"),
}
# Columns by which a table's rows give way to another source's (Batch.yields_to).
_COVERED_BY = {
    "market__assets": "asset_id",
    "market__daily_bars": "asset_id",
    "market__corporate_actions": "asset_id",
    "market__rates": "rate_date",
}


@dataclass(frozen=True)
class IngestResult:
    """Outcome of one ingestion.

    Attributes
    ----------
    accepted : dict of str to polars.DataFrame
        Rows to append, by raw table, in ``TableContract.polars_schema``; ``market__symbols`` too.
    quarantine : polars.DataFrame
        Rows of ``raw.quarantine`` that are not stored yet.
    counts : polars.DataFrame
        Rows of ``raw.ingestion_counts``.
    skipped : polars.DataFrame
        Rows that are no records: ``table_name``, ``source_file``, ``source_line``, ``rule``.
    warnings : list of str
        What a person should know: imputed rows, ignored columns, quarantined rows by reason.
    """

    accepted: dict[str, pl.DataFrame]
    quarantine: pl.DataFrame
    counts: pl.DataFrame
    skipped: pl.DataFrame
    warnings: list[str]


def ingest(
    batches: Sequence[Batch],
    *,
    run_id: str,
    as_of_date: dt.date,
    ingested_at: dt.datetime,
    today: dt.date,
    existing: Mapping[str, pl.DataFrame] | None = None,
) -> IngestResult:
    """Sort every row of every batch into one of four outcomes.

    Parameters
    ----------
    batches : sequence of Batch
        From ``market_batches`` and ``brokerage_batches``. Earlier batches win over later ones.
    run_id : str
        The run, for the counts.
    as_of_date : datetime.date
        The night, for the counts; it cuts nothing (readers cut by ``known_at``).
    ingested_at : datetime.datetime
        Wall clock in UTC, for audit alone.
    today : datetime.date
        Rows that claim to be later are ``future_date``.
    existing : mapping of str to polars.DataFrame, optional
        Stored rows by raw table, in any order: at least ``TableContract.existing_columns``, and
        ``market__symbols``, ``market__corporate_actions`` and ``brokerage__transactions`` whole,
        ``market__assets.asset_class``, ``brokerage__users.household_id``, ``quarantine.content_key``.

    Returns
    -------
    IngestResult
    """
    work = _Ingestion(list(batches), existing or {}, today)
    work.market()
    work.people()
    work.transactions()
    work.statements()
    return work.result(run_id, as_of_date, ingested_at)


def _relevant(existing: Existing, batches: Sequence[Batch]) -> Existing:
    """Stored rows in the contracts' types; of the market tables, those of the sources that this night reads.

    A symbol that another night's source knew has no price tonight, so it does not count as known.
    """
    # An import brings facts of its own securities, not the market: it looks at every source's.
    market = {batch.source for batch in batches if batch.table.startswith("market__")} - {"import"}
    frames = {}
    for table, frame in existing.items():
        if table.startswith("market__") and market and "source" in frame.columns:
            frame = frame.filter(pl.col("source").is_in([*market, "import"]))
        schema = RAW_TABLES[table].polars_schema
        frames[table] = frame.cast({name: dtype for name, dtype in schema.items() if name in frame.columns})
    return frames


class _Ingestion:
    """The state of one ``ingest``: row frames by table, filled in the order of their references."""

    def __init__(self, batches: list[Batch], existing: Existing, today: dt.date) -> None:
        self.batches = batches
        self.existing = _relevant(existing, self.batches)
        self.today = today
        self.rows: dict[str, pl.DataFrame] = {}
        self.notes: list[str] = []

    def _read(self, table: str) -> pl.DataFrame:
        return prepare(table, [(n, b) for n, b in enumerate(self.batches) if b.table == table])

    def _impute(self, table: str, frame: pl.DataFrame, sentence: str) -> pl.DataFrame:
        """Add made-up rows as batches of their own, so that they are counted and traced like read ones."""
        frames = [pl.DataFrame(schema=row_schema(table))]
        for (file,), part in frame.group_by(FILE, maintain_order=True):
            number = len(self.batches)
            source = next(
                batch.source for batch in self.batches if batch.source_file == file and batch.imputes
            )
            batch = typed_batch(table, source, f"{IMPUTED_PREFIX}{file}", part.drop(FILE, NAME))
            self.batches.append(batch)
            frames.append(prepare(table, [(number, batch)]))
            names = part[NAME].to_list()
            shown = ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
            self.notes.append(f"{file}: {sentence.format(n=len(names), names=shown)}")
        return pl.concat(frames)

    def _of_imputing(self, table: str, rows: pl.DataFrame) -> pl.DataFrame:
        """Rows of the batches from which missing reference rows may be made up."""
        numbers = [n for n, batch in enumerate(self.batches) if batch.imputes and batch.table == table]
        return rows.filter(pl.col("_batch").is_in(numbers))

    def _check(self, table: str, rows: pl.DataFrame) -> pl.DataFrame:
        return apply_rules(rows, row_rules(table, self.today))

    def _close(self, table: str, rows: pl.DataFrame) -> pl.DataFrame:
        checked = flag_schema_failures(table, fill_ids(table, rows))
        self.rows[table] = settle_identity(table, checked, self.existing)
        return self.rows[table]

    def _set_aside_covered(self, table: str, rows: pl.DataFrame) -> pl.DataFrame:
        """Rows of a batch that yields to a source count as duplicates where that source covers the asset or day."""
        yielding = [(n, b.yields_to) for n, b in enumerate(self.batches) if b.table == table and b.yields_to]
        column = _COVERED_BY[table]
        reference = table if table == "market__rates" else "market__assets"
        for number, source in yielding:
            covered = stored(self.existing, reference, column, [source])
            frame = rows if table == reference else self.rows["market__assets"]
            covered |= set(frame.filter(GOOD, pl.col("source") == source)[column].to_list())
            aside = (pl.col("_batch") == number) & pl.col(column).is_in(list(covered)) & GOOD
            found = rows.filter(aside)
            if not found.is_empty():
                what = (
                    ""
                    if table == "market__rates"
                    else f" ({', '.join(found['asset_id'].unique().sort().head(10))})"
                )
                self.notes.append(
                    f"{self.batches[number].source_file}: {found.height} rows{what} stand aside for {source} data; "
                    "--prices files uses them instead"
                )
            rows = rows.with_columns(_duplicate=pl.col("_duplicate") | aside)
        return rows

    # ---- market

    def market(self) -> None:
        """Assets, bars, corporate actions and rates."""
        table = "market__daily_bars"
        bars = self._read(table)
        assets = self._assets_with_imputed(bars)
        symbols = symbol_map(assets, self.existing)
        bars = map_symbols(bars, ["asset_id"], symbols)
        assets = self._set_aside_covered("market__assets", imply_price_basis(assets, bars))
        good = self._close("market__assets", assets).filter(GOOD)
        self._symbols = symbols
        self._assets = set(good["asset_id"].to_list()) | stored(self.existing, "market__assets", "asset_id")
        classes = self._classes(good)
        bars = fill_defaults(table, bars.join(classes, on="asset_id", how="left", maintain_order="left"))
        self._finish_market(table, bars.drop("_class"))
        for table in ("market__corporate_actions", "market__rates"):
            self._finish_market(table, fill_defaults(table, self._read(table)))

    def _assets_with_imputed(self, bars: pl.DataFrame) -> pl.DataFrame:
        table = "market__assets"
        assets = self._check(table, fill_defaults(table, self._read(table)))
        # A folder may spell a symbol in its own way that another source already names.
        assets = map_symbols(
            assets, ["asset_id"], symbol_map(assets.filter(pl.col("source") != "files"), self.existing)
        )
        assets = flag_ambiguous_symbols(assets, self.existing)
        quoted_elsewhere = assets.filter(pl.col("_reason") == "other_currency")
        keys = [quoted_elsewhere.select(symbol_key_expr(name)).to_series() for name in ("asset_id", "symbol")]
        self._foreign = set(pl.concat(keys).drop_nulls().to_list())
        known = symbol_map(assets, self.existing)
        bars = self._of_imputing("market__daily_bars", map_symbols(bars, ["asset_id"], known))
        usable = fill_defaults("market__daily_bars", bars.with_columns(_class=pl.lit(None, pl.String)))
        usable = self._check("market__daily_bars", usable).filter(GOOD)
        made_up = imputed_assets(usable, [*known, *self._foreign])
        return pl.concat([assets, self._impute(table, made_up, ASSETS_SENTENCE)])

    def _classes(self, assets: pl.DataFrame) -> pl.DataFrame:
        """The newest class of each asset: it says when its bars are known."""
        names = ["asset_id", "asset_class", "known_at"]
        frames = [assets.select(names)]
        saved = self.existing.get("market__assets")
        if saved is not None and "asset_class" in saved.columns:
            frames.append(saved.select(names))
        newest = pl.concat(frames).sort("asset_id", "known_at", "asset_class").unique("asset_id", keep="last")
        return newest.select("asset_id", _class="asset_class")

    def _finish_market(self, table: str, rows: pl.DataFrame) -> None:
        columns = _ASSET_COLUMNS.get(table, ())
        rows = self._check(table, map_symbols(rows, columns, self._symbols))
        rows = flag_unknown_assets(rows, columns, self._assets, self._foreign)
        self._close(table, self._set_aside_covered(table, rows))

    # ---- people

    def people(self) -> None:
        """Users and accounts; accounts of users without a row get a single filer of unknown income."""
        users = self._check(
            "brokerage__users", fill_defaults("brokerage__users", self._read("brokerage__users"))
        )
        accounts = fill_defaults("brokerage__accounts", self._read("brokerage__accounts"))
        households = self._households(users)
        accounts = accounts.join(households, on="user_id", how="left", maintain_order="left").with_columns(
            household_id=pl.coalesce("household_id", "_household", "user_id")
        )
        accounts = self._check("brokerage__accounts", accounts.drop("_household"))
        made_up = imputed_users(self._of_imputing("brokerage__accounts", accounts), self._stated_users(users))
        users = pl.concat([users, self._impute("brokerage__users", made_up, USERS_SENTENCE)])
        users = self._close("brokerage__users", users)
        known = set(users.filter(GOOD)["user_id"].to_list()) | stored(
            self.existing, "brokerage__users", "user_id"
        )
        self._users = known
        remedy = "give it a row in users.csv"
        accounts = flag_unknown(accounts, "user_id", known, "unknown_user", remedy)
        self._close("brokerage__accounts", accounts)

    def _households(self, users: pl.DataFrame) -> pl.DataFrame:
        columns = ["user_id", "household_id", "known_at"]
        frames = [users.filter(GOOD).select(columns)]
        saved = self.existing.get("brokerage__users")
        if saved is not None and "household_id" in saved.columns:
            frames.insert(0, saved.select(columns))
        latest = (
            pl.concat(frames)
            .sort("user_id", "known_at", "household_id")
            .unique("user_id", keep="last", maintain_order=True)
        )
        return latest.select("user_id", _household="household_id")

    def _stated_users(self, users: pl.DataFrame) -> set[str]:
        stated = set(users.filter(GOOD)["user_id"].to_list())
        saved = self.existing.get("brokerage__users")
        if saved is not None:
            # A stored imputed row is imputed again and found to be a duplicate, so that a rerun counts alike.
            stated |= set(saved.filter(pl.col("known_at") > IMPUTED_KNOWN_AT)["user_id"].to_list())
        return stated

    # ---- events

    def transactions(self) -> None:
        """Transactions: symbols, accounts, signs, then holdings."""
        table = "brokerage__transactions"
        rows = fill_defaults(table, self._read(table))
        columns = _ASSET_COLUMNS[table]
        rows = self._check(table, map_symbols(rows, columns, self._symbols))
        accounts = self.rows["brokerage__accounts"].filter(GOOD)["account_id"].to_list()
        known = set(accounts) | stored(self.existing, "brokerage__accounts", "account_id")
        rows = flag_unknown(rows, "account_id", known, "unknown_account", "give it a row in accounts.csv")
        rows = flag_unknown_assets(rows, columns, self._assets, self._foreign)
        rows = self._close(table, rows)
        actions = "market__corporate_actions"
        names = RAW_TABLES[actions].content_names
        frames = [self.rows[actions].filter(KEPT).select(names)]
        saved = self.existing.get(actions)
        if saved is not None:
            frames.append(saved.select(names))
        self.rows[table] = flag_sells_beyond_holdings(rows, self.existing, pl.concat(frames), session_frame())

    def statements(self) -> None:
        """Goals in words, of users who exist."""
        table = "goals__statements"
        rows = self._check(table, fill_defaults(table, self._read(table)))
        rows = flag_unknown(
            rows, "user_id", self._users, "unknown_user", "give it a row in users.csv or an account"
        )
        self._close(table, rows.drop("stated_at_is_date"))

    # ---- result

    def result(self, run_id: str, as_of_date: dt.date, ingested_at: dt.datetime) -> IngestResult:
        """Collect the four outcomes."""
        accepted = {
            table: self._accepted(table, ingested_at) for table in SOURCE_TABLES if table in self.rows
        }
        accepted["market__symbols"] = self._symbol_rows(accepted["market__assets"], ingested_at)
        everything = quarantine_records(self.rows, self.batches, ingested_at)
        stored_keys = stored(self.existing, "quarantine", "content_key")
        fresh = everything.filter(~pl.col("content_key").is_in(sorted(stored_keys)))
        counts = count_rows(
            self.rows, self.batches, run_id=run_id, as_of_date=as_of_date, ingested_at=ingested_at
        )
        skipped = [
            frame.filter(pl.col("_skip").is_not_null()).select(
                pl.lit(table).alias("table_name"), "source_file", LINE, rule="_skip"
            )
            for table, frame in self.rows.items()
        ]
        reasons = everything.group_by("source_file", "reason").len().sort("source_file", "reason")
        notes = [note for batch in self.batches for note in batch.notes] + self.notes
        notes += [f"{file}: {n} quarantined ({reason})" for file, reason, n in reasons.iter_rows()]
        return IngestResult(accepted, fresh, counts, pl.concat(skipped), notes)

    def _accepted(self, table: str, ingested_at: dt.datetime) -> pl.DataFrame:
        schema = RAW_TABLES[table].polars_schema
        kept = self.rows[table].filter(KEPT).with_columns(ingested_at=pl.lit(ingested_at))
        return kept.select(pl.col(name).cast(dtype) for name, dtype in schema.items()).sort(
            [*RAW_TABLES[table].key, "known_at", "source_file", LINE], nulls_last=True
        )

    def _symbol_rows(self, assets: pl.DataFrame, ingested_at: dt.datetime) -> pl.DataFrame:
        """Spellings of the newly accepted assets."""
        contract = RAW_TABLES["market__symbols"]
        spellings = [
            assets.select(
                symbol_key_expr(column).alias("symbol_key"),
                "asset_id",
                symbol=column,
                known_at="known_at",
                source="source",
                source_file="source_file",
                source_line=LINE,
                ingested_at="ingested_at",
            )
            for column in ("symbol", "asset_id")
        ]
        first = ["symbol_key", "asset_id"]
        frame = (
            pl.concat(spellings)
            .sort([*first, "known_at"], maintain_order=True)
            .unique(first, keep="first", maintain_order=True)
        )
        saved = self.existing.get("market__symbols")
        if saved is not None:
            frame = frame.join(saved.select(first).unique(), on=first, how="anti", maintain_order="left")
        frame = frame.with_columns(content_keys(frame, contract))
        return frame.select(pl.col(name).cast(dtype) for name, dtype in contract.polars_schema.items())
