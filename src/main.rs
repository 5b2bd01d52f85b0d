//! The program `irnext`: see `irnext --help`.

fn main() -> std::process::ExitCode {
    irnext::cli::main()
}
