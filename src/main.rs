//! The program `irnext`: see `irnext --help`.

fn main() -> std::process::ExitCode {
    // `irnext inspect | head` ends quietly, as other programs do, when its reader has seen enough.
    sigpipe::reset();
    share_memory_between_threads();
    fail_at_the_file_size_limit();
    irnext::cli::main()
}

/// Pictures are read, restored and written on different threads. glibc gives each its own pool, and what one thread
/// frees of another's stays there: over a thousand pictures a third more memory, that never comes back.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn share_memory_between_threads() {
    // SAFETY: called before any other thread exists; it sets a number.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn share_memory_between_threads() {}

/// A file that grows beyond `ulimit -f` is an error, as on a full disk; the system's default ends the program there, and
/// what was half written would stay.
#[cfg(unix)]
fn fail_at_the_file_size_limit() {
    // SAFETY: called before any other thread exists; no handler of our own runs.
    unsafe {
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
    }
}

#[cfg(not(unix))]
fn fail_at_the_file_size_limit() {}
