"""Index of the suites: which tables are gated, under which names."""

from expectations.spec import Suite
from expectations.suites import features, prices, recommendations, transactions

SUITES: dict[str, Suite] = {
    suite.name: suite
    for module in (prices, transactions, features, recommendations)
    for suite in module.SUITES
}


def get_suite(name: str) -> Suite:
    """Look a suite up.

    Parameters
    ----------
    name : str
        Its name.

    Returns
    -------
    Suite
        The suite.

    Raises
    ------
    KeyError
        If there is none of that name; the message lists those that exist.
    """
    try:
        return SUITES[name]
    except KeyError:
        raise KeyError(
            f"no expectation suite named {name!r}; there are: {', '.join(sorted(SUITES))}"
        ) from None
