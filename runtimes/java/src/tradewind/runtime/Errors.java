package tradewind.runtime;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.Set;

/** Exceptions as Lambda's error objects and as text, without the frames of this runtime. */
final class Errors {
    private static final String OWN_PACKAGE = "tradewind.runtime.";
    /** Causes of causes beyond this are left out. */
    private static final int DEEPEST_CAUSE = 20;

    private Errors() {}

    /** {@code {"errorMessage", "errorType", "stackTrace", "cause"}}. */
    static byte[] body(Throwable thrown) {
        withoutOwnFrames(thrown);
        Bytes bytes = new Bytes(1024);
        write(thrown, new Encoder(bytes), bytes, 0);
        return bytes.toByteArray();
    }

    private static void write(Throwable thrown, Encoder json, Bytes bytes, int depth) {
        json.raw("{\"errorMessage\":");
        json.string(messageOf(thrown));
        json.raw(",\"errorType\":");
        json.string(thrown.getClass().getName());
        json.raw(",\"stackTrace\":[");
        String separator = "";
        for (StackTraceElement element : thrown.getStackTrace()) {
            json.raw(separator);
            json.string(element.toString());
            separator = ",";
        }
        json.raw("]");
        Throwable cause = thrown.getCause();
        if (cause != null && cause != thrown && depth < DEEPEST_CAUSE) {
            json.raw(",\"cause\":");
            write(cause, json, bytes, depth + 1);
        }
        json.raw("}");
    }

    /** Faults have no trace of their own, as in Lambda. */
    static byte[] body(Fault fault) {
        Bytes bytes = new Bytes(256);
        Encoder json = new Encoder(bytes);
        json.raw("{\"errorMessage\":");
        json.string(fault.getMessage());
        if (fault.type != null) {
            json.raw(",\"errorType\":");
            json.string(fault.type);
        }
        json.raw("}");
        return bytes.toByteArray();
    }

    /** What the log says of an error. */
    static String report(Throwable thrown) {
        if (thrown instanceof Fault) {
            Fault fault = (Fault) thrown;
            return fault.type == null
                    ? fault.getMessage()
                    : fault.getMessage() + ": " + fault.type + "\n" + fault.trace;
        }
        return messageOf(thrown) + ": " + thrown.getClass().getName() + "\n" + trace(thrown);
    }

    static String messageOf(Throwable thrown) {
        String message;
        try {
            message = thrown.getLocalizedMessage();
        } catch (RuntimeException broken) {
            message = null;
        }
        return message == null ? thrown.getClass().getName() : message;
    }

    static String trace(Throwable thrown) {
        withoutOwnFrames(thrown);
        StringWriter text = new StringWriter();
        thrown.printStackTrace(new PrintWriter(text, true));
        return text.toString();
    }

    /** Ends every trace where this runtime begins. */
    static void withoutOwnFrames(Throwable thrown) {
        cut(thrown, Collections.newSetFromMap(new IdentityHashMap<Throwable, Boolean>()));
    }

    private static void cut(Throwable thrown, Set<Throwable> seen) {
        if (thrown == null || !seen.add(thrown)) {
            return;
        }
        StackTraceElement[] trace = thrown.getStackTrace();
        for (int i = 0; i < trace.length; i++) {
            if (trace[i].getClassName().startsWith(OWN_PACKAGE)) {
                StackTraceElement[] users = new StackTraceElement[i];
                System.arraycopy(trace, 0, users, 0, i);
                thrown.setStackTrace(users);
                break;
            }
        }
        cut(thrown.getCause(), seen);
        for (Throwable suppressed : thrown.getSuppressed()) {
            cut(suppressed, seen);
        }
    }
}
