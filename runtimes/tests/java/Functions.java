import com.amazonaws.services.lambda.runtime.Client;
import com.amazonaws.services.lambda.runtime.ClientContext;
import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.LambdaRuntime;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import com.amazonaws.services.lambda.runtime.RequestStreamHandler;
import com.amazonaws.services.lambda.runtime.events.ExampleEvent;
import com.amazonaws.services.lambda.runtime.logging.LogLevel;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.math.BigDecimal;
import java.time.Instant;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Date;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;

/** The functions that test_java.py runs, one class each. */
public class Functions {
    public static class Echo implements RequestHandler<Object, Object> {
        public Object handleRequest(Object event, Context context) {
            return event;
        }
    }

    public static class Sized implements RequestHandler<Integer, String> {
        public String handleRequest(Integer size, Context context) {
            char[] text = new char[size];
            Arrays.fill(text, 'x');
            return new String(text);
        }
    }

    public static class Failing implements RequestHandler<Integer, String> {
        public String handleRequest(Integer size, Context context) {
            throw new IllegalStateException(new Sized().handleRequest(size, context));
        }
    }

    public static class Upper implements RequestHandler<String, String> {
        public String handleRequest(String event, Context context) {
            return event.toUpperCase();
        }
    }

    public static class Streams implements RequestStreamHandler {
        public void handleRequest(InputStream input, OutputStream output, Context context) throws IOException {
            output.write('[');
            for (int b = input.read(); b >= 0; b = input.read()) {
                output.write(b);
            }
            output.write(']');
        }
    }

    /** Type parameters that only a superclass names. */
    public abstract static class Base<T> implements RequestHandler<Map<String, T>, List<T>> {
        public List<T> handleRequest(Map<String, T> event, Context context) {
            return new ArrayList<T>(event.values());
        }
    }

    public static class OfBase extends Base<Long> {
        @Override
        public List<Long> handleRequest(Map<String, Long> event, Context context) {
            List<Long> doubled = new ArrayList<>();
            for (Long value : event.values()) {
                doubled.add(2 * value);
            }
            return doubled;
        }
    }

    @SuppressWarnings("rawtypes")
    public static class Raw implements RequestHandler {
        public Object handleRequest(Object event, Context context) {
            return event;
        }
    }

    public static class NoHandler {}

    public static class NoConstructor implements RequestHandler<Object, Object> {
        NoConstructor() {}

        public Object handleRequest(Object event, Context context) {
            return event;
        }
    }

    public class Inner implements RequestHandler<Object, Object> {
        public Object handleRequest(Object event, Context context) {
            return event;
        }
    }

    public static class BrokenConstructor implements RequestHandler<Object, Object> {
        public BrokenConstructor() {
            System.out.println("constructing");
            throw new IllegalArgumentException("no database");
        }

        public Object handleRequest(Object event, Context context) {
            return event;
        }
    }

    public static class BrokenClass implements RequestHandler<Object, Object> {
        static final int ZERO = Integer.parseInt("zero");

        public Object handleRequest(Object event, Context context) {
            return ZERO;
        }
    }

    /** Methods of every form. */
    public static class Methods {
        private int calls;

        public String nothing() {
            return "nothing " + ++calls;
        }

        public static int twice(int number) {
            return 2 * number;
        }

        public String withContext(String text, Context context) {
            return text + " " + context.getFunctionName();
        }

        public String onlyContext(Context context) {
            return context.getFunctionVersion();
        }

        public void onlyOutput(OutputStream output) throws IOException {
            output.write("{\"raw\":true}".getBytes());
        }

        public void copy(InputStream input, OutputStream output, Context context) throws IOException {
            new Streams().handleRequest(input, output, context);
        }

        public int onlyInput(InputStream input) {
            return 1;
        }

        public void silent(Map<String, Object> event) {}

        public String overloaded(String text) {
            return "short";
        }

        public String overloaded(String text, Context context) {
            return "long";
        }

        public int sum(List<Integer> numbers) {
            int sum = 0;
            for (int number : numbers) {
                sum += number;
            }
            return sum;
        }

        public String tooMany(String one, String two, String three, String four) {
            return one;
        }

        private String hidden(String text) {
            return text;
        }

        public Object failing(Map<String, String> event) throws Exception {
            throw new Exception("checked", new RuntimeException("below"));
        }
    }

    public enum Size {
        SMALL,
        LARGE
    }

    public static class Item {
        private String name;
        private int count;
        private boolean gift;
        private Double price;
        public String note;
        private transient String secret = "hidden";
        private String unseen = "hidden";

        public String getName() {
            return name;
        }

        public void setName(String name) {
            this.name = name;
        }

        public int getCount() {
            return count;
        }

        public void setCount(int count) {
            this.count = count;
        }

        public boolean isGift() {
            return gift;
        }

        void setGift(boolean gift) {
            this.gift = gift;
        }

        public Double getPrice() {
            return price;
        }

        public void setPrice(Double price) {
            this.price = price;
        }
    }

    public static class Order {
        private String URL;
        private List<Item> items;
        private Map<Size, Set<Integer>> sizes;
        private Item[] more;
        private Date made;
        private Instant at;
        private LocalDate day;
        private BigDecimal total;
        private Optional<String> coupon = Optional.empty();
        private byte[] signature;
        private Size size;
        private Order parent;

        public String getURL() {
            return URL;
        }

        public void setURL(String URL) {
            this.URL = URL;
        }

        public List<Item> getItems() {
            return items;
        }

        public void setItems(List<Item> items) {
            this.items = items;
        }

        public Map<Size, Set<Integer>> getSizes() {
            return sizes;
        }

        public void setSizes(Map<Size, Set<Integer>> sizes) {
            this.sizes = sizes;
        }

        public Item[] getMore() {
            return more;
        }

        public void setMore(Item[] more) {
            this.more = more;
        }

        public Date getMade() {
            return made;
        }

        public void setMade(Date made) {
            this.made = made;
        }

        public Instant getAt() {
            return at;
        }

        public void setAt(Instant at) {
            this.at = at;
        }

        public LocalDate getDay() {
            return day;
        }

        public void setDay(LocalDate day) {
            this.day = day;
        }

        public BigDecimal getTotal() {
            return total;
        }

        public void setTotal(BigDecimal total) {
            this.total = total;
        }

        public Optional<String> getCoupon() {
            return coupon;
        }

        public void setCoupon(Optional<String> coupon) {
            this.coupon = coupon;
        }

        public byte[] getSignature() {
            return signature;
        }

        public void setSignature(byte[] signature) {
            this.signature = signature;
        }

        public Size getSize() {
            return size;
        }

        public void setSize(Size size) {
            this.size = size;
        }

        public Order getParent() {
            return parent;
        }

        public void setParent(Order parent) {
            this.parent = parent;
        }
    }

    public static class Orders implements RequestHandler<Order, Order> {
        public Order handleRequest(Order order, Context context) {
            return order;
        }
    }

    public static class Items implements RequestHandler<Item, Item> {
        public Item handleRequest(Item item, Context context) {
            return item;
        }
    }

    public static class Events implements RequestHandler<ExampleEvent, List<Object>> {
        public List<Object> handleRequest(ExampleEvent event, Context context) {
            ExampleEvent.Entry entry = event.getRecords().get(0);
            return Arrays.asList(
                    event.getDetailType(),
                    entry.getSNS(),
                    entry.getAt().getTime(),
                    entry.getObject().getKey(),
                    entry.getObject().getSize());
        }
    }

    /** What a handler declares is written, not what it returns besides. */
    public static class Special extends Item {
        public String getExtra() {
            return "extra";
        }
    }

    public static class Declared implements RequestHandler<Object, Item> {
        public Item handleRequest(Object event, Context context) {
            return new Special();
        }
    }

    public static class Values implements RequestHandler<String, Object> {
        public Object handleRequest(String which, Context context) {
            Map<String, Object> map = new LinkedHashMap<>();
            switch (which) {
                case "numbers":
                    return Arrays.asList(1, 2L, 2.5, 2.5f, new BigDecimal("1.50"), Double.NaN, (short) 3, 'c');
                case "nulls":
                    map.put("a", null);
                    map.put("b", Arrays.asList(1, null));
                    return map;
                case "arrays":
                    return new Object[] {new int[] {1, 2}, new byte[] {1, 2}, new String[] {"a"}, "ab".toCharArray()};
                case "times":
                    return Arrays.asList(
                            new Date(1500),
                            Instant.ofEpochSecond(1, 5_000_000),
                            LocalDate.of(2026, 11, 21),
                            java.time.LocalDateTime.of(2026, 1, 2, 3, 4),
                            java.time.Duration.ofMillis(1500));
                case "text":
                    return "\"\\/\b\f\n\r\t\u0001é日🛒";
                case "special":
                    return new Special();
                case "cycle":
                    map.put("self", map);
                    return map;
                default:
                    return null;
            }
        }
    }

    public static class Contexts implements RequestHandler<Object, Map<String, Object>> {
        public Map<String, Object> handleRequest(Object event, Context context) {
            Map<String, Object> all = new LinkedHashMap<>();
            all.put("awsRequestId", context.getAwsRequestId());
            all.put("logGroupName", context.getLogGroupName());
            all.put("logStreamName", context.getLogStreamName());
            all.put("functionName", context.getFunctionName());
            all.put("functionVersion", context.getFunctionVersion());
            all.put("invokedFunctionArn", context.getInvokedFunctionArn());
            all.put("memoryLimitInMB", context.getMemoryLimitInMB());
            all.put("remaining", context.getRemainingTimeInMillis());
            all.put("identity", context.getIdentity().getIdentityId() + "/" + context.getIdentity().getIdentityPoolId());
            all.put("trace", System.getProperty("com.amazonaws.xray.traceHeader"));
            ClientContext client = context.getClientContext();
            if (client != null) {
                Client application = client.getClient();
                all.put("client", application.getAppTitle() + "/" + application.getInstallationId());
                all.put("custom", client.getCustom());
                all.put("env", client.getEnvironment());
            }
            return all;
        }
    }

    public static class Logs implements RequestHandler<String, String> {
        public String handleRequest(String event, Context context) {
            System.out.print("no end");
            System.out.println(" of line é");
            System.err.println("to err");
            context.getLogger().log("a record\nof two lines");
            LambdaRuntime.getLogger().log("debugging", LogLevel.DEBUG);
            context.getLogger().log("warned", LogLevel.WARN);
            context.getLogger().log("bytes".getBytes());
            System.out.print("the last words");
            return event;
        }
    }

    public static class Surroundings implements RequestHandler<Object, Object> {
        public Object handleRequest(Object event, Context context) {
            Map<String, Object> all = new HashMap<>();
            all.put("environment", new TreeSet<>(System.getenv().keySet()));
            all.put("stage", System.getenv("STAGE"));
            all.put("folder", System.getProperty("user.dir"));
            all.put("loader", Thread.currentThread().getContextClassLoader() == Surroundings.class.getClassLoader());
            all.put("resource", Surroundings.class.getResource("/words.txt") != null);
            return all;
        }
    }

    public static class Ends implements RequestHandler<String, Object> {
        public Object handleRequest(String how, Context context) {
            switch (how) {
                case "exit":
                    System.exit(7);
                    return null;
                case "memory":
                    List<long[]> all = new ArrayList<>();
                    while (true) {
                        all.add(new long[10_000_000]);
                    }
                case "deep":
                    return new Ends().handleRequest("deep", context);
                case "interrupt":
                    Thread.currentThread().interrupt();
                    return "interrupted";
                default:
                    return Collections.singletonMap("alive", true);
            }
        }
    }
}
