//! `genesync emulate`: serves the emulator until a signal stops it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use clap::Args;
use serde_json::json;
use tokio::net::TcpListener;

use crate::cli::{Exit, Failure, Output};
use crate::emulator::{Seed, World, seed_from_json, serve};
use crate::service::stopped;

/// What `emulate` takes.
#[derive(Debug, Args)]
pub struct EmulateArgs {
    /// Address to listen on; port 0 chooses a free port
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8480")]
    listen: SocketAddr,
    /// World file with the initial organizations, clients, settings and faults
    #[arg(long, value_name = "FILE")]
    world: Option<PathBuf>,
}

/// The client id of an emulator whose world file names no client.
pub const CLIENT_ID: &str = "00000000-0000-4000-8000-00000000e301";
/// The secret of that client. It protects nothing.
pub const CLIENT_SECRET: &str = "emulator-secret";

/// Serves the emulator until SIGINT or SIGTERM.
pub async fn run(args: &EmulateArgs, output: &Output) -> Result<Exit, Failure> {
    let seed = match &args.world {
        None => Seed::unconfigured(CLIENT_ID, CLIENT_SECRET),
        Some(path) => read_world(path)?.or_client(CLIENT_ID, CLIENT_SECRET),
    };
    let outside = |what: &str, error: std::io::Error| Failure::new(Exit::Outside, format!("{what}: {error}"));
    let listener = TcpListener::bind(args.listen)
        .await
        .map_err(|error| outside(&format!("cannot listen on `{}`", args.listen), error))?;
    let address =
        listener.local_addr().map_err(|error| outside("cannot read the address of the listener", error))?;
    let (client_id, client_secret) =
        seed.clients.first().map(|client| (client.id.clone(), client.secret.clone())).unwrap_or_default();
    let ready =
        json!({"url": format!("http://{address}"), "clientId": client_id, "clientSecret": client_secret});
    output.data(&format!("{ready}\n"));
    let world = Arc::new(Mutex::new(World::new(&seed)));
    serve(listener, world, stopped()).await.map_err(|error| outside("the emulator ended", error))?;
    Ok(Exit::Done)
}

#[expect(clippy::disallowed_methods, reason = "the operator named the file to read")]
fn read_world(path: &std::path::Path) -> Result<Seed, Failure> {
    let bytes = std::fs::read(path)
        .map_err(|error| Failure::new(Exit::Usage, format!("cannot read `{}`: {error}", path.display())))?;
    seed_from_json(&bytes).map_err(|error| {
        Failure::new(Exit::Usage, format!("`{}`: {error}", path.display()))
            .hint("see docs/emulator.md for a world file with every field")
    })
}
