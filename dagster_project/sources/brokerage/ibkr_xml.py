"""Interactive Brokers' Flex XML as a stream of elements' attributes; bounded memory, no DTD, no entities.

expat is driven directly: Flex puts everything into attributes, so no tree is needed. A document type
declaration ends the parse, which leaves nothing to expand and nothing to fetch.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NoReturn
from xml.parsers import expat

from dagster_project.sources.brokerage.model import RefusedFile
from dagster_project.sources.brokerage.textio import open_text

_BLOCK = 1 << 20
_MAX_DEPTH = 64


def walk(
    path: Path,
    encoding: str,
    opened: Callable[[str, dict[str, str]], None],
    closed: Callable[[str], None] | None = None,
) -> None:
    """Call ``opened(tag, attributes)`` and ``closed(tag)`` for every element in order.

    Raises
    ------
    RefusedFile
        Not well-formed, cut off, nested too deeply, or with a document type declaration.
    """
    parser = expat.ParserCreate("utf-8")
    parser.buffer_text = True
    depth = 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > _MAX_DEPTH:
            raise RefusedFile("elements are nested more than 64 deep: this is no Flex statement")
        opened(tag, attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        if closed is not None:
            closed(tag)

    def refuse(*_: object) -> NoReturn:
        raise RefusedFile(
            "the file declares a document type, which Flex files do not have: refused for safety"
        )

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    try:
        with open_text(path, encoding) as handle:
            first = True
            while block := handle.read(_BLOCK):
                parser.Parse(block.lstrip("\ufeff \t\r\n") if first else block, False)
                first = False
            parser.Parse("", True)
    except expat.ExpatError as error:
        raise RefusedFile(
            f"the XML is not well-formed or cut off ({error}): download the statement again"
        ) from error
