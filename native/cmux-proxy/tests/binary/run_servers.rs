//! Servers and clients in workspaces: each workspace has a `localhost` of its own, and the machine keeps its.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use tokio::net::TcpStream;

use crate::gateway::Gateway;
use crate::harness::Origin;
use crate::workspace::{Inside, get, inside, outcome, output, reach, run};

/// Listens on a host and a port, answers with a text, and prints its port.
const PYTHON: &str = r"
import http.server, socket, sys
host, port, text = sys.argv[1], int(sys.argv[2]), sys.argv[3].encode()
class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6 if ':' in host else socket.AF_INET
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header('Content-Length', str(len(text)))
        self.end_headers()
        self.wfile.write(text)
server = Server((host, port), Handler)
print(server.socket.getsockname()[1], flush=True)
server.serve_forever()
";

/// The same in Node; a request with `X-Self` is answered with what the server itself gets from `localhost`.
const NODE: &str = r"
const [host, port, text] = process.argv.slice(1)
const server = require('node:http').createServer(async (request, response) => {
  const self = `http://${request.headers['x-self']}:${server.address().port}/`
  response.end(request.headers['x-self'] ? await (await fetch(self)).text() : text)
})
const listening = () => console.log(server.address().port)
host ? server.listen(port, host, listening) : server.listen(port, listening)
";

pub(crate) fn python<'a>(host: &'a str, port: &'a str, text: &'a str) -> [&'a str; 6] {
    ["python3", "-c", PYTHON, host, port, text]
}

pub(crate) fn node<'a>(host: &'a str, port: &'a str, text: &'a str) -> [&'a str; 6] {
    ["node", "-e", NODE, host, port, text]
}

#[tokio::test]
async fn a_server_is_at_its_workspace_wherever_it_listens() {
    let hosts = ["127.0.0.1", "0.0.0.0", "::1", "::"].map(|host| (host, host));
    let by_name = [("localhost", "localhost"), ("", "no host")];
    for (host, name) in hosts.into_iter().chain(by_name) {
        for command in [python(host, "0", name), node(host, "0", name)] {
            let server = Inside::start(60, &command).await;
            assert_eq!(get(server.address, "").await, name, "{command:?}");
            for elsewhere in [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()] {
                let address = SocketAddr::new(elsewhere, server.port());
                let refused = TcpStream::connect(address).await.is_err();
                assert!(refused, "{name}: {address} is there, too");
            }
        }
    }
}

#[tokio::test]
async fn two_workspaces_and_the_machine_have_a_server_on_the_same_port() {
    let machine = Origin::start().await;
    let port = machine.port().to_string();
    let gateway = Gateway::start(&[]).await;
    for (one, other) in [(node("", &port, "one"), node("localhost", &port, "other"))] {
        let servers = [(61, Inside::start(61, &one).await), (62, Inside::start(62, &other).await)];
        for ((number, server), text) in servers.iter().zip(["one", "other"]) {
            assert_eq!(server.port(), machine.port());
            let routing = format!(
                "X-Cmux-Port-Internal: {port}\r\nX-Cmux-Workspace-Internal: workspace-{number}\r\n"
            );
            for host in ["localhost", "127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"] {
                let fields = format!("{routing}X-Self: {host}\r\n");
                assert_eq!(get(gateway.address(), &fields).await, text, "{host}");
            }
            assert_eq!(get(gateway.address(), &routing).await, text);
        }
    }
    machine.was_never_dialled().await;
}

#[tokio::test]
async fn the_machine_s_localhost_is_refused_unless_its_port_is_shared() {
    let machine = Origin::start().await;
    let (port, url) = (machine.port().to_string(), machine.url());
    assert_eq!(outcome(&mut inside(63, &["curl", "-sS", &url])).await.code, Some(7));
    machine.was_never_dialled().await;
    let shared = format!("9,{port}");
    let flags = ["--workspace", "workspace-63", "--share", &shared, "--", "curl", "-sS", &url];
    let mut curl = run(&flags);
    let (said, _) = tokio::join!(output(&mut curl), machine.answer("the machine's"));
    assert_eq!(said, "the machine's");
}

#[tokio::test]
async fn a_server_on_a_shared_port_is_the_machine_s() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let port = free.port().to_string();
    let command = [&["--workspace", "workspace-63", "--share", &port][..], &python("", &port, "x")];
    let _server = run(&command.concat()).spawn().unwrap();
    reach(free).await;
    assert_eq!(get(free, "").await, "x");
}

#[tokio::test]
async fn another_workspace_is_reached_by_its_address() {
    let server = Inside::start(64, &python("localhost", "0", "64")).await;
    let url = format!("http://{}/", server.address);
    assert_eq!(output(&mut inside(65, &["curl", "-sS", &url])).await, "64");
    let local = format!("http://localhost:{}/", server.port());
    assert_eq!(outcome(&mut inside(65, &["curl", "-sS", &local])).await.code, Some(7));
    assert_eq!(output(&mut inside(64, &["curl", "-sS", &local])).await, "64");
}

#[tokio::test]
async fn what_a_program_starts_is_in_the_workspace_too() {
    // It ends with the shell, which is killed when the test is over.
    let command = r#"exec 3>&1; (exec setpriv --pdeathsig KILL "$@" >&3) & wait"#;
    let python = python("::", "0", "child");
    let server = Inside::start(66, &[&["sh", "-c", command, "sh"][..], &python].concat()).await;
    assert_eq!(get(server.address, "").await, "child");
}

#[tokio::test]
async fn a_workspace_inside_another_is_the_inner_one() {
    let inner = [env!("CARGO_BIN_EXE_cmux-proxy"), "run", "--workspace", "workspace-68", "--"];
    let server = Inside::start(67, &[&inner[..], &python("", "0", "inner")].concat()).await;
    let address = SocketAddr::from(([127, 18, 0, 68], server.port()));
    assert_eq!(get(address, "").await, "inner");
    assert!(TcpStream::connect(server.address).await.is_err());
}
