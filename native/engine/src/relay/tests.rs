//! How a relay ends when a peer takes nothing.

use std::future::poll_fn;
use std::io;
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use super::{Limits, Relay};
use crate::stream::Stream;

const DEADLINE: Duration = Duration::from_secs(10);

/// Two ends of a connection, of which the second takes hardly anything that it does not read.
async fn pair() -> (TcpStream, TcpStream) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(2048).unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let listener = socket.listen(1).unwrap();
    let one = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (one, listener.accept().await.unwrap().0)
}

/// The kernel's own time limit is an error like a reset, and not the relay's limit on silence.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_peer_that_the_system_gives_up_breaks_the_other_off() {
    let ((downstream, mut client), (upstream, _reads_nothing)) = (pair().await, pair().await);
    let socket = SockRef::from(&upstream);
    socket.set_send_buffer_size(2048).unwrap();
    socket.set_tcp_user_timeout(Some(Duration::from_millis(100))).unwrap();
    let limits = Limits { idle: Some(DEADLINE), half_close: DEADLINE };
    let mut relay = Relay::new(Stream::from(downstream), Stream::from(upstream), limits);
    // More than the upstream takes, and so little that the relay reads it at once: what is left unread resets, too.
    client.write_all(&vec![0; 32 * 1024]).await.unwrap();
    let relaying = poll_fn(|cx| relay.poll(cx, |_, _| {}));
    let error = timeout(DEADLINE, relaying).await.expect("the system gives up").unwrap_err();
    assert_eq!((error.kind(), error.raw_os_error()), (io::ErrorKind::TimedOut, Some(110)));
    drop(relay);
    assert_eq!(client.read_u8().await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_peer_that_has_not_taken_everything_in_time_is_broken_off() {
    let ((downstream, mut client), (upstream, mut slow)) = (pair().await, pair().await);
    SockRef::from(&upstream).set_send_buffer_size(2048).unwrap();
    let limits = Limits { idle: Some(Duration::from_millis(100)), half_close: DEADLINE };
    let mut relay = Relay::new(Stream::from(downstream), Stream::from(upstream), limits);
    client.write_all(&vec![0; 32 * 1024]).await.unwrap();
    let relaying = poll_fn(|cx| relay.poll(cx, |_, _| {}));
    let error = timeout(DEADLINE, relaying).await.expect("silence ends it").unwrap_err();
    assert_eq!((error.kind(), error.raw_os_error()), (io::ErrorKind::TimedOut, None));
    drop(relay);
    let error = slow.read_to_end(&mut Vec::new()).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
}
