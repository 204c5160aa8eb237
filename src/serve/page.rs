//! The page and its files, built into the program, so that the page needs no other host.

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::get;

use super::reply::{self, text};
use super::{PROGRAM, ServeState, hashed, is_known_to};

const FILES: [(&str, &str, &str); 6] = [
    ("/", "text/html; charset=utf-8", include_str!("page/index.html")),
    ("/page.css", "text/css; charset=utf-8", include_str!("page/page.css")),
    ("/page.js", "text/javascript; charset=utf-8", include_str!("page/page.js")),
    ("/leaflet.css", "text/css; charset=utf-8", include_str!("page/leaflet.css")),
    ("/leaflet.js", "text/javascript; charset=utf-8", include_str!("page/leaflet.js")),
    ("/leaflet.LICENSE", "text/plain; charset=utf-8", include_str!("page/leaflet.LICENSE")),
];

/// Adds a route for each file.
pub(super) fn routes(router: Router<Arc<ServeState>>) -> Router<Arc<ServeState>> {
    FILES.into_iter().fold(router, |router, (path, kind, body)| {
        let tag = hashed(&format!("{PROGRAM} {path}"));
        router.route(
            path,
            get(async move |headers: HeaderMap| match is_known_to(&headers, &tag) {
                true => reply::unchanged(&tag),
                false => reply::with_tag(text(StatusCode::OK, kind, body), &tag),
            }),
        )
    })
}

/// The description of the API for programs.
pub(super) fn openapi() -> Response {
    text(StatusCode::OK, "application/json", include_str!("openapi.json"))
}
