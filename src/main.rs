//! The program `irnext`: see `irnext --help`.

fn main() -> std::process::ExitCode {
    // `irnext inspect | head` ends quietly, as other programs do, when its reader has seen enough.
    sigpipe::reset();
    irnext::cli::main()
}
