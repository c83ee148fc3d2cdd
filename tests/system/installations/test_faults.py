"""Each fault of docs_build.faults at real processes: its alert, its first command, and what the overview says.

The chart's rules wait for minutes. The test waits only until the alert is pending: it fires `for` later if nothing
changes. `tests/alerts/faults.py` proves that part, and that no other alert is earlier.
"""

import contextlib
import html
import json
import re
import signal
import subprocess
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import psycopg
import pytest

from docs_build.faults import FAULTS, QUIET
from local.collate.web.refusal import AUTHORIZATION_NOT_FOUND
from local.installation import Installation, http_here, start_collate
from local.kafka.nodes import Cluster
from local.kafka.secured import Authority
from local.postgres import Postgres
from local.scene.settings import BROKERS
from tests.alerts.__main__ import rendered_rules
from tests.alerts.prometheus import Prometheus
from tests.chaos.webhooks import Webhooks
from tests.preloaded import PreloadedRun, run_gateway

# The ingresses ask the deliverer's port, so it starts first.
PODS = ("deliverer-0", "ingress-0", "ingress-1", "worker-0", "worker-1", "projector-0", "console-0", "console-1")
RULES = {rule["alert"]: rule for group in rendered_rules()["groups"] for rule in group["rules"] if "alert" in rule}
WAIT = {alert: rule.get("for", "0m") for alert, rule in RULES.items()}
_OPEN = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
# An open page asks, or hears from its stream, within 5 s, of an overview that may be 5 s old: it says so within 30 s.
SAID_SECONDS = 20
DOES_NOT_ANSWER = "(?i)connect|refused|timed? ?out|does not"


def without_times(words):
    """Return the words of an alert without durations and counts, which differ from run to run."""
    return re.sub(r"\b\d+(\.\d+)?([dhms]\b|(?= times| open))( \d+[hms]\b)*", "…", words)


class Fleet:
    """An idle installation: two processes of each part that has two, real Kafka, PostgreSQL and Prometheus."""

    def __init__(self, exits):
        self.cluster = exits.enter_context(Cluster(properties=BROKERS))
        self.database = exits.enter_context(Postgres())
        self.run = exits.enter_context(PreloadedRun("faults"))
        self.collate = start_collate(self.run)
        self.installation = Installation(
            self.run,
            bootstrap=self.cluster.bootstrap,
            collate_url=self.collate,
            database=self.database.conninfo,
            settings={"GATEWAY_TOPICS__PARTITIONS": "12"},
        )
        Webhooks(self.installation, None).subscribe("billing", "http://127.0.0.1:1024/")
        self.installation.apply_topics()
        self.installation.migrate()
        self.programs = {}
        for pod in PODS:
            self.start(pod)
        for program in self.programs.values():
            program.await_ready()
        console = self.programs["console-0"].url
        self.browser = exits.enter_context(http_here())
        form = {"name": "jo.miller", "key": self.installation.caller_key, "return": "/"}
        own = {"origin": console, "sec-fetch-site": "same-origin"}
        assert self.browser.post(f"{console}/sign-in/key", data=form, headers=own).status_code == 303
        assert self.page("console-0")
        self.prometheus = exits.enter_context(Prometheus())
        self.watch(*PODS)

    def start(self, pod, **settings):
        """Start a process on the ports that it had before."""
        before = self.programs.get(pod)
        verb = pod.partition("-")[0]
        if verb == "console":
            self.programs[pod] = self.installation.start_console(self.programs[f"ingress-{pod[-1]}"])
            return
        if before is None:
            self.programs[pod] = self.installation.start(verb, pod)
            if verb == "deliverer":
                self.installation.change({"GATEWAY_DELIVERER__ADMIN_URLS": self.programs[pod].admin_url})
            return
        settings["GATEWAY_ADMIN__PORT"] = before.admin_url.rpartition(":")[2]
        port = int(before.url.rpartition(":")[2])
        started = self.installation.start(verb, pod, port, settings=settings)
        self.programs[pod] = replace(started, admin_url=before.admin_url)

    def kill(self, pod):
        self.programs[pod].process.kill()
        self.programs[pod].process.wait()

    def replace(self, pod):
        """Kill a process, start it again, and wait until it is ready."""
        self.kill(pod)
        self.start(pod)
        self.programs[pod].await_ready()

    def watch(self, *pods):
        """Tell Prometheus that these pods exist, and no other."""
        self.prometheus.scrape({pod: self.programs[pod].admin_url for pod in pods})

    def restarts(self, pod):
        """Return how often Prometheus has seen a process start again."""
        return self.prometheus.values("changes(process_start_time_seconds[30m])")[pod]

    def alerts(self, alert):
        """Return the words and times of the instances of an alert whose condition holds now.

        The chart's rules keep a firing alert for 12 minutes after its condition, and Prometheus may mark it as kept for
        as long although the condition holds again: the condition itself is asked too.
        """
        holding = self.prometheus.labels(RULES[alert]["expr"])
        return {
            without_times(found["annotations"]["summary"]): datetime.fromisoformat(
                found["activeAt"][:19] + "+00:00"
            ).timestamp()
            for found in self.prometheus.alerts()
            if found["labels"]["alertname"] == alert and any(one.items() <= found["labels"].items() for one in holding)
        }

    def page(self, console):
        """Return the words of the overview, as a person reads them."""
        try:
            shown = self.browser.get(f"{self.programs[console].url}/", headers={"sec-fetch-mode": "navigate"}).text
        except httpx.TransportError:
            return "nothing: no page opens"
        return " ".join(html.unescape(re.sub(r"<[^>]+>", "", shown.partition("<main")[2])).split())

    def type(self, command, pod):
        """Run a command of the runbook as the operator of a pod; return all of its output."""
        admin = self.programs[pod].admin_url
        environ = self.installation.caller_environ(self.programs["ingress-0"])
        environ["GATEWAY_ADMIN__PORT"] = admin.rpartition(":")[2]
        program, *words = command.replace("http://127.0.0.1:9090", admin).split()
        if program != "gateway":
            return subprocess.run([program, *words], capture_output=True, text=True, check=True).stdout
        done = run_gateway(*words, environ=environ)
        return done.stdout + done.stderr


@pytest.fixture(scope="module")
def fleet():
    with contextlib.ExitStack() as exits:
        yield Fleet(exits)


@contextlib.asynccontextmanager
async def ended(fleet, pods):
    """Kill processes; their pods are gone too."""
    for pod in pods:
        fleet.kill(pod)
    fleet.watch(*(pod for pod in PODS if pod not in pods))
    try:
        yield pods[0], DOES_NOT_ANSWER
    finally:
        for pod in pods:
            fleet.start(pod)
        for pod in pods:
            fleet.programs[pod].await_ready()
        fleet.watch(*PODS)


def all_of(process):
    return lambda fleet, _: ended(fleet, [pod for pod in PODS if pod.partition("-")[0] == process])


def one_of(process):
    return lambda fleet, _: ended(fleet, [f"{process}-1"])


@contextlib.asynccontextmanager
async def frozen(fleet, _):
    process = fleet.programs["worker-1"].process
    process.send_signal(signal.SIGSTOP)
    try:
        yield "worker-1", DOES_NOT_ANSWER
    finally:
        process.send_signal(signal.SIGCONT)


@contextlib.asynccontextmanager
async def crash_loop(fleet, eventually):
    before = fleet.restarts("projector-0")
    for restarts in range(1, 5):
        fleet.replace("projector-0")
        await eventually(lambda restarts=restarts: fleet.restarts("projector-0") == before + restarts, within=60)
    yield "projector-0", "(?i)ready"


@contextlib.asynccontextmanager
async def database_away(fleet, _):
    fleet.database.kill()
    try:
        yield "projector-0", "database .*Connection refused"
    finally:
        fleet.database.start()


@contextlib.asynccontextmanager
async def database_full(fleet, _):
    """Take every connection, and end those of the gateway until it has none."""
    with contextlib.ExitStack() as held:
        own = held.enter_context(psycopg.connect(fleet.database.conninfo_of("postgres"), autocommit=True))
        for _ in range(20):
            own.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'gateway'")
            with contextlib.suppress(psycopg.OperationalError):
                while True:
                    held.enter_context(psycopg.connect(fleet.database.conninfo_of("postgres")))
        yield "projector-0", "database .*(too many clients|reserved)"


@contextlib.asynccontextmanager
async def database_nearly_full(fleet, _):
    """Open connections until 36 of the 40 that programs may use are open."""
    with contextlib.ExitStack() as held:
        own = held.enter_context(psycopg.connect(fleet.database.conninfo_of("postgres"), autocommit=True))
        while own.execute(_OPEN).fetchone()[0] < 36:
            held.enter_context(psycopg.connect(fleet.database.conninfo_of("postgres")))
        yield "ingress-0", "database connections .*3[4-9] are open"


@contextlib.asynccontextmanager
async def kafka_away(fleet, _):
    fleet.cluster.kill(0)
    try:
        yield "worker-1", "(?i)kafka|broker"
    finally:
        fleet.cluster.start(0)


@contextlib.asynccontextmanager
async def kafka_away_from_one_ingress(fleet, _):
    fleet.kill("ingress-1")
    fleet.start("ingress-1", GATEWAY_KAFKA__BOOTSTRAP="127.0.0.1:1")
    try:
        yield "ingress-1", "(?i)kafka|broker"
    finally:
        fleet.replace("ingress-1")


def send_commands(fleet):
    """Let the workers call Collate for many authorizations."""
    with http_here() as http:
        for number in range(30):
            url = f"{fleet.programs['ingress-0'].url}/v1/authorizations/auth_{number}/watch"
            own = {"Authorization": f"Bearer {fleet.installation.caller_key}", "Idempotency-Key": uuid.uuid4().hex}
            http.post(url, json={}, headers=own).raise_for_status()


class LateCollate(BaseHTTPRequestHandler):
    """A Collate that knows no authorization, and whose clock is half a minute behind."""

    def date_time_string(self, timestamp=None):
        return super().date_time_string((timestamp or time.time()) - 32)

    def do_GET(self):
        body = json.dumps(AUTHORIZATION_NOT_FOUND.envelope("req_1")).encode()
        self.send_response(404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Write nothing."""


@contextlib.asynccontextmanager
async def clock_differs(fleet, _):
    with ThreadingHTTPServer(("127.0.0.1", 0), LateCollate) as server, ThreadPoolExecutor(1) as pool:
        pool.submit(server.serve_forever)
        fleet.kill("worker-1")
        fleet.start("worker-1", GATEWAY_COLLATE__BASE_URL=f"http://127.0.0.1:{server.server_port}")
        fleet.programs["worker-1"].await_ready()
        send_commands(fleet)
        try:
            # The command runs within the next minutes.
            minutes = (datetime.now(UTC) + timedelta(minutes=number) for number in range(4))
            yield "worker-1", "|".join(f"{minute:%H:%M}:" for minute in minutes)
        finally:
            fleet.replace("worker-1")
            server.shutdown()


@contextlib.asynccontextmanager
async def certificate_ends(fleet, _):
    place = fleet.run.directory / "ca.pem"
    Authority("test").issue("collate", place, place.with_suffix(".key"), days=13.5, age_days=100)
    fleet.kill("worker-1")
    fleet.start("worker-1", GATEWAY_COLLATE__CA_FILE=str(place))
    try:
        yield "worker-1", "(?i)ok|ready|reach"
    finally:
        fleet.replace("worker-1")


@contextlib.asynccontextmanager
async def rate_limited(fleet, _):
    rule = {"do": "answer", "status": 429, "code": "rate_limited", "retryAfter": "1", "retryable": True}
    with http_here() as http:
        http.post(f"{fleet.collate}/_sim/faults", json=rule).raise_for_status()
        send_commands(fleet)
        try:
            yield "worker-1", "rate_limited"
        finally:
            http.delete(f"{fleet.collate}/_sim/faults").raise_for_status()


DRILLS = {
    **{f"{process}-gone": all_of(process) for process in ("ingress", "worker", "projector", "deliverer", "console")},
    **{f"{process}-missing": one_of(process) for process in ("ingress", "worker", "console")},
    "frozen": frozen,
    "crash-loop": crash_loop,
    "database-away": database_away,
    "database-full": database_full,
    "database-nearly-full": database_nearly_full,
    "kafka-away": kafka_away,
    "kafka-away-from-one-ingress": kafka_away_from_one_ingress,
    "collate-429": rate_limited,
    "clock-skew": clock_differs,
    "certificate-ends": certificate_ends,
}


def test_each_row_has_a_drill_or_says_why_not():
    assert DRILLS.keys() == {fault.name for fault in FAULTS if not fault.no_drill}


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if not fault.no_drill], ids=lambda fault: fault.name)
async def test_the_alert_the_overview_and_the_first_command_show_a_fault(fleet, eventually, fault):
    alert, words = f"CollateGateway{fault.alert}", without_times(fault.words)
    await eventually(lambda: fleet.prometheus.values("up == 1").keys() == set(PODS), within=120)
    began = time.time()
    # A person may meet the ingress that cannot reach Kafka. A Service leads to no ingress that has ended.
    console = "console-1" if fault.name == "kafka-away-from-one-ingress" else "console-0"
    async with DRILLS[fault.name](fleet, eventually) as (pod, shown):
        said = None
        if fault.says != QUIET:
            await eventually(lambda: fault.says in fleet.page(console), within=SAID_SECONDS)
            said = f"{time.time() - began:.0f} s"
        found = await eventually(lambda: found if words in (found := fleet.alerts(alert)) else None, within=120)
        seconds = found[words] - began + float(WAIT[alert].removesuffix("m")) * 60
        output = fleet.type(fault.command, pod)
        line = next((line for line in output.splitlines() if re.search(shown, line)), None)
        # `pytest -s` shows the measured table.
        print(
            f"\n| {fault.name} | {alert} | {seconds:.0f} s | {fault.words} | {fault.says} | {said} | {fault.command} | "
            f"{(line or '').strip()} |"
        )
        assert line, output
        # After the alert's condition, also a sentence that must not come has had its time.
        await eventually(lambda: fault.says in fleet.page(console), within=30)
    # A healthy installation has nothing wrong. The condition of an alert without `for` may look back for half an hour.
    await eventually(lambda: words not in fleet.alerts(alert) or not WAIT[alert].removesuffix("0m"), within=120)
