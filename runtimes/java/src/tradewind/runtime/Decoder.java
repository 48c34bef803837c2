package tradewind.runtime;

/** Reads JSON values of one type. */
abstract class Decoder {
    /** The next value, which is not {@code null}. */
    abstract Object read(JsonReader json) throws Throwable;

    /** What {@code null} stands for. */
    Object ofNull() {
        return null;
    }

    /** The next value, whatever it is. */
    final Object next(JsonReader json) throws Throwable {
        if (json.peek() == 'n') {
            json.nothing();
            return ofNull();
        }
        return read(json);
    }
}
