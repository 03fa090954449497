//! Addresses that lead to what is not public, however they are written.

use std::{
    io::ErrorKind,
    net::{IpAddr, Ipv4Addr, TcpListener},
};

use serde_json::{Value, json};

use super::chunk_errors;
use crate::support::{
    api::{Api, pointers},
    name_server::NameServer,
    site::{ORIGIN, Reply, Site, page},
};

const PUBLIC: IpAddr = IpAddr::V4(Ipv4Addr::new(93, 184, 215, 14));

/// Hosts that are addresses. Where it matters, they get the port of a server that is there.
const LITERALS: [&str; 24] = [
    "127.0.0.1",
    "127.0.0.1.",
    "127.1",
    "127.0.1",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "017700000001",
    "0177.0.0.1",
    "%31%32%37.0.0.1",
    "127.8.9.10",
    "0.0.0.0",
    "0",
    "10.0.0.1",
    "10.255.255.254",
    "169.254.169.254",
    "100.64.0.1",
    "192.168.1.1",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b:1::127.0.0.1]",
];

/// Names and what the name server says of them.
const NAMES: [(&str, &[&str]); 5] = [
    ("loopback.example", &["127.0.0.1"]),
    ("both.example", &["93.184.215.14", "127.0.0.1"]),
    ("six.example", &["::1"]),
    ("mixed.example", &["93.184.215.14", "::ffff:127.0.0.1"]),
    ("metadata.example", &["169.254.169.254"]),
];

/// A server on loopback that must not be asked: it does not even accept.
struct Victim(TcpListener);

impl Victim {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Self(listener)
    }

    fn port(&self) -> u16 {
        self.0.local_addr().unwrap().port()
    }

    /// A connection would wait to be accepted, even when it was closed since.
    fn assert_untouched(&self) {
        let accepted = self.0.accept();
        assert!(matches!(&accepted, Err(error) if error.kind() == ErrorKind::WouldBlock), "{accepted:?}");
    }
}

/// A host with a worker that reaches one public site, and a name server that lies.
struct World {
    site: Site,
    victim: Victim,
    api: Api,
    _names: NameServer,
}

impl World {
    async fn new(settings: &[&str]) -> Self {
        let (site, victim, names) = (Site::start().await, Victim::new(), NameServer::start().await.unwrap());
        for (name, addresses) in NAMES {
            let addresses: Vec<_> = addresses.iter().map(|address| address.parse().unwrap()).collect();
            names.set(name, &addresses);
        }
        names.set("fine.example", &[PUBLIC]);
        let (mapping, server) = (format!("{ORIGIN}=http://{}", site.address()), names.address().to_string());
        let own = ["--map-origin", &mapping, "--name-server", &server];
        let api = Api::crawling(&[&own, settings].concat()).await;
        Self { site, victim, api, _names: names }
    }

    /// Every hostile address, each with a path of its own, which the site redirects there, too.
    fn addresses(&self) -> Vec<String> {
        let hosts = LITERALS.iter().chain(NAMES.iter().map(|(name, _)| name));
        let port = self.victim.port();
        hosts.enumerate().map(|(number, host)| format!("http://{host}:{port}/{number}.png")).collect()
    }

    /// A path of the site that redirects to the address with this number.
    fn redirect(&self, number: usize, address: &str) -> String {
        let path = format!("/away/{number}.png");
        self.site.on(&path, [Reply::Redirect(address.to_owned())]);
        path
    }

    async fn end(self) {
        self.victim.assert_untouched();
        self.api.stop().await;
    }
}

fn job(urls: &[String]) -> Value {
    json!({ "name": "harm", "urls": urls, "sources": ["webpage"] })
}

#[tokio::test]
async fn they_are_refused_as_images() {
    let world = World::new(&[]).await;
    let direct = world.addresses();
    let away: Vec<_> = direct.iter().enumerate().map(|(number, to)| world.redirect(number, to)).collect();
    let pictures: Vec<_> = direct.into_iter().chain(away).collect();
    world.site.on("/gallery", [page(&pictures, None)]);
    let ann = world.api.user("ann@example.org");
    let id = ann.create(&job(&[format!("{ORIGIN}/gallery")])).await;
    let shown = ann.over(id).await;
    let refused = json!({ "private-address": pictures.len() });
    assert_eq!((&shown["kept"], &shown["refused"]), (&json!(0), &refused), "{shown:#}");
    world.end().await;
}

#[tokio::test]
async fn they_are_refused_as_requests_of_a_plugin() {
    let world = World::new(&[]).await;
    let ann = world.api.user("ann@example.org");
    let named = NAMES.iter().map(|(name, _)| format!("http://{name}:{}/", world.victim.port()));
    let redirected = world.addresses().into_iter().enumerate();
    let redirected = redirected.map(|(number, to)| format!("{ORIGIN}{}", world.redirect(number, &to)));
    let urls: Vec<_> = named.chain(redirected).collect();
    let id = ann.create(&job(&urls)).await;
    let shown = ann.over(id).await;
    assert_eq!(shown["status"], "failed", "{shown:#}");
    let errors = chunk_errors(&world.api, id).await;
    assert_eq!(errors.len(), urls.len());
    for error in errors {
        let error = error.unwrap();
        assert!(error.contains("which is not public"), "{error}");
    }
    world.end().await;
}

#[tokio::test]
async fn they_are_refused_as_what_a_user_asks_for() {
    let world = World::new(&[]).await;
    let ann = world.api.user("ann@example.org");
    let urls: Vec<_> = world.addresses().into_iter().take(LITERALS.len()).collect();
    let refused = ann.post("/api/v1/crawl-jobs/", &job(&urls)).await.expect(422).json();
    let mut expected: Vec<_> = (0..urls.len()).map(|number| format!("/urls/{number}")).collect();
    expected.sort_unstable();
    assert_eq!(pointers(&refused), expected);
    world.end().await;
}

#[tokio::test]
async fn the_configuration_alone_opens_them() {
    let world = World::new(&["--allow-private", "127.0.0.0/8"]).await;
    let ann = world.api.user("ann@example.org");
    world.site.gallery("/open", 2, None);
    let port = world.site.address().port();
    let urls =
        [format!("http://127.0.0.1:{port}/open"), format!("http://loopback.example:{port}/open?again")];
    world.site.gallery("/open?again", 2, None);
    let id = ann.create(&job(&urls)).await;
    let shown = ann.over(id).await;
    assert_eq!((&shown["status"], &shown["kept"]), (&json!("completed"), &json!(4)), "{shown:#}");

    // The rest stays closed.
    let port = world.victim.port();
    let closed = [format!("http://10.0.0.1:{port}/"), format!("http://[::1]:{port}/")];
    let refused = ann.post("/api/v1/crawl-jobs/", &job(&closed)).await.expect(422).json();
    assert_eq!(refused["errors"].as_array().unwrap().len(), 2, "{refused:#}");
    world.end().await;
}
