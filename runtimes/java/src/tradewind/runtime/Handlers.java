package tradewind.runtime;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import com.amazonaws.services.lambda.runtime.RequestStreamHandler;
import java.io.ByteArrayInputStream;
import java.io.InputStream;
import java.io.OutputStream;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.Type;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Map;

/**
 * Finds what a handler's name means: {@code com.example.Handler} implements one of the two interfaces,
 * {@code com.example.Handler::method} is any public method that takes an event, a context, both or streams.
 */
final class Handlers {
    private final Serializer serializer;

    Handlers(Serializer serializer) {
        this.serializer = serializer;
    }

    Handler load(String name, ClassLoader loader) throws Fault {
        int colons = name.lastIndexOf("::");
        String className = colons < 0 ? name : name.substring(0, colons);
        String methodName = colons < 0 ? null : name.substring(colons + 2);
        if (className.isEmpty() || methodName != null && methodName.isEmpty()) {
            throw new Fault("Invalid handler: `" + name + "'");
        }
        Class<?> type = classOf(className, loader);
        return methodName == null ? ofInterface(type) : ofMethod(type, methodName);
    }

    private static Class<?> classOf(String name, ClassLoader loader) throws Fault {
        try {
            return Class.forName(name, true, loader);
        } catch (ClassNotFoundException missing) {
            throw Fault.classNotFound(name, missing);
        } catch (Throwable broken) {
            throw Fault.ofClass(name, broken);
        }
    }

    private Handler ofInterface(Class<?> type) throws Fault {
        if (RequestStreamHandler.class.isAssignableFrom(type)) {
            return new OfStreams((RequestStreamHandler) instance(type));
        }
        if (!RequestHandler.class.isAssignableFrom(type)) {
            throw new Fault("Class does not implement an appropriate handler interface: " + type.getName());
        }
        Map<?, Type> variables = Types.variablesOf(type);
        Type input = variables.get(RequestHandler.class.getTypeParameters()[0]);
        Type output = variables.get(RequestHandler.class.getTypeParameters()[1]);
        if (input == null || output == null) {
            throw new Fault("Class " + type.getName()
                    + " does not implement RequestHandler with concrete type parameters");
        }
        @SuppressWarnings("unchecked")
        RequestHandler<Object, Object> handler = (RequestHandler<Object, Object>) instance(type);
        return new OfObjects(handler, input, output, serializer);
    }

    private static Object instance(Class<?> type) throws Fault {
        try {
            return type.getConstructor().newInstance();
        } catch (NoSuchMethodException none) {
            boolean inner = type.getEnclosingClass() != null && !Modifier.isStatic(type.getModifiers());
            String why = inner
                    ? " cannot be instantiated because it is a non-static inner class"
                    : " has no public zero-argument constructor";
            throw Fault.thrown(new Exception("Class " + type.getName() + why, inner ? null : none));
        } catch (InvocationTargetException thrown) {
            throw Fault.thrown(thrown.getCause());
        } catch (Throwable impossible) {
            throw Fault.thrown(impossible);
        }
    }

    /** The longest overload that has a form we know; a last parameter {@code Context} counts twice. */
    private Handler ofMethod(Class<?> type, String name) throws Fault {
        List<Method> overloads = new ArrayList<Method>();
        try {
            for (Method method : type.getMethods()) {
                if (method.getName().equals(name)) {
                    overloads.add(method);
                }
            }
        } catch (NoClassDefFoundError missing) {
            throw Fault.ofClass(type.getName(), missing);
        }
        Collections.sort(overloads, new LongestFirst());
        for (Method method : overloads) {
            Form form = Form.of(method);
            if (form != null) {
                Object target = Modifier.isStatic(method.getModifiers()) ? null : instance(type);
                return new OfMethod(method, target, form, serializer);
            }
        }
        throw new Fault("No public method named " + name + " with appropriate method signature found on class "
                + type.getName());
    }

    private static final class LongestFirst implements Comparator<Method> {
        @Override
        public int compare(Method one, Method other) {
            if (one.isBridge() != other.isBridge()) {
                return one.isBridge() ? 1 : -1;
            }
            return length(other) - length(one);
        }

        private static int length(Method method) {
            Class<?>[] types = method.getParameterTypes();
            boolean withContext = types.length > 0 && types[types.length - 1] == Context.class;
            return types.length + (withContext ? 1 : 0);
        }
    }

    /** Which parameters a method takes, in this order. */
    private static final class Form {
        boolean stream;
        boolean outputStream;
        boolean context;
        /** Of an event that is an object; null when there is none. */
        Type event;

        /** The form of a method; null when it is none of a handler's. */
        static Form of(Method method) {
            Type[] types = method.getGenericParameterTypes();
            Form form = new Form();
            int at = 0;
            if (at < types.length && types[at] == InputStream.class) {
                form.stream = true;
                at++;
            }
            if (at < types.length && types[at] == OutputStream.class) {
                form.outputStream = true;
                at++;
            }
            if (at == 0 && types.length > 0 && types[0] != Context.class) {
                form.event = types[0];
                at++;
            }
            if (at < types.length && types[at] == Context.class) {
                form.context = true;
                at++;
            }
            return at == types.length ? form : null;
        }
    }

    private static final class OfStreams implements Handler {
        private final RequestStreamHandler handler;

        OfStreams(RequestStreamHandler handler) {
            this.handler = handler;
        }

        @Override
        public void handle(byte[] event, Bytes answer, Context context) throws Throwable {
            handler.handleRequest(new ByteArrayInputStream(event), answer, context);
        }
    }

    private static final class OfObjects implements Handler {
        private final RequestHandler<Object, Object> handler;
        private final Type input;
        private final Type output;
        private final Serializer serializer;

        OfObjects(RequestHandler<Object, Object> handler, Type input, Type output, Serializer serializer) {
            this.handler = handler;
            this.input = input;
            this.output = output;
            this.serializer = serializer;
        }

        @Override
        public void handle(byte[] event, Bytes answer, Context context) throws Throwable {
            Object result = handler.handleRequest(serializer.decode(event, input), context);
            serializer.encode(result, output, answer);
        }
    }

    private static final class OfMethod implements Handler {
        private final Method method;
        private final Object target;
        private final Form form;
        private final Serializer serializer;

        OfMethod(Method method, Object target, Form form, Serializer serializer) {
            this.method = method;
            this.target = target;
            this.form = form;
            this.serializer = serializer;
        }

        @Override
        public void handle(byte[] event, Bytes answer, Context context) throws Throwable {
            List<Object> arguments = new ArrayList<Object>(3);
            if (form.stream) {
                arguments.add(new ByteArrayInputStream(event));
            }
            if (form.outputStream) {
                arguments.add(answer);
            }
            if (form.event != null) {
                arguments.add(serializer.decode(event, form.event));
            }
            if (form.context) {
                arguments.add(context);
            }
            Object result = call(arguments.toArray());
            boolean ofStreams = form.stream || form.outputStream;
            if (!form.outputStream) {
                serializer.encode(ofStreams ? null : result, method.getGenericReturnType(), answer);
            }
        }

        private Object call(Object[] arguments) throws Throwable {
            try {
                return method.invoke(target, arguments);
            } catch (InvocationTargetException thrown) {
                throw thrown.getCause() == null ? thrown : thrown.getCause();
            }
        }
    }
}
