use crate::cli::{Exit, Failure, Output};
use clap::Args;
#[derive(Debug, Args)]
pub struct DemoArgs {}
pub async fn run(_args: &DemoArgs, _output: &Output) -> Result<Exit, Failure> {
    Ok(Exit::Done)
}
