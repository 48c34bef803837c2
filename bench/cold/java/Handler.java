import java.util.Map;

/** The trivial handler. */
public class Handler {
    public Map<String, Object> handle(Map<String, Object> event) {
        return Map.of("statusCode", 200, "body", "ok");
    }
}
