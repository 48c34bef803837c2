package tradewind.runtime;

import com.amazonaws.services.lambda.runtime.LambdaLogger;
import com.amazonaws.services.lambda.runtime.logging.LogFormat;
import com.amazonaws.services.lambda.runtime.logging.LogLevel;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;

/**
 * Writes records to the log: one record is one line, newlines inside travel as carriage returns. With the
 * format JSON a text becomes an object of time, level, message and request id; levels below the function's are
 * left out.
 */
final class Logger implements LambdaLogger {
    private final FileOutputStream output = new FileOutputStream(FileDescriptor.out);
    private final boolean asJson;
    private final LogLevel least;
    private volatile String requestId;

    Logger(String format, String level) {
        asJson = LogFormat.fromString(format) == LogFormat.JSON;
        least = LogLevel.fromString(level);
    }

    void setRequestId(String id) {
        requestId = id;
    }

    @Override
    public void log(String message) {
        log(message, LogLevel.UNDEFINED);
    }

    @Override
    public void log(byte[] message) {
        log(message, LogLevel.UNDEFINED);
    }

    @Override
    public void log(String message, LogLevel level) {
        if (isOn(level)) {
            write(formatted(String.valueOf(message), level).getBytes(StandardCharsets.UTF_8));
        }
    }

    @Override
    public void log(byte[] message, LogLevel level) {
        if (isOn(level)) {
            write(message == null ? "null".getBytes(StandardCharsets.UTF_8) : message.clone());
        }
    }

    /** What went wrong, for its owner. */
    void error(Throwable thrown) {
        log(Errors.report(thrown), asJson ? LogLevel.ERROR : LogLevel.UNDEFINED);
    }

    private boolean isOn(LogLevel level) {
        return level == LogLevel.UNDEFINED || level.ordinal() >= least.ordinal();
    }

    private String formatted(String message, LogLevel level) {
        if (!asJson) {
            return level == LogLevel.UNDEFINED ? message : "[" + level + "] " + message;
        }
        Bytes bytes = new Bytes(message.length() + 128);
        Encoder json = new Encoder(bytes);
        String time = DateTimeFormatter.ofPattern("yyyy-MM-dd'T'HH:mm:ss.SSS'Z'")
                .withZone(ZoneOffset.UTC)
                .format(Instant.now());
        json.raw("{\"timestamp\":");
        json.string(time);
        json.raw(",\"message\":");
        json.string(message);
        json.raw(",\"level\":");
        json.string(level.name());
        if (requestId != null) {
            json.raw(",\"AWSRequestId\":");
            json.string(requestId);
        }
        json.raw("}");
        return new String(bytes.toByteArray(), StandardCharsets.UTF_8);
    }

    private synchronized void write(byte[] record) {
        int length = record.length;
        while (length > 0 && (record[length - 1] == '\n' || record[length - 1] == '\r')) {
            length--;
        }
        byte[] line = new byte[length + 1];
        for (int i = 0; i < length; i++) {
            line[i] = record[i] == '\n' ? (byte) '\r' : record[i];
        }
        line[length] = '\n';
        try {
            System.out.flush(); // what was printed before comes before
            output.write(line);
        } catch (IOException closed) {
            // nobody reads the log any more
        }
    }
}
