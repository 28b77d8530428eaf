"""Compiles this package's functions; an edit of any of its files makes the cached machine code stale."""

from pathlib import Path

from ml.compiled import PackageCompiler, source_hash

_COMPILER = PackageCompiler(source_hash(Path(__file__).parent))
compiled, inner = _COMPILER.compiled, _COMPILER.inner
