package tradewind.runtime;

import java.lang.reflect.Constructor;
import java.lang.reflect.Method;

/** Records, of which Java 8 knows nothing: by reflection. */
final class Records {
    private static final Method IS_RECORD = method(Class.class, "isRecord");
    private static final Method COMPONENTS = method(Class.class, "getRecordComponents");

    private Records() {}

    private static Method method(Class<?> of, String name) {
        try {
            return of.getMethod(name);
        } catch (NoSuchMethodException olderJava) {
            return null;
        }
    }

    /** The names of a record's components; null for other classes. */
    static String[] components(Class<?> type) {
        if (IS_RECORD == null) {
            return null;
        }
        try {
            if (!(Boolean) IS_RECORD.invoke(type)) {
                return null;
            }
            Object[] components = (Object[]) COMPONENTS.invoke(type);
            String[] names = new String[components.length];
            for (int i = 0; i < names.length; i++) {
                names[i] = (String) components[i].getClass().getMethod("getName").invoke(components[i]);
            }
            return names;
        } catch (ReflectiveOperationException error) {
            throw new IllegalStateException(error);
        }
    }

    static boolean isComponent(Class<?> type, String name) {
        String[] components = components(type);
        if (components != null) {
            for (String component : components) {
                if (component.equals(name)) {
                    return true;
                }
            }
        }
        return false;
    }

    /** The canonical constructor. */
    static Constructor<?> constructor(Class<?> type) {
        try {
            Object[] components = (Object[]) COMPONENTS.invoke(type);
            Class<?>[] types = new Class<?>[components.length];
            for (int i = 0; i < types.length; i++) {
                types[i] = (Class<?>) components[i].getClass().getMethod("getType").invoke(components[i]);
            }
            return type.getDeclaredConstructor(types);
        } catch (ReflectiveOperationException error) {
            throw new IllegalStateException(error);
        }
    }
}
