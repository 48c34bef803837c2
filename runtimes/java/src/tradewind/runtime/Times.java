package tradewind.runtime;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.math.BigDecimal;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.util.ArrayList;
import java.util.Calendar;
import java.util.Date;
import java.util.List;
import java.util.TimeZone;

/**
 * Dates and times. Instants are written as seconds with nine digits after the point, local ones as arrays of
 * their parts, {@link Date} as milliseconds; ISO texts are read as well.
 */
final class Times {
    private static final int NANOS = 1_000_000_000;

    private Times() {}

    static boolean isTime(Class<?> type) {
        return type == Date.class
                || type == Calendar.class
                || type.getName().startsWith("java.time.") && !type.isInterface();
    }

    /** Writes one that {@link #isTime}, or a calendar. */
    static void write(Object value, Encoder json) throws Throwable {
        if (value instanceof Date) {
            json.raw(Long.toString(((Date) value).getTime()));
        } else if (value instanceof Calendar) {
            json.raw(Long.toString(((Calendar) value).getTimeInMillis()));
        } else if (value instanceof Instant) {
            writeSeconds(((Instant) value).getEpochSecond(), ((Instant) value).getNano(), json);
        } else if (value instanceof OffsetDateTime) {
            write(((OffsetDateTime) value).toInstant(), json);
        } else if (value instanceof ZonedDateTime) {
            write(((ZonedDateTime) value).toInstant(), json);
        } else if (value instanceof Duration) {
            writeSeconds(((Duration) value).getSeconds(), ((Duration) value).getNano(), json);
        } else if (value instanceof LocalDate) {
            json.raw("[" + parts((LocalDate) value) + "]");
        } else if (value instanceof LocalDateTime) {
            LocalDateTime time = (LocalDateTime) value;
            json.raw("[" + parts(time.toLocalDate()) + "," + parts(time.toLocalTime()) + "]");
        } else if (value instanceof LocalTime) {
            json.raw("[" + parts((LocalTime) value) + "]");
        } else {
            json.string(value.toString());
        }
    }

    private static void writeSeconds(long seconds, int nanos, Encoder json) {
        json.raw(BigDecimal.valueOf(seconds).add(BigDecimal.valueOf(nanos, 9)).setScale(9).toPlainString());
    }

    private static String parts(LocalDate date) {
        return date.getYear() + "," + date.getMonthValue() + "," + date.getDayOfMonth();
    }

    private static String parts(LocalTime time) {
        String parts = time.getHour() + "," + time.getMinute();
        if (time.getSecond() > 0 || time.getNano() > 0) {
            parts += "," + time.getSecond();
        }
        return time.getNano() > 0 ? parts + "," + time.getNano() : parts;
    }

    static final class OfTime extends Decoder {
        private final Class<?> type;

        OfTime(Class<?> type) {
            this.type = type;
        }

        @Override
        Object read(JsonReader json) throws Throwable {
            char kind = json.peek();
            String text = kind == '[' ? null : kind == '"' ? json.string().trim() : json.number();
            if (text != null && text.isEmpty()) {
                return null;
            }
            try {
                if (text == null) {
                    return ofParts(parts(json));
                }
                return kind == '"' ? ofText(text) : ofNumber(new BigDecimal(text));
            } catch (DateTimeException wrong) {
                throw wrong(text, wrong, json);
            } catch (NumberFormatException wrong) {
                throw wrong(text, wrong, json);
            }
        }

        private JsonException wrong(String text, Exception cause, JsonReader json) {
            return new JsonException(
                    "Cannot deserialize value of type `" + type.getName() + "` from \"" + text + "\": "
                            + cause.getMessage() + json.where(),
                    cause);
        }

        private Object ofText(String text) throws Throwable {
            if (type == Date.class || type == Calendar.class) {
                return asDate(isDigits(text) ? Long.parseLong(text) : milliseconds(text));
            }
            if (type == Instant.class && isDigits(text)) {
                return ofNumber(new BigDecimal(text));
            }
            if (type == Instant.class) {
                return text.endsWith("Z") ? Instant.parse(text) : OffsetDateTime.parse(text).toInstant();
            }
            if (type == LocalDate.class && text.indexOf('T') > 0) {
                return LocalDate.parse(text.substring(0, text.indexOf('T')));
            }
            return parse(text);
        }

        /** Every class of {@code java.time} reads its own text. */
        private Object parse(String text) throws Throwable {
            boolean byId = type.getName().startsWith("java.time.Zone") && type != ZonedDateTime.class;
            try {
                if (type.isEnum()) {
                    return type.getMethod("valueOf", String.class).invoke(null, text);
                }
                Method method = byId
                        ? type.getMethod("of", String.class)
                        : type.getMethod("parse", CharSequence.class);
                return method.invoke(null, text);
            } catch (InvocationTargetException thrown) {
                throw thrown.getCause();
            }
        }

        private static boolean isDigits(String text) {
            for (int i = 0; i < text.length(); i++) {
                if (!Character.isDigit(text.charAt(i)) && !(i == 0 && text.charAt(i) == '-')) {
                    return false;
                }
            }
            return true;
        }

        private static long milliseconds(String text) {
            if (text.length() == 10) {
                return LocalDate.parse(text).atStartOfDay(ZoneOffset.UTC).toInstant().toEpochMilli();
            }
            boolean hasZone = text.endsWith("Z") || text.lastIndexOf('+') > 10 || text.lastIndexOf('-') > 10;
            String colon = text.matches(".*[+-]\\d{4}") ? text.substring(0, text.length() - 2) + ":" : null;
            String iso = colon == null ? text : colon + text.substring(text.length() - 2);
            return hasZone
                    ? OffsetDateTime.parse(iso).toInstant().toEpochMilli()
                    : LocalDateTime.parse(iso).toInstant(ZoneOffset.UTC).toEpochMilli();
        }

        private Object asDate(long milliseconds) {
            if (type == Date.class) {
                return new Date(milliseconds);
            }
            Calendar calendar = Calendar.getInstance(TimeZone.getTimeZone("UTC"));
            calendar.setTimeInMillis(milliseconds);
            return calendar;
        }

        private Object ofNumber(BigDecimal number) {
            if (type == Date.class || type == Calendar.class) {
                return asDate(number.longValue());
            }
            BigDecimal[] parts = number.divideAndRemainder(BigDecimal.ONE);
            long seconds = parts[0].longValueExact();
            long nanos = parts[1].multiply(BigDecimal.valueOf(NANOS)).longValue();
            if (type == Duration.class) {
                return Duration.ofSeconds(seconds, nanos);
            }
            Instant instant = Instant.ofEpochSecond(seconds, nanos);
            if (type == Instant.class) {
                return instant;
            }
            if (type == OffsetDateTime.class) {
                return instant.atOffset(ZoneOffset.UTC);
            }
            if (type == ZonedDateTime.class) {
                return instant.atZone(ZoneOffset.UTC);
            }
            if (type == LocalDate.class) {
                return LocalDate.ofEpochDay(seconds);
            }
            if (type == java.time.Year.class) {
                return java.time.Year.of((int) seconds);
            }
            throw new DateTimeException("a number is no " + type.getSimpleName());
        }

        private static int[] parts(JsonReader json) throws Throwable {
            List<Object> values = new ArrayList<Object>();
            Decoders.readElements(json, Scalars.decoder(int.class), values);
            int[] parts = new int[7];
            for (int i = 0; i < values.size() && i < parts.length; i++) {
                parts[i] = (Integer) values.get(i);
            }
            return parts;
        }

        private Object ofParts(int[] parts) {
            if (type == LocalDate.class) {
                return LocalDate.of(parts[0], parts[1], parts[2]);
            }
            if (type == LocalTime.class) {
                return LocalTime.of(parts[0], parts[1], parts[2], parts[3]);
            }
            if (type == LocalDateTime.class) {
                return LocalDateTime.of(parts[0], parts[1], parts[2], parts[3], parts[4], parts[5], parts[6]);
            }
            throw new DateTimeException("an array is no " + type.getSimpleName());
        }
    }
}
