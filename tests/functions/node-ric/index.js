// A function on the official Node client; ../README.md says what all of these fixtures do.
'use strict';

exports.handler = async (event, context) => {
  if (event.log !== undefined) console.log(event.log);
  if (event.fail) throw Object.assign(new Error('boom'), { name: 'boom' });
  return { hello: event.name === undefined ? null : event.name, requestId: context.awsRequestId };
};
