//! The module `k6/crypto/x509`: what a certificate says.

use openssl::{
    asn1::{Asn1Time, Asn1TimeRef},
    hash::MessageDigest,
    nid::Nid,
    pkey::Id,
    x509::{X509, X509NameRef},
};
use rquickjs::{
    Array, Ctx, Exception, Object, Result, Value,
    module::{Declarations, Exports, ModuleDef},
};

use super::Shelf;
use crate::{metrics::utc, script::bytes::data_of};

/// The module `k6/crypto/x509`.
pub struct X509Module;

const NAMES: [&str; 5] = ["parse", "getAltNames", "getIssuer", "getSubject", "default"];

impl ModuleDef for X509Module {
    fn declare(declare: &Declarations<'_>) -> Result<()> {
        for name in NAMES {
            declare.declare(name)?;
        }
        Ok(())
    }

    fn evaluate<'js>(ctx: &Ctx<'js>, exports: &Exports<'js>) -> Result<()> {
        let shelf = Shelf::new(ctx, exports)?;
        shelf.function("parse", parse)?;
        shelf.function("getAltNames", |ctx: Ctx<'js>, pem: Value<'js>| {
            read(&ctx, &pem).map(|certificate| alternatives(&certificate))
        })?;
        shelf.function("getIssuer", |ctx: Ctx<'js>, pem: Value<'js>| {
            issuer(&ctx, read(&ctx, &pem)?.issuer_name())
        })?;
        shelf.function("getSubject", |ctx: Ctx<'js>, pem: Value<'js>| {
            subject(&ctx, read(&ctx, &pem)?.subject_name())
        })?;
        shelf.finish()
    }
}

/// Reads a certificate in PEM.
fn read<'js>(ctx: &Ctx<'js>, pem: &Value<'js>) -> Result<X509> {
    let bytes = data_of(ctx, pem, "k6/crypto/x509")?;
    let text = String::from_utf8_lossy(&bytes);
    if !text.contains("-----BEGIN ") {
        let message = "failed to decode certificate PEM file: there is no `-----BEGIN CERTIFICATE-----`";
        return Err(Exception::throw_message(ctx, message));
    }
    X509::from_pem(&bytes).map_err(|error| {
        let reasons = error.errors().iter().filter_map(openssl::error::Error::reason);
        let why = reasons.collect::<Vec<_>>().join(", ");
        Exception::throw_message(ctx, &format!("failed to parse certificate: {why}"))
    })
}

fn parse<'js>(ctx: Ctx<'js>, pem: Value<'js>) -> Result<Object<'js>> {
    let certificate = read(&ctx, &pem)?;
    let wrong = |what: &str| Exception::throw_message(&ctx, &format!("failed to parse certificate: {what}"));
    let object = Object::new(ctx.clone())?;
    object.set("subject", subject(&ctx, certificate.subject_name())?)?;
    object.set("issuer", issuer(&ctx, certificate.issuer_name())?)?;
    for (name, time) in [
        ("notBefore", certificate.not_before()),
        ("notAfter", certificate.not_after()),
    ] {
        object.set(name, rfc3339(time).ok_or_else(|| wrong("its time is none"))?)?;
    }
    object.set("altNames", alternatives(&certificate))?;
    let algorithm = certificate.signature_algorithm().object().nid();
    object.set("signatureAlgorithm", signature(algorithm))?;
    let print = certificate
        .digest(MessageDigest::sha1())
        .map_err(|_| wrong("it has no fingerprint"))?;
    object.set("fingerPrint", print.to_vec())?;
    let key = certificate
        .public_key()
        .map_err(|_| wrong("unsupported public key algorithm"))?;
    let shown = Object::new(ctx.clone())?;
    let inner = Object::new(ctx.clone())?;
    match key.id() {
        Id::RSA => {
            shown.set("algorithm", "RSA")?;
            let numbers = key.rsa().map_err(|_| wrong("its key is none"))?;
            let exponent = numbers.e().to_dec_str().ok();
            let exponent = exponent.and_then(|text| text.parse::<f64>().ok());
            inner.set("e", exponent.unwrap_or(f64::NAN))?;
            inner.set("n", numbers.n().to_vec())?;
        }
        Id::EC => shown.set("algorithm", "ECDSA")?,
        Id::DSA => shown.set("algorithm", "DSA")?,
        _ => return Err(wrong("unsupported public key algorithm")),
    }
    shown.set("key", inner)?;
    object.set("publicKey", shown)?;
    Ok(object)
}

/// The first value of a name's part, empty without one.
fn first(name: &X509NameRef, part: Nid) -> String {
    all(name, part).into_iter().next().unwrap_or_default()
}

fn all(name: &X509NameRef, part: Nid) -> Vec<String> {
    name.entries_by_nid(part)
        .map(|entry| String::from_utf8_lossy(entry.data().as_slice()).into_owned())
        .collect()
}

fn issuer<'js>(ctx: &Ctx<'js>, name: &X509NameRef) -> Result<Object<'js>> {
    let object = Object::new(ctx.clone())?;
    for (field, part) in [
        ("commonName", Nid::COMMONNAME),
        ("country", Nid::COUNTRYNAME),
        ("stateOrProvinceName", Nid::STATEORPROVINCENAME),
        ("localityName", Nid::LOCALITYNAME),
        ("organizationName", Nid::ORGANIZATIONNAME),
    ] {
        object.set(field, first(name, part))?;
    }
    let names = Array::new(ctx.clone())?;
    for (index, entry) in name.entries().enumerate() {
        let pair = Object::new(ctx.clone())?;
        pair.set("type", oid(entry.object()))?;
        pair.set(
            "value",
            String::from_utf8_lossy(entry.data().as_slice()).into_owned(),
        )?;
        names.set(index, pair)?;
    }
    object.set("names", names)?;
    Ok(object)
}

fn subject<'js>(ctx: &Ctx<'js>, name: &X509NameRef) -> Result<Object<'js>> {
    let object = issuer(ctx, name)?;
    object.set("postalCode", first(name, Nid::POSTALCODE))?;
    object.set("streetAddress", first(name, Nid::STREETADDRESS))?;
    object.set("organizationalUnitName", all(name, Nid::ORGANIZATIONALUNITNAME))?;
    Ok(object)
}

/// The number of a kind of part; what has no name in OpenSSL is shown by its number anyway.
fn oid(object: &openssl::asn1::Asn1ObjectRef) -> String {
    const KNOWN: [(Nid, &str); 11] = [
        (Nid::COMMONNAME, "2.5.4.3"),
        (Nid::SURNAME, "2.5.4.4"),
        (Nid::SERIALNUMBER, "2.5.4.5"),
        (Nid::COUNTRYNAME, "2.5.4.6"),
        (Nid::LOCALITYNAME, "2.5.4.7"),
        (Nid::STATEORPROVINCENAME, "2.5.4.8"),
        (Nid::STREETADDRESS, "2.5.4.9"),
        (Nid::ORGANIZATIONNAME, "2.5.4.10"),
        (Nid::ORGANIZATIONALUNITNAME, "2.5.4.11"),
        (Nid::POSTALCODE, "2.5.4.17"),
        (Nid::PKCS9_EMAILADDRESS, "1.2.840.113549.1.9.1"),
    ];
    let known = KNOWN.iter().find(|(nid, _)| *nid == object.nid());
    known.map_or_else(|| object.to_string(), |(_, number)| (*number).to_owned())
}

/// DNS names, then addresses of mail, of hosts, and URIs, as the dialect has them.
fn alternatives(certificate: &X509) -> Vec<String> {
    let Some(names) = certificate.subject_alt_names() else {
        return Vec::new();
    };
    let address = |bytes: &[u8]| match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes)
            .ok()
            .map(|octets| std::net::Ipv4Addr::from(octets).to_string()),
        16 => <[u8; 16]>::try_from(bytes)
            .ok()
            .map(|octets| std::net::Ipv6Addr::from(octets).to_string()),
        _ => None,
    };
    let dns = names.iter().filter_map(|name| name.dnsname().map(str::to_owned));
    let mail = names.iter().filter_map(|name| name.email().map(str::to_owned));
    let hosts = names.iter().filter_map(|name| name.ipaddress().and_then(address));
    let uris = names.iter().filter_map(|name| name.uri().map(str::to_owned));
    dns.chain(mail).chain(hosts).chain(uris).collect()
}

/// An algorithm by Go's name for it.
fn signature(algorithm: Nid) -> &'static str {
    const KNOWN: [(Nid, &str); 13] = [
        (Nid::MD5WITHRSAENCRYPTION, "MD5-RSA"),
        (Nid::SHA1WITHRSAENCRYPTION, "SHA1-RSA"),
        (Nid::SHA256WITHRSAENCRYPTION, "SHA256-RSA"),
        (Nid::SHA384WITHRSAENCRYPTION, "SHA384-RSA"),
        (Nid::SHA512WITHRSAENCRYPTION, "SHA512-RSA"),
        (Nid::RSASSAPSS, "SHA256-RSAPSS"),
        (Nid::DSAWITHSHA1, "DSA-SHA1"),
        (Nid::DSA_WITH_SHA256, "DSA-SHA256"),
        (Nid::ECDSA_WITH_SHA1, "ECDSA-SHA1"),
        (Nid::ECDSA_WITH_SHA256, "ECDSA-SHA256"),
        (Nid::ECDSA_WITH_SHA384, "ECDSA-SHA384"),
        (Nid::ECDSA_WITH_SHA512, "ECDSA-SHA512"),
        (Nid::MD2WITHRSAENCRYPTION, "MD2-RSA"),
    ];
    let known = KNOWN.iter().find(|(nid, _)| *nid == algorithm);
    known.map_or("UnknownSignatureAlgorithm", |(_, name)| name)
}

fn rfc3339(time: &Asn1TimeRef) -> Option<String> {
    let since = Asn1Time::from_unix(0).ok()?.diff(time).ok()?;
    let seconds = i64::from(since.days) * 86_400 + i64::from(since.secs);
    let time = std::time::UNIX_EPOCH.checked_add(std::time::Duration::from_secs(seconds.try_into().ok()?))?;
    // Without a fraction, which a certificate's times never have.
    let text = utc::rfc3339(time);
    Some(match (text.find('.'), text.rfind('Z')) {
        (Some(from), Some(to)) => format!("{}{}", &text[..from], &text[to..]),
        _ => text,
    })
}
