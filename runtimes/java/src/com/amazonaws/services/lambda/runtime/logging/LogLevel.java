package com.amazonaws.services.lambda.runtime.logging;

/** How serious a record is. */
public enum LogLevel {
    UNDEFINED,
    TRACE,
    DEBUG,
    INFO,
    WARN,
    ERROR,
    FATAL;

    /** The level of that name in any case; {@code UNDEFINED} for any other text. */
    public static LogLevel fromString(String name) {
        for (LogLevel level : values()) {
            if (level.name().equalsIgnoreCase(name)) {
                return level;
            }
        }
        return UNDEFINED;
    }
}
