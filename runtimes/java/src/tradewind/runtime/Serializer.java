package tradewind.runtime;

import com.amazonaws.services.lambda.runtime.CustomPojoSerializer;
import java.io.ByteArrayInputStream;
import java.io.UncheckedIOException;
import java.lang.reflect.Type;
import java.nio.charset.StandardCharsets;
import java.util.Iterator;
import java.util.ServiceLoader;

/** Events to objects and answers to JSON: ours, or the function's own if it brings one. */
final class Serializer {
    private final Decoders decoders = new Decoders();
    private final CustomPojoSerializer custom;

    Serializer(ClassLoader loader) throws Fault {
        custom = findCustom(loader);
    }

    private static CustomPojoSerializer findCustom(ClassLoader loader) throws Fault {
        if (loader.getResource("META-INF/services/" + CustomPojoSerializer.class.getName()) == null) {
            return null;
        }
        Iterator<CustomPojoSerializer> all =
                ServiceLoader.load(CustomPojoSerializer.class, loader).iterator();
        CustomPojoSerializer one = all.hasNext() ? all.next() : null;
        if (all.hasNext()) {
            throw new Fault("Too many serializers provided inside the META-INF/services folder, only one is allowed");
        }
        return one;
    }

    Object decode(byte[] event, Type type) {
        try {
            if (custom != null) {
                return custom.fromJson(new ByteArrayInputStream(event), type);
            }
            return decoders.decode(new String(event, StandardCharsets.UTF_8), type);
        } catch (JsonException wrong) {
            throw new RuntimeException("An error occurred during JSON parsing", new UncheckedIOException(wrong));
        } catch (Throwable wrong) {
            throw new RuntimeException("An error occurred during JSON parsing", wrong);
        }
    }

    void encode(Object result, Type type, Bytes answer) {
        Encoder json = new Encoder(answer);
        if (type == void.class || type == Void.class) {
            json.raw("null");
            return;
        }
        try {
            if (custom != null) {
                custom.toJson(result, answer, type);
            } else {
                json.root(result, Types.raw(type));
            }
        } catch (JsonException wrong) {
            throw failed(new UncheckedIOException(wrong));
        } catch (Throwable wrong) {
            throw failed(wrong);
        }
    }

    private static RuntimeException failed(Throwable wrong) {
        return new RuntimeException("An error occurred during JSON serialization of response", wrong);
    }
}
