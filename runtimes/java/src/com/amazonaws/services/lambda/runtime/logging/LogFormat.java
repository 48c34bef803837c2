package com.amazonaws.services.lambda.runtime.logging;

/** How records are written. */
public enum LogFormat {
    JSON,
    TEXT;

    /** {@code JSON} in any case; {@code TEXT} for any other text. */
    public static LogFormat fromString(String name) {
        return "JSON".equalsIgnoreCase(name) ? JSON : TEXT;
    }
}
