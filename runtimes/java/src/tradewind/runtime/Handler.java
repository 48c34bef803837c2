package tradewind.runtime;

import com.amazonaws.services.lambda.runtime.Context;

/** A function's handler, whatever its form. */
interface Handler {
    /** Answers {@code event} by writing JSON (or any bytes, if that is what the handler writes). */
    void handle(byte[] event, Bytes answer, Context context) throws Throwable;
}
