"""The site's reference (`make docs ARGS=--site`) has each operation and each message of the published documents."""

import json
import re
import shlex
from urllib.parse import urlsplit

from docs_build.__main__ import PUBLISHED, ROOT
from docs_build.site import navigation, reference, topics
from docs_build.site.shapes import Document
from tests.contract.documents.pages import PAGES

OPENAPI = (ROOT / PUBLISHED / "openapi.json").read_text()
ASYNCAPI = (ROOT / PUBLISHED / "asyncapi.json").read_text()


def test_the_reference_has_each_operation_with_its_parameters_body_answers_and_curl():
    document, pages = Document(OPENAPI, ""), reference.pages(OPENAPI)
    seen = 0
    for tag in document.content["tags"]:
        for method, path, operation in reference.operations(document, tag["name"]):
            text = pages[f"reference/{tag['name']}.md"].partition(f"({operation['operationId']})=")[2]
            text = text.partition("\n## ")[2].partition("\n## ")[0]
            assert f"**{method}** `{path}`" in text
            parameters = [document.resolve(one)["name"] for one in operation.get("parameters", ())]
            body = document.resolve(operation.get("requestBody")).get("content", {})
            fields = [name for one in body.values() for name in document.resolve(one["schema"]).get("properties", {})]
            rows = re.findall(r"^\| `?([\w-]+)`? \|", text, re.MULTILINE)
            assert [one for one in (*parameters, *fields, *operation["responses"]) if one not in rows] == []
            assert reference.curl(document, method, path, operation) in text
            seen += 1
    assert seen == sum(len(item) for item in document.content["paths"].values())


def test_a_curl_line_sends_what_the_operation_needs():
    document = Document(OPENAPI, "")
    for path, item in document.content["paths"].items():
        for method, operation in item.items():
            words = shlex.split(reference.curl(document, method.upper(), path, operation))
            address = next(one for one in words if one.startswith("$COLLATE_GATEWAY_URL"))
            assert re.sub(r"\$\w+", "x", urlsplit(address).path) == "x" + re.sub(r"{\w+}", "x", path)
            headers = [words[at + 1].partition(":")[0] for at, word in enumerate(words) if word == "-H"]
            required = [one for one in map(document.resolve, operation.get("parameters", ())) if one.get("required")]
            assert {one["name"] for one in required if one["in"] == "header"} <= set(headers)
            assert all(f"{one['name']}=" in address for one in required if one["in"] == "query")
            assert ("Authorization" in headers) == (operation.get("security") != [])
            assert ("-d" in words) == (method == "post")
            content = document.resolve(operation.get("requestBody")).get("content", {})
            if examples := [example for one in content.values() if (example := document.example(one))]:
                assert json.loads(words[words.index("-d") + 1]) in examples


def test_the_reference_has_each_message_with_its_fields_and_those_inside_them():
    document, pages = Document(ASYNCAPI, ""), topics.pages(ASYNCAPI)
    text = "".join(pages.values())
    for message in document.content["components"]["messages"].values():
        part = text.partition(f"\n`{message['name']}`: ")[2].partition("\n### ")[0]
        schemas = {
            name: shape
            for name, shape in document.content["components"]["schemas"].items()
            if name == message["title"] or name.startswith(f"{message['title']}.")
        }
        fields = {field for shape in schemas.values() for field in shape.get("properties", {})}
        assert [field for field in fields if f"| `{field}` |" not in part] == []


def test_each_page_has_one_place_in_the_navigation():
    """The decisions have theirs on a page of their own; README is the home page."""
    listed = re.findall(r"^/(.+)$", navigation.contents(), re.MULTILINE)
    pages = [name.removesuffix(".md") for name in PAGES if "/decisions/" not in name and name != "README.md"]
    assert sorted(name for name in listed if not name.startswith(("reference/", "docs/decisions/"))) == sorted(pages)
