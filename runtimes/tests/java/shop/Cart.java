package shop;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;

/** A handler in a package, which finds another class of its own. */
public class Cart implements RequestHandler<Object, String> {
    public String handleRequest(Object event, Context context) {
        return new Names().cart();
    }

    static class Names {
        String cart() {
            return "cart";
        }
    }
}
