//! A name server on loopback that answers A and AAAA from a table. Names that are not
//! in it do not exist.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{net::UdpSocket, task::JoinHandle};

/// Runs until dropped. Answers may be changed while it runs (their time to live is 0).
pub(crate) struct NameServer {
    address: SocketAddr,
    table: Table,
    task: JoinHandle<()>,
}

type Table = Arc<Mutex<HashMap<String, Vec<IpAddr>>>>;

impl NameServer {
    /// Starts on a free UDP port of 127.0.0.1.
    pub(crate) async fn start() -> std::io::Result<Self> {
        let socket = UdpSocket::bind("127.0.0.1:0").await?;
        let address = socket.local_addr()?;
        let table = Table::default();
        let task = tokio::spawn(serve(socket, table.clone()));
        Ok(Self { address, table, task })
    }

    /// For `PIXCRAWLER_NAME_SERVER`.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets `name` (lower case, no dot at the end) have exactly these addresses.
    pub(crate) fn set(&self, name: &str, addresses: &[IpAddr]) {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        table.insert(name.to_owned(), addresses.to_vec());
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(socket: UdpSocket, table: Table) {
    let mut packet = [0; 1500];
    while let Ok((length, peer)) = socket.recv_from(&mut packet).await {
        let reply = packet.get(..length).and_then(|query| {
            let table = table.lock().unwrap_or_else(PoisonError::into_inner);
            answer(query, &table)
        });
        if let Some(reply) = reply {
            // A client that is gone needs no answer.
            let _ = socket.send_to(&reply, peer).await;
        }
    }
}

/// The reply to `query` (RFC 1035, 4.1); none for what is not a query.
fn answer(query: &[u8], table: &HashMap<String, Vec<IpAddr>>) -> Option<Vec<u8>> {
    const HEADER: usize = 12;
    let (mut name, mut at) = (Vec::new(), HEADER);
    loop {
        let length = usize::from(*query.get(at)?);
        at += 1;
        if length == 0 {
            break;
        }
        name.push(String::from_utf8_lossy(query.get(at..at + length)?).to_ascii_lowercase());
        at += length;
    }
    let question = query.get(HEADER..at + 4)?;
    let kind = u16::from_be_bytes([*query.get(at)?, *query.get(at + 1)?]);
    let known = table.get(&name.join("."));
    let records: Vec<Vec<u8>> = known
        .into_iter()
        .flatten()
        .filter_map(|address| match (kind, address) {
            (1, IpAddr::V4(address)) => Some(address.octets().to_vec()),
            (28, IpAddr::V6(address)) => Some(address.octets().to_vec()),
            _ => None,
        })
        .collect();
    let refusal = if known.is_some() { 0 } else { 3 };
    let mut reply = query.get(..2)?.to_vec();
    // A response, recursion asked for and available.
    reply.extend([0x81, 0x80 | refusal, 0, 1, 0, u8::try_from(records.len()).ok()?, 0, 0, 0, 0]);
    reply.extend(question);
    for record in records {
        // The name of the question; class IN; time to live 0.
        reply.extend([
            0xc0,
            0x0c,
            0,
            u8::try_from(kind).ok()?,
            0,
            1,
            0,
            0,
            0,
            0,
            0,
            u8::try_from(record.len()).ok()?,
        ]);
        reply.extend(record);
    }
    Some(reply)
}
