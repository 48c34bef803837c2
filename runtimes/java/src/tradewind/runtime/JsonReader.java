package tradewind.runtime;

/**
 * Pulls values out of a JSON text. Lenient where Lambda's own parser is: names without quotes, single
 * quotes, control characters inside strings, numbers with leading zeros, {@code NaN} and infinities.
 */
final class JsonReader {
    /** What {@link #peek} gives for a number. */
    static final char NUMBER = '0';
    /** What it gives at the end of the text. */
    static final char END = '\0';

    private static final int DEEPEST = 1000;

    private final String text;
    private int at;
    private int depth;

    JsonReader(String text) {
        this.text = text;
    }

    /** The kind of the next value: its first character, {@link #NUMBER} or {@link #END}. */
    char peek() throws JsonException {
        skipSpace();
        if (at >= text.length()) {
            return END;
        }
        char c = text.charAt(at);
        switch (c) {
            case '{':
            case '[':
            case 't':
            case 'f':
            case 'n':
                return c;
            case '"':
            case '\'':
                return '"';
            default:
                if (c >= '0' && c <= '9' || c == '-' || c == '+' || c == '.' || c == 'N' || c == 'I') {
                    return NUMBER;
                }
                throw unexpected();
        }
    }

    /** Enters an object or an array. */
    void open(char bracket) throws JsonException {
        expect(bracket);
        if (++depth > DEEPEST) {
            throw new JsonException("more than " + DEEPEST + " levels of arrays and objects" + where());
        }
    }

    /** Whether a further element follows; leaves the object or array when not. */
    boolean more(char bracket, boolean first) throws JsonException {
        skipSpace();
        if (at < text.length() && text.charAt(at) == bracket) {
            at++;
            depth--;
            return false;
        }
        if (!first) {
            expect(',');
        }
        return true;
    }

    /** The name of a member, and the colon after it. */
    String name() throws JsonException {
        skipSpace();
        char c = at < text.length() ? text.charAt(at) : END;
        String name = c == '"' || c == '\'' ? string() : word();
        if (name.isEmpty() && c != '"' && c != '\'') {
            throw unexpected();
        }
        expect(':');
        return name;
    }

    String string() throws JsonException {
        skipSpace();
        char quote = at < text.length() ? text.charAt(at) : END;
        if (quote != '"' && quote != '\'') {
            throw unexpected();
        }
        int begin = ++at;
        while (at < text.length()) {
            char c = text.charAt(at);
            if (c == quote) {
                return text.substring(begin, at++);
            }
            if (c == '\\') {
                return escaped(begin, quote);
            }
            at++;
        }
        throw unexpected();
    }

    /** The rest of a string of which an escape was seen. */
    private String escaped(int begin, char quote) throws JsonException {
        StringBuilder value = new StringBuilder(text.length() - begin < 64 ? 64 : at - begin + 64);
        value.append(text, begin, at);
        while (at < text.length()) {
            char c = text.charAt(at++);
            if (c == quote) {
                return value.toString();
            }
            value.append(c == '\\' ? escape() : c);
        }
        throw unexpected();
    }

    private char escape() throws JsonException {
        if (at >= text.length()) {
            throw unexpected();
        }
        char c = text.charAt(at++);
        switch (c) {
            case 'n':
                return '\n';
            case 't':
                return '\t';
            case 'r':
                return '\r';
            case 'b':
                return '\b';
            case 'f':
                return '\f';
            case 'u':
                return unicode();
            default:
                return c;
        }
    }

    private char unicode() throws JsonException {
        int value = 0;
        for (int i = 0; i < 4; i++) {
            int digit = at < text.length() ? Character.digit(text.charAt(at), 16) : -1;
            if (digit < 0) {
                throw unexpected();
            }
            value = value << 4 | digit;
            at++;
        }
        return (char) value;
    }

    /** The digits of a number as they stand; also {@code NaN} and {@code Infinity}. */
    String number() throws JsonException {
        skipSpace();
        int begin = at;
        while (at < text.length() && isOfNumber(text.charAt(at))) {
            at++;
        }
        String number = text.substring(begin, at);
        if (number.isEmpty()) {
            throw unexpected();
        }
        return number;
    }

    private static boolean isOfNumber(char c) {
        return c >= '0' && c <= '9' || c == '-' || c == '+' || c == '.' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z';
    }

    boolean bool() throws JsonException {
        String word = word();
        if (word.equals("true")) {
            return true;
        }
        if (word.equals("false")) {
            return false;
        }
        throw unexpected();
    }

    void nothing() throws JsonException {
        if (!word().equals("null")) {
            throw unexpected();
        }
    }

    void skip() throws JsonException {
        switch (peek()) {
            case '{':
                open('{');
                for (boolean first = true; more('}', first); first = false) {
                    name();
                    skip();
                }
                break;
            case '[':
                open('[');
                for (boolean first = true; more(']', first); first = false) {
                    skip();
                }
                break;
            case '"':
                string();
                break;
            case NUMBER:
                number();
                break;
            case 't':
            case 'f':
                bool();
                break;
            case 'n':
                nothing();
                break;
            default:
                throw unexpected();
        }
    }

    private String word() {
        skipSpace();
        int begin = at;
        while (at < text.length() && Character.isJavaIdentifierPart(text.charAt(at))) {
            at++;
        }
        return text.substring(begin, at);
    }

    private void expect(char wanted) throws JsonException {
        skipSpace();
        if (at >= text.length() || text.charAt(at) != wanted) {
            throw unexpected();
        }
        at++;
    }

    private void skipSpace() {
        while (at < text.length() && text.charAt(at) <= ' ') {
            at++;
        }
    }

    JsonException unexpected() {
        if (at >= text.length()) {
            return new JsonException("Unexpected end-of-input" + where());
        }
        return new JsonException("Unexpected character ('" + text.charAt(at) + "' (code " + (int) text.charAt(at) + "))"
                + where());
    }

    /** Line and column, for messages. */
    String where() {
        int line = 1;
        int column = 1;
        for (int i = 0; i < at && i < text.length(); i++) {
            column = text.charAt(i) == '\n' ? 1 : column + 1;
            line += text.charAt(i) == '\n' ? 1 : 0;
        }
        return " at [line: " + line + ", column: " + column + "]";
    }
}
