package tradewind.runtime;

import com.amazonaws.services.lambda.runtime.Client;
import com.amazonaws.services.lambda.runtime.ClientContext;
import com.amazonaws.services.lambda.runtime.CognitoIdentity;
import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.LambdaLogger;
import java.nio.charset.StandardCharsets;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/** One invocation, as its handler sees it. */
final class Invocation implements Context {
    final byte[] requestIdBytes;
    final byte[] event;
    final String trace;
    private final long deadline;
    private final String requestId;
    private final String arn;
    private final Logger logger;
    private final Environment environment;
    private final Map<?, ?> client;
    private final Map<?, ?> identity;

    /** @throws JsonException when the client's own description of itself is no JSON */
    Invocation(Frame frame, Environment environment, Logger logger) throws JsonException {
        this.deadline = frame.longInteger();
        this.requestIdBytes = frame.bytes();
        this.requestId = new String(requestIdBytes, StandardCharsets.US_ASCII);
        this.arn = frame.string();
        this.trace = frame.string();
        this.environment = environment;
        this.logger = logger;
        String clientContext = frame.string();
        String cognitoIdentity = frame.string();
        this.event = frame.rest();
        this.client = object(clientContext);
        this.identity = object(cognitoIdentity);
    }

    /** Members of an optional JSON object. */
    private static Map<?, ?> object(String json) throws JsonException {
        if (json.isEmpty()) {
            return null;
        }
        try {
            Object value = new Decoders.Anything().next(new JsonReader(json));
            return value instanceof Map ? (Map<?, ?>) value : Collections.emptyMap();
        } catch (JsonException wrong) {
            throw wrong;
        } catch (Throwable impossible) {
            throw new JsonException(impossible.getMessage(), impossible);
        }
    }

    private static String text(Map<?, ?> of, String name) {
        Object value = of == null ? null : of.get(name);
        return value == null ? null : value.toString();
    }

    private static Map<String, String> texts(Object value) {
        if (!(value instanceof Map)) {
            return null;
        }
        Map<String, String> texts = new LinkedHashMap<String, String>();
        for (Map.Entry<?, ?> entry : ((Map<?, ?>) value).entrySet()) {
            texts.put(entry.getKey().toString(), entry.getValue() == null ? null : entry.getValue().toString());
        }
        return texts;
    }

    @Override
    public String getAwsRequestId() {
        return requestId;
    }

    @Override
    public String getLogGroupName() {
        return environment.logGroup;
    }

    @Override
    public String getLogStreamName() {
        return environment.logStream;
    }

    @Override
    public String getFunctionName() {
        return environment.functionName;
    }

    @Override
    public String getFunctionVersion() {
        return environment.functionVersion;
    }

    @Override
    public String getInvokedFunctionArn() {
        return arn;
    }

    @Override
    public CognitoIdentity getIdentity() {
        return new CognitoIdentity() {
            @Override
            public String getIdentityId() {
                return text(identity, "cognitoIdentityId") == null ? "" : text(identity, "cognitoIdentityId");
            }

            @Override
            public String getIdentityPoolId() {
                return text(identity, "cognitoIdentityPoolId") == null ? "" : text(identity, "cognitoIdentityPoolId");
            }
        };
    }

    @Override
    public ClientContext getClientContext() {
        return client == null ? null : new OfClient();
    }

    @Override
    public int getRemainingTimeInMillis() {
        long left = deadline - System.currentTimeMillis();
        return (int) Math.max(0, Math.min(left, Integer.MAX_VALUE));
    }

    @Override
    public int getMemoryLimitInMB() {
        return environment.memoryMegabytes;
    }

    @Override
    public LambdaLogger getLogger() {
        return logger;
    }

    @Override
    public String getXrayTraceId() {
        return trace.isEmpty() ? null : trace;
    }

    private final class OfClient implements ClientContext {
        @Override
        public Client getClient() {
            final Map<?, ?> of = client.get("client") instanceof Map ? (Map<?, ?>) client.get("client") : null;
            return of == null ? null : new OfApplication(of);
        }

        @Override
        public Map<String, String> getCustom() {
            return texts(client.get("custom"));
        }

        @Override
        public Map<String, String> getEnvironment() {
            return texts(client.get("env"));
        }
    }

    private static final class OfApplication implements Client {
        private final Map<?, ?> of;

        OfApplication(Map<?, ?> of) {
            this.of = of;
        }

        @Override
        public String getInstallationId() {
            return text(of, "installation_id");
        }

        @Override
        public String getAppTitle() {
            return text(of, "app_title");
        }

        @Override
        public String getAppVersionName() {
            return text(of, "app_version_name");
        }

        @Override
        public String getAppVersionCode() {
            return text(of, "app_version_code");
        }

        @Override
        public String getAppPackageName() {
            return text(of, "app_package_name");
        }
    }
}
