//! Modules that are written in JavaScript and built in: the libraries that scripts import from `https://jslib.k6.io`, and
//! those of the dialect that need little more than JavaScript. No network is touched to load one.

/// Where the dialect's libraries are published.
const SITE: &str = "https://jslib.k6.io/";

/// How a module's name begins that came from there.
const PREFIX: &str = "jslib:";

/// Modules that only built-in ones may import.
pub const NATIVE: &str = "loadgen:native";
/// The same, for `crypto.subtle`.
pub const SUBTLE: &str = "loadgen:subtle";
/// The same, for `k6/execution`.
pub const EXECUTION: &str = "loadgen:execution";

/// Libraries by the first part of their address, whatever the version.
const LIBRARIES: [(&str, &str); 18] = [
    ("ajv", include_str!("jslib/ajv.js")),
    ("aws", include_str!("jslib/aws.js")),
    ("expect", include_str!("jslib/expect.js")),
    ("form-urlencoded", include_str!("jslib/form-urlencoded.js")),
    ("formdata", include_str!("jslib/formdata.js")),
    ("functional", include_str!("jslib/functional.js")),
    (
        "http-instrumentation-pyroscope",
        include_str!("jslib/pyroscope.js"),
    ),
    ("http-instrumentation-tempo", include_str!("jslib/tempo.js")),
    ("httpx", include_str!("jslib/httpx.js")),
    ("jsonpath", include_str!("jslib/jsonpath.js")),
    ("k6-summary", include_str!("jslib/k6-summary.js")),
    ("k6-testing", include_str!("jslib/k6-testing.js")),
    ("k6-utils", include_str!("jslib/k6-utils.js")),
    ("k6chaijs", include_str!("jslib/k6chaijs.js")),
    ("k6chaijs-contracts", include_str!("jslib/k6chaijs-contracts.js")),
    ("papaparse", include_str!("jslib/papaparse.js")),
    ("totp", include_str!("jslib/totp.js")),
    ("url", include_str!("jslib/url.js")),
];

/// What they have in common, and what is published elsewhere.
const PARTS: [(&str, &str); 9] = [
    ("aws-core", include_str!("jslib/aws-core.js")),
    ("aws-s3", include_str!("jslib/aws-s3.js")),
    ("aws-services", include_str!("jslib/aws-services.js")),
    ("k6-reporter", include_str!("jslib/k6-reporter.js")),
    ("k6chaijs-core", include_str!("jslib/k6chaijs-core.js")),
    ("schema", include_str!("jslib/schema.js")),
    ("webcrypto", include_str!("jslib/webcrypto.js")),
    ("webcrypto-key", include_str!("jslib/webcrypto-key.js")),
    ("webcrypto-rsa", include_str!("jslib/webcrypto-rsa.js")),
];

/// The files of the library `aws`, and the modules that have what is in them.
const AWS: [(&str, &str); 12] = [
    ("aws", "aws"),
    ("index", "aws"),
    ("s3", "aws-s3"),
    ("signature", "aws-core"),
    ("dynamo-db", "aws-services"),
    ("event-bridge", "aws-services"),
    ("kinesis", "aws-services"),
    ("kms", "aws-services"),
    ("lambda", "aws-services"),
    ("secrets-manager", "aws-services"),
    ("sqs", "aws-services"),
    ("ssm", "aws-services"),
];

/// Where a reporter is published that many scripts import; its address names a branch or a version.
const REPORTER: [&str; 2] = [
    "https://raw.githubusercontent.com/benc-uk/k6-reporter/",
    "https://github.com/benc-uk/k6-reporter/",
];

/// Modules of the dialect.
const MODULES: [(&str, &str); 9] = [
    ("k6/data", include_str!("jslib/shared-array.js")),
    ("k6/execution", include_str!("jslib/execution.js")),
    ("k6/experimental/csv", include_str!("jslib/csv.js")),
    ("k6/experimental/encoding", include_str!("jslib/encoding.js")),
    ("k6/experimental/fs", include_str!("jslib/fs.js")),
    ("k6/experimental/streams", include_str!("jslib/streams.js")),
    ("k6/experimental/tracing", include_str!("jslib/tempo.js")),
    (
        "k6/experimental/webcrypto",
        include_str!("jslib/webcrypto-module.js"),
    ),
    ("k6/secrets", include_str!("jslib/secrets.js")),
];

fn find(table: &[(&str, &'static str)], name: &str) -> Option<&'static str> {
    table
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, text)| *text)
}

/// The module that an address stands for; `None` if it is none of the libraries' site.
///
/// # Errors
/// A sentence that lists the libraries there are.
pub fn resolve(address: &str) -> Option<Result<String, String>> {
    if REPORTER.iter().any(|site| address.starts_with(site)) {
        return Some(Ok(format!("{PREFIX}k6-reporter")));
    }
    let mut parts = address.strip_prefix(SITE)?.split('/');
    let library = parts.next().unwrap_or("");
    if library == "aws" {
        let file = parts.next_back().unwrap_or("").trim_end_matches(".js");
        let found = AWS.iter().find(|(known, _)| *known == file);
        return Some(found.map_or_else(
            || {
                let known: Vec<String> = AWS.iter().map(|(file, _)| format!("{file}.js")).collect();
                Err(format!(
                    "`{address}` is not built in; of that library there are: {}. Download it next to the script and import it as \
                     './FILE.js'",
                    known.join(", ")
                ))
            },
            |(_, module)| Ok(format!("{PREFIX}{module}")),
        ));
    }
    Some(match find(&LIBRARIES, library) {
        Some(_) => Ok(format!("{PREFIX}{library}")),
        None => {
            let known: Vec<&str> = LIBRARIES.iter().map(|(name, _)| *name).collect();
            Err(format!(
                "the library `{address}` is not built in; of jslib.k6.io there are: {}. Download it next to the \
                 script and import it as './FILE.js'",
                known.join(", ")
            ))
        }
    })
}

/// The text of a module that is built in and written in JavaScript.
pub fn text(module: &str) -> Option<&'static str> {
    match module.strip_prefix(PREFIX) {
        Some(library) => find(&LIBRARIES, library).or_else(|| find(&PARTS, library)),
        None => find(&MODULES, module),
    }
}

/// The module behind `crypto.subtle`.
pub const WEBCRYPTO: &str = "jslib:webcrypto";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_version_of_a_library_is_the_same_module() {
        for version in ["1.4.0", "1.6.0", "latest"] {
            let address = format!("https://jslib.k6.io/k6-utils/{version}/index.js");
            let module = resolve(&address).unwrap().unwrap();
            assert_eq!(module, "jslib:k6-utils");
            assert!(text(&module).is_some());
        }
        assert_eq!(resolve("https://example.com/k6-utils/1.4.0/index.js"), None);
        for (address, part) in [
            ("kafka/0.1.0/index.js", "k6-utils"),
            ("aws/0.14.0/cognito.js", "secrets-manager.js"),
        ] {
            let message = resolve(&format!("{SITE}{address}")).unwrap().unwrap_err();
            assert!(message.contains(address) && message.contains(part), "{message}");
        }
        for (file, _) in AWS {
            let module = resolve(&format!("{SITE}aws/0.12.3/{file}.js")).unwrap().unwrap();
            assert!(text(&module).is_some(), "{file}");
        }
    }
}
