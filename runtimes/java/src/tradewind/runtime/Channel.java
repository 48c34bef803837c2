package tradewind.runtime;

import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.lang.reflect.Constructor;
import java.nio.charset.StandardCharsets;

/**
 * Whole frames over the two inherited pipes ({@code runtimes/README.md}).
 *
 * <p>Java has no public way to an inherited descriptor by number. The private constructor of
 * {@link FileDescriptor} has been there since Java 1, and the host opens its package to us.
 */
final class Channel {
    static final int INVOKE = 1;
    static final int SPECIALISE = 2;
    static final int READY = 16;
    static final int INIT_ERROR = 17;
    static final int RESPONSE = 18;
    static final int ERROR = 19;
    static final int STEM_READY = 23;

    /** What Lambda lets a synchronous invocation return: 6 MiB and 100 bytes. */
    static final int MAX_RESPONSE_BYTES = 6 * 1024 * 1024 + 100;

    private static final byte[] TOO_LARGE =
            ("{\"errorType\": \"Function.ResponseSizeTooLarge\", \"errorMessage\": \"Response payload size exceeded "
                            + "maximum allowed payload size (" + MAX_RESPONSE_BYTES + " bytes).\"}")
                    .getBytes(StandardCharsets.UTF_8);
    private static final int LENGTH = 4;

    private final FileInputStream input;
    private final FileOutputStream output;
    /** Bytes of {@code buffer} from {@code start} to {@code end} are read and not used yet. */
    private byte[] buffer = new byte[64 * 1024];
    private int start;
    private int end;

    Channel(int inputNumber, int outputNumber) throws ReflectiveOperationException {
        Constructor<FileDescriptor> ofNumber = FileDescriptor.class.getDeclaredConstructor(int.class);
        ofNumber.setAccessible(true);
        input = new FileInputStream(ofNumber.newInstance(inputNumber));
        output = new FileOutputStream(ofNumber.newInstance(outputNumber));
    }

    /** Blocks until the host has work. Null when the host has closed its end. */
    Frame receive() throws IOException {
        if (start == end) {
            start = 0;
            end = 0;
        }
        if (!fill(LENGTH)) {
            return null;
        }
        int length = Frame.integerAt(buffer, start);
        if (length < 1 || !fill(LENGTH + length)) {
            return null;
        }
        Frame frame = new Frame(buffer, start + LENGTH, length);
        start += LENGTH + length;
        return frame;
    }

    /** Reads until {@code count} bytes are there. The frame before is no longer needed. */
    private boolean fill(int count) throws IOException {
        if (start + count > buffer.length) {
            byte[] roomier = count > buffer.length ? new byte[Math.max(count, 2 * buffer.length)] : buffer;
            System.arraycopy(buffer, start, roomier, 0, end - start);
            buffer = roomier;
            end -= start;
            start = 0;
        }
        while (end - start < count) {
            int read = input.read(buffer, end, buffer.length - end);
            if (read <= 0) {
                return false;
            }
            end += read;
        }
        return true;
    }

    /** Sends a frame without a request id. */
    void send(int kind, byte[] body) throws IOException {
        Bytes frame = new Bytes(LENGTH + 1 + body.length);
        frame.integer(1 + body.length).write(kind);
        frame.write(body, 0, body.length);
        frame.writeTo(output);
    }

    /** Where a handler writes an answer: behind the head of its frame, so that it need not be copied. */
    static Bytes answerTo(byte[] requestId) {
        Bytes answer = new Bytes(512);
        answer.integer(0).write(RESPONSE);
        answer.integer(requestId.length).write(requestId, 0, requestId.length);
        return answer;
    }

    /** Sends what {@link #answerTo} began. */
    void answer(byte[] requestId, Bytes answer) throws IOException {
        if (answer.size() - headBytes(requestId) > MAX_RESPONSE_BYTES) {
            error(requestId, TOO_LARGE);
            return;
        }
        answer.integerAt(0, answer.size() - LENGTH);
        answer.writeTo(output);
    }

    void error(byte[] requestId, byte[] body) throws IOException {
        byte[] fitting = body.length > MAX_RESPONSE_BYTES ? TOO_LARGE : body;
        Bytes frame = new Bytes(headBytes(requestId) + fitting.length);
        frame.integer(headBytes(requestId) - LENGTH + fitting.length).write(ERROR);
        frame.integer(requestId.length).write(requestId, 0, requestId.length);
        frame.write(fitting, 0, fitting.length);
        frame.writeTo(output);
    }

    private static int headBytes(byte[] requestId) {
        return LENGTH + 1 + LENGTH + requestId.length;
    }
}
