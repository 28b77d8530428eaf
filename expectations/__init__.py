"""Great Expectations gates: what must be true of a table before the night goes on.

``suites/`` says what is expected (plain data, importable in milliseconds), ``runner.py`` alone
speaks to Great Expectations, ``report.py`` renders an outcome without reaching for the network.
"""
