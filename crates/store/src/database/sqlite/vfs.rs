//! The way of SQLite to its files, with one thing changed: what is stale in a page ([`super::page`]) is blank
//! when the page is written to the database file.
//!
//! The write-ahead log is not touched, its frames have checksums; it is emptied soon ([`super::scrub`]). A
//! page that a connection holds in memory may differ from the file in bytes that nobody reads.
#![expect(
    unsafe_code,
    reason = "SQLite takes the way to its files as a table of C functions"
)]

use std::ffi::{CStr, c_int, c_void};
use std::ptr;
use std::sync::{Mutex, OnceLock, PoisonError};

use rusqlite::ffi;

use super::page;

/// The name connections ask for.
const NAME: &CStr = c"tradewind";

/// SQLite's own functions for a file with our write instead. The file points to the first member; SQLite looks
/// no further, we find the second.
#[repr(C)]
struct Methods {
    own: ffi::sqlite3_io_methods,
    original: &'static ffi::sqlite3_io_methods,
}

/// Makes the way known to SQLite, once in a process; its name, or none where SQLite refuses it.
pub(super) fn name() -> Option<&'static CStr> {
    static REGISTERED: OnceLock<bool> = OnceLock::new();
    REGISTERED.get_or_init(register).then_some(NAME)
}

/// SQLite's own way.
fn default() -> Option<&'static ffi::sqlite3_vfs> {
    // SAFETY: no name asks for the default.
    let default = unsafe { ffi::sqlite3_vfs_find(ptr::null()) };
    // SAFETY: null, or there as long as the process.
    unsafe { default.as_ref() }
}

fn register() -> bool {
    let Some(default) = default() else {
        return false;
    };
    let own = ffi::sqlite3_vfs {
        pNext: ptr::null_mut(),
        zName: NAME.as_ptr(),
        xOpen: Some(open),
        ..*default
    };
    // SAFETY: SQLite keeps the pointer, so it is never freed. The functions copied use of their `vfs` only
    // members that are copied with them.
    unsafe { ffi::sqlite3_vfs_register(Box::into_raw(Box::new(own)), 0) == ffi::SQLITE_OK }
}

/// Opens as SQLite does; a database file is then written by [`write`].
///
/// # Safety
/// As SQLite calls it: pointers to memory of the sizes it says.
unsafe extern "C" fn open(
    vfs: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    let Some(original) = default().and_then(|default| default.xOpen) else {
        return ffi::SQLITE_CANTOPEN;
    };
    // SAFETY: the arguments are those that SQLite gave.
    let opened = unsafe { original(vfs, name, file, flags, out_flags) };
    if opened == ffi::SQLITE_OK && flags & ffi::SQLITE_OPEN_MAIN_DB != 0 {
        // SAFETY: the file is open, so its functions are set.
        unsafe { write_by_us(file) };
    }
    opened
}

/// # Safety
/// `file` is open.
unsafe fn write_by_us(file: *mut ffi::sqlite3_file) {
    // SAFETY: the caller's promise.
    let file = unsafe { &mut *file };
    // SAFETY: SQLite's tables of functions are static.
    let original = unsafe { &*file.pMethods };
    file.pMethods = ptr::from_ref(methods(original)).cast();
}

/// Our table in place of SQLite's. There is one of SQLite's for each kind of file system, on Linux one in all.
fn methods(original: &'static ffi::sqlite3_io_methods) -> &'static Methods {
    static KNOWN: Mutex<Vec<&'static Methods>> = Mutex::new(Vec::new());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(methods) = known.iter().find(|methods| ptr::eq(methods.original, original)) {
        return methods;
    }
    let own = ffi::sqlite3_io_methods {
        xWrite: Some(write),
        ..*original
    };
    let methods: &'static Methods = Box::leak(Box::new(Methods { own, original }));
    known.push(methods);
    methods
}

/// Writes a page without what is stale in it.
///
/// # Safety
/// As SQLite calls it, for a file that [`open`] opened.
unsafe extern "C" fn write(
    file: *mut ffi::sqlite3_file,
    bytes: *const c_void,
    length: c_int,
    offset: ffi::sqlite3_int64,
) -> c_int {
    // SAFETY: the file is open.
    let methods = unsafe { *file }.pMethods.cast::<Methods>();
    // SAFETY: only files whose functions are a `Methods` are written by this.
    let original = unsafe { &*methods }.original;
    let Some(write) = original.xWrite else {
        return ffi::SQLITE_IOERR_WRITE;
    };
    let (Ok(size), Ok(place)) = (usize::try_from(length), u64::try_from(offset)) else {
        return ffi::SQLITE_IOERR_WRITE;
    };
    // SAFETY: SQLite gives so many bytes, which nobody changes meanwhile.
    let page = unsafe { std::slice::from_raw_parts(bytes.cast::<u8>(), size) };
    // SAFETY: the file is open, and the methods are its own.
    let file_size = unsafe { size_of_file(file, original) };
    let Some(stale) = page::stale(page, place, file_size) else {
        // SAFETY: the arguments are those that SQLite gave.
        return unsafe { write(file, bytes, length, offset) };
    };
    let mut clean = page.to_vec();
    if let Some(stale) = clean.get_mut(stale) {
        stale.fill(0);
    }
    // SAFETY: as many bytes as SQLite gave, of memory that lives until the call returns.
    unsafe { write(file, clean.as_ptr().cast(), length, offset) }
}

/// Its size in bytes; that of a file that does not tell is the largest there is.
///
/// # Safety
/// `file` is open, and `methods` are its own.
unsafe fn size_of_file(file: *mut ffi::sqlite3_file, methods: &ffi::sqlite3_io_methods) -> u64 {
    let mut size = 0;
    // SAFETY: the caller's promise.
    let told = methods
        .xFileSize
        .is_some_and(|ask| unsafe { ask(file, &raw mut size) } == ffi::SQLITE_OK);
    u64::try_from(size).ok().filter(|_| told).unwrap_or(u64::MAX)
}
