package tradewind.runtime;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import java.io.IOException;
import java.lang.reflect.Type;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;

/** What a stem does before it knows its function: runs the ways that every function takes. */
final class Stem {
    /** A handler like those to come. */
    public static final class Example implements RequestHandler<Map<String, Object>, Map<String, Object>> {
        @Override
        public Map<String, Object> handleRequest(Map<String, Object> event, Context context) {
            Map<String, Object> answer = new LinkedHashMap<String, Object>(event);
            answer.put("statusCode", 200);
            return answer;
        }
    }

    private Stem() {}

    static void warmUp() throws IOException {
        ClassLoader loader = Stem.class.getClassLoader();
        byte[] event = "{\"a\":[1,2.5,null,true,\"\\u00e9\"],\"b\":{}}".getBytes(StandardCharsets.UTF_8);
        try {
            Serializer serializer = new Serializer(loader);
            Bytes answer = Channel.answerTo(new byte[0]);
            new Handlers(serializer).load(Example.class.getName(), loader).handle(event, answer, null);
            Type bean = Example.class;
            serializer.decode("{}".getBytes(StandardCharsets.UTF_8), bean);
        } catch (Throwable broken) {
            throw new IOException(broken);
        }
    }
}
