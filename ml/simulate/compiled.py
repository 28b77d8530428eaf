"""Compiled functions whose disk cache notices a change in any file of this package.

numba's cache looks at the file that defines a function, not at the files of the functions that it
calls: after an edit of ``rules.py`` the cached engine would go on with the old rules. Here the cache
is stamped with a hash of all sources of the package instead.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from numba import njit


def _source_hash() -> str:
    """Return a hash of the package's sources and numba's version."""
    digest = hashlib.blake2b(numba.__version__.encode(), digest_size=16)
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


SOURCE_HASH = _source_hash()


def _cached(function: Callable, **options: Any) -> Any:
    """Compile with a cache stamped by :data:`SOURCE_HASH`; without a place for a cache, in memory."""
    try:
        dispatcher: Any = njit(cache=True, error_model="numpy", **options)(function)
    except RuntimeError as error:
        if "no locator available" not in str(error):
            raise
        return njit(error_model="numpy", **options)(function)
    # numba has no public way to name further source files; test_compiled.py holds this to its effect.
    index = getattr(getattr(dispatcher, "_cache", None), "_cache_file", None)
    if index is not None:
        index._source_stamp = SOURCE_HASH
    return dispatcher


def compiled(function: Callable) -> Any:
    """Compile a function that Python calls; it releases the interpreter's lock while it runs."""
    return _cached(function, nogil=True)


def inner(function: Callable) -> Any:
    """Compile a function that only compiled code calls: no wrappers for Python, a third of the time."""
    return _cached(function, no_cpython_wrapper=True, no_cfunc_wrapper=True)


def inlined(function: Callable) -> Any:
    """Compile a function as part of its one compiled caller: for what is apart only to be read."""
    return njit(inline="always", error_model="numpy")(function)
