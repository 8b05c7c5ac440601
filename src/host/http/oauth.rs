//! OAuth 1.0a, signed with HMAC-SHA1 (RFC 5849).

use super::base64;
use crate::host::random;
use crate::run::{Error, Result};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use ring::hmac;
use std::collections::BTreeMap;
use url::Url;

/// Unreserved characters (RFC 5849, 3.6).
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

fn encode(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

/// Returns a unique random string.
///
/// # Errors
/// When the kernel provides no random numbers.
pub fn nonce() -> Result<String> {
    let mut bytes = [0; 16];
    random::fill(&mut bytes).map_err(|error| Error::new(format!("make a random word: {error}")))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Returns the signature of a request. `parameters` are those of the header and of a form in the body, not encoded.
/// Those of the query are in the address.
pub fn signature(
    method: &str,
    url: &Url,
    parameters: &[(String, String)],
    consumer_secret: &str,
    token_secret: &str,
) -> String {
    // A name may occur twice, so these are pairs and not a map. They are sorted in encoded form (3.4.1.3.2).
    let query = url.query_pairs().map(|(name, value)| (encode(&name), encode(&value)));
    let own = parameters.iter().map(|(name, value)| (encode(name), encode(value)));
    let mut pairs: Vec<(String, String)> = query.chain(own).collect();
    pairs.sort();
    let pairs: Vec<String> = pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    // `Url` has scheme and host in lower case, and drops the scheme's default port (3.4.1.2).
    let mut bare = url.clone();
    bare.set_query(None);
    bare.set_fragment(None);
    let base = format!("{}&{}&{}", method.to_ascii_uppercase(), encode(bare.as_str()), encode(&pairs.join("&")));
    let key = format!("{}&{}", encode(consumer_secret), encode(token_secret));
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key.as_bytes());
    base64(hmac::sign(&key, base.as_bytes()).as_ref())
}

/// Returns the `Authorization` header: the parameters that begin with `oauth_`, and the signature.
pub fn header(parameters: &[(String, String)], signature: String) -> String {
    let own = parameters.iter().filter(|(name, _)| name.starts_with("oauth_")).cloned();
    let all: BTreeMap<String, String> = own.chain([("oauth_signature".to_owned(), signature)]).collect();
    let pairs: Vec<String> =
        all.iter().map(|(name, value)| format!("{}=\"{}\"", encode(name), encode(value))).collect();
    format!("OAuth {}", pairs.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sign(method: &str, url: &str, parameters: &[(&str, &str)], secrets: (&str, &str)) -> String {
        let parameters: Vec<_> =
            parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        signature(method, &Url::parse(url).unwrap(), &parameters, secrets.0, secrets.1)
    }

    /// X's own example ("Creating a signature" of its documentation) with its old addresses, and what its current API
    /// requires, where the body is JSON and not signed.
    #[test]
    fn the_signatures_that_x_publishes_are_made() {
        let own = [
            ("oauth_consumer_key", "xvz1evFS4wEEPTGEFPHBog"),
            ("oauth_nonce", "kYjzVBB8Y0ZFabxSWbWovY3uYSQ2pTgmZeNu2VS4cg"),
            ("oauth_signature_method", "HMAC-SHA1"),
            ("oauth_timestamp", "1318622958"),
            ("oauth_token", "370773112-GmHxMAgYyLbNEtIKZeRNFsMKPR9EyMZeS9weJAEb"),
            ("oauth_version", "1.0"),
        ];
        let form = [&own[..], &[("status", "Hello Ladies + Gentlemen, a signed OAuth request!")]].concat();
        let secrets = ("kAcSOqF21Fu85e7zjz7ZN2U4ZRhfV3WpwPAoE3Z7kBw", "LswwdoUaIvS8ltyTt5jkRh4J50vUPVVHtR2YPi5kE");
        for (url, parameters, expected) in [
            (
                "https://api.x.com/1.1/statuses/update.json?include_entities=true",
                &form[..],
                "Ls93hJiZbQ3akF3HF3x1Bz8/zU4=",
            ),
            (
                "https://api.twitter.com/1.1/statuses/update.json?include_entities=true",
                &form[..],
                "hCtSmYh+iHYCEqBWrE7C7hYmtUk=",
            ),
            (
                "https://api.twitter.com/1/statuses/update.json?include_entities=true",
                &form[..],
                "tnnArxj06cWHq44gCs1OSKk/jLY=",
            ),
            ("HTTPS://API.x.com:443/2/tweets#part", &own[..], "lr+tV/DKclEvXKVjG6tgaSSLV0k="),
        ] {
            assert_eq!(sign("post", url, parameters, secrets), expected, "{url}");
        }
    }

    #[test]
    fn the_signatures_of_the_rfc_are_made() {
        let own = |timestamp, nonce| {
            vec![
                ("oauth_consumer_key", "dpf43f3p2l4k3l03"),
                ("oauth_signature_method", "HMAC-SHA1"),
                ("oauth_timestamp", timestamp),
                ("oauth_nonce", nonce),
            ]
        };
        let secret = "kd94hf93k423kf44";
        // 1.2 of RFC 5849: three requests.
        let mut first = own("137131200", "wIjqoS");
        first.push(("oauth_callback", "http://printer.example.com/ready"));
        assert_eq!(
            sign("POST", "https://photos.example.net/initiate", &first, (secret, "")),
            "74KNZJeDHnMBp0EMJ9ZHt/XKycU="
        );
        let mut second = own("137131201", "walatlh");
        second.extend([("oauth_token", "hh5s93j4hdidpola"), ("oauth_verifier", "hfdp7dh39dks9884")]);
        let token = "https://photos.example.net/token";
        assert_eq!(sign("POST", token, &second, (secret, "hdhd0244k9j7ao03")), "gKgrFCywp7rO0OXSjdot/IHF7IU=");
        let mut third = own("137131202", "chapoH");
        third.push(("oauth_token", "nnch734d00sl2jdk"));
        let photos = "http://photos.example.net/photos?file=vacation.jpg&size=original";
        assert_eq!(sign("GET", photos, &third, (secret, "pfkkdhi9sl3r4s00")), "MdpQcU8iPSUjWoN/UDMsK2sui9I=");
    }

    /// The examples of X's "Percent encoding parameters".
    #[test]
    fn everything_is_encoded_but_what_the_rfc_leaves() {
        for (text, expected) in [
            ("Ladies + Gentlemen", "Ladies%20%2B%20Gentlemen"),
            ("An encoded string!", "An%20encoded%20string%21"),
            ("Dogs, Cats & Mice", "Dogs%2C%20Cats%20%26%20Mice"),
            ("☃", "%E2%98%83"),
            ("aZ09-._~*'()", "aZ09-._~%2A%27%28%29"),
        ] {
            assert_eq!(encode(text), expected);
        }
    }

    #[test]
    fn the_header_has_the_oauth_parameters_only() {
        let parameters =
            [("oauth_token", "a b"), ("status", "x"), ("oauth_nonce", "n")].map(|(a, b)| (a.to_owned(), b.to_owned()));
        let header = header(&parameters, "a+b=".to_owned());
        assert_eq!(header, "OAuth oauth_nonce=\"n\", oauth_signature=\"a%2Bb%3D\", oauth_token=\"a%20b\"");
    }
}
