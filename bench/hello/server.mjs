// The peer: the same answer from Node's own HTTP server, with nothing around it.
import { createServer } from 'node:http';

const server = createServer(async (request, response) => {
  const { statusCode, body } = await (async () => ({ statusCode: 200, body: 'ok' }))();
  response.writeHead(statusCode, { 'content-type': 'text/plain; charset=utf-8' });
  response.end(body);
});
server.listen(Number(process.argv[2]), '127.0.0.1', () => console.log('ready'));
