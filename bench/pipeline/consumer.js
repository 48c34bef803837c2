// A plain consumer loop: consumer.js BOOTSTRAP TOPIC GROUP BATCH COUNT. Offsets are committed after each batch.
const { Kafka, logLevel } = require('kafkajs');

const [bootstrap, topic, groupId, batchText, countText] = process.argv.slice(2);
const [size, count] = [Number(batchText), Number(countText)];
const kafka = new Kafka({ brokers: [bootstrap], logLevel: logLevel.NOTHING });
const consumer = kafka.consumer({ groupId, maxWaitTimeInMs: 100 });
let records = 0;
let total = 0;
let begun;

async function main() {
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  await consumer.run({
    autoCommit: false,
    eachBatchAutoResolve: false,
    eachBatch: async ({ batch, resolveOffset }) => {
      for (let at = 0; at < batch.messages.length && records < count; at += size) {
        const part = batch.messages.slice(at, at + size);
        for (const message of part) {
          records += 1;
          total += JSON.parse(message.value).amount;
        }
        const { offset } = part.at(-1);
        resolveOffset(offset);
        await consumer.commitOffsets([
          { topic, partition: batch.partition, offset: (BigInt(offset) + 1n).toString() },
        ]);
        // the first tenth is not counted: connections, and the group's first meeting
        if (!begun && records >= count / 10) begun = { at: performance.now(), records };
      }
      if (records >= count) {
        const perSecond = ((records - begun.records) / (performance.now() - begun.at)) * 1000;
        console.log(JSON.stringify({ perSecond, total }));
        process.exit(0);
      }
    },
  });
}

main();
