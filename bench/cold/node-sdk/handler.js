// A function as users write it: a client made at the top, from the package's own node_modules.
'use strict';

const { S3Client, ListBucketsCommand } = require('@aws-sdk/client-s3');

const client = new S3Client({ region: 'us-east-1', credentials: { accessKeyId: 'a', secretAccessKey: 'b' } });

exports.handler = async () => ({
  statusCode: 200,
  body: `${client.config.serviceId} ${new ListBucketsCommand({}).constructor.name}`,
});
