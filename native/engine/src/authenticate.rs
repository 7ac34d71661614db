//! Who asks: Basic credentials (RFC 7617) in `Proxy-Authorization`, on every request.
//!
//! Whatever is wrong with them, the answer is the same: 407, so that a browser which holds the credentials
//! of a released context asks its embedder again. Nothing is resolved or dialled before this has passed.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hyper::HeaderMap;
use hyper::header::PROXY_AUTHORIZATION;
use zeroize::Zeroizing;

use crate::context::{Context, Contexts};
use crate::error::ProxyError;

/// The realm in the challenge (RFC 9110, section 11.5).
pub(crate) const REALM: &str = "tabport";

/// Finds the live context whose credentials the request carries.
pub(crate) fn authenticate(
    headers: &HeaderMap,
    contexts: &Contexts,
) -> Result<Arc<Context>, ProxyError> {
    find(headers, contexts).ok_or(ProxyError::Unauthenticated)
}

fn find(headers: &HeaderMap, contexts: &Contexts) -> Option<Arc<Context>> {
    let mut fields = headers.get_all(PROXY_AUTHORIZATION).iter();
    let (Some(field), None) = (fields.next(), fields.next()) else { return None };
    let credentials = decode(field.to_str().ok()?)?;
    let colon = credentials.iter().position(|byte| *byte == b':')?;
    let (username, password) = credentials.split_at_checked(colon)?;
    let context = contexts.by_username(std::str::from_utf8(username).ok()?)?;
    context.has_password(password.get(1..)?).then_some(context)
}

fn decode(field: &str) -> Option<Zeroizing<Vec<u8>>> {
    const BASE64: GeneralPurpose = GeneralPurpose::new(
        &base64::alphabet::STANDARD,
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    let (scheme, token) = field.trim().split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    BASE64.decode(token.trim_start()).ok().map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::ContextLimits;
    use hyper::header::HeaderValue;
    use tokio_util::sync::CancellationToken;

    #[test]
    fn only_one_valid_field_passes() {
        let contexts = Contexts::default();
        let info =
            contexts.create(7, None, &ContextLimits::default(), &CancellationToken::new()).unwrap();
        let basic = |text: &str| base64::prelude::BASE64_STANDARD.encode(text);
        let good = basic(&format!("{}:{}", info.username, *info.password));
        let passes = |fields: &[String]| {
            let mut headers = HeaderMap::new();
            for field in fields {
                headers.append(PROXY_AUTHORIZATION, HeaderValue::from_str(field).unwrap());
            }
            authenticate(&headers, &contexts).is_ok()
        };
        for scheme in ["Basic", "basic", "BASIC"] {
            assert!(passes(&[format!("{scheme} {good}")]), "{scheme}");
        }
        assert!(passes(&[format!("Basic {}", good.trim_end_matches('='))]), "without padding");
        let mut refused = vec![
            String::new(),
            "Basic".to_owned(),
            format!("Bearer {good}"),
            format!("Basic{good}"),
            "Basic !!!!".to_owned(),
            format!("Basic {}", basic(":")),
            format!("Basic {}", basic(&info.username)),
            format!("Basic {}", basic(&format!("{}:", info.username))),
            format!("Basic {}", basic(&format!("{}:{}x", info.username, *info.password))),
            format!("Basic {}", basic(&format!("{}:{}", info.username, &info.password[1..]))),
            format!("Basic {}", basic(&format!("nobody:{}", *info.password))),
        ];
        assert!(!passes(&[]), "no field");
        assert!(!passes(&[format!("Basic {good}"), format!("Basic {good}")]), "two fields");
        contexts.release(&info.id).unwrap();
        refused.push(format!("Basic {good}"));
        for field in refused {
            assert!(!passes(std::slice::from_ref(&field)), "{field}");
        }
    }
}
