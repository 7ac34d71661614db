//! How the library of a workspace stands between a program and its libc.

use crate::run_refusals::compile;
use crate::workspace::{inside, outcome, output};

/// Asks a server of its own by UDP, and prints from where the answer is.
const FORTIFIED: &str = r#"
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
int main(int count, char **arguments) {
    struct sockaddr_in name = { .sin_family = AF_INET }, from = name;
    socklen_t length = sizeof name;
    char answer[16];
    int server = socket(AF_INET, SOCK_DGRAM, 0), client = socket(AF_INET, SOCK_DGRAM, 0);
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(server, (void *)&name, length) || bind(client, (void *)&from, length)) return 1;
    if (getsockname(client, (void *)&from, &length)) return 2;
    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (getsockname(server, (void *)&name, &length)) return 3;
    if (sendto(client, "?", 1, 0, (void *)&name, length) != 1) return 4;
    if (recvfrom(server, answer, atoi(arguments[1]), 0, (void *)&from, &length) != 1) return 5;
    if (sendto(server, "!", 1, 0, (void *)&from, length) != 1) return 6;
    if (recvfrom(client, answer, atoi(arguments[1]), 0, (void *)&from, &length) != 1) return 7;
    printf("%s %d\n", inet_ntoa(from.sin_addr), from.sin_port == name.sin_port);
}
"#;

#[tokio::test]
async fn programs_that_are_fortified_see_localhost_too() {
    let folder = tempfile::tempdir().unwrap();
    let program = compile(&folder, "asks", &["-O2", "-D_FORTIFY_SOURCE=2"], FORTIFIED).await;
    let program = program.to_str().unwrap();
    assert_eq!(output(&mut inside(79, &[program, "16"])).await, "127.0.0.1 1");
    let overflown = outcome(&mut inside(79, &[program, "17"])).await;
    assert!(overflown.log.contains("buffer overflow"), "{}", overflown.log);
}

#[tokio::test]
async fn nothing_is_looked_for_once_a_program_runs() {
    let log = outcome(inside(79, &["true"]).env("LD_DEBUG", "bindings")).await.log;
    let library = "libtabport_workspace.so [0] to ";
    for function in ["bind", "connect", "sendmmsg", "recvmmsg", "__recvfrom_chk"] {
        let found = log
            .lines()
            .any(|line| line.contains(library) && line.contains(&format!("`{function}'")));
        assert!(found, "{function} is not looked for at the start");
    }
}
