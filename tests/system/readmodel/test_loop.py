"""The projector's loop on real servers: what is in the topics is in the tables, once."""


async def test_what_is_in_the_topics_is_in_the_tables(settings, told, project, rows_of):
    await project(settings)

    rows = rows_of(settings)
    events = {(record.authorization_id, record.value) for record in told if record.topic == "events"}
    assert sum('"rank": 2' in row for row in rows["timeline"]) == len(events)
    assert len(rows["authorizations"]) == len({one.authorization_id for one in told if one.topic == "authorizations"})
    assert "PHI" not in str(rows)


async def test_another_batch_size_makes_the_same_rows(settings, told, project, rows_of, replayed):
    await project(settings)
    smaller = settings.model_copy(update={"readmodel": settings.readmodel.model_copy(update={"batch": 7})})

    assert await replayed(smaller) == rows_of(settings)
