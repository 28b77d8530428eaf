"""Compiled functions whose disk cache notices a change in any source file that they are built from.

numba's cache looks at the file that defines a function, not at the files of the functions that it
calls: after an edit of a called file the cached caller would go on with the old code. Here the cache
is stamped with a hash of all sources of the caller's package instead.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numba
from numba import njit


def source_hash(folder: Path) -> str:
    """Return a hash of a folder's Python files, of this one and of numba's version."""
    digest = hashlib.blake2b(numba.__version__.encode(), digest_size=16)
    for path in (*sorted(folder.glob("*.py")), Path(__file__)):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class PackageCompiler:
    """Compiles the functions of one package.

    Attributes
    ----------
    stamp : str
        From :func:`source_hash`: cached machine code with another stamp is compiled anew.
    relaxed : frozenset of str
        LLVM's fast-math flags; none: floating-point arithmetic as written.
    """

    stamp: str
    relaxed: frozenset[str] = frozenset()

    def _cached(self, function: Callable, **options: Any) -> Any:
        """Compile with a stamped cache; without a place for a cache, in memory."""
        try:
            dispatcher: Any = njit(cache=True, error_model="numpy", fastmath=set(self.relaxed), **options)(
                function
            )
        except RuntimeError as error:
            if "no locator available" not in str(error):
                raise
            return njit(error_model="numpy", fastmath=set(self.relaxed), **options)(function)
        # numba has no public way to name further source files; the tests hold this to its effect.
        index = getattr(getattr(dispatcher, "_cache", None), "_cache_file", None)
        if index is not None:
            index._source_stamp = self.stamp
        return dispatcher

    def compiled(self, function: Callable) -> Any:
        """Compile a function that Python calls; it releases the interpreter's lock while it runs."""
        return self._cached(function, nogil=True)

    def inner(self, function: Callable) -> Any:
        """Compile a function that only compiled code calls: no wrappers for Python, a third of the time."""
        return self._cached(function, no_cpython_wrapper=True, no_cfunc_wrapper=True)

    def hot(self, function: Callable) -> Any:
        """Compile an inner function into its callers' code: for the few that most rows pass through.

        Passing a table costs seven words a call; written into the caller it costs none.
        """
        return self._cached(function, no_cpython_wrapper=True, no_cfunc_wrapper=True, forceinline=True)

    def inlined(self, function: Callable) -> Any:
        """Compile a function as part of its one compiled caller: for what is apart only to be read."""
        return njit(inline="always", error_model="numpy")(function)
