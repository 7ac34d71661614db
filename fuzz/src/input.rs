//! How a fuzzer's bytes become what the engine is given.
//!
//! Some lines come first, each for one thing (a route, the authority of a tunnel; an empty one for none), and what
//! is left is a request's head as HTTP/1.1 has it.

use http::{Method, Version};
use tabport_engine::authority::Scheme;
use tabport_engine::fields::Fields;
use tabport_engine::head::RequestHead;
use tabport_engine::target::Target;
use tabport_engine::{Route, RouteFields, Token};

/// More than the engine reads, and adds.
const MOST_FIELDS: usize = 192;

/// Takes the first line off.
pub fn line<'a>(data: &mut &'a [u8]) -> Option<&'a str> {
    let end = data.iter().position(|byte| *byte == b'\n')?;
    let (line, rest) = data.split_at(end);
    *data = &rest[1..];
    std::str::from_utf8(line).ok()
}

/// A route's fields, each as `name=value`, with tabs between them; those of a list have commas.
pub fn route_fields(text: &str) -> RouteFields {
    let mut fields = RouteFields::default();
    for (name, value) in text.split('\t').filter_map(|field| field.split_once('=')) {
        let field = match name {
            "morphId" => &mut fields.morph_id,
            "scope" => &mut fields.scope,
            "domainSuffix" => &mut fields.domain_suffix,
            "cmuxProxyOrigin" => &mut fields.cmux_proxy_origin,
            "workspace" => &mut fields.workspace,
            "upstream" => &mut fields.upstream,
            "cmuxProxyToken" => {
                fields.cmux_proxy_token = Token::new(value).ok();
                continue;
            }
            "local" => {
                fields.local = Some(value.split(',').map(str::to_owned).collect());
                continue;
            }
            _ => continue,
        };
        *field = Some(value.to_owned());
    }
    fields
}

/// A line with a route, or without one; `None` if it is not valid.
pub fn route(data: &mut &[u8]) -> Option<Option<Route>> {
    match line(data)? {
        "" => Some(None),
        text => Route::parse(&route_fields(text)).ok().map(Some),
    }
}

/// A line with a tunnel's authority, after `https://` where it speaks TLS, or without one; `None` if it is not
/// valid.
pub fn tunnel(data: &mut &[u8]) -> Option<Option<Target>> {
    let text = line(data)?;
    let (scheme, authority) = match text.strip_prefix("https://") {
        Some(authority) => (Scheme::Https, authority),
        None => (Scheme::Http, text),
    };
    match authority {
        "" => Some(None),
        text => Some(Some(Target { scheme, authority: text.parse().ok()? })),
    }
}

/// A request's head, read by a parser that is not the engine's. A field `protocol` stands for what an extended
/// CONNECT has as a pseudo-field.
pub fn head(data: &[u8]) -> Option<RequestHead> {
    let mut storage = [httparse::EMPTY_HEADER; MOST_FIELDS];
    let mut request = httparse::Request::new(&mut storage);
    if !request.parse(data).ok()?.is_complete() {
        return None;
    }
    let mut fields = collect(request.headers);
    let protocol = fields.get("protocol").map(|name| String::from_utf8_lossy(name).into());
    fields.remove("protocol");
    Some(RequestHead {
        method: Method::from_bytes(request.method?.as_bytes()).ok()?,
        target: request.path?.as_bytes().to_vec(),
        version: if request.version? == 0 { Version::HTTP_10 } else { Version::HTTP_11 },
        protocol,
        fields,
    })
}

/// Field lines up to an empty one.
pub fn fields(data: &[u8]) -> Option<Fields> {
    let mut storage = [httparse::EMPTY_HEADER; MOST_FIELDS];
    let status = httparse::parse_headers(data, &mut storage).ok()?;
    status.is_complete().then(|| collect(status.unwrap().1))
}

/// The head of a request that has no field but Host.
pub fn plain_head(method: Method, target: &str, host: &str) -> RequestHead {
    let mut fields = Fields::default();
    fields.push("Host", host.as_bytes());
    RequestHead { method, target: target.into(), version: Version::HTTP_11, protocol: None, fields }
}

fn collect(headers: &[httparse::Header<'_>]) -> Fields {
    let mut fields = Fields::default();
    for header in headers {
        fields.push(header.name, header.value);
    }
    fields
}
