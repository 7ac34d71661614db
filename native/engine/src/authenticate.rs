//! Who asks: Basic credentials (RFC 7617) in `Proxy-Authorization`, on every request.
//!
//! Whatever is wrong with them, the answer is the same: 407, so that a browser which holds the credentials
//! of a released context asks its embedder again. Nothing is resolved or dialled before this has passed.

mod access;
mod rebinding;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::context::{Carrier, Context, Contexts};
use crate::error::ProxyError;
use crate::fields::Fields;
pub use access::{Access, InvalidToken, Token};
pub(crate) use access::{Gate, is_in};
pub use rebinding::AllowedHost;

/// The realm in the challenge (RFC 9110, section 11.5).
pub(crate) const REALM: &str = "tabport";

/// What a connection has proved before: the same credentials again need not be decoded again.
#[derive(Default)]
pub(crate) struct Memory(Option<(Zeroizing<Vec<u8>>, Arc<Carrier>)>);

impl Memory {
    /// Finds the live context whose credentials the request carries; `carry` makes what carries its exchanges.
    pub(crate) fn authenticate(
        &mut self,
        fields: &Fields,
        contexts: &Contexts,
        carry: impl FnOnce(&Arc<Context>) -> Arc<Carrier>,
    ) -> Result<Arc<Carrier>, ProxyError> {
        let field = fields.only("proxy-authorization").ok_or(ProxyError::Unauthenticated)?;
        if let Some((known, carrier)) = &self.0
            && known.ct_eq(field).into()
            && !carrier.context.released.is_cancelled()
        {
            return Ok(Arc::clone(carrier));
        }
        let context = find(field, contexts).ok_or(ProxyError::Unauthenticated)?;
        let carrier = carry(&context);
        self.0 = Some((Zeroizing::new(field.to_vec()), Arc::clone(&carrier)));
        Ok(carrier)
    }

    /// What carries its exchanges has something to do, though there is none.
    pub(crate) fn begin(&self) {
        if let Some((_, carrier)) = &self.0 {
            carrier.begin();
        }
    }

    /// For a connection whose context is known without credentials.
    pub(crate) fn of(
        &mut self,
        context: &Arc<Context>,
        carry: impl FnOnce(&Arc<Context>) -> Arc<Carrier>,
    ) -> Arc<Carrier> {
        let (_, carrier) = self.0.get_or_insert_with(|| (Zeroizing::default(), carry(context)));
        Arc::clone(carrier)
    }
}

fn find(field: &[u8], contexts: &Contexts) -> Option<Arc<Context>> {
    let credentials = decode(std::str::from_utf8(field).ok()?)?;
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
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::limits::ContextLimits;

    #[test]
    fn only_one_valid_field_passes() {
        let contexts = Contexts::default();
        let info =
            contexts.create(7, None, &ContextLimits::default(), &CancellationToken::new()).unwrap();
        let basic = |text: &str| base64::prelude::BASE64_STANDARD.encode(text);
        let good = basic(&format!("{}:{}", info.username, *info.password));
        let mut memory = Memory::default();
        let mut passes = |values: &[String]| {
            let mut fields = Fields::default();
            for value in values {
                fields.push("Proxy-Authorization", value.as_bytes());
            }
            let carry = |context: &Arc<Context>| context.carried_by_streams();
            let fresh = Memory::default().authenticate(&fields, &contexts, carry).is_ok();
            assert_eq!(memory.authenticate(&fields, &contexts, carry).is_ok(), fresh);
            fresh
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
