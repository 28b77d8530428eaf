"""``python -m ml.backtest.report FOLDER``: the report of a backtest's trials."""

import sys

from ml.backtest.report.write import main

sys.exit(main())
