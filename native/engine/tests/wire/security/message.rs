//! HTTP/1.1 read in the one way that leaves no room for two opinions.
//!
//! Whatever a lenient peer could read otherwise is an error here: a stray control character, white space
//! around a name, two framings. What the proxy sends to an origin or a client must pass, to the byte.

/// A message, or as much of one as there is.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) start: String,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Whether the whole of it has arrived.
    pub(crate) complete: bool,
}

impl Message {
    /// A message without a body.
    fn new(start: String, fields: Vec<(String, String)>) -> Self {
        Self { start, fields, body: Vec::new(), complete: false }
    }

    /// The values of a field.
    pub(crate) fn all<'a>(&'a self, name: &str) -> Vec<&'a str> {
        let named = self.fields.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str()).collect()
    }

    /// The status of a response.
    pub(crate) fn status(&self) -> u16 {
        let status = self.start.split(' ').nth(1).and_then(|status| status.parse().ok());
        status.unwrap_or_default()
    }

    fn is_response(&self) -> bool {
        self.start.starts_with("HTTP/")
    }
}

/// The messages that the bytes are; only the last may be cut off.
pub(crate) fn messages(mut bytes: &[u8]) -> Result<Vec<Message>, String> {
    let mut messages = Vec::new();
    while !bytes.is_empty() {
        let (message, rest) = message(bytes)?;
        messages.push(message);
        bytes = rest;
    }
    Ok(messages)
}

/// The statuses of the responses that the bytes are.
pub(crate) fn statuses(bytes: &[u8]) -> Result<Vec<u16>, String> {
    Ok(messages(bytes)?.iter().map(Message::status).collect())
}

/// How a body ends.
enum Framing {
    Length(usize),
    Chunked,
    Close,
}

fn message(bytes: &[u8]) -> Result<(Message, &[u8]), String> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok((Message::new(text(bytes)?, Vec::new()), &[]));
    };
    let (head, rest) = (&bytes[..end], &bytes[end + 4..]);
    let head = text(head)?;
    let mut lines = head.split("\r\n");
    let start = start_line(lines.next().unwrap_or_default())?;
    let fields = lines.map(field_line).collect::<Result<_, _>>()?;
    let mut message = Message::new(start, fields);
    let rest = match framing(&message)? {
        Framing::Length(length) => {
            let (body, rest) = rest.split_at(length.min(rest.len()));
            message.complete = body.len() == length;
            message.body = body.to_vec();
            rest
        }
        Framing::Chunked => chunks(&mut message, rest)?,
        Framing::Close => {
            message.body = rest.to_vec();
            message.complete = true;
            &[]
        }
    };
    Ok((message, rest))
}

/// The bytes as text, which has line ends of two characters and no other control characters but tabs.
fn text(bytes: &[u8]) -> Result<String, String> {
    let text: String = bytes.iter().map(|byte| char::from(*byte)).collect();
    let whole = text.strip_suffix('\r').unwrap_or(&text);
    let control = |text: &str| text.contains(|c: char| c.is_ascii_control() && c != '\t');
    match whole.split("\r\n").find(|line| control(line)) {
        Some(line) => Err(format!("a control character in {line:?}")),
        None => Ok(text),
    }
}

fn start_line(line: &str) -> Result<String, String> {
    let wrong = || format!("a start line {line:?}");
    if line.starts_with("HTTP/1.") {
        let status = line.split(' ').nth(1).filter(|status| status.len() == 3);
        status.and_then(|status| status.parse::<u16>().ok()).ok_or_else(wrong)?;
        return Ok(line.to_owned());
    }
    let parts: Vec<_> = line.split(' ').collect();
    let [method, target, "HTTP/1.1"] = parts[..] else { return Err(wrong()) };
    let form = match method {
        "CONNECT" => !target.contains('/'),
        _ => target.starts_with('/') || target == "*",
    };
    let plain = target.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
    let valid = is_token(method) && form && plain;
    if valid { Ok(line.to_owned()) } else { Err(wrong()) }
}

fn field_line(line: &str) -> Result<(String, String), String> {
    let wrong = || format!("a field line {line:?}");
    let (name, value) = line.split_once(':').ok_or_else(wrong)?;
    if is_token(name) { Ok((name.to_owned(), value.trim().to_owned())) } else { Err(wrong()) }
}

fn is_token(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    !text.is_empty() && text.chars().all(allowed)
}

fn framing(message: &Message) -> Result<Framing, String> {
    let (lengths, codings) = (message.all("content-length"), message.all("transfer-encoding"));
    let bodiless = matches!(message.status(), 100..=199 | 204 | 304) && message.is_response();
    match (&lengths[..], &codings[..]) {
        // RFC 9110, section 8.6, and RFC 9112, section 6.1: not even where it would be ignored.
        ([], []) if bodiless => Ok(Framing::Length(0)),
        _ if message.status() == 304 && codings.is_empty() => Ok(Framing::Length(0)),
        framings if bodiless => Err(format!("framings {framings:?} of no body")),
        ([], []) if message.is_response() => Ok(Framing::Close),
        ([], []) => Ok(Framing::Length(0)),
        ([], [coding]) if coding.eq_ignore_ascii_case("chunked") => Ok(Framing::Chunked),
        ([length], []) if length.bytes().all(|byte| byte.is_ascii_digit()) => {
            length.parse().map(Framing::Length).map_err(|_| format!("a length of {length:?}"))
        }
        framings => Err(format!("framings {framings:?}")),
    }
}

/// Reads chunks and trailers; what follows them is returned.
fn chunks<'a>(message: &mut Message, mut bytes: &'a [u8]) -> Result<&'a [u8], String> {
    loop {
        let (line, rest) = line(bytes)?;
        let size = line.split(';').next().unwrap_or_default();
        let hex = size.len() <= 16 && size.bytes().all(|byte| byte.is_ascii_hexdigit());
        let Some(rest) = rest.filter(|_| hex && !size.is_empty()) else {
            return if rest.is_none() && hex { Ok(&[]) } else { Err(format!("a size {line:?}")) };
        };
        let size = usize::from_str_radix(size, 16).map_err(|_| format!("a size {line:?}"))?;
        if size == 0 {
            return trailers(message, rest);
        }
        let (data, rest) = rest.split_at(size.min(rest.len()));
        message.body.extend_from_slice(data);
        match rest.get(..2) {
            Some(b"\r\n") => bytes = &rest[2..],
            None if data.len() < size || rest.is_empty() || rest == b"\r" => return Ok(&[]),
            _ => return Err(format!("{:?} after a chunk", String::from_utf8_lossy(rest))),
        }
    }
}

fn trailers<'a>(message: &mut Message, mut bytes: &'a [u8]) -> Result<&'a [u8], String> {
    loop {
        let (line, rest) = line(bytes)?;
        let Some(rest) = rest else { return Ok(&[]) };
        if line.is_empty() {
            message.complete = true;
            return Ok(rest);
        }
        message.fields.push(field_line(&line)?);
        bytes = rest;
    }
}

/// A line, and what follows its end if that has arrived.
fn line(bytes: &[u8]) -> Result<(String, Option<&[u8]>), String> {
    match bytes.windows(2).position(|two| two == b"\r\n") {
        Some(end) => Ok((text(&bytes[..end])?, Some(&bytes[end + 2..]))),
        None => Ok((text(bytes)?.trim_end_matches('\r').to_owned(), None)),
    }
}

#[test]
fn two_opinions_are_none() {
    for bad in [
        "GET / HTTP/1.1\r\nA: b\nC: d\r\n\r\n",
        "GET / HTTP/1.1\r\nA : b\r\n\r\n",
        "GET  / HTTP/1.1\r\n\r\n",
        "GET http://a/ HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
        "GET / HTTP/1.1\r\nContent-Length: +1\r\n\r\nx",
        "GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\nx\r\n0\r\n\r\n",
        "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxy\r\n0\r\n\r\n",
        "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n+1\r\nx\r\n0\r\n\r\n",
    ] {
        assert!(messages(bad.as_bytes()).is_err(), "{bad:?}");
    }
    let good = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nA: b\r\n\r\n";
    for cut in 1..good.len() {
        assert!(!messages(&good.as_bytes()[..cut]).unwrap()[0].complete, "cut at {cut}");
    }
    let both = messages(good.repeat(2).as_bytes()).unwrap();
    assert!(both.len() == 2 && both.iter().all(|it| it.complete && it.body == b"hi"), "{both:?}");
}
