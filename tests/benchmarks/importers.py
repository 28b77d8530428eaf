"""Brokers' files: rows a second per format, reading and mapping; against ofxparse and ibflex on the same files.

Both peers stop at objects of their own format, ours goes on to canonical transactions. Times are CPU seconds.
Without the peers (`uv sync --group peers`) their rows say so.
"""

import importlib
import importlib.util
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dagster_project.sources.brokerage.reading import read_file

ROWS = 20_000
PEER_ROWS = 2_000  # ofxparse is slow and linear: its own rate on fewer rows


def _day(number: int) -> str:
    return f"2023{number % 12 + 1:02d}{number % 28 + 1:02d}"


def _slashed(number: int) -> str:
    return f"{number % 12 + 1:02d}/{number % 28 + 1:02d}/2023"


def write_ofx(path: Path, rows: int) -> None:
    """Purchases of 500 securities, SGML."""
    body = "".join(
        f"<BUYSTOCK><INVBUY><INVTRAN><FITID>F{n}<DTTRADE>{_day(n)}<MEMO>YOU BOUGHT</INVTRAN>"
        f"<SECID><UNIQUEID>{n % 500:09d}"
        "<UNIQUEIDTYPE>CUSIP</SECID><UNITS>10<UNITPRICE>20<COMMISSION>1<TOTAL>-201<SUBACCTSEC>CASH<SUBACCTFUND>CASH"
        "</INVBUY><BUYTYPE>BUY</BUYSTOCK>\n"
        for n in range(rows)
    )
    path.write_text(
        "OFXHEADER:100\nDATA:OFXSGML\nVERSION:102\nSECURITY:NONE\nENCODING:USASCII\nCHARSET:1252\nCOMPRESSION:NONE\n"
        "OLDFILEUID:NONE\nNEWFILEUID:NONE\n\n<OFX><SIGNONMSGSRSV1><SONRS><STATUS><CODE>0<SEVERITY>INFO</STATUS>"
        "<DTSERVER>20230403<LANGUAGE>ENG</SONRS></SIGNONMSGSRSV1><INVSTMTMSGSRSV1><INVSTMTTRNRS><TRNUID>0<STATUS><CODE>0"
        "<SEVERITY>INFO</STATUS><INVSTMTRS><DTASOF>20231231<CURDEF>USD<INVACCTFROM><BROKERID>example.com<ACCTID>A1"
        f"</INVACCTFROM><INVTRANLIST><DTSTART>20230101<DTEND>20231231\n{body}</INVTRANLIST></INVSTMTRS></INVSTMTTRNRS>"
        "</INVSTMTMSGSRSV1></OFX>\n"
    )


def write_flex(path: Path, rows: int) -> None:
    """Purchases of 500 securities, as Flex XML."""
    body = "".join(
        f'<Trade accountId="U1" currency="USD" fxRateToBase="1" assetCategory="STK" symbol="S{n % 500}" '
        f'description="S" '
        f'conid="{n % 500}" isin="" multiplier="1" tradeID="{n}" reportDate="{_day(n)}" dateTime="{_day(n)};103000" '
        f'tradeDate="{_day(n)}" transactionType="ExchTrade" quantity="10" tradePrice="20" proceeds="-200" taxes="0" '
        f'ibCommission="-1" ibCommissionCurrency="USD" netCash="-201" openCloseIndicator="O" notes="" cost="201" '
        f'fifoPnlRealized="0" buySell="BUY" ibOrderID="{n}" levelOfDetail="EXECUTION" />\n'
        for n in range(rows)
    )
    path.write_text(
        '<FlexQueryResponse queryName="q" type="AF"><FlexStatements count="1"><FlexStatement accountId="U1" '
        'fromDate="20230101" toDate="20231231" period="" whenGenerated="20240101;120000"><Trades>\n'
        f"{body}</Trades></FlexStatement></FlexStatements></FlexQueryResponse>\n"
    )


def _csv(header: str, line: Callable[[int], str]) -> Callable[[Path, int], None]:
    def write(path: Path, rows: int) -> None:
        path.write_text(header + "\n" + "".join(line(n) + "\n" for n in range(rows)))

    return write


def _alpaca(path: Path, rows: int) -> None:
    path.write_text(
        json.dumps(
            [
                {
                    "id": f"i{n}",
                    "account_id": "a",
                    "activity_type": "FILL",
                    "transaction_time": "2023-01-04T15:00:00Z",
                    "type": "fill",
                    "price": "20",
                    "qty": "10",
                    "side": "buy",
                    "symbol": f"S{n % 500}",
                    "order_id": f"o{n}",
                }
                for n in range(rows)
            ]
        )
    )


def _awards(path: Path, rows: int) -> None:
    path.write_text(
        json.dumps(
            {
                "FromDate": "01/01/2023",
                "ToDate": "12/31/2023",
                "Transactions": [
                    {
                        "Date": _slashed(n),
                        "Action": "Deposit",
                        "Symbol": "ALDR",
                        "Quantity": "6",
                        "Description": "RS",
                        "FeesAndCommissions": None,
                        "Amount": None,
                        "TransactionDetails": [
                            {
                                "Details": {
                                    "AwardDate": "01/05/2022",
                                    "AwardId": f"G{n}",
                                    "VestDate": _slashed(n),
                                    "VestFairMarketValue": "$20.00",
                                }
                            }
                        ],
                    }
                    for n in range(rows)
                ],
            }
        )
    )


WRITERS: dict[str, tuple[str, Callable[[Path, int], None]]] = {
    "ofx": ("x.ofx", write_ofx),
    "ibkr_flex": ("x.xml", write_flex),
    "ibkr_csv": (
        "x.csv",
        _csv(
            "ClientAccountID,CurrencyPrimary,FXRateToBase,AssetClass,Symbol,TradeID,DateTime,Quantity,TradePrice,NetCash,"
            "Buy/Sell,LevelOfDetail",
            lambda n: f"U1,USD,1,STK,S{n % 500},{n},{_day(n)};103000,10,20,-201,BUY,EXECUTION",
        ),
    ),
    "alpaca": ("x.json", _alpaca),
    "schwab_csv": (
        "x.csv",
        _csv(
            "Date,Action,Symbol,Description,Quantity,Price,Fees & Comm,Amount",
            lambda n: f'{_slashed(n)},Buy,S{n % 500},SECURITY,10,$20.00,$1.00,"-$201.00"',
        ),
    ),
    "schwab_awards": ("x.json", _awards),
    "fidelity": (
        "x.csv",
        _csv(
            "Run Date,Action,Symbol,Description,Type,Quantity,Price ($),Commission ($),Fees ($),Accrued Interest ($),"
            "Amount ($),Settlement Date",
            lambda n: (
                f"{_slashed(n)},YOU BOUGHT SECURITY (S{n % 500}) (Cash),S{n % 500},SECURITY,Cash,10,20,1,,,-201,"
            ),
        ),
    ),
    "vanguard": (
        "x.csv",
        _csv(
            "Account Number,Trade Date,Settlement Date,Transaction Type,Transaction Description,Investment Name,Symbol,"
            "Shares,Share Price,Principal Amount,Commission Fees,Net Amount,Accrued Interest,Account Type",
            lambda n: f"1,{_slashed(n)},{_slashed(n)},Buy,Buy,SECURITY,S{n % 500},10,20,-200,1,-201,0,CASH",
        ),
    ),
    "robinhood": (
        "x.csv",
        _csv(
            "Activity Date,Process Date,Settle Date,Instrument,Description,Trans Code,Quantity,Price,Amount",
            lambda n: (
                f"{_slashed(n)},{_slashed(n)},{_slashed(n)},S{n % 500},SECURITY,Buy,10,$20.00,($200.00)"
            ),
        ),
    ),
    "contract": (
        "x.csv",
        _csv(
            "transaction_id,account_id,traded_at,kind,symbol,quantity,price_usd,amount_usd,fees_usd",
            lambda n: f"t{n},a,2023-01-04,buy,S{n % 500},10,20,-201,1",
        ),
    ),
}


def _rate(action: Callable[[], int]) -> float:
    started = time.process_time()
    rows = action()
    return rows / (time.process_time() - started)


def _ours(path: Path, format_name: str, rows: int) -> float:
    def read() -> int:
        file = read_file(path)
        if file.statement is None or file.format != format_name or file.statement.frame().height != rows:
            raise RuntimeError(f"{format_name}: {file.refused or 'not every row was read'}")
        return rows

    return _rate(read)


def _ofxparse(path: Path, rows: int) -> float:
    ofx_parser = importlib.import_module("ofxparse").OfxParser

    def read() -> int:
        with path.open("rb") as handle:
            found = len(ofx_parser.parse(handle).account.statement.transactions)
        if found != rows:
            raise RuntimeError(f"ofxparse read {found} of {rows} rows")
        return rows

    return _rate(read)


def _ibflex(path: Path, rows: int) -> float:
    parser = importlib.import_module("ibflex.parser")

    def read() -> int:
        found = len(parser.parse(str(path)).FlexStatements[0].Trades)
        if found != rows:
            raise RuntimeError(f"ibflex read {found} of {rows} rows")
        return rows

    return _rate(read)


_PEERS: dict[str, tuple[str, Callable[[Path, int], float]]] = {
    "ofx": ("ofxparse", _ofxparse),
    "ibkr_flex": ("ibflex", _ibflex),
}


def run() -> list[dict[str, Any]]:
    """Time every format, and the peers where there are any."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for format_name, (name, write) in WRITERS.items():
            path = Path(folder) / name
            write(path, 10)
            _ours(path, format_name, 10)  # warms imports
            write(path, ROWS)
            row: dict[str, Any] = {
                "name": "importers",
                "work": f"{format_name}: {ROWS:,} purchases to canonical transactions",
                "ours": _ours(path, format_name, ROWS),
                "unit": "rows/s",
                "peer": None,
                "peer_value": None,
                "ratio": 1.0,
            }
            peer = _PEERS.get(format_name)
            if peer is not None and importlib.util.find_spec(peer[0]) is not None:
                write(path, PEER_ROWS)
                row |= {"peer": peer[0], "peer_value": peer[1](path, PEER_ROWS)}
                row["ratio"] = row["ours"] / row["peer_value"]
            elif peer is not None:
                row["work"] += f" ({peer[0]} is not installed: uv sync --group peers)"
            rows.append(row)
    return rows
