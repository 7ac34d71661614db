//! `load KIND --origin PORTS [--proxy ADDRESS --credentials "Basic …"] …`: one measurement, one line of JSON.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tabport_bench::args::Args;
use tabport_bench::load::bulk::Bulk;
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
        "http" => drive(&plain, || target.http(&args))?,
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
    ports: Vec<u16>,
    credentials: Option<String>,
    authorization: String,
}

impl Target {
    fn new(args: &Args) -> Self {
        let ports: String = args.need("--origin");
        let credentials: Option<String> = args.get("--credentials");
        let field = |value: &String| format!("Proxy-Authorization: {value}\r\n");
        Self {
            proxy: args.get("--proxy"),
            ports: ports.split(',').map(|port| port.parse().expect("a port")).collect(),
            authorization: credentials.as_ref().map_or(String::new(), field),
            credentials,
        }
    }

    /// Tunnels use the origin's ports in turn; requests use the first.
    fn plan(&self, args: &Args, tunnels: bool) -> Plan {
        let milliseconds = |name| Duration::from_millis(args.get(name).unwrap_or(0));
        let heads = self.ports.iter().map(|port| tunnel::request(*port, &self.authorization));
        let direct = SocketAddr::from((Ipv4Addr::LOCALHOST, self.ports[0]));
        Plan {
            to: self.proxy.unwrap_or(direct),
            tunnels: heads.filter(|_| tunnels && self.proxy.is_some()).collect(),
            ports: self.ports.iter().copied().filter(|_| tunnels && self.proxy.is_none()).collect(),
            connections: args.need("--connections"),
            warm_up: milliseconds("--warm-ms"),
            window: milliseconds("--ms"),
            pid: args.get("--pid"),
        }
    }

    fn authority(&self) -> String {
        format!("127.0.0.1:{}", self.ports[0])
    }

    /// The absolute form to a proxy, the origin form to the origin itself.
    fn http(&self, args: &Args) -> Http {
        let (down, up) = (args.get::<u64>("--down").unwrap_or(0), args.get("--up").unwrap_or(0));
        let authority = self.authority();
        let target = match self.proxy {
            Some(_) => format!("http://{authority}/{down}"),
            None => format!("/{down}"),
        };
        let method = if up > 0 { "POST" } else { "GET" };
        let length = if up > 0 { format!("Content-Length: {up}\r\n") } else { String::new() };
        let authorization = &self.authorization;
        let head = format!(
            "{method} {target} HTTP/1.1\r\nHost: {authority}\r\n{authorization}{length}\r\n"
        );
        Http::new(head.into_bytes(), up)
    }

    fn h2(&self, args: &Args) -> H2 {
        let path = format!("/{}", args.get::<u64>("--down").unwrap_or(0));
        H2::new(&self.authority(), &path, self.credentials.as_deref(), args.need("--streams"))
    }
}
