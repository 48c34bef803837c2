package tradewind.runtime;

import java.lang.reflect.Constructor;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.util.Base64;
import java.util.Date;

/** Values that are one string, number or boolean in JSON. */
final class Scalars {
    /** The dates of AWS's events: seconds since 1970, with a fraction. */
    static final Decoder SECONDS = new Decoder() {
        @Override
        Object read(JsonReader json) throws Throwable {
            double seconds = Double.parseDouble(json.peek() == '"' ? json.string() : json.number());
            return seconds == 0 ? null : new Date((long) (seconds * 1000));
        }
    };

    private Scalars() {}

    /** The decoder of a type that is one; else null. */
    static Decoder decoder(Class<?> type) {
        if (type == String.class || type == CharSequence.class) {
            return new OfText();
        }
        if (type == boolean.class || type == Boolean.class || type == char.class || type == Character.class) {
            return new OfOne(type);
        }
        if (isNumber(type)) {
            return new OfNumber(type);
        }
        if (type.isEnum()) {
            return new OfEnum(type);
        }
        if (type == byte[].class || type == ByteBuffer.class || type == char[].class) {
            return new OfBytes(type);
        }
        if (Times.isTime(type)) {
            return new Times.OfTime(type);
        }
        Method parser = parser(type);
        if (parser != null) {
            return new OfParsed(type, parser);
        }
        return type.getName().equals("org.joda.time.DateTime") ? new OfParsed(type, null) : null;
    }

    static boolean isNumber(Class<?> type) {
        return type.isPrimitive() && type != boolean.class && type != char.class && type != void.class
                || type == Number.class
                || type.getSuperclass() == Number.class
                        && (type.getName().startsWith("java.lang.")
                                || type == BigDecimal.class
                                || type == BigInteger.class
                                || type.getName().startsWith("java.util.concurrent.atomic.Atomic"));
    }

    /** How a type of one text is made of it. */
    private static Method parser(Class<?> type) {
        String name = type.getName();
        String method;
        switch (name) {
            case "java.util.UUID":
                method = "fromString";
                break;
            case "java.net.URI":
                method = "create";
                break;
            case "java.util.Locale":
                method = "forLanguageTag";
                break;
            case "java.util.Currency":
                method = "getInstance";
                break;
            case "java.util.regex.Pattern":
                method = "compile";
                break;
            case "java.nio.charset.Charset":
                method = "forName";
                break;
            case "java.util.TimeZone":
                method = "getTimeZone";
                break;
            case "java.net.URL":
            case "java.io.File":
            case "java.lang.StringBuilder":
            case "java.lang.StringBuffer":
                return OfParsed.BY_CONSTRUCTOR;
            default:
                return null;
        }
        try {
            return type.getMethod(method, String.class);
        } catch (NoSuchMethodException impossible) {
            throw new IllegalStateException(impossible);
        }
    }

    /** A number of any size, as an untyped value. */
    static Object number(JsonReader json) throws JsonException {
        String digits = json.number();
        try {
            if (isWhole(digits)) {
                if (digits.length() < 10) {
                    return Integer.valueOf(digits);
                }
                return fitting(new BigInteger(digits));
            }
            return Double.valueOf(digits);
        } catch (NumberFormatException wrong) {
            throw new JsonException("Unrecognized token '" + digits + "'" + json.where());
        }
    }

    private static boolean isWhole(String digits) {
        for (int i = 0; i < digits.length(); i++) {
            char c = digits.charAt(i);
            if (c != '-' && c != '+' && (c < '0' || c > '9')) {
                return false;
            }
        }
        return true;
    }

    private static Object fitting(BigInteger value) {
        if (value.bitLength() < 32) {
            return value.intValue();
        }
        return value.bitLength() < 64 ? (Object) value.longValue() : value;
    }

    static final class OfText extends Decoder {
        @Override
        Object read(JsonReader json) throws Throwable {
            switch (json.peek()) {
                case '"':
                    return json.string();
                case JsonReader.NUMBER:
                    return json.number();
                case 't':
                case 'f':
                    return String.valueOf(json.bool());
                case '[':
                    return unwrapped(this, json, "java.lang.String");
                default:
                    throw mismatch("java.lang.String", "Object value", json);
            }
        }
    }

    /** The one element of an array stands for itself. */
    static Object unwrapped(Decoder decoder, JsonReader json, String type) throws Throwable {
        json.open('[');
        if (!json.more(']', true)) {
            return null;
        }
        Object value = decoder.next(json);
        if (json.more(']', false)) {
            throw mismatch(type, "Array value", json);
        }
        return value;
    }

    static JsonException mismatch(String type, String what, JsonReader json) {
        return new JsonException("Cannot deserialize value of type `" + type + "` from " + what + json.where());
    }

    /** A boolean or a character. */
    private static final class OfOne extends Decoder {
        private final Class<?> type;

        OfOne(Class<?> type) {
            this.type = type;
        }

        @Override
        Object ofNull() {
            return type == boolean.class ? (Object) Boolean.FALSE : type == char.class ? (Object) '\0' : null;
        }

        @Override
        Object read(JsonReader json) throws Throwable {
            char kind = json.peek();
            if (kind == '[') {
                return unwrapped(this, json, type.getName());
            }
            if (type == char.class || type == Character.class) {
                return character(json, kind);
            }
            switch (kind) {
                case 't':
                case 'f':
                    return json.bool();
                case JsonReader.NUMBER:
                    return Double.parseDouble(json.number()) != 0;
                case '"':
                    return ofText(json);
                default:
                    throw mismatch(type.getName(), "Object value", json);
            }
        }

        private Object ofText(JsonReader json) throws JsonException {
            String text = json.string().trim();
            if (text.isEmpty()) {
                return ofNull();
            }
            if (text.equalsIgnoreCase("true") || text.equalsIgnoreCase("false")) {
                return text.equalsIgnoreCase("true");
            }
            throw mismatch(type.getName(), "String \"" + text + "\"", json);
        }

        private Object character(JsonReader json, char kind) throws JsonException {
            if (kind == JsonReader.NUMBER) {
                return (char) Integer.parseInt(json.number());
            }
            String text = json.string();
            if (text.isEmpty()) {
                return ofNull();
            }
            if (text.length() == 1) {
                return text.charAt(0);
            }
            throw mismatch(type.getName(), "String \"" + text + "\"", json);
        }
    }

    private static final class OfNumber extends Decoder {
        private final Class<?> type;

        OfNumber(Class<?> type) {
            this.type = type;
        }

        @Override
        Object ofNull() {
            if (!type.isPrimitive()) {
                return null;
            }
            return java.lang.reflect.Array.get(java.lang.reflect.Array.newInstance(type, 1), 0);
        }

        @Override
        Object read(JsonReader json) throws Throwable {
            char kind = json.peek();
            if (kind == '[') {
                return unwrapped(this, json, type.getName());
            }
            if (kind != '"' && kind != JsonReader.NUMBER) {
                throw mismatch(type.getName(), kind == '{' ? "Object value" : "Boolean value", json);
            }
            String digits = kind == '"' ? json.string().trim() : json.number();
            if (digits.isEmpty()) {
                return ofNull();
            }
            try {
                return convert(digits);
            } catch (ArithmeticException wrong) {
                throw new JsonException(
                        "Numeric value (" + digits + ") out of range of `" + type.getName() + "`" + json.where());
            } catch (NumberFormatException wrong) {
                throw mismatch(type.getName(), (kind == '"' ? "String \"" : "token \"") + digits + '"', json);
            }
        }

        private Object convert(String digits) {
            switch (type.getName()) {
                case "double":
                case "java.lang.Double":
                    return Double.valueOf(digits);
                case "float":
                case "java.lang.Float":
                    return Float.valueOf(digits);
                case "java.math.BigDecimal":
                    return new BigDecimal(digits);
                case "java.lang.Number":
                    return isWhole(digits) ? fitting(new BigInteger(digits)) : (Object) Double.valueOf(digits);
                case "java.math.BigInteger":
                    return isWhole(digits) ? new BigInteger(digits) : new BigDecimal(digits).toBigInteger();
                default:
                    return whole(isWhole(digits) ? Long.parseLong(plain(digits)) : new BigDecimal(digits).longValue());
            }
        }

        private static String plain(String digits) {
            return new BigInteger(digits).bitLength() > 63 ? overflow() : digits;
        }

        private static String overflow() {
            throw new ArithmeticException();
        }

        private Object whole(long value) {
            switch (type.getName()) {
                case "long":
                case "java.lang.Long":
                    return value;
                case "int":
                case "java.lang.Integer":
                    return Math.toIntExact(value);
                case "short":
                case "java.lang.Short":
                    return value == (short) value ? (short) value : (Object) overflow();
                case "byte":
                case "java.lang.Byte":
                    return value >= -128 && value < 256 ? (byte) value : (Object) overflow();
                case "java.util.concurrent.atomic.AtomicInteger":
                    return new java.util.concurrent.atomic.AtomicInteger(Math.toIntExact(value));
                case "java.util.concurrent.atomic.AtomicLong":
                    return new java.util.concurrent.atomic.AtomicLong(value);
                default:
                    throw new NumberFormatException();
            }
        }
    }

    private static final class OfEnum extends Decoder {
        private final Class<?> type;

        OfEnum(Class<?> type) {
            this.type = type;
        }

        /** A name that is not among the constants gives null, as in Lambda. */
        @Override
        Object read(JsonReader json) throws Throwable {
            if (json.peek() == JsonReader.NUMBER) {
                int index = Integer.parseInt(json.number());
                Object[] constants = type.getEnumConstants();
                return index >= 0 && index < constants.length ? constants[index] : null;
            }
            String name = json.string();
            for (Object constant : type.getEnumConstants()) {
                if (((Enum<?>) constant).name().equals(name)) {
                    return constant;
                }
            }
            return null;
        }
    }

    /** Base64, or plain characters. */
    private static final class OfBytes extends Decoder {
        private final Class<?> type;

        OfBytes(Class<?> type) {
            this.type = type;
        }

        @Override
        Object read(JsonReader json) throws Throwable {
            if (json.peek() == '[' && type == byte[].class) {
                return array(json);
            }
            String text = json.string();
            if (type == char[].class) {
                return text.toCharArray();
            }
            try {
                byte[] bytes = Base64.getMimeDecoder().decode(text);
                return type == byte[].class ? bytes : (Object) ByteBuffer.wrap(bytes);
            } catch (IllegalArgumentException wrong) {
                throw new JsonException("Failed to decode Base64: " + wrong.getMessage() + json.where(), wrong);
            }
        }

        private static byte[] array(JsonReader json) throws Throwable {
            java.util.List<Object> values = new java.util.ArrayList<Object>();
            Decoders.readElements(json, new OfNumber(byte.class), values);
            byte[] bytes = new byte[values.size()];
            for (int i = 0; i < bytes.length; i++) {
                bytes[i] = (Byte) values.get(i);
            }
            return bytes;
        }
    }

    /** Made of its text by a method of its own, or by its constructor. */
    private static final class OfParsed extends Decoder {
        /** Stands for the constructor. */
        static final Method BY_CONSTRUCTOR = Object.class.getDeclaredMethods()[0];

        private final Class<?> type;
        private final Method parser;

        OfParsed(Class<?> type, Method parser) {
            this.type = type;
            this.parser = parser;
        }

        @Override
        Object read(JsonReader json) throws Throwable {
            String text = json.peek() == '"' ? json.string() : json.number();
            if (text.isEmpty()) {
                return null;
            }
            try {
                if (parser != null && parser != BY_CONSTRUCTOR) {
                    return parser.invoke(null, text);
                }
                boolean isText = parser == BY_CONSTRUCTOR;
                Constructor<?> constructor = type.getConstructor(isText ? String.class : Object.class);
                return constructor.newInstance(text);
            } catch (InvocationTargetException wrong) {
                throw new JsonException(
                        "Cannot deserialize value of type `" + type.getName() + "` from String \"" + text + "\": "
                                + wrong.getCause().getMessage() + json.where(),
                        wrong.getCause());
            }
        }
    }
}
