package tradewind.runtime;

import java.lang.reflect.Method;

/** The request id where AWS's Log4j layouts look for it. */
final class Log4j {
    private Log4j() {}

    static void setRequestId(String id) {
        put("org.apache.logging.log4j.ThreadContext", String.class, id);
        put("org.apache.log4j.MDC", Object.class, id);
    }

    private static void put(String className, Class<?> valueType, String id) {
        try {
            Class<?> type = Class.forName(className, true, Thread.currentThread().getContextClassLoader());
            Method put = type.getMethod("put", String.class, valueType);
            put.invoke(null, "AWSRequestId", id);
        } catch (ReflectiveOperationException other) {
            // the function uses the other Log4j
        }
    }
}
