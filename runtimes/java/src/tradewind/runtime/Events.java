package tradewind.runtime;

import java.lang.reflect.Constructor;
import java.util.Locale;

/**
 * The classes of {@code aws-lambda-java-events}. Their properties are not named as the events spell them
 * ({@code Records}, {@code eventSourceARN}, {@code detail-type}, {@code NewImage}); names are compared without
 * regard to case and dashes. Their dates are seconds with a fraction.
 */
final class Events {
    private Events() {}

    static boolean isEvent(Class<?> type) {
        String name = type.getName();
        return name.startsWith("com.amazonaws.services.lambda.runtime.events.")
                || name.startsWith("com.amazonaws.services.s3.event.")
                || name.startsWith("com.amazonaws.services.dynamodbv2.model.");
    }

    /** A name as it is compared. */
    static String folded(String name) {
        return name.toLowerCase(Locale.ROOT).replace("-", "");
    }

    /** Those of S3 have an empty constructor at times, and still no setters. */
    static boolean isBuiltByConstructor(Class<?> type) {
        if (!isEvent(type) || !type.getSimpleName().startsWith("S3Event")) {
            return false;
        }
        for (Constructor<?> constructor : type.getConstructors()) {
            if (constructor.getParameterTypes().length > 0) {
                return true;
            }
        }
        return false;
    }
}
