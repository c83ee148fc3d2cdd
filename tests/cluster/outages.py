"""Cases in which Kafka or PostgreSQL is away."""

import asyncio
import signal

from tests.cluster.scene import require

KAFKA_AWAY_SECONDS = 300
DATABASE_AWAY_SECONDS = 60


async def kafka_away(scene):
    """Kafka is away for five minutes: no probe restarts a pod."""
    before = await scene.restarts()
    broker = scene.servers.kafka
    await asyncio.to_thread(broker.kill, 0, signal.SIGKILL)
    scene.note("Kafka is killed")
    await asyncio.sleep(KAFKA_AWAY_SECONDS)
    scene.note(f"restarts: {await scene.restarts() - before}")
    require(await scene.restarts() == before, "no pod was restarted")
    await asyncio.to_thread(broker.start, 0)
    scene.note("Kafka is back")
    scene.note(f"ready again after {await scene.until_ready():.1f} s")
    require(await scene.restarts() == before, "no pod was restarted")


async def database_away(scene):
    """PostgreSQL is away for a minute: no probe restarts a pod, reads get 503, commands go on."""
    before, database = await scene.restarts(), scene.servers.database
    path = f"/v1/authorizations/{scene.callers.authorizations[0]}"

    async def reads():
        return (await scene.get(path)).status_code == 200

    await scene.until(reads, 30, "a read works before")
    await asyncio.to_thread(database.kill)
    scene.note("PostgreSQL is killed")
    ended = len(scene.callers.ended)
    async with scene.undisturbed():
        await asyncio.sleep(20)
        response = await scene.get(path)
        scene.note(f"a read: {response.status_code}; commands ended meanwhile: {len(scene.callers.ended) - ended}")
        require(response.status_code == 503, f"a read gets 503, not {response.status_code}")
        require(len(scene.callers.ended) > ended, "commands go on")
        await asyncio.sleep(DATABASE_AWAY_SECONDS - 20)
        require(await scene.restarts() == before, "no pod was restarted")
        await asyncio.to_thread(database.start)
        scene.note("PostgreSQL is back")
        scene.note(f"a read works after {await scene.until(reads, 60, 'a read works'):.1f} s")
        scene.note(f"every pod is ready after {await scene.until_ready():.1f} s")
    require(await scene.restarts() == before, "no pod was restarted")
