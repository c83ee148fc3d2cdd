"""Write each need of a person, with the handoff that serves it, as an HL7 FHIR R4 Task, from the topic `events`.

    python fhir_task.py localhost:9092 collate-gateway. https://gateway.example

Needs aiokafka and nothing of the gateway. It reads the topic from its beginning and prints each version of a Task as a
line of JSON: PUT it to Task/ID unless the stored one has a later lastModified. docs/prior-authorization.md explains it.
"""

import asyncio
import json
import sys
import uuid
from typing import Any

from aiokafka import AIOKafkaConsumer

Json = dict[str, Any]
SYSTEM, NEED = "urn:collate-gateway", "complete_payer_interaction"
ENDED = ("completed", "failed", "cancelled")
# A report is a claim: the Task stays in progress until the payer's truth is compared with it. Any other result: failed.
OF_RESULT = {"completed_reported": "in-progress", "revoked": "cancelled", "canceled": "cancelled"}
OF_AGREEMENT = {"agrees": "completed", "contradicts": "failed"}
# Status, and the field with the owner.
OF_PERSON = {"claimed": ("accepted", "by"), "released": ("ready", ""), "access_granted": ("in-progress", "operator")}


def apply(event: Json, tasks_of: dict[str, list[Json]], gateway_url: str) -> list[Json]:
    """Return the new versions of the Tasks that the event begins or changes; drop those of a settled authorization."""
    _, subject, kind, version = event["type"].split(".")
    if version != "v1":
        return []
    tasks, new = tasks_of.pop(event["subject"], []), {}
    begins = (subject, kind) == ("handoff", "opened") or (kind == "action_required" and needs(event["data"]))
    if begins and not any(task["status"] == "requested" for task in tasks):
        number = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{event['source']}#{event['id']}"))
        focus = named("authorization", event["subject"])  # no event names the patient: `for` is yours to add
        task: Json = {"resourceType": "Task", "id": number, "status": "requested", "intent": "order"}
        task |= {"code": code(NEED), "focus": focus, "authoredOn": event["time"], "lastModified": event["time"]}
        tasks.append(task)
        new[number] = task
    for index, task in enumerate(tasks):
        fields = (of_handoff if subject == "handoff" else of_authorization)(kind, event, task, gateway_url)
        if task["status"] in ENDED:  # FHIR has no way back from an end: the other fields tell a later verdict
            fields.pop("status", None)
        if fields:
            whole = task | fields | {"lastModified": event["time"]}
            tasks[index] = new[task["id"]] = {name: value for name, value in whole.items() if value is not None}
    if tasks and not (kind == "settled" and all(task["status"] in ENDED for task in tasks)):
        tasks_of[event["subject"]] = tasks
    return list(new.values())


def of_authorization(kind: str, event: Json, task: Json, gateway_url: str) -> Json:
    """Return the fields that an event of the authorization changes."""
    data, waits = event["data"], task["status"] == "requested"
    if waits and (kind == "settled" or (kind in ("action_required", "changed") and not needs(data))):
        return {"status": "cancelled", "statusReason": code("no_longer_needed")}
    if kind == "settled" and "end" in task.get("executionPeriod", {}):
        is_last = task["identifier"][0]["value"] == data.get("handoffId")
        return {"status": "completed"} | (verdict(event, gateway_url) if is_last else {})
    return {}


def of_handoff(kind: str, event: Json, task: Json, gateway_url: str) -> Json:
    """Return the fields that an event of a handoff changes; None removes one."""
    data, at = event["data"], event["time"]
    number = [named("handoff", data.get("handoffId", ""))["identifier"]]
    if kind == "opened" and task["status"] == "requested":
        order = data.get("metadata", {}).get("serviceRequest")
        based_on = [{"reference": f"ServiceRequest/{order}"}] if order else None
        return {"status": "ready", "identifier": number, "basedOn": based_on, "executionPeriod": {"start": at}}
    if task.get("identifier") != number:
        return {}
    if kind in OF_PERSON:
        status, owner = OF_PERSON[kind]
        status = "in-progress" if kind == "claimed" and task["status"] == "in-progress" else status  # by the first link
        return {"status": status, "owner": named("person", data[owner]) if owner else None}
    if kind == "closed":
        ended = {"status": OF_RESULT.get(data["result"], "failed"), "statusReason": code(data["result"])}
        return ended | {"executionPeriod": task["executionPeriod"] | {"end": at}}
    return verdict(event, gateway_url) if kind == "reconciled" else {}


def verdict(event: Json, gateway_url: str) -> Json:
    """Return how the report compares with the payer's truth, and where to fetch the evidence."""
    data, evidence = event["data"], f"{gateway_url}/v1/authorizations/{event['subject']}/payer-evidence"
    status = {"status": OF_AGREEMENT[data["agreement"]]} if data["agreement"] in OF_AGREEMENT else {}
    seen = [code(f"payer_{proof}") for proof in ("receipt", "decision") if data["payer"][f"{proof}Seen"]]
    output = [{"type": proof, "valueUrl": evidence} for proof in seen]
    return status | {"businessStatus": code(data["agreement"]), "output": output or None}


def needs(data: Json) -> bool:
    """Return whether Collate needs a person in the payer's portal."""
    return data.get("action", data.get("nextAction")) == NEED and data.get("resolution") in (None, "manual_handoff")


def code(word: str) -> Json:
    """Return a word of Collate or the gateway as a CodeableConcept."""
    return {"coding": [{"system": SYSTEM, "code": word}]}


def named(kind: str, value: str) -> Json:
    """Return a reference by identifier: the gateway serves no FHIR."""
    return {"identifier": {"system": f"{SYSTEM}:{kind}", "value": value}}


async def main(bootstrap: str, prefix: str, gateway_url: str) -> None:
    """Print each version of each Task."""
    committed = {"isolation_level": "read_committed", "auto_offset_reset": "earliest"}
    tasks_of: dict[str, list[Json]] = {}
    async with AIOKafkaConsumer(f"{prefix}events", bootstrap_servers=bootstrap, **committed) as events:
        async for record in events:
            event = {name.removeprefix("ce_"): value.decode() for name, value in record.headers}
            for task in apply(event | {"data": json.loads(record.value)}, tasks_of, gateway_url):
                print(json.dumps(task), flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:4]))
