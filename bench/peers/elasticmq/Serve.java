import org.elasticmq.rest.sqs.SQSRestServerBuilder;

/** ElasticMQ with nothing in it, in memory, on a port of loopback. */
final class Serve {
    public static void main(String[] arguments) {
        int port = Integer.parseInt(arguments[0]);
        SQSRestServerBuilder.withInterface("127.0.0.1").withPort(port).start().waitUntilStarted();
    }
}
