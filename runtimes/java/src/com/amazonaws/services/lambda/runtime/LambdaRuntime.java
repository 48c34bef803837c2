package com.amazonaws.services.lambda.runtime;

/** The logger, for code that has no context. The bootstrap sets it before it loads a handler. */
public final class LambdaRuntime {
    private static volatile LambdaLogger logger;

    private LambdaRuntime() {}

    public static LambdaLogger getLogger() {
        return logger;
    }
}
