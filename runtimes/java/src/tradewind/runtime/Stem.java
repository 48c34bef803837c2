package tradewind.runtime;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import java.io.IOException;
import java.net.URL;
import java.net.URLClassLoader;
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

    private static final byte[] ONE = {'1'};

    private Stem() {}

    static void warmUp() throws IOException {
        byte[] event = "{\"a\":[1,2.5,null,true,\"\\u00e9\"],\"b\":{}}".getBytes(StandardCharsets.UTF_8);
        try {
            ClassLoader loader = UserClasses.loader("/");
            loader.getResource("none");
            loadSomethingAgain();
            Serializer serializer = new Serializer(Stem.class.getClassLoader());
            Handlers handlers = new Handlers(serializer);
            Handler handler = handlers.load(Example.class.getName(), Stem.class.getClassLoader());
            handler.handle(event, Channel.answerTo(new byte[0]), null);
            new Handlers(serializer).load("java.lang.Integer::toHexString", loader).handle(ONE, new Bytes(16), null);
        } catch (Throwable broken) {
            throw new IOException(broken);
        }
    }

    /** Takes a class of ours out of its jar once more, in a loader of its own: so jars and classes are read. */
    private static void loadSomethingAgain() throws Exception {
        URL jar = Stem.class.getProtectionDomain().getCodeSource().getLocation();
        URLClassLoader loader = new URLClassLoader(new URL[] {jar}, null);
        try {
            Class.forName(Frame.class.getName(), true, loader);
        } finally {
            loader.close();
        }
    }
}
