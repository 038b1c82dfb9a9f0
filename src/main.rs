//! The command line.

mod cli;

use std::{io::Write, process::ExitCode};

use clap::Parser;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match cli::Command::parse().run() {
        Ok(code) => code,
        Err(error) => {
            // The exit code tells where nothing can be written.
            let _ = writeln!(std::io::stderr(), "roster: {error}");
            ExitCode::FAILURE
        }
    }
}
