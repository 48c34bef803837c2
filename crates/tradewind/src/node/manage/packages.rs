//! Packages over HTTP: upload before a deploy, download for `Code.Location`.

use std::io::Read as _;

use http::{Response, StatusCode};
use hyper::body::Incoming;
use serde_json::json;
use tradewind_compute::PackageId;
use tradewind_model::limits::ZIP_BYTES;
use tradewind_wire::{Body, ReadBodyError, read_body};

use super::{error, json_response, with_type};
use crate::node::State;

const PIECE_BYTES: usize = 64 * 1024;

pub(crate) async fn upload(state: &State, body: Incoming) -> Response<Body> {
    let zip = match read_body(body, ZIP_BYTES).await {
        Ok(zip) => zip,
        Err(failure @ ReadBodyError::TooLarge { .. }) => {
            return error(StatusCode::PAYLOAD_TOO_LARGE, &failure.to_string());
        }
        Err(failure) => return error(StatusCode::BAD_REQUEST, &failure.to_string()),
    };
    match state.engine.packages().add_zip(zip).await {
        Ok(id) => json_response(StatusCode::OK, &json!({ "packageId": id.to_string() })),
        Err(failure) => error(StatusCode::BAD_REQUEST, &failure.to_string()),
    }
}

pub(crate) async fn download(state: &State, file: &str) -> Response<Body> {
    let id = file
        .strip_suffix(".zip")
        .and_then(|name| name.parse::<PackageId>().ok());
    let Some(id) = id else {
        return error(
            StatusCode::NOT_FOUND,
            &format!("`{file}` is not the name of a package"),
        );
    };
    let opened = match state.engine.packages().zip_of(&id).await {
        Ok(path) => std::fs::File::open(path).map_err(|failure| failure.to_string()),
        Err(failure) => Err(failure.to_string()),
    };
    match opened {
        Ok(zip) => with_type(StatusCode::OK, "application/zip", send(state, zip)),
        Err(failure) => error(StatusCode::NOT_FOUND, &failure),
    }
}

/// The file as a body, read by a thread as fast as the client takes it.
fn send(state: &State, mut file: std::fs::File) -> Body {
    let (sender, body) = Body::channel(4);
    let runtime = tokio::runtime::Handle::current();
    state.detached.spawn_blocking(move || {
        let mut piece = vec![0; PIECE_BYTES];
        loop {
            let sent = match file.read(&mut piece) {
                Ok(0) => return,
                Ok(count) => {
                    runtime.block_on(sender.send(piece.iter().copied().take(count).collect::<Vec<u8>>()))
                }
                Err(failure) => {
                    runtime.block_on(sender.fail(failure)).unwrap_or_default();
                    return;
                }
            };
            if sent.is_err() {
                return;
            }
        }
    });
    body
}
