//! prober: positive monitoring as files, every slot accounted for.
//!
//! Parses arguments, calls one command, and maps what came of it to an exit code.
//!
//! | module | holds |
//! | --- | --- |
//! | `cli` | one file a command, and what the terminal shows |
//! | `agent` | the composition root: the only place that knows all parts |

mod agent;
mod cli;
mod exit;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    cli::main()
}
