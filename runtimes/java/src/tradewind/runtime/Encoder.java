package tradewind.runtime;

import java.io.File;
import java.lang.reflect.Array;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Base64;
import java.util.Calendar;
import java.util.Collection;
import java.util.Iterator;
import java.util.Map;
import java.util.Optional;

/**
 * Objects to JSON, by the rules of Lambda's serialiser: properties and map entries without a value are left
 * out, elements of lists are not.
 */
final class Encoder {
    private static final int DEEPEST = 1000;
    private static final char[] HEX = "0123456789ABCDEF".toCharArray();

    private final Bytes output;
    private int depth;

    Encoder(Bytes output) {
        this.output = output;
    }

    /** A text as a JSON string. */
    static String quoted(String text) {
        Bytes bytes = new Bytes(text.length() + 2);
        new Encoder(bytes).string(text);
        return new String(bytes.toByteArray(), java.nio.charset.StandardCharsets.UTF_8);
    }

    /** Writes a value as what a handler declares to return: of a declared class, only its own properties. */
    void root(Object value, Class<?> declared) throws Throwable {
        boolean byDeclaration = value != null
                && declared.isInstance(value)
                && isBean(declared)
                && declared != Object.class;
        if (byDeclaration) {
            bean(value, declared);
        } else {
            value(value);
        }
    }

    private static boolean isBean(Class<?> type) {
        return !type.isPrimitive()
                && !type.isArray()
                && !type.isEnum()
                && !type.getName().startsWith("java.")
                && !Collection.class.isAssignableFrom(type)
                && !Map.class.isAssignableFrom(type)
                && !CharSequence.class.isAssignableFrom(type)
                && !Number.class.isAssignableFrom(type);
    }

    void value(Object value) throws Throwable {
        if (value == null) {
            raw("null");
        } else if (value instanceof CharSequence || value instanceof Character) {
            string(value.toString());
        } else if (value instanceof Number) {
            number((Number) value);
        } else if (value instanceof Boolean) {
            raw(value.toString());
        } else if (value instanceof Enum) {
            string(((Enum<?>) value).name());
        } else if (value instanceof Map) {
            nested(value, (Map<?, ?>) value);
        } else if (value instanceof Collection || value instanceof Iterator) {
            Iterator<?> all = value instanceof Iterator ? (Iterator<?>) value : ((Collection<?>) value).iterator();
            elements(value, all);
        } else if (value.getClass().isArray()) {
            array(value);
        } else {
            other(value);
        }
    }

    private void other(Object value) throws Throwable {
        Class<?> type = value.getClass();
        if (value instanceof ByteBuffer) {
            ByteBuffer bytes = ((ByteBuffer) value).slice();
            byte[] copy = new byte[bytes.remaining()];
            bytes.get(copy);
            string(Base64.getEncoder().encodeToString(copy));
        } else if (Times.isTime(type) || value instanceof java.util.Date || value instanceof Calendar) {
            Times.write(value, this);
        } else if (value instanceof Optional) {
            value(((Optional<?>) value).orElse(null));
        } else if (value instanceof Class) {
            string(((Class<?>) value).getName());
        } else if (value instanceof Path) {
            string(((Path) value).toUri().toString());
        } else if (value instanceof java.util.concurrent.atomic.AtomicBoolean) {
            raw(value.toString());
        } else if (isText(value)) {
            string(value.toString());
        } else {
            bean(value, type);
        }
    }

    private static boolean isText(Object value) {
        return value instanceof java.util.UUID
                || value instanceof java.net.URI
                || value instanceof java.net.URL
                || value instanceof java.util.Locale
                || value instanceof java.util.Currency
                || value instanceof java.util.regex.Pattern
                || value instanceof java.nio.charset.Charset
                || value instanceof File
                || value.getClass().getName().equals("org.joda.time.DateTime");
    }

    private void number(Number value) {
        boolean finite = true;
        if (value instanceof Double) {
            finite = !Double.isNaN((Double) value) && !Double.isInfinite((Double) value);
        } else if (value instanceof Float) {
            finite = !Float.isNaN((Float) value) && !Float.isInfinite((Float) value);
        }
        if (finite) {
            raw(value.toString());
        } else {
            string(value.toString());
        }
    }

    private void enter(Object value) throws JsonException {
        if (++depth > DEEPEST) {
            throw new JsonException("more than " + DEEPEST + " levels; does an object of `"
                    + value.getClass().getName() + "` contain itself?");
        }
    }

    private void nested(Object value, Map<?, ?> map) throws Throwable {
        enter(value);
        output.write('{');
        boolean first = true;
        for (Map.Entry<?, ?> entry : map.entrySet()) {
            if (entry.getValue() == null) {
                continue;
            }
            if (!first) {
                output.write(',');
            }
            first = false;
            string(key(entry.getKey()));
            output.write(':');
            value(entry.getValue());
        }
        output.write('}');
        depth--;
    }

    private static String key(Object key) throws JsonException {
        if (key == null) {
            throw new JsonException("Null key for a Map not allowed in JSON");
        }
        return key instanceof Enum ? ((Enum<?>) key).name() : key.toString();
    }

    private void elements(Object value, Iterator<?> all) throws Throwable {
        enter(value);
        output.write('[');
        for (boolean first = true; all.hasNext(); first = false) {
            if (!first) {
                output.write(',');
            }
            value(all.next());
        }
        output.write(']');
        depth--;
    }

    private void array(Object array) throws Throwable {
        if (array instanceof byte[]) {
            string(Base64.getEncoder().encodeToString((byte[]) array));
            return;
        }
        if (array instanceof char[]) {
            string(new String((char[]) array));
            return;
        }
        enter(array);
        output.write('[');
        for (int i = 0; i < Array.getLength(array); i++) {
            if (i > 0) {
                output.write(',');
            }
            value(Array.get(array, i));
        }
        output.write(']');
        depth--;
    }

    private void bean(Object value, Class<?> type) throws Throwable {
        enter(value);
        output.write('{');
        boolean first = true;
        for (Bean.Property property : Bean.of(type).properties.values()) {
            Object member = property.readable() ? property.get(value) : null;
            if (member == null) {
                continue;
            }
            if (!first) {
                output.write(',');
            }
            first = false;
            string(property.name);
            output.write(':');
            value(member);
        }
        output.write('}');
        depth--;
    }

    /** Text that is JSON already, and ASCII. */
    void raw(String json) {
        for (int i = 0; i < json.length(); i++) {
            output.write(json.charAt(i));
        }
    }

    void string(String text) {
        output.write('"');
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c >= ' ' && c < 0x80) {
                if (c == '"' || c == '\\') {
                    output.write('\\');
                }
                output.write(c);
            } else if (c < ' ') {
                control(c);
            } else {
                i += beyondAscii(text, i);
            }
        }
        output.write('"');
    }

    private void control(char c) {
        int at = "\b\t\n\f\r".indexOf(c);
        output.write('\\');
        if (at >= 0) {
            output.write("btnfr".charAt(at));
            return;
        }
        raw("u00");
        output.write(HEX[c >> 4]);
        output.write(HEX[c & 15]);
    }

    /** Writes one character as UTF-8; how many further {@code char}s it took. */
    private int beyondAscii(String text, int at) {
        int point = text.codePointAt(at);
        if (point >= 0xd800 && point <= 0xdfff) {
            point = '?'; // half a pair is no character
        }
        if (point < 0x80) {
            output.write(point);
        } else if (point < 0x800) {
            output.write(0xc0 | point >> 6);
            output.write(0x80 | point & 0x3f);
        } else if (point < 0x10000) {
            output.write(0xe0 | point >> 12);
            output.write(0x80 | point >> 6 & 0x3f);
            output.write(0x80 | point & 0x3f);
        } else {
            output.write(0xf0 | point >> 18);
            output.write(0x80 | point >> 12 & 0x3f);
            output.write(0x80 | point >> 6 & 0x3f);
            output.write(0x80 | point & 0x3f);
            return 1;
        }
        return 0;
    }
}
