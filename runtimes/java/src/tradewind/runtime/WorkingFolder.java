package tradewind.runtime;

import java.io.File;
import java.lang.reflect.Field;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;

/**
 * What Java remembers of the folder that it was started in. Java cannot change to another: whoever turns a
 * stem into a function moves the process, and this tells Java where it is.
 */
final class WorkingFolder {
    private WorkingFolder() {}

    static void becomes(String folder) {
        System.setProperty("user.dir", folder);
        try {
            Field files = files();
            files.setAccessible(true);
            set(files.get(null), "userDir", folder);
            FileSystem system = FileSystems.getDefault();
            set(system, "defaultDirectory", folder.getBytes(StandardCharsets.UTF_8));
            set(system, "needToResolveAgainstDefaultDirectory", Boolean.TRUE);
        } catch (ReflectiveOperationException changed) {
            throw new IllegalStateException("this Java keeps its working folder in another place", changed);
        }
    }

    private static Field files() throws NoSuchFieldException {
        try {
            return File.class.getDeclaredField("FS");
        } catch (NoSuchFieldException beforeJava21) {
            return File.class.getDeclaredField("fs");
        }
    }

    /** Sets a field of the object's class or a superclass; a Java that has none remembers nothing there. */
    private static void set(Object of, String name, Object value) throws IllegalAccessException {
        for (Class<?> type = of.getClass(); type != null; type = type.getSuperclass()) {
            try {
                Field field = type.getDeclaredField(name);
                field.setAccessible(true);
                field.set(of, value);
                return;
            } catch (NoSuchFieldException higher) {
                continue;
            }
        }
    }
}
