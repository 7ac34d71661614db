//! Many tunnels at once, each used once, left idle while the harness weighs the proxy, and used again.

use std::io::{self, BufRead, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::{Plan, tunnel};
use crate::sources::Sources;

const PATIENCE: Duration = Duration::from_secs(10);
const TOO_MANY_FAILURES: usize = 100;

/// Opens as many as can be, says so on standard output, waits for a line on standard input, and says how many
/// still carry a byte there and back.
pub fn run(plan: &Plan) -> io::Result<()> {
    let mut sources = Sources::default();
    let mut opened: Vec<TcpStream> = Vec::new();
    for turn in 0..plan.connections {
        match open(plan, turn, &mut sources) {
            Ok(stream) => opened.push(stream),
            Err(error) => eprintln!("tunnel {turn}: {error}"),
        }
        if turn >= opened.len() + TOO_MANY_FAILURES {
            break;
        }
    }
    tell(&format!(r#"{{"open":{}}}"#, opened.len()))?;
    io::stdin().lock().read_line(&mut String::new())?;
    let alive = opened.iter_mut().filter_map(|stream| echo(stream).ok()).count();
    tell(&format!(r#"{{"alive":{alive}}}"#))
}

fn tell(line: &str) -> io::Result<()> {
    println!("{line}");
    io::stdout().flush()
}

fn open(plan: &Plan, turn: usize, sources: &mut Sources) -> io::Result<TcpStream> {
    let mut stream = sources.connect_and_wait(plan.target(turn))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    if let Some(request) = plan.tunnel(turn) {
        stream.write_all(request)?;
        await_answer(&mut stream)?;
    }
    echo(&mut stream)?;
    Ok(stream)
}

fn await_answer(stream: &mut TcpStream) -> io::Result<()> {
    let (mut head, mut buffer) = (Vec::new(), [0; 1024]);
    loop {
        let count = stream.read(&mut buffer)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if tunnel::answered(&mut head, &buffer[..count])?.is_some() {
            return Ok(());
        }
    }
}

/// One byte there and back; the first asks for an echo.
fn echo(stream: &mut TcpStream) -> io::Result<()> {
    stream.write_all(b"E")?;
    stream.read_exact(&mut [0])
}
