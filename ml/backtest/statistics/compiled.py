"""Compiles this package's functions; an edit of its files, or of the random numbers it draws, is noticed."""

from pathlib import Path

import ml.simulate
from ml.compiled import PackageCompiler, source_hash

_COMPILER = PackageCompiler(source_hash(Path(__file__).parent) + source_hash(Path(ml.simulate.__path__[0])))
compiled, inner = _COMPILER.compiled, _COMPILER.inner
