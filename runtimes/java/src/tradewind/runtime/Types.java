package tradewind.runtime;

import java.lang.reflect.Array;
import java.lang.reflect.GenericArrayType;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.lang.reflect.TypeVariable;
import java.lang.reflect.WildcardType;
import java.util.HashMap;
import java.util.Map;

/** Generic types with their variables filled in. */
final class Types {
    private Types() {}

    /** What the variables of a type and of all its supertypes stand for. */
    static Map<TypeVariable<?>, Type> variablesOf(Type type) {
        Map<TypeVariable<?>, Type> variables = new HashMap<TypeVariable<?>, Type>();
        collect(type, variables);
        return variables;
    }

    private static void collect(Type type, Map<TypeVariable<?>, Type> variables) {
        if (type == null) {
            return;
        }
        Class<?> raw = raw(type);
        if (type instanceof ParameterizedType) {
            Type[] arguments = ((ParameterizedType) type).getActualTypeArguments();
            TypeVariable<?>[] names = raw.getTypeParameters();
            for (int i = 0; i < names.length && i < arguments.length; i++) {
                variables.put(names[i], resolve(arguments[i], variables));
            }
        }
        collect(raw.getGenericSuperclass(), variables);
        for (Type implemented : raw.getGenericInterfaces()) {
            collect(implemented, variables);
        }
    }

    /** {@code type} without variables and wildcards, as far as they are known. */
    static Type resolve(Type type, Map<TypeVariable<?>, Type> variables) {
        if (type instanceof Class) {
            return type;
        }
        if (type instanceof TypeVariable) {
            Type known = variables.get(type);
            if (known != null && known != type) {
                return known;
            }
            Type bound = ((TypeVariable<?>) type).getBounds()[0];
            return bound instanceof Class ? bound : raw(bound);
        }
        if (type instanceof WildcardType) {
            return resolve(((WildcardType) type).getUpperBounds()[0], variables);
        }
        if (type instanceof GenericArrayType) {
            Type element = resolve(((GenericArrayType) type).getGenericComponentType(), variables);
            return element instanceof Class ? Array.newInstance((Class<?>) element, 0).getClass() : new ArrayOf(element);
        }
        ParameterizedType parameterized = (ParameterizedType) type;
        Type[] arguments = parameterized.getActualTypeArguments().clone();
        for (int i = 0; i < arguments.length; i++) {
            arguments[i] = resolve(arguments[i], variables);
        }
        return new Parameterized(raw(type), arguments);
    }

    static Class<?> raw(Type type) {
        if (type instanceof Class) {
            return (Class<?>) type;
        }
        if (type instanceof ParameterizedType) {
            return (Class<?>) ((ParameterizedType) type).getRawType();
        }
        if (type instanceof TypeVariable) {
            return raw(((TypeVariable<?>) type).getBounds()[0]);
        }
        if (type instanceof WildcardType) {
            return raw(((WildcardType) type).getUpperBounds()[0]);
        }
        return Array.newInstance(raw(((GenericArrayType) type).getGenericComponentType()), 0).getClass();
    }

    /** What {@code type} gives for the {@code index}th parameter of its supertype {@code of}, else {@code Object}. */
    static Type argument(Type type, Class<?> of, int index) {
        TypeVariable<?> name = of.getTypeParameters()[index];
        Type found = variablesOf(type).get(name);
        return found == null ? Object.class : found;
    }

    private static final class ArrayOf implements GenericArrayType {
        private final Type element;

        ArrayOf(Type element) {
            this.element = element;
        }

        @Override
        public Type getGenericComponentType() {
            return element;
        }

        @Override
        public boolean equals(Object other) {
            return other instanceof ArrayOf && ((ArrayOf) other).element.equals(element);
        }

        @Override
        public int hashCode() {
            return ~element.hashCode();
        }
    }

    private static final class Parameterized implements ParameterizedType {
        private final Class<?> raw;
        private final Type[] arguments;

        Parameterized(Class<?> raw, Type[] arguments) {
            this.raw = raw;
            this.arguments = arguments;
        }

        @Override
        public Type[] getActualTypeArguments() {
            return arguments.clone();
        }

        @Override
        public Type getRawType() {
            return raw;
        }

        @Override
        public Type getOwnerType() {
            return raw.getDeclaringClass();
        }

        @Override
        public boolean equals(Object other) {
            return other instanceof Parameterized
                    && ((Parameterized) other).raw == raw
                    && java.util.Arrays.equals(((Parameterized) other).arguments, arguments);
        }

        @Override
        public int hashCode() {
            return raw.hashCode() * 31 + java.util.Arrays.hashCode(arguments);
        }

        @Override
        public String toString() {
            StringBuilder text = new StringBuilder(raw.getName()).append('<');
            for (int i = 0; i < arguments.length; i++) {
                text.append(i == 0 ? "" : ",").append(arguments[i].getTypeName());
            }
            return text.append('>').toString();
        }
    }
}
