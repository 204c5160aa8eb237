//! The Quick Stats API as a function: it takes a request and returns the answer that the real API would give. Tests and the
//! demo put a server around it.
//!
//! It follows the API's documents and published answers; where neither says anything, it behaves in the way that is harder for
//! a client.

mod body;
mod query;
mod rate;
pub mod records;

use std::sync::Arc;

pub use body::{FieldManners, RowsBody, StatFormat};
pub use query::StatQuery;
pub use rate::CallRate;
use records::StatRecords;

use super::columns::position;

/// The limit of the real API: the most records in one answer.
pub const API_LIMIT: usize = 50_000;

/// The records of the API, and how it answers.
#[derive(Clone, Debug)]
pub struct QuickStats {
    pub records: Arc<StatRecords>,
    /// The only valid key; `None`: any key is valid, but there must be one.
    pub key: Option<String>,
    /// The most records in one answer.
    pub limit: usize,
    /// `get_counts` returns its number as text.
    pub has_count_as_text: bool,
    /// The message about the limit has blanks around the equals sign, as in the documents.
    pub has_blanks_in_limit: bool,
    pub manners: FieldManners,
}

/// A call of the API.
#[derive(Clone, Copy, Debug)]
pub struct ApiCall<'a> {
    /// The path after the base address: `/get_counts/`.
    pub path: &'a str,
    /// The query after the `?`.
    pub query: &'a str,
    pub user_agent: Option<&'a str>,
}

/// The answer to a call.
#[derive(Clone, Debug)]
pub struct ApiAnswer {
    pub status: u16,
    pub content_type: &'static str,
    pub body: ApiBody,
}

/// The body of an answer.
#[derive(Clone, Debug)]
pub enum ApiBody {
    Text(String),
    Rows(RowsBody),
}

/// The longest path and query that is accepted; most web servers have this limit by default.
const LONGEST_BYTES: usize = 8_000;

const JSON: &str = "application/json";
const HTML: &str = "text/html; charset=UTF-8";

impl QuickStats {
    /// The API as it is today, with these records.
    pub fn new(records: StatRecords) -> Self {
        Self {
            records: Arc::new(records),
            key: None,
            limit: API_LIMIT,
            has_count_as_text: false,
            has_blanks_in_limit: false,
            manners: FieldManners { has_year_as_number: true, has_milliseconds: true },
        }
    }
}

/// Answers a call.
pub fn answer(api: &QuickStats, call: &ApiCall<'_>) -> ApiAnswer {
    if call.user_agent.is_none_or(str::is_empty) {
        return page(403, "Forbidden", "You don't have permission to access this resource.");
    }
    if call.path.len() + call.query.len() > LONGEST_BYTES {
        return page(414, "Request-URI Too Long", "The requested URL's length exceeds the capacity limit.");
    }
    let query = StatQuery::read(call.query);
    let asked = call.path.trim_matches('/');
    if !["get_counts", "api_GET", "get_param_values"].contains(&asked) {
        return page(404, "Not Found", "The requested URL was not found on this server.");
    }
    let is_known = match (&query.key, &api.key) {
        (Some(key), Some(wanted)) => key == wanted,
        (Some(key), None) => !key.is_empty(),
        (None, _) => false,
    };
    if !is_known {
        return error(401, "unauthorized");
    }
    match asked {
        "get_counts" => count(api, &query),
        "api_GET" => records(api, &query),
        _ => values(api, &query),
    }
}

/// The answer to too many calls: a page for people instead of the data that a client expects.
pub fn too_many() -> ApiAnswer {
    page(429, "Too Many Requests", "You have sent too many requests in a given amount of time.")
}

fn count(api: &QuickStats, query: &StatQuery) -> ApiAnswer {
    let count = api.records.rows(query).len();
    let sign = if api.has_count_as_text { "\"" } else { "" };
    text(200, JSON, format!("{{\"count\":{sign}{count}{sign}}}"))
}

fn records(api: &QuickStats, query: &StatQuery) -> ApiAnswer {
    let format = query.format.as_deref().unwrap_or("JSON").to_ascii_uppercase();
    let (format, content_type) = match format.as_str() {
        "JSON" => (StatFormat::Json, JSON),
        "CSV" => (StatFormat::Csv, "text/csv; charset=UTF-8"),
        "XML" => (StatFormat::Xml, "text/xml; charset=UTF-8"),
        _ => return error(400, "bad request - unsupport media type"),
    };
    let rows = api.records.rows(query);
    if rows.is_empty() {
        return error(400, "bad request - invalid query");
    }
    if rows.len() > api.limit {
        let blank = if api.has_blanks_in_limit { " " } else { "" };
        return error(413, &format!("exceeds limit{blank}={blank}{}", api.limit));
    }
    let body = ApiBody::Rows(RowsBody::new(api.records.clone(), rows, format, api.manners));
    ApiAnswer { status: 200, content_type, body }
}

/// The values of one column. The API ignores filters here.
fn values(api: &QuickStats, query: &StatQuery) -> ApiAnswer {
    let Some((name, column)) = query.param.as_deref().and_then(|name| Some((name, position(name)?))) else {
        return error(400, "bad request - invalid query");
    };
    let values = serde_json::json!({ name: api.records.texts(column) });
    text(200, JSON, values.to_string())
}

fn error(status: u16, message: &str) -> ApiAnswer {
    text(status, JSON, format!("{{\"error\":[\"{message}\"]}}"))
}

fn page(status: u16, title: &str, words: &str) -> ApiAnswer {
    let page = format!(
        "<!DOCTYPE HTML PUBLIC \"-//IETF//DTD HTML 2.0//EN\">\n<html><head>\n<title>{status} {title}</title>\n\
         </head><body>\n<h1>{title}</h1>\n<p>{words}</p>\n</body></html>\n"
    );
    text(status, HTML, page)
}

fn text(status: u16, content_type: &'static str, text: String) -> ApiAnswer {
    ApiAnswer { status, content_type, body: ApiBody::Text(text) }
}

impl ApiBody {
    /// The whole body in one piece.
    pub fn bytes(self) -> Vec<u8> {
        match self {
            Self::Text(text) => text.into_bytes(),
            Self::Rows(rows) => rows.flatten().collect(),
        }
    }
}

#[cfg(test)]
mod tests;
