"""`gateway watch-all` without a gateway: the file, the place in it, and the batches."""

import json
from dataclasses import dataclass, field

import pytest

from gateway.cli.api_client import GatewayUnavailable, RequestRejected
from gateway.cli.watch_all.progress import FailedLine, OtherFile, RunProgress
from gateway.cli.watch_all.sender import BATCH_BYTES, GIVE_UP_SECONDS, Clock, pause_before, send_all
from gateway.cli.watch_all.source import Line, WrongLine, read_lines, summarise


@pytest.fixture
def file(tmp_path):
    return tmp_path / "ids"


def parsed(file, text, **options):
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return list(read_lines(file, **options))


class TestSource:
    def test_ids_on_lines(self, file):
        assert parsed(file, "auth_1\r\n\n  auth_2 \nauth_3") == [
            Line(1, "auth_1"),
            Line(3, "auth_2"),
            Line(4, "auth_3"),
        ]

    def test_csv_with_a_header(self, file):
        text = '\ufeffpatient,authorizationId,metadata.case\nx,auth_1,c-1\n\n"a\nb",auth_2,\n'
        assert parsed(file, text) == [Line(2, "auth_1", {"case": "c-1"}), Line(4, "auth_2")]

    def test_json_lines(self, file):
        text = '{"authorizationId": "auth_1", "metadata": {"case": "c-1"}, "more": 1}\n{"authorizationId": "auth_2"}\n'
        assert parsed(file, text) == [Line(1, "auth_1", {"case": "c-1"}), Line(2, "auth_2")]

    @pytest.mark.parametrize(
        "text",
        [
            "two words",
            "{",
            "{}",
            '{"authorizationId": 7}',
            '{"authorizationId": "a", "metadata": {"k": "with space"}}',
            '{"authorizationId": "a", "metadata": [1]}',
            b"\xff\xfe",
        ],
    )
    def test_a_wrong_line_is_named_and_not_repeated(self, file, text):
        (wrong,) = parsed(file, text)
        assert isinstance(wrong, WrongLine)
        assert wrong.number == 1
        assert "two words" not in wrong.expected

    def test_lines_before_the_place_are_skipped(self, file):
        assert parsed(file, "a\nb\nc\n", after=2) == [Line(3, "c")]
        assert parsed(file, "authorizationId\na\nb\n", after=2) == [Line(3, "b")]


class TestProgress:
    def test_a_run_that_ended_continues_at_its_place(self, file):
        first = RunProgress(file, "d1")
        first.advance(7, [FailedLine(3, "expected an id")])
        second = RunProgress(file, "d1")
        assert (second.run, second.line, second.failed) == (first.run, 7, 1)
        assert second.continues

    def test_failures_behind_the_saved_place_are_not_counted_twice(self, file):
        first = RunProgress(file, "d1")
        first.advance(7, [FailedLine(3, "wrong")])
        with first.failures_file.open("a") as out:
            out.write('{"line": 9, "reason": "written before the crash"}\n')
        second = RunProgress(file, "d1")
        second.advance(9, [FailedLine(9, "again", "auth_9", 403)])
        lines = [json.loads(line)["line"] for line in second.failures_file.read_text().splitlines()]
        assert (lines, second.failed) == ([3, 9], 2)

    def test_another_content_is_refused_unless_all_is_sent_again(self, file):
        first = RunProgress(file, "d1")
        first.advance(7, [])
        with pytest.raises(OtherFile):
            RunProgress(file, "d2")
        again = RunProgress(file, "d2", starts_again=True)
        assert (again.line, again.continues) == (0, False)
        assert again.run != first.run

    def test_a_finished_run_leaves_only_its_failures(self, file):
        progress = RunProgress(file, "d1")
        progress.advance(2, [])
        progress.finish()
        assert not list(file.parent.iterdir())
        progress = RunProgress(file, "d1")
        progress.advance(2, [FailedLine(1, "wrong")])
        progress.finish()
        assert list(file.parent.iterdir()) == [progress.failures_file]


@dataclass
class Gateway:
    """Answers as `answers` says, one answer for each batch, then accepts everything."""

    answers: list = field(default_factory=list)
    batches: list = field(default_factory=list)
    now: float = 0.0
    unfinished: list = field(default_factory=list)
    slept: list = field(default_factory=list)

    def send(self, call):
        events = json.loads(call.body)
        self.batches.append(events)
        answer = self.answers.pop(0) if self.answers else {}
        if isinstance(answer, Exception):
            raise answer
        accepted = {"status": 202}
        commands, rate = self.unfinished.pop(0) if self.unfinished else (0, 0.0)
        return {
            "results": [answer.get(event["subject"], accepted) for event in events],
            "unfinished": commands,
            "endedPerSecond": rate,
        }

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds

    @property
    def clock(self):
        return Clock(lambda: self.now, self.sleep)

    def subjects(self):
        return [[event["subject"] for event in batch] for batch in self.batches]


def rejected(status, **more):
    return {"status": status, "problem": {"title": "No", "detail": "Do something.", **more.pop("problem", {})}, **more}


def send(gateway, file, lines, window=500):
    progress = RunProgress(file, "d1")
    places = []
    send_all(gateway, lines, progress, places.append, gateway.clock, window=window)
    return progress, places


def lines(count):
    return [Line(number, f"auth_{number}") for number in range(1, count + 1)]


class TestSender:
    def test_a_batch_has_a_hundred_events(self, file):
        gateway = Gateway()
        progress, places = send(gateway, file, lines(250))
        assert [len(batch) for batch in gateway.batches] == [100, 100, 50]
        assert (places, progress.line, gateway.slept) == ([100, 200, 250], 250, [])

    def test_a_batch_is_not_larger_than_the_window(self, file):
        gateway = Gateway()
        send(gateway, file, lines(25), window=10)
        assert [len(batch) for batch in gateway.batches] == [10, 10, 5]

    def test_a_batch_is_smaller_than_the_bound_of_bytes(self, file):
        gateway = Gateway()
        metadata = {f"k{number}" * 20: "v" * 64 for number in range(16)}
        send(gateway, file, [Line(number, f"a{number}" * 20, metadata) for number in range(1, 201)])
        assert all(len(json.dumps(batch)) <= BATCH_BYTES for batch in gateway.batches)
        assert sum(len(batch) for batch in gateway.batches) == 200

    def test_the_events_of_a_run_that_continues_are_the_same_commands(self, file):
        gateway = Gateway([GatewayUnavailable("away")])
        with pytest.raises(GatewayUnavailable):
            send(gateway, file, lines(3))
        again = Gateway()
        send(again, file, lines(3))
        assert again.batches[0] == gateway.batches[0]
        assert len({event["id"] for event in again.batches[0]}) == 3

    def test_only_events_above_the_rate_are_sent_again_after_retry_after(self, file):
        gateway = Gateway([{"auth_2": rejected(429, retryAfter=7), "auth_3": rejected(503, retryAfter=2)}])
        progress, _ = send(gateway, file, lines(3))
        assert gateway.subjects() == [["auth_1", "auth_2", "auth_3"], ["auth_2", "auth_3"]]
        assert gateway.slept == [7]
        assert (progress.line, progress.failed) == (3, 0)

    def test_a_rejected_event_is_a_failure_of_its_line(self, file):
        fault = {"errors": [{"pointer": "/1/data/metadata", "detail": "expected an object"}]}
        gateway = Gateway([{"auth_2": rejected(422, problem=fault)}])
        progress, _ = send(gateway, file, [WrongLine(1, "an id"), *lines(3)[1:]])
        one, two = [json.loads(line) for line in progress.failures_file.read_text().splitlines()]
        assert one == {"line": 1, "reason": "expected an id"}
        assert two == {
            "line": 2,
            "reason": "No. Do something. data/metadata: expected an object.",
            "authorization_id": "auth_2",
            "status": 422,
        }
        assert len(gateway.batches) == 1

    def test_the_run_ends_after_ten_minutes_without_success(self, file):
        gateway = Gateway([{"auth_1": rejected(503, problem={"detail": "Away."})}] * 2000)
        with pytest.raises(GatewayUnavailable, match="Away"):
            send(gateway, file, lines(1))
        assert GIVE_UP_SECONDS < gateway.now < GIVE_UP_SECONDS + 60

    def test_a_response_without_a_result_for_each_event_ends_the_run(self, file):
        gateway = Gateway()
        gateway.send = lambda _: {"results": []}
        with pytest.raises(GatewayUnavailable, match="one result for each event"):
            send(gateway, file, lines(1))

    def test_the_run_goes_on_as_long_as_some_events_are_accepted(self, file):
        slow = [{f"auth_{n}": rejected(429, retryAfter=500) for n in range(k, 6)} for k in range(2, 7)]
        progress, _ = send(Gateway(slow), file, lines(5))
        assert progress.line == 5

    def test_a_batch_waits_until_it_fits_into_the_window_at_the_rate_of_ended_commands(self, file):
        gateway = Gateway(unfinished=[(480, 10.0), (460, 10.0), (400, 10.0)])
        progress, _ = send(gateway, file, lines(200))
        assert [len(batch) for batch in gateway.batches] == [100, 0, 0, 100]
        assert gateway.slept == [8.0, 6.0]
        assert progress.line == 200

    def test_the_run_ends_if_no_command_ends_for_ten_minutes_and_goes_on_while_some_do(self, file):
        with pytest.raises(GatewayUnavailable, match="has ended"):
            send(Gateway(unfinished=[(480, 0.0)] * 2000), file, lines(200))
        slow = Gateway(unfinished=[(480 - number // 10, 0.1) for number in range(1000)])
        assert send(slow, file, lines(200))[0].line == 200
        assert slow.now > 2 * GIVE_UP_SECONDS

    @pytest.mark.parametrize(
        ("excess", "rate", "seconds"),
        [(0, 5.0, 0.0), (1, 10.0, 1.0), (50, 10.0, 5.0), (100, 0.1, 30.0), (100, 0.0, 30.0), (-400, 0.0, 0.0)],
    )
    def test_a_pause_is_the_time_of_the_excess_between_a_second_and_half_a_minute(self, excess, rate, seconds):
        assert pause_before(excess, rate) == seconds

    def test_a_rejected_request_ends_the_run_at_its_place(self, file):
        gateway = Gateway([{}, RequestRejected("not-permitted", "no")])
        with pytest.raises(RequestRejected):
            send(gateway, file, lines(150))
        assert RunProgress(file, "d1").line == 100


def test_a_summary_counts_lines_and_knows_the_content(file):
    file.write_text("a\nb")
    before = summarise(file)
    file.write_text("a\nc")
    assert (before.lines, before.digest != summarise(file).digest) == (2, True)
