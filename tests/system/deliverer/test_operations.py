"""What an operator does with a running deliverer: topics, checks, changes of the file, 410, dead letters, redrive."""

import asyncio
import json

import httpx
from aiokafka import AIOKafkaProducer

from consumers.deliverer.stored_stop import read_stop, write_stop
from local.subscriptions import new_secret
from local.webhook_receiver import Receiver, Reply, always
from runtime.settings import KafkaSettings
from tests.chaos.webhooks import write_atomically
from tests.preloaded import run_gateway
from tests.process.deliverer.conftest import event_record

KEYS = 20


async def gateway(webhooks, *arguments, settings=None):
    """Run a verb of the command line; return exit code, output and errors."""
    environ = webhooks.installation.environ | (settings or {})
    done = await asyncio.to_thread(run_gateway, *arguments, environ=environ)
    return done.returncode, done.stdout, done.stderr


async def get(program, path):
    async with httpx.AsyncClient(trust_env=False, timeout=120) as http:
        return await http.get(f"{program.admin_url}/{path}")


async def subscriptions(program):
    return {one["name"]: one for one in (await get(program, "partitions")).json()["subscriptions"]}


async def state_of(program):
    return (await subscriptions(program))["billing"]


async def resume(webhooks, program, *options, name="billing"):
    verb = ("deliverer", "resume", name, "--operator", "ada", "--why", "asked", "--admin", program.admin_url)
    return await gateway(webhooks, *verb, *options)


def kill(program):
    program.process.kill()
    program.process.wait()


async def metrics(program):
    return (await get(program, "metrics")).text


async def test_topics_and_checks_know_the_subscriptions(webhooks, receiver):
    webhooks.subscribe("billing", receiver.url)
    code, out, _ = await gateway(webhooks, "topics", "plan", "--json")
    prefix = webhooks.installation.prefix
    missing = {one["topic"] for one in json.loads(out)["differences"]}
    assert code == 3
    assert missing == {f"{prefix}deliverer.billing.state", f"{prefix}deliverer.billing.dead-letters"}
    code, out, _ = await gateway(webhooks, "check", "--for", "deliverer", "--json")
    assert code == 78, out
    await webhooks.apply_topics()
    code, out, err = await gateway(webhooks, "check", "--for", "deliverer", "--json")
    checks = {one["check"]: one for one in json.loads(out)["checks"]}
    assert code == 0, out + err
    assert checks["webhooks"]["detail"].startswith("1 in")
    code, out, _ = await gateway(webhooks, "topics", "acls")
    assert f"--topic {prefix}deliverer. --resource-pattern-type prefixed" in out.replace("'", "")


async def test_a_missing_topic_is_waited_for_and_named(webhooks, events, receiver, eventually):
    webhooks.subscribe("billing", receiver.url)
    program = webhooks.installation.start("deliverer")
    state = await eventually(lambda: _starting(program))
    assert "missing: " in state["detail"]
    await webhooks.apply_topics()
    await events.write("auth_1")
    await eventually(lambda: receiver.accepted)


async def _starting(program):
    try:
        state = await state_of(program)
    except (httpx.TransportError, KeyError):
        return None
    return state if state["detail"] else None


async def test_the_test_verb_shows_each_step(webhooks, receiver):
    webhooks.subscribe("billing", receiver.url)
    code, out, err = await gateway(webhooks, "deliverer", "test", "billing")
    assert code == 0, out + err
    assert "204: accepted" in out
    assert "s3cret" not in out + err
    assert receiver.requests[0].type == "collate-gateway.subscription.test.v1"
    receiver.behave = always(Reply(503))
    code, out, _ = await gateway(webhooks, "deliverer", "test", "billing", "--json")
    assert (code, json.loads(out)["accepted"]) == (1, False)
    webhooks.subscribe("inside", "https://hooks.example.localhost/")
    code, out, _ = await gateway(webhooks, "deliverer", "test", "inside")
    assert code == 1
    code, _, err = await gateway(webhooks, "deliverer", "test", "nothing")
    assert code == 2
    assert "billing, inside" in err


async def test_410_stops_the_subscription_until_an_operator_resumes_it(webhooks, events, receiver, eventually):
    webhooks.subscribe("billing", receiver.url)
    program = await webhooks.start()
    receiver.behave = always(Reply(410))
    await events.write("auth_1")
    await eventually(lambda: "deliverer.subscription_stopped" in program.log.read_text())
    kill(program)
    before = len(receiver.requests)
    program = await webhooks.start()
    await eventually(lambda: _has_state(program, "stopped"))
    await events.write("auth_1")
    await asyncio.sleep(1)
    assert len(receiver.requests) == before, "a restart does not forget the 410"
    assert 'collate_gateway_deliverer_stopped{subscription="billing"} 1.0' in await metrics(program)
    receiver.behave = always(Reply())
    code, out, err = await resume(webhooks, program)
    assert (code, "not stopped" in out) == (0, False), out + err
    await eventually(lambda: not receiver.verdict(events.sent).lost)
    assert receiver.verdict(events.sent).is_good
    code, out, _ = await resume(webhooks, program)
    assert (code, "It was not stopped in this process." in out) == (0, True)
    code, _, err = await resume(webhooks, program, "--partition", "3")
    assert (code, "Partition 3 was not stopped" in err) == (1, True)
    code, _, err = await resume(webhooks, program, name="nothing")
    assert (code, "has no subscription nothing" in err) == (1, True)


async def test_no_process_stops_a_resumed_subscription_again_after_a_kill(webhooks, events, receiver, eventually):
    """Keys of both processes got 410. Both are killed when the first has answered the resume."""
    webhooks.subscribe("billing", receiver.url)
    programs = [await webhooks.start(name) for name in ("one", "two")]
    receiver.behave = always(Reply(410, seconds=1.0))
    for number in range(KEYS):
        await events.write(f"auth_{number}")
    for program in programs:
        await eventually(lambda program=program: "deliverer.subscription_stopped" in program.log.read_text())
    receiver.behave = always(Reply(500))
    code, out, err = await resume(webhooks, programs[0], "--json")
    assert (code, json.loads(out)["isStored"]) == (0, True), err
    for program in programs:
        kill(program)
    receiver.behave = always(Reply())
    programs = [await webhooks.start(name) for name in ("one", "two")]
    assert "stopped" not in [(await state_of(program))["state"] for program in programs], (
        "a ready process knows the stop"
    )
    await eventually(lambda: not receiver.verdict(events.sent).lost)
    assert receiver.verdict(events.sent).is_good


async def test_a_stop_that_an_open_transaction_follows_is_read(webhooks, kafka):
    """The owner of the partition may have been killed in a transaction: it hides nothing."""
    webhooks.subscribe("billing", "https://hooks.example/")
    await webhooks.apply_topics()
    topic = f"{webhooks.installation.prefix}deliverer.billing.state"
    settings = KafkaSettings(bootstrap=(kafka,))
    await write_stop(settings, topic, "0123456789abcdef")
    assert await read_stop(settings, topic) == "0123456789abcdef"
    producer = AIOKafkaProducer(bootstrap_servers=kafka, transactional_id=f"{topic}-killed")
    await producer.start()
    await producer.begin_transaction()
    await producer.send_and_wait(topic, b"{}", key=b"auth_1", partition=0)
    await write_stop(settings, topic, None)
    assert await read_stop(settings, topic) is None
    await producer.abort_transaction()
    await producer.stop()


async def _has_state(program, state):
    return (await state_of(program))["state"] == state


async def _dead_letters(webhooks):
    _, out, _ = await gateway(webhooks, "deliverer", "dead-letters", "billing", "--json")
    return json.loads(out)["deadLetters"]


async def test_an_event_that_is_never_accepted_becomes_a_dead_letter_and_a_redrive_fills_the_gap(
    webhooks, events, receiver, eventually
):
    poison = ("auth_1", 1)
    receiver.behave = lambda one: Reply(500) if (one.authorization, one.sequence) == poison else Reply()
    webhooks.subscribe("billing", receiver.url, give_up_after="3s")
    program = await webhooks.start()
    await events.write("auth_1", count=3)
    await eventually(lambda: len(receiver.accepted) >= 2)
    verdict = receiver.verdict(events.sent, gaps=[poison])
    assert verdict.is_good, verdict
    (letter,) = await eventually(lambda: _dead_letters(webhooks))
    assert (await state_of(program))["deadLetters"] == 1, "it is counted before its transaction commits"
    assert (letter["authorization"], letter["sequence"], letter["result"]) == ("auth_1", 1, "status_5xx")
    code, out, _ = await gateway(webhooks, "deliverer", "redrive", "billing", "--event", letter["event"])
    assert code == 1, "it is still refused"
    receiver.behave = always(Reply())
    code, out, err = await gateway(webhooks, "deliverer", "redrive", "billing", "--dead-letters")
    assert code == 0, out + err
    assert not receiver.verdict(events.sent).lost
    code, out, _ = await gateway(webhooks, "deliverer", "dead-letters", "billing")
    assert "No dead letter" in out


async def test_a_redrive_counts_and_skips_what_no_receiver_can_get(webhooks, events, receiver, eventually):
    """Three records are unreadable to the deliverer too: no CloudEvent, data that is not JSON, an id outside ASCII."""
    webhooks.subscribe("billing", receiver.url)
    await webhooks.start()
    headers, value = event_record("auth_1")
    await events.append("auth_1", [("x", b"y")], b"broken")
    await events.append("auth_1", headers, b"not JSON")
    await events.append("auth_1", [(name, "é".encode() if name == "ce_id" else text) for name, text in headers], value)
    await events.write("auth_1")
    await eventually(lambda: receiver.accepted)

    async def results():
        found = [one["result"] for one in await _dead_letters(webhooks)]
        return found if len(found) == 3 else None

    assert await eventually(results) == ["unreadable"] * 3
    for which, delivered in ((("--dead-letters",), 0), (("--since", "1h"), 1)):
        code, out, err = await gateway(webhooks, "deliverer", "redrive", "billing", *which, "--json")
        answer = json.loads(out)
        assert (code, answer["delivered"], answer["skipped"], answer["stopped"]) == (1, delivered, 3, []), out + err
    assert len(await _dead_letters(webhooks)) == 3


async def test_a_redrive_from_a_position_delivers_in_order(webhooks, events, receiver, eventually):
    webhooks.subscribe("billing", receiver.url)
    await webhooks.start()
    for number in range(20):
        await events.write(f"auth_{number % 4}")
    await eventually(lambda: not receiver.verdict(events.sent).lost)
    receiver.requests.clear()
    code, out, err = await gateway(webhooks, "deliverer", "redrive", "billing", "--since", "1h")
    assert code == 0, out + err
    verdict = receiver.verdict(events.sent)
    assert (verdict.is_good, verdict.duplicates) == (True, 0)
    receiver.requests.clear()
    authorization = ("--authorization", "auth_2")
    code, out, err = await gateway(webhooks, "deliverer", "redrive", "billing", "--since", "1h", *authorization)
    assert [one.sequence for one in receiver.accepted] == [1, 2, 3, 4, 5]
    for wrong in (("--position", "99:0"), ("--position", "x"), (), ("--since", "1h", "--dead-letters")):
        code, _, err = await gateway(webhooks, "deliverer", "redrive", "billing", *wrong)
        assert code == 2, err


async def test_the_file_is_reloaded_and_a_bad_version_is_refused(webhooks, events, receiver, eventually):
    webhooks.subscribe("billing", receiver.url)
    program = await webhooks.start()
    good = webhooks.file.read_text()
    write_atomically(webhooks.file, good + "\nnonsense")
    await eventually(lambda: _is_unready(program, "TOML"))
    await events.write("auth_1")
    await eventually(lambda: receiver.accepted)
    write_atomically(webhooks.file, good)
    await eventually(lambda: _is_ready(program))
    async with Receiver(webhooks.secret("second")) as second:
        webhooks.subscribe("second", second.url)
        await webhooks.apply_topics()
        await eventually(lambda: second.accepted)
        webhooks.unsubscribe("billing")
        await eventually(lambda: _names(program, ["second"]))
        await events.write("auth_1")
        await eventually(lambda: len(second.accepted) == 2)
    assert len(receiver.accepted) == 1
    assert 'subscription="billing"' not in await metrics(program)


async def _is_unready(program, reason):
    response = await get(program, "readyz")
    return response.status_code == 503 and reason in response.text


async def _is_ready(program):
    return (await get(program, "readyz")).is_success


async def _names(program, names):
    return list(await subscriptions(program)) == names


async def test_a_secret_rotates_without_a_lost_or_unsigned_event(webhooks, events, receiver, eventually):
    webhooks.subscribe("billing", receiver.url)
    await webhooks.start()
    await events.write("auth_1")
    await eventually(lambda: receiver.accepted)
    fresh = new_secret()
    path = webhooks.installation.directory / "fresh"
    path.write_text(fresh)
    webhooks.subscribe("billing", receiver.url, secret_files=[webhooks.secret_file("billing"), path])

    async def two_signatures():
        await events.write("auth_1")
        await eventually(lambda: receiver.accepted[-1].sequence == events.sent[-1][1])
        return len(receiver.accepted[-1].headers["webhook-signature"].split(" ")) == 2

    await eventually(two_signatures)
    receiver.webhook = type(receiver.webhook)(fresh)
    webhooks.subscribe("billing", receiver.url, secret_files=[path])
    for _ in range(10):
        await events.write("auth_1")
        await asyncio.sleep(0.3)
    await eventually(lambda: not receiver.verdict(events.sent).lost)
    assert not receiver.bad


async def test_logs_hold_no_token_of_a_url_and_no_secret(webhooks, events, receiver, eventually):
    receiver.behave = always(Reply(500))
    webhooks.subscribe("billing", receiver.url)
    program = await webhooks.start()
    await events.write("auth_1")
    await eventually(lambda: len(receiver.requests) > 1)
    shown = (await get(program, "partitions")).text + await metrics(program)
    program.stop()
    text = program.log.read_text() + shown
    assert "deliverer.event_not_delivered" in text
    assert "s3cret" not in text
    assert webhooks.secrets["billing"].removeprefix("whsec_") not in text
