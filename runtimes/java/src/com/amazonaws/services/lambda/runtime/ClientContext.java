package com.amazonaws.services.lambda.runtime;

import java.util.Map;

/** What a client sent about itself with its invocation. */
public interface ClientContext {
    Client getClient();

    Map<String, String> getCustom();

    Map<String, String> getEnvironment();
}
