//! `irnext completions` and `irnext man`: what a package puts beside the program.

use super::wrong::wrong;
use super::{Cli, Failure, output};
use clap::{Args, CommandFactory};
use clap_complete::Shell;
use std::process::ExitCode;

#[derive(Debug, Args)]
#[command(after_help = "Example: irnext completions bash > ~/.local/share/bash-completion/completions/irnext")]
pub(super) struct CompletionsArguments {
    /// The shell
    shell: Shell,
}

#[derive(Debug, Args)]
#[command(after_help = "Example: irnext man restore > irnext-restore.1")]
pub(super) struct ManArguments {
    /// The command whose page it is [default: the program's]
    command: Option<String>,
}

pub(super) fn completions(arguments: &CompletionsArguments) -> Result<ExitCode, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), "irnext", &mut script);
    output::bytes(&script)?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn man(arguments: &ManArguments) -> Result<ExitCode, Failure> {
    let mut program = Cli::command();
    program.build();
    let command = match &arguments.command {
        None => program,
        Some(name) => {
            let unknown = || wrong(format!("there is no command `{name}`; `irnext --help` lists them"));
            program.find_subcommand(name).ok_or_else(unknown)?.clone()
        }
    };
    // A page has no place for what stands before the usage.
    let examples = command.get_before_help().map(ToString::to_string);
    let after = command.get_after_help().map(ToString::to_string);
    let rest: Vec<String> = examples.into_iter().chain(after).collect();
    let command = command.version(env!("CARGO_PKG_VERSION")).after_help(rest.join("\n\n"));
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page)?;
    output::bytes(&page)?;
    Ok(ExitCode::SUCCESS)
}
