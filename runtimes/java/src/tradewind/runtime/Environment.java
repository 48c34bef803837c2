package tradewind.runtime;

import java.lang.reflect.Field;
import java.util.Map;

/** What the host says about the function, in environment variables. */
final class Environment {
    final String handler = value("_HANDLER", "");
    final String taskRoot = value("LAMBDA_TASK_ROOT", System.getProperty("user.dir"));
    final String functionName = value("AWS_LAMBDA_FUNCTION_NAME", null);
    final String functionVersion = value("AWS_LAMBDA_FUNCTION_VERSION", null);
    final String logGroup = value("AWS_LAMBDA_LOG_GROUP_NAME", null);
    final String logStream = value("AWS_LAMBDA_LOG_STREAM_NAME", null);
    final String logFormat = value("AWS_LAMBDA_LOG_FORMAT", "TEXT");
    final String logLevel = value("AWS_LAMBDA_LOG_LEVEL", "");
    final int memoryMegabytes = Integer.parseInt(value("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"));

    private static String value(String name, String otherwise) {
        String value = System.getenv(name);
        return value == null ? otherwise : value;
    }

    /** Takes a variable of the host's out of the function's sight. */
    static String take(String name) {
        String value = System.getenv(name);
        variables().remove(name);
        return value;
    }

    /** Makes {@code variables} the whole environment of this process, as Java code sees it. */
    static void replace(Map<String, String> variables) {
        variables().clear();
        variables().putAll(variables);
        String zone = variables.get("TZ");
        if (zone != null) {
            System.setProperty("user.timezone", zone.startsWith(":") ? zone.substring(1) : zone);
            java.util.TimeZone.setDefault(null);
        }
    }

    /** The map behind the read-only view that {@link System#getenv()} gives. */
    @SuppressWarnings("unchecked")
    private static Map<String, String> variables() {
        Map<String, String> view = System.getenv();
        try {
            Field inner = view.getClass().getDeclaredField("m");
            inner.setAccessible(true);
            return (Map<String, String>) inner.get(view);
        } catch (ReflectiveOperationException changed) {
            throw new IllegalStateException("this Java keeps its environment in another place", changed);
        }
    }
}
