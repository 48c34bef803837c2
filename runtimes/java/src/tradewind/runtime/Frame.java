package tradewind.runtime;

import java.nio.charset.StandardCharsets;

/** A frame of the host, read from front to back. */
final class Frame {
    final int kind;
    private final byte[] buffer;
    private final int end;
    private int at;

    Frame(byte[] buffer, int start, int length) {
        this.buffer = buffer;
        this.kind = buffer[start];
        this.at = start + 1;
        this.end = start + length;
    }

    static int integerAt(byte[] buffer, int at) {
        return (buffer[at] & 0xff)
                | (buffer[at + 1] & 0xff) << 8
                | (buffer[at + 2] & 0xff) << 16
                | (buffer[at + 3] & 0xff) << 24;
    }

    int integer() {
        at += 4;
        return integerAt(buffer, at - 4);
    }

    long longInteger() {
        long low = integer() & 0xffffffffL;
        return low | (long) integer() << 32;
    }

    byte[] bytes() {
        byte[] bytes = new byte[integer()];
        System.arraycopy(buffer, at, bytes, 0, bytes.length);
        at += bytes.length;
        return bytes;
    }

    String string() {
        int length = integer();
        at += length;
        return new String(buffer, at - length, length, StandardCharsets.UTF_8);
    }

    /** The request id of an INVOKE of which nothing was read yet. */
    byte[] requestId() {
        int before = at;
        longInteger();
        byte[] id = bytes();
        at = before;
        return id;
    }

    /** All that is left. */
    byte[] rest() {
        byte[] rest = new byte[end - at];
        System.arraycopy(buffer, at, rest, 0, rest.length);
        at = end;
        return rest;
    }
}
