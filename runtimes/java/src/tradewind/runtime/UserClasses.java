package tradewind.runtime;

import java.io.File;
import java.net.MalformedURLException;
import java.net.URL;
import java.net.URLClassLoader;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Where a function's classes are: the package itself, the jars of its {@code lib}, those of layers, those beside its classes. */
final class UserClasses {
    /** Where the layers are, if not at /opt: the node tells a JVM that has no jail. */
    private static final String LAYERS = System.getProperty("tradewind.layers", "/opt");

    private UserClasses() {}

    static ClassLoader loader(String taskRoot) throws MalformedURLException {
        List<URL> urls = new ArrayList<URL>();
        urls.add(new URL("file", null, -1, taskRoot + "/"));
        addJars(taskRoot + "/lib", urls);
        addJars(LAYERS + "/java/lib", urls);
        addJars(taskRoot, urls);
        return new URLClassLoader(urls.toArray(new URL[0]), UserClasses.class.getClassLoader());
    }

    /** In the order of their names, so that it does not depend on the disk. */
    private static void addJars(String folder, List<URL> urls) throws MalformedURLException {
        String[] names = new File(folder).list();
        if (names == null) {
            return;
        }
        Arrays.sort(names);
        for (String name : names) {
            if (name.endsWith(".jar") && name.length() > ".jar".length()) {
                urls.add(new URL("file", null, -1, folder + "/" + name));
            }
        }
    }
}
