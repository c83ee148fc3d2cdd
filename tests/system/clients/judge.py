"""What must hold after commands and a stream under restarts, whichever client was used."""

from collections import Counter, defaultdict

from tests.system.outcomes import assert_each_is_applied_once


async def judge(listener, collate, authorizations, outcomes, streamed):
    """Compare the outcomes that the client returned, and the events that it streamed, with Kafka and Collate.

    `outcomes`: the JSON of each call. `streamed`: (authorization, sequence, type, missing) of each event.
    """
    commands = [one["commandId"] for one in outcomes]
    await assert_each_is_applied_once(listener, collate, authorizations, commands)
    assert Counter(one["authorizationId"] for one in outcomes) == Counter(authorizations), "one outcome each"
    assert {one["outcome"] for one in outcomes} == {"applied"}

    numbers = defaultdict(list)
    for authorization, sequence, _kind, _missing in streamed:
        numbers[authorization].append(sequence)
    assert all(found == list(range(1, len(found) + 1)) for found in numbers.values()), numbers
    assert [one for one in streamed if one[3]] == [], "no event is missing"
    published = {(event.authorization_id, event.sequence) for event in listener.events}
    ours = {(authorization, sequence) for authorization, sequence, _kind, _missing in streamed}
    assert ours <= published
    wanted = {(event.authorization_id, event.sequence) for event in listener.events if event.kind == "command.finished"}
    assert wanted <= ours, "the stream has every outcome"
