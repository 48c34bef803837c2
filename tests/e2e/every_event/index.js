const { gunzipSync } = require('node:zlib');

// What the test sends has a word `by-…`, which says what it came through.
function words(event) {
  const text = event.awslogs
    ? gunzipSync(Buffer.from(event.awslogs.data, 'base64')).toString()
    : JSON.stringify(event);
  return new Set(text.match(/by-[a-z-]+/g));
}

exports.see = async (event) => {
  for (const word of words(event)) console.log(`saw ${word}.`);
};

// A record of a destination has the event that failed, or the answer, in it.
exports.recorded = async (event) => {
  const { condition } = event.requestContext;
  for (const word of words(event)) console.log(`recorded ${condition} ${word}.`);
};

exports.fail = async () => {
  throw new Error('as the test wants it');
};

exports.hook = async (event) => {
  console.log(`hooked ${event.headers['x-key']} ${event.body.match(/by-[a-z-]+/)[0]}.`);
  return { statusCode: 200, body: '{"enriched": true}' };
};
