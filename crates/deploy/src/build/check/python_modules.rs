//! Names of Python modules: those Python brings, those Lambda's image adds, and what others are called on PyPI.

/// The standard library's top-level modules, of all versions from 3.8 to 3.14.
const STANDARD: &str = "abc aifc annotationlib antigravity argparse array ast asynchat asyncio asyncore atexit \
    audioop base64 bdb binascii binhex bisect builtins bz2 cProfile calendar cgi cgitb chunk cmath cmd code codecs \
    codeop collections colorsys compileall compression concurrent configparser contextlib contextvars copy copyreg \
    crypt csv ctypes curses dataclasses datetime dbm decimal difflib dis distutils doctest email encodings \
    ensurepip enum errno faulthandler fcntl filecmp fileinput fnmatch formatter fractions ftplib functools gc \
    genericpath getopt getpass gettext glob graphlib grp gzip hashlib heapq hmac html http idlelib imaplib imghdr \
    imp importlib inspect io ipaddress itertools json keyword lib2to3 linecache locale logging lzma macpath mailbox \
    mailcap marshal math mimetypes mmap modulefinder msilib msvcrt multiprocessing netrc nis nntplib nt ntpath \
    nturl2path numbers opcode operator optparse os ossaudiodev parser pathlib pdb pickle pickletools pipes pkgutil \
    platform plistlib poplib posix posixpath pprint profile pstats pty pwd py_compile pyclbr pydoc pydoc_data \
    pyexpat queue quopri random re readline reprlib resource rlcompleter runpy sched secrets select selectors \
    shelve shlex shutil signal site smtpd smtplib sndhdr socket socketserver spwd sqlite3 sre_compile \
    sre_constants sre_parse ssl stat statistics string stringprep struct subprocess sunau symbol symtable sys \
    sysconfig syslog tabnanny tarfile telnetlib tempfile termios textwrap this threading time timeit tkinter token \
    tokenize tomllib trace traceback tracemalloc tty turtle turtledemo types typing unicodedata unittest urllib uu \
    uuid venv warnings wave weakref webbrowser winreg winsound wsgiref xdrlib xml xmlrpc zipapp zipfile zipimport \
    zlib zoneinfo";

/// What Lambda's Python images add.
const IN_IMAGE: [&str; 6] = [
    "boto3",
    "botocore",
    "s3transfer",
    "jmespath",
    "dateutil",
    "awslambdaric",
];

/// Modules that ended with Python 2.
const PYTHON_2: [&str; 9] = [
    "urllib2",
    "ConfigParser",
    "Queue",
    "StringIO",
    "cStringIO",
    "cPickle",
    "httplib",
    "urlparse",
    "commands",
];

/// Modules whose distribution has another name.
const DISTRIBUTIONS: [(&str, &str); 17] = [
    ("yaml", "PyYAML"),
    ("PIL", "Pillow"),
    ("cv2", "opencv-python-headless"),
    ("dotenv", "python-dotenv"),
    ("jwt", "PyJWT"),
    ("bs4", "beautifulsoup4"),
    ("dateutil", "python-dateutil"),
    ("sklearn", "scikit-learn"),
    ("Crypto", "pycryptodome"),
    ("psycopg2", "psycopg2-binary"),
    ("MySQLdb", "mysqlclient"),
    ("attr", "attrs"),
    ("jose", "python-jose"),
    ("OpenSSL", "pyOpenSSL"),
    ("git", "GitPython"),
    ("slack", "slackclient"),
    ("telegram", "python-telegram-bot"),
];

/// Whether Python itself brings the module.
pub(super) fn is_standard(module: &str) -> bool {
    module.starts_with('_') || STANDARD.split_whitespace().any(|name| name == module)
}

/// What makes the missing module importable.
pub(super) fn advice(module: &str, runtime: &str) -> String {
    let distribution = DISTRIBUTIONS
        .iter()
        .find(|(name, _)| *name == module)
        .map_or(module, |(_, distribution)| *distribution);
    if PYTHON_2.contains(&module) {
        return format!("`{module}` is a module of Python 2, and the function runs on Python 3");
    }
    if IN_IMAGE.contains(&module) {
        return format!(
            "Lambda's {runtime} image brings it, this platform does not: add `{distribution}` to requirements.txt"
        );
    }
    format!("add `{distribution}` to requirements.txt, or the module's file to the package")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_python_brings_is_known() {
        assert!(is_standard("json") && is_standard("__future__") && is_standard("zoneinfo"));
        assert!(!is_standard("boto3") && !is_standard("urllib2"));
    }

    #[test]
    fn advice_names_the_distribution() {
        assert!(advice("yaml", "python3.9").contains("`PyYAML`"));
        assert!(advice("boto3", "python3.9").contains("python3.9 image brings it"));
        assert!(advice("urllib2", "python2.7").contains("Python 2"));
    }
}
