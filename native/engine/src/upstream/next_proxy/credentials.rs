//! What the next proxy wants to know of us: the one file here that sees its password.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use zeroize::Zeroizing;

/// A user and a password for the next proxy. It is not `Debug`.
pub(super) struct Credentials {
    user: Zeroizing<Vec<u8>>,
    password: Zeroizing<Vec<u8>>,
}

impl Credentials {
    /// Reads a URL's userinfo (RFC 3986, section 3.2.1).
    pub(super) fn from_userinfo(userinfo: &str) -> Result<Self, &'static str> {
        let (user, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
        let (user, password) = (decode(user)?, decode(password)?);
        // RFC 7617, section 2, for both: nothing could tell where the user ends.
        if user.contains(&b':') {
            return Err("has a colon in its user name");
        }
        if user.iter().chain(password.iter()).any(u8::is_ascii_control) {
            return Err("has control characters in its credentials");
        }
        Ok(Self { user, password })
    }

    /// RFC 1929, section 2: lengths are told in one byte, and none is zero.
    pub(super) fn fit_socks(&self) -> bool {
        let fits = |bytes: &[u8]| (1..=255).contains(&bytes.len());
        fits(&self.user) && fits(&self.password)
    }

    /// The value of `Proxy-Authorization` (RFC 7617).
    pub(super) fn basic(&self) -> Zeroizing<String> {
        let pair = Zeroizing::new([&self.user[..], b":", &self.password[..]].concat());
        let token = Zeroizing::new(BASE64_STANDARD.encode(&*pair));
        Zeroizing::new(["Basic ", &*token].concat())
    }

    /// The whole message of RFC 1929, section 2.
    pub(super) fn socks_message(&self) -> Zeroizing<Vec<u8>> {
        let length = |bytes: &[u8]| [u8::try_from(bytes.len()).unwrap_or(u8::MAX)];
        let [user, password] = [&self.user[..], &self.password[..]];
        Zeroizing::new([&[1], &length(user)[..], user, &length(password), password].concat())
    }
}

fn decode(text: &str) -> Result<Zeroizing<Vec<u8>>, &'static str> {
    const BROKEN: &str = "has a broken percent-encoding in its credentials";
    let mut decoded = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        decoded.push(match byte {
            b'%' => {
                let mut digit = || rest.next().and_then(|byte| char::from(byte).to_digit(16));
                let (high, low) = (digit().ok_or(BROKEN)?, digit().ok_or(BROKEN)?);
                u8::try_from(high * 16 + low).map_err(|_| BROKEN)?
            }
            byte => byte,
        });
    }
    Ok(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn userinfo_is_decoded() {
        let of = |text: &str| -> Result<_, &'static str> {
            let read = Credentials::from_userinfo(text)?;
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            Ok((text(&read.user), text(&read.password)))
        };
        let pair = |user: &str, password: &str| Ok((user.to_owned(), password.to_owned()));
        assert_eq!(of("user:pass"), pair("user", "pass"));
        assert_eq!(of("user"), pair("user", ""));
        assert_eq!(of("a%40b:p%3Aq%2f%25"), pair("a@b", "p:q/%"));
        assert_eq!(of("u:p:q"), pair("u", "p:q"));
        assert_eq!(of("%C3%A9:x"), pair("é", "x"));
        for broken in ["%", "u:%4", "u:%zz", "u:%0d%0a", "a%3Ab:c"] {
            assert!(of(broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn each_protocol_has_them_in_its_own_form() {
        let credentials = Credentials::from_userinfo("user:p%20w").unwrap();
        assert_eq!(*credentials.basic(), "Basic dXNlcjpwIHc=");
        assert_eq!(*credentials.socks_message(), b"\x01\x04user\x03p w");
        assert!(credentials.fit_socks());
        assert!(!Credentials::from_userinfo("user").unwrap().fit_socks());
        assert!(
            !Credentials::from_userinfo(&format!("u:{}", "x".repeat(256))).unwrap().fit_socks()
        );
    }
}
