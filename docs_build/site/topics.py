"""The pages of the topics' messages, made from asyncapi.json: each message with its fields and its example."""

from docs_build.site.shapes import Document, Json, fenced

_PREFIX = "collate-gateway."


def pages(text: str) -> dict[str, str]:
    """Return the pages by path: the events, and the records of the other topics."""
    document = Document(text, "")
    topics = {name: _topic(document, topic) for name, topic in document.content["channels"].items()}
    info = document.content["info"]
    about = f"{info['description']} The document: [asyncapi.json](/schemas/published/asyncapi.json).\n\n"
    return {
        "reference/topic-events.md": f"# Events\n\n{about}{topics.pop('events')}",
        "reference/topic-others.md": "# The other topics\n\n" + "\n".join(topics.values()),
    }


def _topic(document: Document, topic: Json) -> str:
    messages = [document.resolve(one) for one in topic["messages"].values()]
    head = f"## Topic {topic['title']}\n\n`{topic['address']}`: {topic['description']}\n\n"
    parts = (_message(document, one) for one in messages)
    return f"{head}{document.fields(messages[0]['headers'])}\n" + "\n".join(parts)


def _message(document: Document, message: Json) -> str:
    example = message["examples"][0]["payload"]
    inner = document.schemas(f"{message['title']}.", "####")
    return (
        f"### {message['name'].removeprefix(_PREFIX)}\n\n`{message['name']}`: {message['summary']}\n\n"
        f"{document.fields(message['payload'])}{fenced(example)}\n{inner}\n"
    )
