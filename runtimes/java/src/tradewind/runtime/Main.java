package tradewind.runtime;

import com.amazonaws.services.lambda.runtime.LambdaLogger;
import com.amazonaws.services.lambda.runtime.LambdaRuntime;
import com.amazonaws.services.lambda.runtime.LambdaRuntimeInternal;
import java.io.BufferedOutputStream;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOError;
import java.io.IOException;
import java.io.PrintStream;
import java.lang.reflect.Field;
import java.util.HashMap;
import java.util.Map;

/**
 * Runs a Java handler for Tradewind: loads what {@code _HANDLER} names, then answers one invocation after
 * another over the inherited pipes (frames: {@code runtimes/README.md}).
 *
 * <p>Runs on Java 8 and newer with the standard library only. It avoids lambdas, streams, regular expressions
 * and string switches on its way to the first answer: each would load classes that a handler may never need.
 */
public final class Main {
    private static final String TRACE_PROPERTY = "com.amazonaws.xray.traceHeader";

    private final Channel channel;
    private final Environment environment;
    private final Logger logger;
    private Handler handler;
    private String trace = "";

    private Main(Channel channel) {
        this.channel = channel;
        this.environment = new Environment();
        this.logger = new Logger(environment.logFormat, environment.logLevel);
    }

    /** Takes no arguments; everything is in the environment. */
    public static void main(String[] arguments) throws Exception {
        int input = Integer.parseInt(Environment.take("_TRADEWIND_FD"));
        int output = Integer.parseInt(Environment.take("_TRADEWIND_OUT_FD"));
        Channel channel = new Channel(input, output);
        printLines();
        if (Environment.take("_TRADEWIND_STEM") != null) {
            becomeFunction(channel);
        }
        Main main = new Main(channel);
        if (main.initialise()) {
            main.serve();
        }
        flush();
        Runtime.getRuntime().halt(main.handler == null ? 1 : 0);
    }

    /** Waits, booted, until the host says whose function this is to be. */
    private static void becomeFunction(Channel channel) throws Exception {
        Stem.warmUp();
        channel.send(Channel.STEM_READY, new byte[0]);
        Frame frame = channel.receive();
        if (frame == null) {
            Runtime.getRuntime().halt(0);
        }
        if (frame.kind != Channel.SPECIALISE) {
            throw new IllegalStateException("the host sent a frame of kind " + frame.kind);
        }
        Map<String, String> variables = new HashMap<String, String>();
        for (int left = frame.integer(); left > 0; left--) {
            String name = frame.string();
            variables.put(name, frame.string());
        }
        Environment.replace(variables);
        WorkingFolder.becomes(variables.get("LAMBDA_TASK_ROOT"));
    }

    /** Prints in UTF-8, each line when it ends. */
    private static void printLines() throws IOException {
        System.setOut(stream(FileDescriptor.out));
        System.setErr(stream(FileDescriptor.err));
    }

    private static PrintStream stream(FileDescriptor descriptor) throws IOException {
        return new PrintStream(new BufferedOutputStream(new FileOutputStream(descriptor), 8192), true, "UTF-8");
    }

    private static void flush() {
        System.out.flush();
        System.err.flush();
    }

    /** Loads the handler and says how that went. */
    private boolean initialise() throws Exception {
        setRuntimeLogger();
        ClassLoader loader = UserClasses.loader(environment.taskRoot);
        Thread.currentThread().setContextClassLoader(loader);
        try {
            handler = new Handlers(new Serializer(loader)).load(environment.handler, loader);
        } catch (Fault fault) {
            logger.error(fault);
            flush();
            channel.send(Channel.INIT_ERROR, Errors.body(fault));
            return false;
        }
        flush();
        channel.send(Channel.READY, new byte[0]);
        return true;
    }

    private void setRuntimeLogger() throws ReflectiveOperationException {
        Field field = LambdaRuntime.class.getDeclaredField("logger");
        field.setAccessible(true);
        field.set(null, (LambdaLogger) logger);
    }

    private void serve() throws IOException {
        boolean healthy = true;
        while (healthy) {
            Frame frame = channel.receive();
            if (frame == null) {
                return;
            }
            if (frame.kind != Channel.INVOKE) {
                throw new IllegalStateException("the host sent a frame of kind " + frame.kind);
            }
            healthy = answer(frame);
        }
        flush();
        Runtime.getRuntime().halt(1);
    }

    /** One invocation; false when this process cannot be trusted any more. */
    private boolean answer(Frame frame) throws IOException {
        byte[] id = frame.requestId();
        try {
            Invocation invocation = new Invocation(frame, environment, logger);
            prepare(invocation);
            Bytes answer = Channel.answerTo(id);
            handler.handle(invocation.event, answer, invocation);
            flush();
            Thread.interrupted(); // set by the handler, it would end the next read
            channel.answer(id, answer);
            return true;
        } catch (Throwable thrown) {
            Thread.interrupted();
            byte[] body = Errors.body(thrown);
            logger.error(thrown);
            flush();
            channel.error(id, body);
            return !(thrown instanceof VirtualMachineError || thrown instanceof IOError);
        }
    }

    private void prepare(Invocation invocation) {
        logger.setRequestId(invocation.getAwsRequestId());
        if (!invocation.trace.equals(trace)) {
            trace = invocation.trace;
            if (trace.isEmpty()) {
                System.clearProperty(TRACE_PROPERTY);
            } else {
                System.setProperty(TRACE_PROPERTY, trace);
            }
        }
        if (LambdaRuntimeInternal.getUseLog4jAppender()) {
            Log4j.setRequestId(invocation.getAwsRequestId());
        }
    }
}
