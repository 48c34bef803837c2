package tradewind.runtime;

import java.io.IOException;
import java.io.OutputStream;
import java.util.Arrays;

/** A growing buffer: what {@link java.io.ByteArrayOutputStream} is, without its locks and its copy at the end. */
final class Bytes extends OutputStream {
    private byte[] buffer;
    private int size;

    Bytes(int capacity) {
        buffer = new byte[capacity];
    }

    int size() {
        return size;
    }

    /** Forgets what was written after the first {@code size} bytes. */
    void truncate(int size) {
        this.size = size;
    }

    @Override
    public void write(int value) {
        if (size == buffer.length) {
            grow(1);
        }
        buffer[size++] = (byte) value;
    }

    @Override
    public void write(byte[] bytes, int offset, int length) {
        if (length > buffer.length - size) {
            grow(length);
        }
        System.arraycopy(bytes, offset, buffer, size, length);
        size += length;
    }

    private void grow(int by) {
        long wanted = Math.max((long) size + by, 2L * buffer.length);
        if ((long) size + by > Integer.MAX_VALUE - 8) {
            throw new OutOfMemoryError("a response of more than two gigabytes");
        }
        buffer = Arrays.copyOf(buffer, (int) Math.min(wanted, Integer.MAX_VALUE - 8));
    }

    Bytes integer(int value) {
        write(value);
        write(value >> 8);
        write(value >> 16);
        write(value >> 24);
        return this;
    }

    void integerAt(int at, int value) {
        buffer[at] = (byte) value;
        buffer[at + 1] = (byte) (value >> 8);
        buffer[at + 2] = (byte) (value >> 16);
        buffer[at + 3] = (byte) (value >> 24);
    }

    void writeTo(OutputStream output) throws IOException {
        output.write(buffer, 0, size);
    }

    byte[] toByteArray() {
        return Arrays.copyOf(buffer, size);
    }
}
