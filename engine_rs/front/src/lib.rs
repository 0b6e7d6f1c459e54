//! Reads the gateway's sockets, so that an ordinary request with events never meets Python.
//!
//! The front answers what is plain: a POST to a path for events, a unary call or a stream's batch, whose body is here within a
//! moment, whose events the engine can read and whose key has room for them. Everything else goes to Python on a Unix socket,
//! just as it came: other paths, what has to be refused, what has to wait. So there is one place that knows how to say no.
//!
//! | module | job |
//! |---|---|
//! | `listen`, `patience` | sockets, connections, how long clients may take |
//! | `http`, `grpc`, `stream` | a request of either protocol, or a stream of batches, from its head to its answer |
//! | `head`, `query`, `forwarded`, `body`, `messages`, `payload` | what requests consist of |
//! | `ingest`, `durable` | from bytes to the journal and back |
//! | `upstream`, `refusals` | the way to Python, and what is said where it ends |
//! | `inflight`, `leases`, `samples`, `tally` | what is shared with Python, whichever way a request takes |

#![deny(unsafe_code)]

mod body;
mod durable;
mod forwarded;
mod grpc;
mod head;
mod http;
mod inflight;
mod ingest;
mod leases;
mod listen;
mod messages;
mod patience;
mod payload;
mod query;
mod refusals;
mod samples;
mod stream;
mod tally;
mod upstream;

pub use forwarded::Proxies;
pub use head::{Heads, Path, headers};
pub use inflight::Inflight;
pub use ingest::Shared;
pub use leases::Leases;
pub use patience::Waits;
pub use refusals::Refusals;
pub use samples::{Sample, Samples};
pub use stream::Window;
pub use tally::Tally;

use durable::Durable;
use hyper::rt::Executor;
use ingest::Ingest;
use reviva_core::journal::JournalWriter;
use socket2::Socket;
use std::io;
use std::num::NonZero;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tokio::runtime;
use tokio::sync::{mpsc, watch};
use tokio::task::{LocalSet, spawn_local};
use tokio::time::timeout;

/// What a front is told once.
pub struct Options {
    /// Host and port of HTTP.
    pub http: (String, u16),
    /// Host and port of gRPC.
    pub grpc: (String, u16),
    /// Python's sockets: of HTTP and of gRPC.
    pub upstream: (PathBuf, PathBuf),
    /// How heads are read.
    pub heads: Heads,
    /// Size of a body as sent.
    pub max_body_bytes: usize,
    /// Open connections, of HTTP and of gRPC each.
    pub max_connections: usize,
    /// For clients of HTTP/1.1.
    pub waits: Waits,
    /// Of streams.
    pub window: Window,
    /// Seconds, rising: by them acknowledgements are sorted.
    pub ack_bounds: Vec<f64>,
    /// What is said without Python.
    pub refusals: Refusals,
}

/// Two sockets and the thread that serves them.
pub struct Front {
    ports: (u16, u16),
    /// Of HTTP and of gRPC, until they are listened on.
    bound: Mutex<Option<(Socket, Socket)>>,
    commands: mpsc::UnboundedSender<Command>,
    thread: Mutex<Option<JoinHandle<()>>>,
    tally: Arc<Mutex<Tally>>,
}

enum Command {
    UseJournal(Option<JournalWriter>),
    Accept { http: Socket, grpc: Socket },
    StopAccepting,
    Stop { grace: Duration },
}

impl Front {
    /// Binds both sockets. Nobody is answered before [`listen`](Self::listen).
    ///
    /// # Errors
    /// Where an address is taken or is none.
    pub fn new(shared: Shared, options: Options) -> io::Result<Self> {
        let bind = |protocol: &str, (host, port): &(String, u16)| {
            listen::bind(host, *port).map_err(|error| {
                let message = format!("{protocol} cannot listen on {host}:{port}: {error}");
                io::Error::new(error.kind(), message)
            })
        };
        let (http, http_port) = bind("HTTP", &options.http)?;
        let (grpc, grpc_port) = bind("gRPC", &options.grpc)?;
        let (commands, received) = mpsc::unbounded_channel();
        let tally = Arc::<Mutex<Tally>>::default();
        let thread = thread::Builder::new().name("front".to_owned()).spawn({
            let tally = Arc::clone(&tally);
            let runtime = runtime::Builder::new_current_thread()
                .enable_all()
                .max_blocking_threads(decoders())
                .build()?;
            move || {
                let serving = Serving::new(shared, options, tally);
                LocalSet::new().block_on(&runtime, run(serving, received));
            }
        })?;
        Ok(Self {
            ports: (http_port, grpc_port),
            bound: Mutex::new(Some((http, grpc))),
            commands,
            thread: Mutex::new(Some(thread)),
            tally,
        })
    }

    /// Of HTTP and of gRPC: the real ones where the options say 0.
    #[must_use]
    pub fn ports(&self) -> (u16, u16) {
        self.ports
    }

    /// Appends to this lane from now on; without one, everything is handed on.
    pub fn use_journal(&self, writer: Option<JournalWriter>) {
        self.command(Command::UseJournal(writer));
    }

    /// Begins to accept: whoever connects from now on is answered. Later calls do nothing.
    ///
    /// # Errors
    /// Where the system does not allow it.
    pub fn listen(&self) -> io::Result<()> {
        let mut bound = self.bound.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((http, grpc)) = bound.take() {
            http.listen(listen::BACKLOG)?;
            grpc.listen(listen::BACKLOG)?;
            self.command(Command::Accept { http, grpc });
        }
        Ok(())
    }

    /// Accepts no more; connections end once they are idle.
    pub fn stop_accepting(&self) {
        self.command(Command::StopAccepting);
    }

    /// Waits for what is running, at most so long, and ends.
    pub fn stop(&self, grace: Duration) {
        self.command(Command::Stop { grace });
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = thread.take() {
            // A panic of its own has been printed.
            let _ = thread.join();
        }
    }

    /// What was counted since this was called last.
    #[must_use]
    pub fn take_tally(&self) -> Tally {
        std::mem::take(&mut *self.tally.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn command(&self, command: Command) {
        // Fails where the thread has ended.
        let _ = self.commands.send(command);
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.stop(Duration::ZERO);
    }
}

/// What every connection needs.
struct Serving {
    ingest: Ingest,
    heads: Heads,
    max_body_bytes: usize,
    max_connections: usize,
    waits: Waits,
    window: Window,
    http_upstream: PathBuf,
    grpc_upstream: PathBuf,
    refusals: Refusals,
}

impl Serving {
    fn new(shared: Shared, options: Options, tally: Arc<Mutex<Tally>>) -> Rc<Self> {
        let (http_upstream, grpc_upstream) = options.upstream;
        Rc::new(Self {
            ingest: Ingest::new(shared, options.ack_bounds, tally),
            heads: options.heads,
            max_body_bytes: options.max_body_bytes,
            max_connections: options.max_connections,
            waits: options.waits,
            window: options.window,
            http_upstream,
            grpc_upstream,
            refusals: options.refusals,
        })
    }
}

/// How many large bodies are decoded at a time: each may be inflated to a multiple of what counts as in flight for it.
fn decoders() -> usize {
    // As many as Python's pool has.
    thread::available_parallelism().map_or(1, NonZero::get) + 4
}

async fn run(serving: Rc<Serving>, mut commands: mpsc::UnboundedReceiver<Command>) {
    let (stop, stopping) = watch::channel(false);
    let mut accepting = Vec::new();
    while let Some(command) = commands.recv().await {
        match command {
            Command::UseJournal(writer) => {
                let journal = writer.map(Durable::new);
                if let Some(journal) = &journal {
                    spawn_local(Rc::clone(journal).watch());
                }
                serving.ingest.use_journal(journal);
            }
            Command::Accept { http, grpc } => {
                let (one, other) = (Rc::clone(&serving), Rc::clone(&serving));
                let over_http = listen::accept(http, one, stopping.clone(), listen::serve_http);
                let over_grpc = listen::accept(grpc, other, stopping.clone(), listen::serve_grpc);
                accepting = vec![spawn_local(over_http), spawn_local(over_grpc)];
            }
            Command::StopAccepting => {
                stop.send_replace(true);
            }
            Command::Stop { grace } => {
                stop.send_replace(true);
                let over = async {
                    for accepting in accepting {
                        let _ = accepting.await;
                    }
                };
                let _ = timeout(grace, over).await;
                return;
            }
        }
    }
}

/// Runs the tasks of HTTP/2 on the thread that asks for it.
#[derive(Clone)]
struct Local;

impl<F: Future<Output: 'static> + 'static> Executor<F> for Local {
    fn execute(&self, future: F) {
        spawn_local(future);
    }
}
