//! How a JVM is started: what Lambda's own start script passes, as far as it suits any JVM.

use std::ffi::OsString;
use std::path::Path;

use crate::interpreters::Interpreter;
use crate::spec::FunctionSpec;

/// The variable in which users give options to the JVM.
const USERS_OPTIONS: &str = "JAVA_TOOL_OPTIONS";

/// What goes before the bootstrap's jar. `layers` is where the function sees its layers.
///
/// Defaults of ours give way to what the user sets by `JAVA_TOOL_OPTIONS`: a JVM reads that first, so a
/// flag on the command line would win over it.
pub(crate) fn flags(
    spec: &FunctionSpec,
    java: &Interpreter,
    tmp: &Path,
    layers: Option<&Path>,
) -> Vec<OsString> {
    let users = spec.environment.get(USERS_OPTIONS).map_or("", String::as_str);
    // the rest is for classes, compiled code, threads and the JVM itself
    let heap_kib = u64::from(spec.memory.get()) * 1024 * 85 / 100;
    let defaults = [
        (
            ["-Xmx", "MaxHeapSize", "MaxRAMPercentage"].as_slice(),
            format!("-XX:MaxHeapSize={heap_kib}k"),
        ),
        (&["GC"], "-XX:+UseSerialGC".into()),
        (
            &["TieredStopAtLevel", "TieredCompilation"],
            "-XX:TieredStopAtLevel=1".into(),
        ),
        (&["Xshare", "SharedArchiveFile"], "-Xshare:auto".into()),
        // a file in /tmp for tools that nobody attaches
        (&["UsePerfData"], "-XX:-UsePerfData".into()),
        (&["file.encoding"], "-Dfile.encoding=UTF-8".into()),
    ];
    let mut flags: Vec<OsString> = defaults
        .into_iter()
        .filter(|(names, _flag)| !names.iter().any(|name| users.contains(name)))
        .map(|(_names, flag)| flag.into())
        .collect();
    if !users.contains("java.io.tmpdir") {
        let mut flag = OsString::from("-Djava.io.tmpdir=");
        flag.push(tmp);
        flags.push(flag);
    }
    if let Some(layers) = layers.filter(|layers| *layers != Path::new("/opt")) {
        let mut flag = OsString::from("-Dtradewind.layers=");
        flag.push(layers);
        flags.push(flag);
    }
    if java.major() >= 9 {
        // AWS's own flag; for itself, the bootstrap's manifest opens what it needs
        flags.push("--add-opens=java.base/java.io=ALL-UNNAMED".into());
    }
    flags.push("-jar".into());
    flags
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::PackageId;

    fn flags_of(version: &str, users: &str) -> Vec<String> {
        let arn = "arn:aws:lambda:eu-west-1:123456789012:function:shop";
        let mut spec = FunctionSpec::new(
            arn.parse().unwrap(),
            "java17".parse().unwrap(),
            "shop.Cart",
            PackageId::from_digest(&[7; 32]),
        );
        spec.memory = tradewind_model::MemoryMib::new(512).unwrap();
        spec.environment.insert(USERS_OPTIONS.into(), users.into());
        let java = Interpreter {
            program: "/usr/bin/java".into(),
            version: version.into(),
            exact: true,
        };
        let flags = flags(&spec, &java, Path::new("/tmp"), None);
        flags
            .into_iter()
            .map(|flag| flag.into_string().unwrap())
            .collect()
    }

    #[test]
    fn users_options_win() {
        let plain = flags_of("17.0.15", "");
        assert!(plain.contains(&"-XX:MaxHeapSize=445644k".into()), "{plain:?}");
        assert!(
            plain.contains(&"-XX:+UseSerialGC".into()) && plain.contains(&"-Djava.io.tmpdir=/tmp".into())
        );
        let changed = flags_of("17.0.15", "-Xmx100m -XX:+UseG1GC");
        assert!(
            !changed
                .iter()
                .any(|flag| flag.contains("Heap") || flag.contains("GC")),
            "{changed:?}"
        );
    }

    #[test]
    fn java_8_knows_no_modules() {
        assert!(!flags_of("8.0_402", "").iter().any(|flag| flag.starts_with("--")));
        assert!(
            flags_of("25.0.3", "")
                .iter()
                .any(|flag| flag.contains("java.io="))
        );
        assert_eq!(flags_of("25", "").last().unwrap(), "-jar");
    }
}
