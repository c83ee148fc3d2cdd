"""A generator of odd answers: one value of a response of Collate becomes the smallest, the largest, or nonsense.

Half of them change a version or a time: only these are read as numbers.
"""

import json
import random
from collections import Counter

# As text, because no dump of Python's writes them.
RAW = {
    "20 digits": "9" * 20,
    "400 digits": "9" * 400,
    "infinity": "1e999",
    "lone surrogate": '"\\ud800"',
    "NUL": '"\\u0000"',
    "deep": "[" * 5_000 + "]" * 5_000,
    "1 MiB": '"' + "x" * 2**20 + '"',
}
VALUES = {
    "empty": "",
    "null": None,
    "zero": 0,
    "negative": -1,
    "largest": 2**53 - 1,
    "beyond the largest": 2**53,
    "fraction": 0.5,
    "true": True,
    "list": [],
    "object": {},
    "far future": "9999-12-31T23:59:59Z",
    "far future, west": "9999-12-31T23:59:59-23:59",
    "far past": "0001-01-01T00:00:00Z",
    "far past, east": "0001-01-01T00:00:00+23:59",
    "unknown word": "a_word_of_tomorrow",
    "other case": "COMPLETED",
    "sentence": "Jane Doe, born 1970",
    "long word": "w" * 65,
}
MISSING = "missing"
KINDS = [*RAW, *VALUES, MISSING]


def places(document, path=()):
    """Yield the path of each value."""
    children = document.items() if isinstance(document, dict) else enumerate(document)
    for name, value in children:
        yield (*path, name)
        if isinstance(value, dict | list):
            yield from places(value, (*path, name))


class OddAnswers:
    """Changes a part of the bodies; `made` counts the answers by kind."""

    def __init__(self, seed, share=0.3):
        self.chance, self.share = random.Random(seed), share
        self.made = Counter()
        self.is_on = True

    def body(self, body):
        """Return the body, with one odd value or as it is."""
        if not self.is_on or self.chance.random() >= self.share:
            return body
        document = json.loads(body)
        everywhere = list(places(document))
        counted = [path for path in everywhere if path[-1] == "version" or str(path[-1]).endswith("At")]
        *way, last = self.chance.choice(counted if counted and self.chance.random() < 0.5 else everywhere)
        kind = self.chance.choice(KINDS)
        if kind == "1 MiB" and self.chance.random() < 0.9:  # it takes most of the time
            kind = "20 digits"
        self.made[kind] += 1
        parent = document
        for name in way:
            parent = parent[name]
        if kind == MISSING:
            del parent[last]
        else:
            parent[last] = VALUES.get(kind, f"raw {kind}")
        text = json.dumps(document)
        return (text.replace(f'"raw {kind}"', RAW[kind]) if kind in RAW else text).encode()
