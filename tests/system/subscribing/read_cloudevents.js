// Reads `count` records with kafkajs, makes CloudEvents of them with the official SDK, and prints them as JSON, ordered by
// source and the text of the extension `sequence`.
//
//     node read_cloudevents.js CLOUDEVENTS KAFKAJS BOOTSTRAP TOPIC COUNT
globalThis.self = globalThis; // the SDK's bundle is also made for browsers
const [sdk, kafkajs, bootstrap, topic, count] = process.argv.slice(2);
const { Kafka: binding } = require(`${sdk}/bundles/cloudevents.js`);
const { Kafka, logLevel } = require(kafkajs);

const text = (buffer) => (buffer === null ? undefined : buffer.toString());
const byText = (one, other) => (one < other ? -1 : Number(one > other));

async function main() {
  const kafka = new Kafka({ brokers: [bootstrap], logLevel: logLevel.NOTHING });
  const consumer = kafka.consumer({ groupId: `${topic}-javascript`, readUncommitted: false });
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  const events = [];
  await new Promise((resolve, reject) => {
    consumer.on(consumer.events.CRASH, (crash) => reject(crash.payload.error));
    const eachMessage = async ({ message }) => {
      const headers = Object.fromEntries(Object.entries(message.headers).map(([name, value]) => [name, text(value)]));
      events.push(binding.toEvent({ headers, key: text(message.key), value: text(message.value), body: text(message.value) }));
      if (events.length === Number(count)) resolve();
    };
    consumer.run({ eachMessage }).catch(reject);
  });
  await consumer.disconnect();
  events.sort((one, other) => byText(one.source, other.source) || byText(one.sequence, other.sequence));
  process.stdout.write(JSON.stringify(events));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
