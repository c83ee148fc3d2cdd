"""The words for programs in the text of a page. Their names come from the code, so no list of them is kept by hand.

Not the console's own sentences: what a person copies (ids, code), and what Collate wrote.
"""

import json
import re
from collections.abc import Iterator
from enum import StrEnum
from functools import cache
from html.parser import HTMLParser
from typing import Any

from runtime.environ import setting_paths, variable_name
from runtime.settings import Settings
from schemas.enums import CommandType, EventType, short_type
from schemas.published import read

# `openSomething`, but not a program's own name at the beginning of a capital: OpenAPI, JavaScript.
_CAMEL_CASE = re.compile(r"\b[a-z]+[A-Z]\w*")
_SPOKEN = ("aria-label", "placeholder", "data-label", "alt")
_COPIED = {"code", "bdi", "template"}
_VOID = {"input", "meta", "link", "br", "path", "img"}


def program_words(page: str) -> set[str]:
    """Return the words for programs in a page: names of events, commands, fields, headers, settings and reasons."""
    parser = _Spoken()
    parser.feed(page)
    return {word for text in parser.texts for word in [*_CAMEL_CASE.findall(text), *_names().findall(text)]}


class _Spoken(HTMLParser):
    """The text of a page that is read as a sentence, and its labels."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._within: list[tuple[str, bool]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        is_copied = tag in _COPIED or bool({"id", "copied"} & set((named.get("class") or "").split()))
        if tag not in _VOID:
            self._within.append((tag, is_copied))
        if not any(copied for _, copied in self._within):
            self.texts += [value for name in _SPOKEN if (value := named.get(name))]

    def handle_endtag(self, tag: str) -> None:
        if self._within and tag not in _VOID:
            self._within.pop()

    def handle_data(self, data: str) -> None:
        if data.strip() and not any(copied for _, copied in self._within):
            self.texts.append(data)


@cache
def _names() -> re.Pattern[str]:
    types = {short_type(each) for each in (*EventType, *CommandType)}
    settings = {name for path in setting_paths(Settings) for name in (".".join(path), variable_name(path))}
    found = {*types, *settings, *_headers(json.loads(read("openapi.json"))), *_slugs(StrEnum)}
    # A name of one word, such as `version`, may be in any sentence.
    names = sorted(name for name in found if re.search(r"[._-]", name))
    return re.compile(rf"(?<![\w.-])(?:{'|'.join(map(re.escape, names))})(?![\w-])")


def _headers(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if node.get("in") == "header":
            yield node["name"]
        yield from node.get("headers", {}) if isinstance(node.get("headers"), dict) else ()
        for each in node.values():
            yield from _headers(each)
    elif isinstance(node, list):
        for each in node:
            yield from _headers(each)


def _slugs(vocabulary: type[StrEnum]) -> Iterator[str]:
    for each in vocabulary.__subclasses__():
        yield from (word for word in each if "_" in word and each.__module__.startswith("schemas."))
        yield from _slugs(each)
