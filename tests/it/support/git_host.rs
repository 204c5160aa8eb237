//! A local host of repositories (`commands::demo::git_host`) that fails in the same ways as the real one, with a log of
//! the requests.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use merganser::commands::demo::git_host::{HostHoldings, HourlyLimit, router};
use merganser::commands::demo::quickstats::LocalServer;
use merganser::datasets::commits::host::GitHost;

/// The ways in which a request may fail.
#[derive(Clone, Debug)]
pub enum HostTrouble {
    /// With this status, and these headers.
    Status(u16, Vec<(&'static str, String)>),
    /// With another header `link`.
    Link(&'static str),
    /// Half of the answer, without any sign of it.
    Half,
}

/// A request in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostAsked {
    pub path: String,
    pub query: String,
    pub etag: Option<String>,
    pub status: u16,
}

#[derive(Default)]
struct Script {
    /// By the number of the request, from 1.
    troubles: Mutex<Vec<(usize, HostTrouble)>>,
    log: Mutex<Vec<HostAsked>>,
}

/// The server; it ends when it is dropped.
pub struct GitHostServer {
    server: LocalServer,
    pub holdings: Arc<HostHoldings>,
    script: Arc<Script>,
}

impl GitHostServer {
    /// Serves this host, so many answers an hour.
    pub fn start(host: GitHost, hourly: u64) -> Self {
        let holdings = HostHoldings::new(host, HourlyLimit::new(hourly, 3600));
        let script = Arc::new(Script::default());
        let of_script = script.clone();
        let troubled = middleware::from_fn(move |request: Request, next: Next| {
            let script = of_script.clone();
            async move { Ok::<_, Infallible>(pass(&script, request, next).await) }
        });
        let server = LocalServer::start(router(holdings.clone()).layer(troubled)).expect("a free port");
        Self { server, holdings, script }
    }

    /// Its address.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// The request of this number from now on, from 1, meets trouble.
    pub fn trouble(&self, number: usize, trouble: HostTrouble) {
        let begun = self.script.log.lock().unwrap().len();
        self.script.troubles.lock().unwrap().push((begun + number, trouble));
    }

    /// What it was asked since this was last called.
    pub fn take_log(&self) -> Vec<HostAsked> {
        self.script.troubles.lock().unwrap().clear();
        std::mem::take(&mut self.script.log.lock().unwrap())
    }
}

async fn pass(script: &Script, request: Request, next: Next) -> Response {
    let uri = request.uri().clone();
    let etag = request.headers().get(header::IF_NONE_MATCH).map(|etag| etag.to_str().unwrap().to_owned());
    let number = script.log.lock().unwrap().len() + 1;
    let troubles = script.troubles.lock().unwrap().clone();
    let trouble = troubles.into_iter().find(|(at, _)| *at == number).map(|(_, trouble)| trouble);
    // A request counts once it is sent, whatever the answer is.
    script.log.lock().unwrap().push(HostAsked {
        path: uri.path().to_owned(),
        query: uri.query().unwrap_or_default().to_owned(),
        etag,
        status: 0,
    });
    let response = match trouble {
        None => next.run(request).await,
        Some(HostTrouble::Status(status, headers)) => {
            let mut response = Response::new(Body::from("{\"message\": \"trouble\"}"));
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
            for (name, value) in headers {
                response.headers_mut().insert(name, value.parse().unwrap());
            }
            response
        }
        Some(HostTrouble::Link(link)) => {
            let mut response = next.run(request).await;
            response.headers_mut().insert(header::LINK, link.parse().unwrap());
            response
        }
        Some(HostTrouble::Half) => {
            let (mut parts, body) = next.run(request).await.into_parts();
            let bytes = to_bytes(body, usize::MAX).await.unwrap();
            parts.headers.remove(header::CONTENT_LENGTH);
            Response::from_parts(parts, Body::from(bytes.slice(..bytes.len() / 2)))
        }
    };
    script.log.lock().unwrap()[number - 1].status = response.status().as_u16();
    response
}
