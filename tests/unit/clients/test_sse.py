"""The parser of server-sent events: any split of the bytes gives the same frames, and only whole ones."""

import itertools

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from collate_gateway_client import sse
from collate_gateway_client.sse import Frame, FrameParser, FrameTooLong

FIELDS = ["", "", "id: 1.2.3", "id:4", "id: a\0b", "id", "event: e", "event", "data: {}", "data:x", "data", "data:  y"]
OTHERS = ["retry: 2000", "retry: soon", ": still here", "unknown: z", "data: é€😀", "\ufeffdata: bom", "no colon"]
LINES = st.sampled_from(FIELDS + OTHERS)
ENDS = st.sampled_from(["\n", "\r\n", "\r"])


def by_the_standard(text):
    """Parse a whole text line by line, as the standard's prose says."""
    frames, position, kind, data, retry = [], None, "", None, None
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")[:-1]
    for line in lines:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if line == "":
            frames.append(Frame(position, kind, data, retry))
            kind, data, retry = "", None, None
        elif name == "data":
            data = value if data is None else f"{data}\n{value}"
        elif name == "event":
            kind = value
        elif name == "id" and "\0" not in value:
            position = value
        elif name == "retry" and value.isdigit():
            retry = int(value)
    return frames


@given(st.lists(st.tuples(LINES, ENDS), max_size=30), st.lists(st.integers(0, 400), max_size=12))
@example([("data: x", "\r"), ("", "\r"), ("id: 1", "\r\n")], [8, 9])
@example([("data: x", "\r\n"), ("data: y", "\r\n"), ("", "\n")], [8])
@example([("\ufeffdata: x", "\n"), ("", "\n")], [1, 2, 3])
@example([("data: 😀", "\n"), ("", "\n")], [7, 8, 9])
def test_any_split_gives_the_frames_of_the_standard(lines, cuts):
    text = "".join(line + end for line, end in lines)
    content, parser = text.encode(), FrameParser()
    bounds = sorted({0, len(content), *(cut for cut in cuts if cut < len(content))})
    frames = [frame for a, b in itertools.pairwise(bounds) for frame in parser.feed(content[a:b])]
    frames += parser.feed(b":")  # a last carriage return is held until the next byte
    assert frames == by_the_standard(text)


@given(st.binary(max_size=300), st.integers(0, 300))
def test_any_bytes_are_parsed_without_an_error(content, cut):
    one, two = FrameParser(), FrameParser()
    assert one.feed(content) == two.feed(content[:cut]) + two.feed(content[cut:])


def test_a_half_event_moves_no_position():
    parser = FrameParser()
    assert [frame.position for frame in parser.feed(b"id: 1\ndata: {}\n\nid: 2\ndata: {")] == ["1"]
    assert [(frame.position, frame.data) for frame in parser.feed(b"}\n\n")] == [("2", "{}")]


@pytest.mark.parametrize("piece", [b"data: xxxxx\n", b"data: xxxxx"])
def test_a_frame_is_bounded(piece, monkeypatch):
    monkeypatch.setattr(sse, "MOST_CHARACTERS", 100)
    parser = FrameParser()

    def feed():
        for _ in range(20):
            parser.feed(piece)

    with pytest.raises(FrameTooLong):
        feed()
