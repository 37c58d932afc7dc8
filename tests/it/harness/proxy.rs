//! What lies between a client and a server, and may fall silent: it then passes nothing on any more, and tells nobody, as a host that is
//! gone, or a NAT that has forgotten a connection.

use super::Url;
use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// A way to a server, by a port of its own on loopback.
pub struct Proxy {
    url: Url,
    road: Arc<Mutex<Road>>,
}

#[derive(Default)]
struct Road {
    /// Whether new connections are silent from their first byte on.
    closed: bool,
    links: Vec<Arc<Mutex<Link>>>,
}

/// One connection. Its sockets stay open as long as it is silent, so neither side hears of the other's end.
struct Link {
    silent: bool,
    /// What the client has sent.
    said: Vec<u8>,
    sockets: [TcpStream; 2],
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Proxy {
    /// To this server's database.
    pub fn new(server: &Url) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = server.to_port(listener.local_addr().unwrap().port());
        let (place, road) = (format!("{}:{}", server.host(), server.port()), Arc::new(Mutex::new(Road::default())));
        let own = Arc::clone(&road);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (client, server) = (client.unwrap(), TcpStream::connect(&place).unwrap());
                let sockets = [client.try_clone().unwrap(), server.try_clone().unwrap()];
                let mut road = locked(&own);
                let link = Arc::new(Mutex::new(Link { silent: road.closed, said: vec![], sockets }));
                road.links.push(Arc::clone(&link));
                drop(road);
                let (there, back) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                let other = Arc::clone(&link);
                std::thread::spawn(move || pass(there, server, &link, true));
                std::thread::spawn(move || pass(back, client, &other, false));
            }
        });
        Self { url, road }
    }

    /// The database's URL by this way.
    pub fn url(&self) -> String {
        self.url.with_password()
    }

    /// Falls silent for each connection whose client has sent this; new ones pass.
    #[track_caller]
    pub fn silence(&self, marker: &str) {
        let road = locked(&self.road);
        let said = |link: &Link| link.said.windows(marker.len()).any(|window| window == marker.as_bytes());
        let mut found = 0;
        for link in &road.links {
            let mut link = locked(link);
            if said(&link) {
                link.silent = true;
                found += 1;
            }
        }
        assert!(found > 0, "nobody has sent {marker:?}");
    }

    /// Falls silent for every connection that there is; new ones pass.
    pub fn silence_all(&self) {
        for link in &locked(&self.road).links {
            locked(link).silent = true;
        }
    }

    /// Falls silent for good.
    pub fn close(&self) {
        locked(&self.road).closed = true;
        self.silence_all();
    }
}

impl Drop for Proxy {
    /// Nothing of a test outlives it.
    fn drop(&mut self) {
        self.close();
        for link in &locked(&self.road).links {
            for socket in &locked(link).sockets {
                let _ = socket.shutdown(std::net::Shutdown::Both);
            }
        }
    }
}

/// Passes on what one side sends, until it ends or the link falls silent: then it is read, and goes nowhere.
fn pass(mut from: TcpStream, mut to: TcpStream, link: &Mutex<Link>, client: bool) {
    let mut bytes = [0; 65536];
    while let Ok(n @ 1..) = from.read(&mut bytes) {
        let mut link = locked(link);
        if client {
            link.said.extend_from_slice(&bytes[..n]);
        }
        if !link.silent && to.write_all(&bytes[..n]).is_err() {
            break;
        }
    }
    if !locked(link).silent {
        let _ = to.shutdown(std::net::Shutdown::Both);
    }
}
