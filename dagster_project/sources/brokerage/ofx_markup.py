"""OFX markup as a stream of aggregates: SGML (1.x, unclosed leaves) and XML (2.x), with or without a header.

Not an XML parser on purpose: entities other than the five predefined and numeric ones stay text, a
DTD is no OFX and is refused, nothing is fetched. What a tag means is in ``ofx.py``.
"""

import html
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from dagster_project.sources.brokerage.model import RefusedFile
from dagster_project.sources.brokerage.textio import open_text

_TAG: Final = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9_.:-]*)([^<>]*)>([^<]*)")
_COMMENT: Final = re.compile(r"<!--.*?-->", re.DOTALL)
_BLOCK: Final = 1 << 20
_MAX_TOKEN: Final = 1 << 22
_MAX_DEPTH: Final = 64
_SECURITY: Final = re.compile(r"SECURITY[:=]\s*\"?(TYPE1|[A-Z0-9]+)", re.IGNORECASE)


@dataclass(slots=True)
class Node:
    """An aggregate: its leaves' values and the aggregates inside it."""

    name: str
    leaves: dict[str, str] = field(default_factory=dict)
    children: list["Node"] = field(default_factory=list)

    def find(self, name: str) -> "Node | None":
        """The first aggregate of that name, at any depth."""
        for child in self.children:
            if child.name == name:
                return child
            found = child.find(name)
            if found is not None:
                return found
        return None

    def get(self, name: str) -> str:
        """The first filled leaf of that name, at any depth, or an empty text."""
        if self.leaves.get(name):
            return self.leaves[name]
        return next((value for child in self.children if (value := child.get(name))), "")

    def flat(self, prefix: str = "") -> dict[str, str]:
        """All leaves with their paths, for showing the row as it was read."""
        found = {f"{prefix}{name}": value for name, value in self.leaves.items()}
        for child in self.children:
            found |= child.flat(f"{prefix}{child.name}.")
        return found


@dataclass(frozen=True)
class Event:
    """``open``, ``close`` (with the aggregate) or ``leaf`` (with its value), and the tags around it."""

    kind: str
    name: str
    path: tuple[str, ...]
    node: Node | None = None
    value: str = ""


def _tokens(path: Path, encoding: str) -> Iterator[tuple[bool, str, str]]:
    """(is it a closing tag, name in capitals, text up to the next tag)."""
    buffer = ""
    started = False
    with open_text(path, encoding) as handle:
        while True:
            block = handle.read(_BLOCK)
            buffer += block
            if not started:
                at = re.search(r"<OFX\b[^>]*>", buffer, re.IGNORECASE)
                if at is None:
                    if block and len(buffer) < _MAX_TOKEN:
                        continue
                    raise RefusedFile("there is no <OFX> element in the file: export it again as OFX or QFX")
                _check_header(buffer[: at.start()])
                buffer, started = buffer[at.start() :], True
            buffer = _COMMENT.sub("", buffer)
            end = len(buffer) if not block else buffer.rfind("<")
            if len(buffer) - end > _MAX_TOKEN:
                raise RefusedFile(
                    "an element's text is longer than 4 MB: the file is damaged, export it again"
                )
            for found in _TAG.finditer(buffer, 0, end):
                if found[3].rstrip().endswith("/"):
                    yield False, found[2].upper(), ""
                    yield True, found[2].upper(), ""
                else:
                    yield bool(found[1]), found[2].upper(), found[4].strip()
            buffer = buffer[end:]
            if not block:
                return


def _check_header(header: str) -> None:
    if re.search(r"<!(DOCTYPE|ENTITY)", header, re.IGNORECASE):
        raise RefusedFile(
            "the file declares a document type or entities, which OFX does not have: refused for safety"
        )
    security = _SECURITY.search(header)
    if security and security[1].upper() != "NONE":
        raise RefusedFile(
            f"the file is encrypted (OFX SECURITY {security[1].upper()}): export it without encryption"
        )


def events(path: Path, encoding: str, rows: Collection[str]) -> Iterator[Event]:
    """Walk the file; aggregates named in ``rows`` come whole as ``close`` events and are then forgotten.

    Raises
    ------
    RefusedFile
        No OFX, encrypted, nested too deeply, or cut off before its end.
    """
    # SGML closes aggregates and need not close leaves: a name that is closed somewhere can be an aggregate.
    closed = {name for closing, name, _ in _tokens(path, encoding) if closing}
    if "OFX" not in closed:
        raise RefusedFile("the file ends without </OFX>: it is cut off, export it again")
    stack: list[Node] = []
    for closing, name, text in _tokens(path, encoding):
        path_names = tuple(node.name for node in stack)
        if not closing and text:
            value = html.unescape(text)
            if stack:
                stack[-1].leaves.setdefault(name, value)
            yield Event("leaf", name, path_names, value=value)
        elif not closing:
            if name not in closed:
                continue  # an empty leaf
            if len(stack) >= _MAX_DEPTH:
                raise RefusedFile(
                    "elements are nested more than 64 deep: the file is damaged, export it again"
                )
            node = Node(name)
            if stack and (any(n in rows for n in path_names) or name in rows):
                stack[-1].children.append(node)
            stack.append(node)
            yield Event("open", name, path_names)
        elif name in path_names:
            while stack[-1].name != name:
                _give_to_parent(stack)
            node = stack.pop()
            yield Event("close", name, tuple(n.name for n in stack), node)
            if stack and name in rows and not any(n.name in rows for n in stack):
                stack[-1].children = []  # the row is handed over: nothing of it is kept
    if stack:
        raise RefusedFile(f"the file ends inside <{stack[-1].name}>: it is cut off, export it again")


def _give_to_parent(stack: list[Node]) -> None:
    """An empty leaf was taken for an aggregate: what follows it belongs to its parent."""
    node, parent = stack.pop(), stack[-1]
    for leaf, value in node.leaves.items():
        parent.leaves.setdefault(leaf, value)
    parent.children = [child for child in parent.children if child is not node] + node.children
