package tradewind.runtime;

import java.lang.reflect.AccessibleObject;
import java.lang.reflect.Constructor;
import java.lang.reflect.Field;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.Type;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The properties of a class, found the way Lambda's serialiser finds them: public fields, public getters
 * and setters of any visibility, named by the JavaBeans rules ({@code getURL} is {@code URL}), in the order of
 * the fields. Records have their components.
 */
final class Bean {
    private static final Map<Class<?>, Bean> KNOWN = new ConcurrentHashMap<Class<?>, Bean>();

    /** One property. */
    static final class Property {
        final String name;
        Field field;
        Method getter;
        Method setter;
        Type type;
        /** Of records and of classes built by their constructor: its parameter. */
        int position = -1;
        /** What reads it; kept by {@link Decoders}. */
        Decoder decoder;

        Property(String name) {
            this.name = name;
        }

        boolean readable() {
            return getter != null || field != null && Modifier.isPublic(field.getModifiers());
        }

        boolean writable() {
            return position >= 0 || setter != null || field != null && Modifier.isPublic(field.getModifiers());
        }

        Object get(Object bean) throws Throwable {
            try {
                return getter != null ? getter.invoke(bean) : field.get(bean);
            } catch (InvocationTargetException thrown) {
                throw thrown.getCause();
            }
        }

        void set(Object bean, Object value) throws Throwable {
            try {
                if (setter != null) {
                    setter.invoke(bean, value);
                } else {
                    field.set(bean, value);
                }
            } catch (InvocationTargetException thrown) {
                throw thrown.getCause();
            }
        }
    }

    final Class<?> type;
    /** In the order in which they are written. */
    final Map<String, Property> properties = new LinkedHashMap<String, Property>();
    /** Makes an empty one; none when it is built from its properties, or cannot be. */
    Constructor<?> empty;
    /** Makes one of its properties, by position. */
    Constructor<?> full;

    static Bean of(Class<?> type) {
        Bean known = KNOWN.get(type);
        if (known == null) {
            known = new Bean(type);
            KNOWN.put(type, known);
        }
        return known;
    }

    private Bean(Class<?> type) {
        this.type = type;
        addFields(type);
        for (Method method : type.getMethods()) {
            addGetter(method);
        }
        for (Class<?> owner = type; owner != null && owner != Object.class; owner = owner.getSuperclass()) {
            for (Method method : owner.getDeclaredMethods()) {
                addSetter(method);
            }
        }
        findConstructors();
        for (Property property : properties.values()) {
            settle(property);
        }
    }

    private void addFields(Class<?> owner) {
        if (owner == null || owner == Object.class) {
            return;
        }
        addFields(owner.getSuperclass());
        for (Field field : owner.getDeclaredFields()) {
            int modifiers = field.getModifiers();
            if (!Modifier.isStatic(modifiers) && !Modifier.isTransient(modifiers) && !field.isSynthetic()) {
                property(field.getName()).field = field;
            }
        }
    }

    private Property property(String name) {
        Property property = properties.get(name);
        if (property == null) {
            property = new Property(name);
            properties.put(name, property);
        }
        return property;
    }

    private void addGetter(Method method) {
        if (method.getParameterTypes().length != 0
                || method.getReturnType() == void.class
                || method.isBridge()
                || Modifier.isStatic(method.getModifiers())
                || method.getDeclaringClass() == Object.class) {
            return;
        }
        String name = method.getName();
        Class<?> returned = method.getReturnType();
        if (Records.isComponent(type, name)) {
            property(name).getter = method;
        } else if (name.startsWith("get") && name.length() > 3 && !isOfGroovy(returned)) {
            property(decapitalized(name, 3)).getter = method;
        } else if (name.startsWith("is") && name.length() > 2 && (returned == boolean.class || returned == Boolean.class)) {
            Property property = property(decapitalized(name, 2));
            property.getter = property.getter == null ? method : property.getter;
        }
    }

    private static boolean isOfGroovy(Class<?> type) {
        return type.getName().startsWith("groovy.lang");
    }

    private void addSetter(Method method) {
        String name = method.getName();
        if (method.getParameterTypes().length != 1
                || method.isBridge()
                || Modifier.isStatic(method.getModifiers())
                || !name.startsWith("set")
                || name.length() == 3) {
            return;
        }
        Property property = property(decapitalized(name, 3));
        if (property.setter == null || fitsGetter(property, method) && !fitsGetter(property, property.setter)) {
            property.setter = method;
        }
    }

    /** Of overloaded setters, the one of the getter's type counts. */
    private static boolean fitsGetter(Property property, Method setter) {
        Class<?> type = setter.getParameterTypes()[0];
        if (property.getter != null) {
            return property.getter.getReturnType() == type;
        }
        return property.field != null && property.field.getType() == type;
    }

    /** {@code java.beans.Introspector}'s rule: {@code URL} stays, {@code Url} becomes {@code url}. */
    private static String decapitalized(String name, int prefix) {
        String rest = name.substring(prefix);
        if (rest.length() > 1 && Character.isUpperCase(rest.charAt(0)) && Character.isUpperCase(rest.charAt(1))) {
            return rest;
        }
        return Character.toLowerCase(rest.charAt(0)) + rest.substring(1);
    }

    private void findConstructors() {
        if (type.isInterface() || Modifier.isAbstract(type.getModifiers())) {
            return;
        }
        String[] components = Records.components(type);
        if (components != null) {
            full = Records.constructor(type);
            for (int i = 0; i < components.length; i++) {
                property(components[i]).position = i;
            }
            return;
        }
        try {
            empty = type.getDeclaredConstructor();
        } catch (NoSuchMethodException none) {
            findFullConstructor();
        }
        boolean useless = empty != null && Events.isBuiltByConstructor(type);
        if (useless) {
            findFullConstructor();
        }
    }

    /** AWS's classes of S3 events have no setters: their longest constructor takes the fields in order. */
    private void findFullConstructor() {
        if (!Events.isEvent(type)) {
            return;
        }
        for (Constructor<?> constructor : type.getConstructors()) {
            if (full == null || constructor.getParameterTypes().length > full.getParameterTypes().length) {
                full = constructor;
            }
        }
        if (full == null) {
            return;
        }
        List<Property> ofFields = new ArrayList<Property>();
        for (Property property : properties.values()) {
            if (property.field != null) {
                ofFields.add(property);
            }
        }
        Type[] parameters = full.getGenericParameterTypes();
        for (int i = 0; i < parameters.length && i < ofFields.size(); i++) {
            ofFields.get(i).position = i;
            ofFields.get(i).type = parameters[i];
        }
    }

    private void settle(Property property) {
        open(property.field);
        open(property.getter);
        open(property.setter);
        open(empty);
        open(full);
        if (property.type != null) {
            return;
        }
        if (property.setter != null) {
            property.type = property.setter.getGenericParameterTypes()[0];
        } else if (property.field != null) {
            property.type = property.field.getGenericType();
        } else {
            property.type = property.getter.getGenericReturnType();
        }
    }

    /** A public class's public members need no opening, and those of closed modules do not allow it. */
    private static void open(AccessibleObject member) {
        if (member == null) {
            return;
        }
        try {
            member.setAccessible(true);
        } catch (RuntimeException closed) {
            // then its use says so, with the name of the module
        }
    }
}
