//! `load KIND --origin PORTS [--proxy ADDRESS --credentials "Basic …" | --reverse ADDRESS] …`: one measurement, one
//! line of JSON.
//!
//! A forward proxy (`--proxy`) is asked in the absolute form, and for tunnels. A gateway or reverse proxy (`--reverse`)
//! is asked as the origin itself would be. With `--workspaces NAMES` requests name a workspace and the origin's port in
//! a gateway's routing fields, one workspace after the other.

use std::cell::Cell;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use tabport_bench::args::Args;
use tabport_bench::load::bulk::Bulk;
use tabport_bench::load::events::Events;
use tabport_bench::load::h2::H2;
use tabport_bench::load::http::Http;
use tabport_bench::load::opening::Opening;
use tabport_bench::load::websocket::WebSocket;
use tabport_bench::load::{Plan, drive, idle, tunnel};

fn main() -> io::Result<()> {
    let args = Args::of_process();
    let target = Target::new(&args);
    let plain = target.plan(&args, false);
    let inside = target.plan(&args, true);
    let tally = match args.word(0) {
        "http" => drive(&plain, target.http(&args))?,
        "events" => drive(&plain, || Events::new(target.events(&args)))?,
        "h2" => drive(&plain, || target.h2(&args))?,
        "open" => drive(&inside, Opening::default)?,
        "bulk-down" => drive(&inside, || Bulk::Down)?,
        "bulk-up" => drive(&inside, || Bulk::Up)?,
        "websocket" => drive(&inside, WebSocket::default)?,
        "idle" => return idle::run(&inside),
        other => panic!("no such kind of load: `{other}`"),
    };
    println!("{tally}");
    Ok(())
}

struct Target {
    proxy: Option<SocketAddr>,
    reverse: Option<SocketAddr>,
    ports: Vec<u16>,
    credentials: Option<String>,
    authorization: String,
    /// The routing fields that requests have in turn; one that is empty where there is no gateway.
    routing: Vec<String>,
}

impl Target {
    fn new(args: &Args) -> Self {
        let ports: String = args.need("--origin");
        let ports: Vec<u16> = ports.split(',').map(|port| port.parse().expect("a port")).collect();
        let credentials: Option<String> = args.get("--credentials");
        let field = |value: &String| format!("Proxy-Authorization: {value}\r\n");
        let workspaces: Option<String> = args.get("--workspaces");
        Self {
            proxy: args.get("--proxy"),
            reverse: args.get("--reverse"),
            authorization: credentials.as_ref().map_or(String::new(), field),
            routing: match workspaces {
                Some(names) => names.split(',').map(|name| routing(name, ports[0])).collect(),
                None => vec![String::new()],
            },
            ports,
            credentials,
        }
    }

    /// Tunnels use the origin's ports in turn; requests use the first.
    fn plan(&self, args: &Args, tunnels: bool) -> Plan {
        let milliseconds = |name| Duration::from_millis(args.get(name).unwrap_or(0));
        let heads = self.ports.iter().map(|port| tunnel::request(*port, &self.authorization));
        let direct = SocketAddr::from((Ipv4Addr::LOCALHOST, self.ports[0]));
        Plan {
            to: self.proxy.or(self.reverse).unwrap_or(direct),
            tunnels: heads.filter(|_| tunnels && self.proxy.is_some()).collect(),
            ports: self.ports.iter().copied().filter(|_| tunnels && self.proxy.is_none()).collect(),
            connections: args.need("--connections"),
            warm_up: milliseconds("--warm-ms"),
            window: milliseconds("--ms"),
            most: args.get("--most").unwrap_or(u64::MAX),
            pid: args.get("--pid"),
        }
    }

    fn authority(&self) -> String {
        format!("127.0.0.1:{}", self.ports[0])
    }

    /// The absolute form to a forward proxy, the origin form to all others. Every connection begins with another head.
    fn http(&self, args: &Args) -> impl Fn() -> Http {
        let (down, up) = (args.get::<u64>("--down").unwrap_or(0), args.get("--up").unwrap_or(0));
        let authority = self.authority();
        let target = match self.proxy {
            Some(_) => format!("http://{authority}/{down}"),
            None => format!("/{down}"),
        };
        let method = if up > 0 { "POST" } else { "GET" };
        let length = if up > 0 { format!("Content-Length: {up}\r\n") } else { String::new() };
        let fields = format!("Host: {authority}\r\n{}{length}", self.authorization);
        let head = |routing| format!("{method} {target} HTTP/1.1\r\n{fields}{routing}\r\n").into();
        let heads: Rc<[Vec<u8>]> = self.routing.iter().map(head).collect();
        let made = Cell::new(0);
        move || Http::new(Rc::clone(&heads), made.replace(made.get() + 1), up)
    }

    /// The stream stays open for so many milliseconds after its first event.
    fn events(&self, args: &Args) -> Vec<u8> {
        let (authority, open) = (self.authority(), args.need::<u64>("--open-ms"));
        format!("GET /stream/{open} HTTP/1.1\r\nHost: {authority}\r\n\r\n").into_bytes()
    }

    fn h2(&self, args: &Args) -> H2 {
        let path = format!("/{}", args.get::<u64>("--down").unwrap_or(0));
        H2::new(&self.authority(), &path, self.credentials.as_deref(), args.need("--streams"))
    }
}

/// What leads a gateway to a server in a workspace.
fn routing(workspace: &str, port: u16) -> String {
    format!("X-Cmux-Workspace-Internal: {workspace}\r\nX-Cmux-Port-Internal: {port}\r\n")
}
