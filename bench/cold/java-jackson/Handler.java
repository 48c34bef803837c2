import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.Map;

/** A handler as users write it: with a library, whose object is made once. */
public class Handler {
    private static final ObjectMapper MAPPER = new ObjectMapper();

    public static class Order {
        public String id = "o-1";
        public int[] items = {1, 2, 3};
    }

    public Map<String, Object> handle(Map<String, Object> event) throws Exception {
        String text = MAPPER.writeValueAsString(new Order());
        return Map.of("statusCode", 200, "body", MAPPER.readValue(text, Order.class).id);
    }
}
