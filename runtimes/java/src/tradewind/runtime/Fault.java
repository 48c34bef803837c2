package tradewind.runtime;

/** An error of the function that keeps it from being called; the texts are Lambda's. */
final class Fault extends Exception {
    private static final long serialVersionUID = 1;

    /** What {@code errorType} says; null for none. */
    final String type;
    /** For the log. */
    final String trace;

    Fault(String message) {
        super(message);
        this.type = null;
        this.trace = null;
    }

    private Fault(String message, Throwable cause) {
        super(message, cause);
        this.type = cause.getClass().getName();
        this.trace = Errors.trace(cause);
    }

    /** The class was found and does not come up. */
    static Fault ofClass(String name, Throwable cause) {
        String detail = cause.getMessage() == null ? "" : ": " + cause.getMessage();
        return new Fault("Error loading class " + name + detail, cause);
    }

    static Fault classNotFound(String name, Throwable cause) {
        return new Fault("Class not found: " + name, cause);
    }

    /** The class threw this when an instance of it was made. */
    static Fault thrown(Throwable cause) {
        return new Fault(Errors.messageOf(cause), cause);
    }
}
