"""Everything that stands in the topics of one installation, as bytes, aborted transactions included."""

from local.installation import PARTITIONS
from local.judge.whole_topic import read_topic
from schemas.topics import catalogue


async def everything_in(bootstrap, prefix):
    """Every record of every topic by the topic's short name, in the order of its partition."""
    return {
        topic.role: await read_topic(bootstrap, topic.name, PARTITIONS, isolation="read_uncommitted")
        for topic in catalogue(prefix)
    }
