package tradewind.runtime;

import java.lang.reflect.Array;
import java.lang.reflect.GenericArrayType;
import java.lang.reflect.Modifier;
import java.lang.reflect.Type;
import java.lang.reflect.TypeVariable;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Deque;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedList;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;

/**
 * JSON to objects, by the rules of Lambda's serialiser: unknown members are skipped, an empty string or
 * array may stand for a missing object, one value for an array of one.
 */
final class Decoders {
    private final Map<Type, Decoder> known = new HashMap<Type, Decoder>();

    /** Reads a whole text, which must be one value. */
    Object decode(String text, Type type) throws Throwable {
        JsonReader json = new JsonReader(text);
        if (json.peek() == JsonReader.END) {
            throw new JsonException("No content to map due to end-of-input" + json.where());
        }
        Object value = of(type).next(json);
        return value;
    }

    Decoder of(Type type) {
        Decoder decoder = known.get(type);
        if (decoder == null) {
            decoder = find(type);
            known.put(type, decoder);
        }
        return decoder;
    }

    private Decoder find(Type type) {
        Class<?> raw = Types.raw(type);
        if (raw == Object.class) {
            return new Anything();
        }
        Decoder scalar = Scalars.decoder(raw);
        if (scalar != null) {
            return scalar;
        }
        if (raw.isArray()) {
            Type element = type instanceof GenericArrayType
                    ? ((GenericArrayType) type).getGenericComponentType()
                    : raw.getComponentType();
            return new OfArray(Types.raw(element), of(element));
        }
        if (Collection.class.isAssignableFrom(raw) || raw == Iterable.class) {
            return new OfCollection(raw, of(Types.argument(type, Iterable.class, 0)));
        }
        if (Map.class.isAssignableFrom(raw)) {
            return new OfMap(raw, Types.argument(type, Map.class, 0), of(Types.argument(type, Map.class, 1)));
        }
        if (raw.getName().equals("java.util.Optional")) {
            return new OfOptional(of(Types.argument(type, raw, 0)));
        }
        return new OfBean(Bean.of(raw), Types.variablesOf(type));
    }

    /** Maps, lists, strings, numbers and booleans, as the text has them. */
    static final class Anything extends Decoder {

        @Override
        Object read(JsonReader json) throws Throwable {
            switch (json.peek()) {
                case '{':
                    Map<String, Object> map = new LinkedHashMap<String, Object>();
                    json.open('{');
                    for (boolean first = true; json.more('}', first); first = false) {
                        map.put(json.name(), next(json));
                    }
                    return map;
                case '[':
                    List<Object> list = new ArrayList<Object>();
                    json.open('[');
                    for (boolean first = true; json.more(']', first); first = false) {
                        list.add(next(json));
                    }
                    return list;
                case '"':
                    return json.string();
                case JsonReader.NUMBER:
                    return Scalars.number(json);
                case 't':
                case 'f':
                    return json.bool();
                default:
                    throw json.unexpected();
            }
        }
    }

    private static final class OfArray extends Decoder {
        private final Class<?> type;
        private final Decoder element;

        OfArray(Class<?> type, Decoder element) {
            this.type = type;
            this.element = element;
        }

        @Override
        Object read(JsonReader json) throws Throwable {
            List<Object> values = new ArrayList<Object>();
            if (!readElements(json, element, values)) {
                return null;
            }
            Object array = Array.newInstance(type, values.size());
            for (int i = 0; i < values.size(); i++) {
                Array.set(array, i, values.get(i));
            }
            return array;
        }
    }

    /** The elements of an array, or the one value that stands for one; false when "" stands for none. */
    static boolean readElements(JsonReader json, Decoder element, Collection<Object> values) throws Throwable {
        if (json.peek() == '[') {
            json.open('[');
            for (boolean first = true; json.more(']', first); first = false) {
                values.add(element.next(json));
            }
            return true;
        }
        if (json.peek() == '"' && !(element instanceof Scalars.OfText) && !(element instanceof Anything)) {
            String text = json.string();
            if (text.isEmpty()) {
                return false;
            }
            values.add(element.next(new JsonReader(Encoder.quoted(text))));
            return true;
        }
        values.add(element.next(json));
        return true;
    }

    private static final class OfCollection extends Decoder {
        private final Class<?> type;
        private final Decoder element;

        OfCollection(Class<?> type, Decoder element) {
            this.type = type;
            this.element = element;
        }

        @Override
        Object read(JsonReader json) throws Throwable {
            Collection<Object> values = make();
            return readElements(json, element, values) ? values : null;
        }

        @SuppressWarnings("unchecked")
        private Collection<Object> make() throws Throwable {
            if (!Modifier.isAbstract(type.getModifiers())) {
                return (Collection<Object>) newInstance(type);
            }
            if (type.isAssignableFrom(ArrayList.class)) {
                return new ArrayList<Object>();
            }
            if (type == Set.class) {
                return new HashSet<Object>();
            }
            if (SortedSet.class.isAssignableFrom(type) && type.isAssignableFrom(TreeSet.class)) {
                return new TreeSet<Object>();
            }
            if (type == Queue.class) {
                return new LinkedList<Object>();
            }
            if (type == Deque.class) {
                return new ArrayDeque<Object>();
            }
            throw noInstance(type);
        }
    }

    private static final class OfMap extends Decoder {
        private final Class<?> type;
        private final Class<?> key;
        private final Decoder keyDecoder;
        private final Decoder value;

        OfMap(Class<?> type, Type key, Decoder value) {
            this.type = type;
            this.key = Types.raw(key);
            this.keyDecoder = this.key == Object.class || this.key == String.class ? null : Scalars.decoder(this.key);
            this.value = value;
        }

        @Override
        Object read(JsonReader json) throws Throwable {
            if (json.peek() == '"' && json.string().isEmpty()) {
                return null;
            }
            Map<Object, Object> map = make();
            json.open('{');
            for (boolean first = true; json.more('}', first); first = false) {
                Object name = key(json.name());
                map.put(name, value.next(json));
            }
            return map;
        }

        private Object key(String name) throws Throwable {
            if (keyDecoder == null) {
                return name;
            }
            return keyDecoder.next(new JsonReader(Encoder.quoted(name)));
        }

        @SuppressWarnings({"unchecked", "rawtypes"})
        private Map<Object, Object> make() throws Throwable {
            if (type == EnumMap.class) {
                return new EnumMap(key);
            }
            if (!Modifier.isAbstract(type.getModifiers())) {
                return (Map<Object, Object>) newInstance(type);
            }
            if (type.isAssignableFrom(LinkedHashMap.class)) {
                return new LinkedHashMap<Object, Object>();
            }
            if (SortedMap.class.isAssignableFrom(type) && type.isAssignableFrom(TreeMap.class)) {
                return new TreeMap<Object, Object>();
            }
            if (type == ConcurrentMap.class) {
                return new ConcurrentHashMap<Object, Object>();
            }
            throw noInstance(type);
        }
    }

    private static final class OfOptional extends Decoder {
        private final Decoder value;

        OfOptional(Decoder value) {
            this.value = value;
        }

        @Override
        Object ofNull() {
            return java.util.Optional.empty();
        }

        @Override
        Object read(JsonReader json) throws Throwable {
            return java.util.Optional.ofNullable(value.next(json));
        }
    }

    /** An object whose members are set one by one, or handed to its constructor together. */
    private final class OfBean extends Decoder {
        private final Bean bean;
        private final Map<TypeVariable<?>, Type> variables;
        private final Map<String, Decoder> decoders = new HashMap<String, Decoder>();
        private final Map<String, Bean.Property> folded;

        OfBean(Bean bean, Map<TypeVariable<?>, Type> variables) {
            this.bean = bean;
            this.variables = variables;
            this.folded = Events.isEvent(bean.type) ? new HashMap<String, Bean.Property>() : null;
            if (folded != null) {
                for (Bean.Property property : bean.properties.values()) {
                    if (property.writable()) {
                        folded.put(Events.folded(property.name), property);
                    }
                }
            }
        }

        @Override
        Object read(JsonReader json) throws Throwable {
            switch (json.peek()) {
                case '{':
                    return readMembers(json);
                case '[':
                    return unwrapped(json);
                case '"':
                    if (json.string().isEmpty()) {
                        return null;
                    }
                    throw mismatch("String value");
                default:
                    throw mismatch(json.peek() == JsonReader.NUMBER ? "Number value" : "Boolean value");
            }
        }

        /** An empty array stands for nothing, one of one for its element. */
        private Object unwrapped(JsonReader json) throws Throwable {
            json.open('[');
            if (!json.more(']', true)) {
                return null;
            }
            Object value = next(json);
            if (json.more(']', false)) {
                throw mismatch("Array value");
            }
            return value;
        }

        private Object readMembers(JsonReader json) throws Throwable {
            Object[] arguments = bean.full == null ? null : defaults(bean.full.getParameterTypes());
            Object instance = arguments == null ? newInstance() : null;
            json.open('{');
            for (boolean first = true; json.more('}', first); first = false) {
                String name = json.name();
                Bean.Property property = property(name);
                if (property == null || !property.writable()) {
                    json.skip();
                    continue;
                }
                Object value = member(json, property);
                if (property.position >= 0 && arguments != null) {
                    arguments[property.position] = value;
                } else if (instance != null) {
                    property.set(instance, value);
                }
            }
            return arguments == null ? instance : construct(arguments);
        }

        private Bean.Property property(String name) {
            Bean.Property property = bean.properties.get(name);
            if (folded != null && (property == null || !property.writable())) {
                property = folded.get(Events.folded(name));
            }
            return property;
        }

        private Object member(JsonReader json, Bean.Property property) throws Throwable {
            Decoder decoder = decoders.get(property.name);
            if (decoder == null) {
                Type type = Types.resolve(property.type, variables);
                decoder = folded != null && type == java.util.Date.class ? Scalars.SECONDS : of(type);
                decoders.put(property.name, decoder);
            }
            try {
                return decoder.next(json);
            } catch (JsonException wrong) {
                String chain = " (through reference chain: " + bean.type.getName() + "[\"" + property.name + "\"])";
                throw new JsonException(wrong.getMessage() + chain, wrong.getCause());
            }
        }

        private Object newInstance() throws Throwable {
            if (bean.empty == null) {
                throw noInstance(bean.type);
            }
            try {
                return bean.empty.newInstance();
            } catch (java.lang.reflect.InvocationTargetException thrown) {
                throw thrown.getCause();
            }
        }

        private Object construct(Object[] arguments) throws Throwable {
            try {
                return bean.full.newInstance(arguments);
            } catch (java.lang.reflect.InvocationTargetException thrown) {
                throw thrown.getCause();
            }
        }

        private JsonException mismatch(String what) {
            return new JsonException("Cannot deserialize value of type `" + bean.type.getName() + "` from " + what);
        }
    }

    private static Object[] defaults(Class<?>[] types) {
        Object[] values = new Object[types.length];
        for (int i = 0; i < types.length; i++) {
            if (types[i].isPrimitive()) {
                values[i] = Array.get(Array.newInstance(types[i], 1), 0);
            }
        }
        return values;
    }

    private static Object newInstance(Class<?> type) throws Throwable {
        try {
            java.lang.reflect.Constructor<?> constructor = type.getDeclaredConstructor();
            if (!Modifier.isPublic(type.getModifiers()) || !Modifier.isPublic(constructor.getModifiers())) {
                constructor.setAccessible(true);
            }
            return constructor.newInstance();
        } catch (NoSuchMethodException none) {
            throw noInstance(type);
        } catch (java.lang.reflect.InvocationTargetException thrown) {
            throw thrown.getCause();
        }
    }

    private static JsonException noInstance(Class<?> type) {
        boolean isAbstract = Modifier.isAbstract(type.getModifiers());
        return new JsonException("Cannot construct instance of `" + type.getName() + "`"
                + (isAbstract ? ": an abstract type has no instances" : ": it has no constructor without parameters"));
    }
}
