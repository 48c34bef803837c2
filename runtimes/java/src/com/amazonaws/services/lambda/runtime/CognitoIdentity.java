package com.amazonaws.services.lambda.runtime;

/** The Amazon Cognito identity behind an invocation. */
public interface CognitoIdentity {
    String getIdentityId();

    String getIdentityPoolId();
}
