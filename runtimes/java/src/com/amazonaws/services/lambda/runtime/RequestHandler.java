package com.amazonaws.services.lambda.runtime;

/** A handler of objects: the event as {@code I}, the answer as {@code O}. */
public interface RequestHandler<I, O> {
    O handleRequest(I input, Context context);
}
