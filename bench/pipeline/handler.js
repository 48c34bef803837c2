// What a function does with a batch of records; consumer.js does the same without a platform.
const seen = { records: 0, total: 0, latencies: [] };

exports.handler = async (event) => {
  if (event.report) return seen;
  const now = Date.now();
  for (const records of Object.values(event.records)) {
    for (const record of records) {
      seen.records += 1;
      seen.total += JSON.parse(Buffer.from(record.value, 'base64')).amount;
      seen.latencies.push(now - record.timestamp);
    }
  }
  seen.latencies.splice(0, seen.latencies.length - 20_000);
};
