// GET / and GET /hello/{name}
export async function hello(event, context) {
  const name = event.pathParameters?.name ?? "world";
  console.log("saying hello to", name);
  return {
    statusCode: 200,
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ message: `Hello, ${name}!`, function: context.functionName }),
  };
}
