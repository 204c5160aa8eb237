//! A local server that answers like GeoSearch and the Census' batch geocoder, and fails in the same ways. It knows
//! every address; the lot and the place in its answer are derived from the address, so that a test can tell a right
//! answer from a wrong one.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// How the server behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    Good,
    /// Each answer takes this long.
    Slow(Duration),
    /// Every request fails with this status.
    Failing(u16),
    /// The first of each three requests fails, as a third of the Census' batches do.
    Flaky,
    /// Requests with an address in Poison Street fail with this status.
    Poison(u16),
    /// Requests beyond this number get 429 with this `Retry-After`.
    TooMany(u32, String),
    /// The answer ends in the middle, without any sign of it.
    HalfJson,
    /// A page for people, with status 200.
    Html,
    /// Rows and candidates in another order.
    Shuffled,
    /// Half of the rows have the ids of other requests, and GeoSearch answers another question; each with a wrong
    /// place.
    ForeignIds,
    /// The connection breaks in the middle of the answer.
    Cut,
    /// An address is not found the first time it is asked for.
    Fickle,
    /// Every request is sent on to this address.
    Elsewhere(String),
    /// An answer that does not end.
    Endless,
}

/// The server; it ends when it is dropped.
pub struct GeocoderServer {
    port: u16,
    state: Arc<State>,
}

struct State {
    mode: Mutex<Mode>,
    requests: AtomicU32,
    under_way: AtomicU32,
    most_at_once: AtomicU32,
    /// It ends when it has begun to answer so many requests.
    last: AtomicU32,
    is_stopped: AtomicBool,
    open: Mutex<Vec<TcpStream>>,
    asked: Mutex<Vec<String>>,
}

impl GeocoderServer {
    /// Starts a server; it has threads of its own and needs no runtime.
    pub fn start(mode: Mode) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let state = Arc::new(State {
            mode: Mutex::new(mode),
            requests: AtomicU32::new(0),
            under_way: AtomicU32::new(0),
            most_at_once: AtomicU32::new(0),
            last: AtomicU32::new(u32::MAX),
            is_stopped: AtomicBool::new(false),
            open: Mutex::default(),
            asked: Mutex::default(),
        });
        let shared = state.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if shared.is_stopped.load(Ordering::SeqCst) {
                    return;
                }
                let state = shared.clone();
                thread::spawn(move || state.serve(&client));
            }
        });
        Self { port, state }
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Requests so far.
    pub fn requests(&self) -> u32 {
        self.state.requests.load(Ordering::SeqCst)
    }

    /// The largest number of requests that were under way at the same time.
    pub fn most_at_once(&self) -> u32 {
        self.state.most_at_once.load(Ordering::SeqCst)
    }

    /// All that was asked: a GeoSearch text, or a row of a batch.
    pub fn asked(&self) -> Vec<String> {
        self.state.asked.lock().expect("no panic while it is held").clone()
    }

    /// From now on it behaves in this way.
    pub fn set(&self, mode: Mode) {
        *self.state.mode.lock().expect("no panic while it is held") = mode;
    }

    /// It is killed in the middle of its answer to the request of this number, from 1.
    pub fn stop_at(&self, request: u32) {
        self.state.last.store(request, Ordering::SeqCst);
    }

    /// Kills it: connections break, and there are no more answers.
    pub fn stop(&self) {
        self.state.stop();
        // The thread that waits for connections sees it.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

impl Drop for GeocoderServer {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The lot at an address, as the server knows it: number, street and borough in capitals, spelled out.
pub struct Truth {
    pub bbl: String,
    pub bin: String,
    pub longitude: f64,
    pub latitude: f64,
}

/// What is true of `65 EAST 193 STREET` in `BRONX`; outside the city the borough is anything else.
pub fn truth(line: &str, place: &str) -> Truth {
    let hash = Sha256::digest(format!("{line}/{place}"));
    let number = |from: usize| {
        u32::from(hash[from]) << 16 | u32::from(hash[from + 1]) << 8 | u32::from(hash[from + 2])
    };
    let boroughs = ["MANHATTAN", "BRONX", "BROOKLYN", "QUEENS", "STATEN ISLAND"];
    let borough = boroughs.iter().position(|borough| *borough == place).map_or(9, |at| at + 1);
    Truth {
        bbl: format!("{borough}{:05}{:04}", number(0) % 16_000 + 1, number(3) % 900 + 1),
        bin: format!("{borough}{:06}", number(6) % 900_000 + 1),
        longitude: -f64::from(73_700_000 + number(9) % 500_000) / 1e6,
        latitude: f64::from(40_500_000 + number(12) % 400_000) / 1e6,
    }
}

impl State {
    fn stop(&self) {
        self.is_stopped.store(true, Ordering::SeqCst);
        for stream in self.open.lock().expect("no panic while it is held").drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    fn serve(&self, client: &TcpStream) {
        self.open.lock().expect("no panic while it is held").extend(client.try_clone());
        let Some((line, body)) = receive(client) else { return };
        let number = self.requests.fetch_add(1, Ordering::SeqCst) + 1;
        let at_once = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_at_once.fetch_max(at_once, Ordering::SeqCst);
        // Requests that are under way together meet here, however fast each of them is.
        thread::sleep(Duration::from_millis(20));
        let mode = self.mode.lock().expect("no panic while it is held").clone();
        if let Mode::Slow(time) = mode {
            wait(client, time);
        }
        // A client that has the first byte of the answer may send the next request before this thread goes on.
        self.under_way.fetch_sub(1, Ordering::SeqCst);
        if number < self.last.load(Ordering::SeqCst) {
            self.answer(client, &line, &body, number, mode);
        } else {
            self.stop();
        }
        let _ = client.shutdown(Shutdown::Both);
    }

    fn answer(&self, client: &TcpStream, line: &str, body: &str, number: u32, mode: Mode) {
        let (kind, text) = match line.split_once(" /v2/search?") {
            Some((_, query)) => ("application/json; charset=utf-8", self.geosearch(query, &mode)),
            None if line.starts_with("POST ") && line.contains("/geocoder/geographies/addressbatch") => {
                ("text/csv", self.census(body, &mode))
            }
            None => return send(client, 404, "", "text/plain", b"no such place", 1.0),
        };
        match mode {
            Mode::Failing(status) => return send(client, status, "", "text/html", b"<html></html>", 1.0),
            Mode::Poison(status) if format!("{line}{body}").contains("POISON") => {
                return send(client, status, "", "text/html", b"<html></html>", 1.0);
            }
            Mode::Flaky if number % 3 == 1 => {
                return send(client, 500, "", "text/html", b"<html></html>", 1.0);
            }
            Mode::TooMany(count, after) if number <= count => {
                let header = format!("Retry-After: {after}\r\n");
                return send(client, 429, &header, "text/plain", b"too many", 1.0);
            }
            Mode::HalfJson => return send(client, 200, "", kind, &text.as_bytes()[..text.len() / 2], 1.0),
            Mode::Html => return send(client, 200, "", "text/html", b"<html>We are busy</html>", 1.0),
            Mode::Cut => return send(client, 200, "", kind, text.as_bytes(), 0.5),
            Mode::Elsewhere(to) => {
                return send(client, 307, &format!("Location: {to}{}\r\n", path(line)), kind, b"", 1.0);
            }
            Mode::Endless => {
                let mut client = client;
                let _ = client.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
                while client.write_all(&[b' '; 1 << 16]).is_ok() {}
                return;
            }
            _ => {}
        }
        send(client, 200, "", kind, text.as_bytes(), 1.0);
    }

    /// Lots for a text such as `1279 37 STREET, BROOKLYN, NY 11218`: the right one, one beside it, one in a street of
    /// almost the same name. To what does not exist it gives another lot, and says that it is as sure as ever.
    fn geosearch(&self, query: &str, mode: &Mode) -> String {
        let query: Vec<_> =
            url::form_urlencoded::parse(query.split(' ').next().unwrap_or_default().as_bytes()).collect();
        let text = query.iter().find(|(name, _)| name == "text").map_or("", |(_, text)| text.as_ref());
        self.asked.lock().expect("no panic while it is held").push(text.to_owned());
        let parts: Vec<_> = text.split(", ").collect();
        let (line, borough) = (parts[0], parts.get(1).copied().unwrap_or_default());
        let zip = parts.last().and_then(|part| part.split(' ').nth(1)).unwrap_or_default();
        let (number, street) = line.split_once(' ').unwrap_or((line, ""));
        let (is_known, echo) = match mode {
            Mode::ForeignIds => (false, "1 SOMEWHERE ELSE"),
            _ => (number != "99999" && !street.contains("ZZQQXX"), text),
        };
        let right = lot(number, street, borough, zip);
        let beside = lot(&format!("{number} GARAGE"), street, borough, zip);
        let similar = lot(number, &format!("EAST {street}"), borough, zip);
        let fallback = lot("207", "37 STREET", "BROOKLYN", "11232");
        let mut features = if is_known { vec![right, beside, similar] } else { vec![fallback] };
        if *mode == Mode::Shuffled {
            features.reverse();
        }
        let query = json!({"text": echo.to_lowercase(), "size": 10, "parser": "pelias"});
        json!({"geocoding": {"version": "0.2", "query": query}, "type": "FeatureCollection", "features": features})
            .to_string()
    }

    /// Rows for a batch.
    fn census(&self, body: &str, mode: &Mode) -> String {
        let file = body.split("Content-Type: text/csv\r\n\r\n").nth(1).unwrap_or_default();
        let rows: Vec<_> =
            file.split("\r\n--").next().unwrap_or_default().lines().filter(|row| !row.is_empty()).collect();
        let mut answers = Vec::new();
        for (at, row) in rows.iter().enumerate() {
            let mut cells = row.splitn(5, ',');
            let mut cell = || cells.next().unwrap_or_default();
            let (id, line, city, state, zip) = (cell(), cell(), cell(), cell(), cell());
            let mut asked = self.asked.lock().expect("no panic while it is held");
            let is_first = !asked.contains(&line.to_owned());
            asked.push(line.to_owned());
            let is_foreign = *mode == Mode::ForeignIds && at % 2 == 0;
            let id = if is_foreign { format!("{id}9") } else { id.to_owned() };
            let known = if is_foreign { "1 SOMEWHERE ELSE" } else { line };
            let echo = format!("\"{id}\",\"{line}, {city}, {state}, {zip}\"");
            answers.push(if line.contains("ZZQQXX") || *mode == Mode::Fickle && is_first {
                format!("{echo},\"No_Match\"\n")
            } else if line.contains("TWICE") {
                format!("{echo},\"Tie\"\n")
            } else {
                let truth = truth(known, zip);
                let number = if line.starts_with("99999 ") { "1 " } else { "" };
                format!(
                    "{echo},\"Match\",\"Exact\",\"{number}{line}, {city}, NY, {zip}\",\"{},{}\",\"59653655\",\"R\",\
                     \"36\",\"{}\",\"005000\",\"1002\"\n",
                    truth.longitude,
                    truth.latitude,
                    county(zip)
                )
            });
        }
        if *mode == Mode::Shuffled {
            answers.reverse();
        }
        answers.concat()
    }
}

/// The county of a postal code: one of the city's, or else Erie.
fn county(zip: &str) -> &'static str {
    match zip.get(..3) {
        Some("100") => "061",
        Some("104") => "005",
        Some("112") => "047",
        _ => "029",
    }
}

fn lot(number: &str, street: &str, borough: &str, zip: &str) -> Value {
    let truth = truth(&format!("{number} {street}"), borough);
    json!({"type": "Feature",
        "geometry": {"type": "Point", "coordinates": [truth.longitude, truth.latitude]},
        "properties": {"layer": "venue", "source": "nycpad", "name": format!("{number} {street}"),
            "housenumber": number, "street": street, "postalcode": zip, "confidence": 0.8,
            "match_type": "fallback", "accuracy": "point", "borough": borough, "label": street,
            "addendum": {"pad": {"bbl": truth.bbl, "bin": truth.bin, "version": "26c"}}}})
}

/// Waits as long as the client does.
fn wait(client: &TcpStream, time: Duration) {
    let until = Instant::now() + time;
    let _ = client.set_read_timeout(Some(Duration::from_millis(10)));
    while Instant::now() < until && !matches!(client.peek(&mut [0]), Ok(0)) {}
}

/// The path of a request line.
fn path(line: &str) -> &str {
    line.split(' ').nth(1).unwrap_or_default()
}

/// The first line of a request, and its body.
fn receive(client: &TcpStream) -> Option<(String, String)> {
    let mut reader = BufReader::new(client);
    let (mut first, mut length) = (None, 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|count| *count > 0)?;
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':').filter(|_| first.is_some())
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().ok()?;
        }
        first.get_or_insert_with(|| line.to_owned());
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((first?, String::from_utf8(body).ok()?))
}

/// Sends an answer, or only this part of its body, as if the connection broke then.
fn send(mut client: &TcpStream, status: u16, header: &str, kind: &str, body: &[u8], part: f64) {
    let head = format!(
        "HTTP/1.1 {status} As It Is\r\nserver: nginx\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n{header}\
         connection: close\r\n\r\n",
        body.len()
    );
    let _ = client.write_all(head.as_bytes());
    let _ = client.write_all(&body[..(body.len() as f64 * part) as usize]);
    let _ = client.flush();
}
