//! The listener: connections in, limits on how many, how large and how slow, and an end that leaves nobody hanging.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use http::HeaderValue;
use http::header::CONNECTION;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::crowd::Crowd;
use super::lanes::Lanes;
use super::socket::{Phase, Sending, Sent, Socket};
use super::taking::Streams;
use super::{Gateway, requests};

/// Longer than clients keep connections in their pools, so that it is they who let go.
const IDLE: Duration = Duration::from_secs(120);
/// Requests at a time that one connection of HTTP/2 may carry.
const STREAMS: u32 = 128;
/// How often a connection of HTTP/2 is asked whether its client is still there, and how long the answer may take.
const ALIVE: Duration = Duration::from_secs(30);
/// Connections that the system keeps until they are taken in.
const BACKLOG: u32 = 4096;
/// Connections that wait at a time for a place that another one leaves, and for how long.
const ARRIVALS: usize = 256;
const ARRIVAL: Duration = Duration::from_secs(5);
const ARRIVAL_LOOK: Duration = Duration::from_millis(50);
/// What the system may hold of a connection of HTTP/2: of one request's body, of all of them, and of one answer.
const STREAM_WINDOW: u32 = 256 * 1024;
const WINDOW: u32 = 1024 * 1024;
const SEND_BUFFER: usize = 64 * 1024;
/// How long connections are kept after the last answer when the gateway ends.
const LINGER: Duration = Duration::from_millis(200);
/// Connections too many that are told so at a time; beyond, they are closed without a word.
const FAREWELLS: usize = 64;
/// How long that may take.
const FAREWELL: Duration = Duration::from_secs(1);
/// What they are told, in the shape that all clients of model APIs read.
const TOO_MANY: &str = concat!(
    "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nretry-after: 1\r\n",
    "content-length: 131\r\nconnection: close\r\n\r\n",
    r#"{"type":"error","error":{"type":"overloaded_error","message":"too many connections (limits.connections)","code":null,"param":null}}"#
);

/// Closes a connection that is one too many; as many as may wait are told why.
fn turn_away(socket: TcpStream, turns: &Arc<Semaphore>, connections: usize) {
    tracing::warn!(connections, "turned a connection away: limits.connections");
    if let Ok(turn) = Arc::clone(turns).try_acquire_owned() {
        tokio::spawn(FutureExt::boxed(async move {
            let _ = tokio::time::timeout(FAREWELL, farewell(socket)).await;
            drop(turn);
        }));
    }
}

/// Counts the connections that wait for a place.
fn waiting(arrivals: &Semaphore) -> usize {
    ARRIVALS.saturating_sub(arrivals.available_permits())
}

/// Waits for a place that another connection was asked to leave; those that could not be asked before are asked meanwhile.
async fn next_place(
    places: Arc<Semaphore>,
    crowd: &Crowd,
    arrivals: &Semaphore,
) -> Option<OwnedSemaphorePermit> {
    let mut place = std::pin::pin!(places.acquire_owned());
    let until = tokio::time::Instant::now() + ARRIVAL;
    while tokio::time::Instant::now() < until {
        if let Ok(place) = tokio::time::timeout(ARRIVAL_LOOK, &mut place).await {
            return place.ok();
        }
        crowd.make_room(waiting(arrivals));
    }
    None
}

/// Listens on the first of these addresses that can be taken.
fn listen(addresses: &[SocketAddr]) -> std::io::Result<TcpListener> {
    let mut last = std::io::Error::new(std::io::ErrorKind::InvalidInput, "the name stands for no address");
    for &address in addresses {
        let take = || {
            let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
            // As the usual way of listening does it: a restart need not wait for what the system remembers.
            #[cfg(not(windows))]
            socket.set_reuseaddr(true)?;
            socket.bind(address)?;
            socket.listen(BACKLOG)
        };
        match take() {
            Ok(listener) => return Ok(listener),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Tells a client that there is no room, and waits until it has heard.
async fn farewell(mut socket: TcpStream) {
    if socket.write_all(TOO_MANY.as_bytes()).await.is_err() || socket.shutdown().await.is_err() {
        return;
    }
    // Closing with something unread would take the answer back.
    let mut scrap = [0; 4096];
    while socket.read(&mut scrap).await.is_ok_and(|count| count > 0) {}
}

/// Says whether where to listen is written as an address or a name, and a port.
pub fn is_place(address: &str) -> bool {
    let port = address.rsplit_once(':').filter(|(host, _)| !host.is_empty());
    port.is_some_and(|(_, port)| port.parse::<u16>().is_ok())
}

/// Why the gateway cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address cannot be understood or taken.
    #[error(
        "cannot listen on {address}: {source}\nhint: {}",
        if is_place(address) {
            "is another program there? `--listen 127.0.0.1:0` takes a free port"
        } else {
            "write ADDRESS:PORT, like 127.0.0.1:4141; a port is a number up to 65535"
        }
    )]
    Listen {
        /// The address.
        address: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The system gives no threads.
    #[error(
        "cannot start the threads that serve: {0}\nhint: look at the limits of processes and open files (`ulimit -a`)"
    )]
    Threads(std::io::Error),
    /// Beyond loopback nobody is let in without a key.
    #[error(
        "{address} is reachable from other machines, and there are no keys\n\
         hint: `pointsman keys add NAME --team TEAM` makes one; or listen on 127.0.0.1"
    )]
    NoKeys {
        /// The address.
        address: String,
    },
}

/// A gateway that listens.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    lanes: Lanes,
    gateway: Arc<Gateway>,
    address: SocketAddr,
}

impl Server {
    /// Takes the address.
    ///
    /// # Errors
    /// Where it is taken or not to be understood, or lies beyond loopback while there are no keys.
    pub async fn bind(gateway: Arc<Gateway>, address: &str) -> Result<Self, ServeError> {
        let fault = |source| ServeError::Listen { address: address.to_owned(), source };
        let found: Vec<SocketAddr> = tokio::net::lookup_host(address).await.map_err(fault)?.collect();
        // A name may stand for several addresses: all have to be loopback.
        if gateway.access.is_empty() && found.iter().any(|address| !address.ip().is_loopback()) {
            return Err(ServeError::NoKeys { address: address.to_owned() });
        }
        let listener = listen(&found).map_err(fault)?;
        let address = listener.local_addr().map_err(fault)?;
        let lanes = Lanes::start(gateway.settings.threads).map_err(ServeError::Threads)?;
        let _ = gateway.address.set(format!("http://{address}"));
        Ok(Self { listener, lanes, gateway, address })
    }

    /// Returns the address that was taken.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` says so, then lets what is in flight finish within the drain time. Returns the number of
    /// requests that were still not done then.
    pub async fn run(self, mut stop: watch::Receiver<bool>) -> usize {
        let limits = self.gateway.settings.limits.clone();
        let places = Arc::new(Semaphore::new(limits.connections));
        let turns = Arc::new(Semaphore::new(FAREWELLS));
        let arrivals = Arc::new(Semaphore::new(ARRIVALS));
        let crowd = Arc::new(Crowd::default());
        let head = Duration::from_secs(limits.header_seconds);
        let write = Duration::from_secs(limits.write_seconds);
        let graceful = GracefulShutdown::new();
        let http = versions(limits.headers, write);
        let mut stopping = false;
        loop {
            let accepted = if stopping {
                // Whoever waits to be let in has sent its request already, and is told.
                match self.listener.accept().now_or_never() {
                    Some(Ok(accepted)) => Ok(accepted),
                    _ => break,
                }
            } else {
                tokio::select! {
                    accepted = self.listener.accept() => accepted,
                    changed = stop.wait_for(|stop| *stop) => {
                        drop(changed);
                        self.gateway.drain();
                        stopping = true;
                        continue;
                    }
                }
            };
            let Ok((socket, _)) = accepted else {
                // Out of file descriptors, most likely: let some go first.
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            let place = Arc::clone(&places).try_acquire_owned();
            let awaited = match &place {
                Ok(_) => None,
                // Somebody who asks for nothing goes for somebody who may.
                Err(_) => Arc::clone(&arrivals)
                    .try_acquire_owned()
                    .ok()
                    // One that has its place and has not sat down yet is asked when it has.
                    .filter(|_| crowd.make_room(waiting(&arrivals)) || crowd.len() < limits.connections),
            };
            if place.is_err() && awaited.is_none() {
                turn_away(socket, &turns, limits.connections);
                continue;
            }
            let _ = socket.set_nodelay(true);
            // It waits for its socket on its own thread.
            let (Some((lane, on_lane)), Ok(socket)) = (self.lanes.least(), socket.into_std()) else {
                continue;
            };
            let gateway = Arc::clone(&self.gateway);
            let phase = Phase::default();
            let (crowd, arrivals) = (Arc::clone(&crowd), Arc::clone(&arrivals));
            let (places, turns, connections) = (Arc::clone(&places), Arc::clone(&turns), limits.connections);
            let (http, watcher) = (http.clone(), graceful.watcher());
            lane.spawn(FutureExt::boxed(async move {
                let _on_lane = on_lane;
                let Ok(socket) = TcpStream::from_std(socket) else { return };
                let place = match (place, awaited) {
                    (Ok(place), _) => place,
                    (Err(_), arrival) => match next_place(places, &crowd, &arrivals).await {
                        Some(place) => {
                            drop(arrival);
                            place
                        }
                        None => return turn_away(socket, &turns, connections),
                    },
                };
                let seat = crowd.join(&phase);
                let socket = Socket::new(socket, phase.clone(), head, write, IDLE);
                let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
                    let (gateway, serving) = (Arc::clone(&gateway), phase.serves(request.version()));
                    let request = request.map(|body| Sending::new(body, &serving));
                    async move {
                        let version = request.version();
                        let mut response = requests::handle(Arc::clone(&gateway), request).await;
                        if gateway.is_draining() && version <= http::Version::HTTP_11 {
                            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                        }
                        let watch = response.extensions_mut().remove();
                        Ok::<_, Infallible>(response.map(|reply| Sent::new(reply, watch, serving)))
                    }
                });
                let connection = http.serve_connection(TokioIo::new(socket), service).into_owned();
                // A connection that breaks is the client's affair; its operation goes on in a task of its own.
                tokio::select! {
                    _ = watcher.watch(connection) => {}
                    _ = seat.leaves() => {}
                }
                drop(place);
            }));
        }
        drop(self.listener);
        let patience = Duration::from_secs(self.gateway.settings.drain_seconds);
        let idle = async {
            if places.available_permits() < limits.connections {
                Self::all_answered(&self.gateway).await;
                // Clients that keep their connections hear of the end by an answer, not by one that never comes.
                tokio::time::sleep(LINGER).await;
            }
            graceful.shutdown().await;
            // Operations outlive their connections.
            Self::all_answered(&self.gateway).await;
        };
        let _ = tokio::time::timeout(patience, idle).await;
        self.gateway.in_flight()
    }

    async fn all_answered(gateway: &Gateway) {
        while gateway.in_flight() > 0 || gateway.is_noting() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// Header lines that are read over HTTP/1.1; a request with more hears a bare 431.
const READ_LINES: usize = 256;

/// Sets up HTTP/1 and HTTP/2, which a client begins by its preface without asking.
fn versions(headers: usize, write: Duration) -> auto::Builder<Streams> {
    let mut http = auto::Builder::new(Streams(write));
    http.http1()
        .timer(TokioTimer::new())
        // This runs while a connection idles; the socket bounds heads that have begun.
        .header_read_timeout(IDLE)
        // More than are allowed, so that who sends too many is told so in the form it reads.
        .max_headers(READ_LINES)
        // With pipelined answers flushed together there would be no bound on what waits for a client that takes nothing.
        .max_buf_size(headers);
    http.http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        // Somewhat more than is allowed, so that who sends too much is told so.
        .max_header_list_size(u32::try_from(headers.saturating_mul(4)).unwrap_or(u32::MAX))
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .keep_alive_interval(Some(ALIVE))
        .keep_alive_timeout(ALIVE);
    http
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_farewell_is_as_long_as_it_says() {
        let (head, body) = TOO_MANY.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {}", body.len())), "{}", body.len());
        assert!(serde_json::from_str::<serde_json::Value>(body).is_ok());
    }
}
