"""What a published document, OpenAPI or AsyncAPI, says about data, as Markdown: types, tables of fields, examples."""

import json
from collections.abc import Iterator
from typing import Any, Final, TypeAlias

from docs_build.markdown import table

Json: TypeAlias = dict[str, Any]

_LIMITS: Final = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "maxLength": "at most {} characters",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "maxProperties": "at most {} entries",
}
_LONGEST_PATTERN: Final = 60  # longer ones only list control characters


class Document:
    """A document, and the page of the site that has its schemas."""

    def __init__(self, text: str, page: str) -> None:
        self.content: Json = json.loads(text)
        self._page = page

    def resolve(self, holder: Json | None) -> Json:
        """Return what a reference leads to, or the holder itself."""
        holder = holder or {}
        while reference := holder.get("$ref"):
            holder = self.content
            for step in reference.removeprefix("#/").split("/"):
                holder = holder[step]
        return holder

    def type_of(self, schema: Json) -> str:
        """Return a type in words; that of an object with fields is a link to them."""
        shape = self.resolve(schema)
        if "$ref" in schema and (shape.get("properties") or "oneOf" in shape):
            name = schema["$ref"].rpartition("/")[2]
            return f"[{name.rpartition('.')[2]}]({self._page}#{name.lower().replace('.', '')})"
        if "const" in shape:
            return f"`{json.dumps(shape['const'])}`"
        if "enum" in shape:
            return ", ".join(f"`{word}`" for word in shape["enum"])
        if "items" in shape:
            return f"list of {self.type_of(shape['items'])}"
        if alternatives := shape.get("oneOf") or shape.get("anyOf"):
            return " or ".join(self.type_of(one) for one in alternatives if one != {"type": "null"})
        named = shape.get("type", "any")
        named = named if isinstance(named, str) else " or ".join(one for one in named if one != "null")
        return str(shape.get("format", named))

    def fields(self, schema: Json) -> str:
        """Return the fields of an object as a table, or the alternatives of a choice; empty if it has none."""
        shape = self.resolve(schema)
        required = shape.get("required", ())
        rows = [
            (f"`{name}`", self.type_of(one), "yes" if name in required else "", self._meaning(one))
            for name, one in shape.get("properties", {}).items()
        ]
        if rows:
            return table(("field", "type", "required", "meaning"), rows)
        return f"{self.type_of(shape)}\n" if {"oneOf", "anyOf", "items", "enum"} & shape.keys() else ""

    def schemas(self, prefix: str = "", level: str = "##") -> str:
        """Return each schema that has fields or alternatives, as a part with its name as heading."""
        parts = [
            f"{level} {name}\n\n{shape.get('description', '')}\n\n{fields}{_examples(shape)}"
            for name, shape in self.content["components"]["schemas"].items()
            if name.startswith(prefix) and "enum" not in shape and (fields := self.fields(shape))
        ]
        return "\n".join(parts)

    def example(self, media: Json) -> Any:
        """Return the example of a body, or None: the media type's own, else that of its schema."""
        named = [self.resolve(one)["value"] for one in media.get("examples", {}).values()]
        of_schema = self.resolve(media.get("schema")).get("examples", [])
        return next(iter([media["example"]] if "example" in media else [*named, *of_schema]), None)

    def _meaning(self, schema: Json) -> str:
        shape = self.resolve(schema)
        said = schema.get("description") or shape.get("description", "")
        return " ".join([said, *_limits(shape)])


def fenced(value: Any, language: str = "json") -> str:
    """Return a value as an indented JSON block, or a text as a block of another language."""
    text = json.dumps(value, indent=2, ensure_ascii=False) if language == "json" else value
    return f"\n```{language}\n{text}\n```\n"


def _examples(shape: Json) -> str:
    return "".join(fenced(example) for example in shape.get("examples", ())[:1])


def _limits(shape: Json) -> Iterator[str]:
    found = [words.format(f"{shape[word]:,}") for word, words in _LIMITS.items() if word in shape]
    pattern = shape.get("pattern", "")
    if pattern and len(pattern) <= _LONGEST_PATTERN:
        found.append("`" + pattern.replace("|", "\\|") + "`")
    if found:
        yield f"({'; '.join(found)})"
    if shape.get("x-data-class", "public") != "public":
        yield f"**{shape['x-data-class'].upper()}**"
