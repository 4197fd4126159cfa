//! The variables that a script documents in its opening comment, as the bundled scenarios do:
//!
//! ```text
//! // Variable   Default                 Meaning
//! // BASE_URL   http://localhost:3000   address of the server
//! ```

/// One variable of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Its name in `__ENV`.
    pub name: String,
    /// What it is if it is not set.
    pub default: String,
}

/// The rows of the table in the comment that `script` opens with; none where there is no such table.
pub fn variables(script: &str) -> Vec<Variable> {
    let comment = script
        .lines()
        .map_while(|line| line.trim().strip_prefix("//"))
        .map(str::trim);
    comment
        .skip_while(|line| !line.starts_with("Variable "))
        .skip(1)
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let (name, default) = (words.next()?, words.next()?);
            Some(Variable {
                name: name.to_owned(),
                default: default.to_owned(),
            })
        })
        .collect()
}

/// Scheme, host and port of a URL: `http://localhost:3000` of `http://localhost:3000/a?b`.
pub fn origin(url: &str) -> &str {
    let Some(scheme) = url.find("://") else { return url };
    let host = scheme + "://".len();
    let end = url[host..].find(['/', '?', '#']);
    end.map_or(url, |end| &url[..host + end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_the_opening_comment_is_read() {
        let text = "// Health: it is\n//\n// Variable   Default   Meaning\n// URL   http://a:1   where\n// KEY   k   a key\n\n// X  y  z\n";
        let found = variables(text);
        let names: Vec<(&str, &str)> = found
            .iter()
            .map(|variable| (variable.name.as_str(), variable.default.as_str()))
            .collect();
        assert_eq!(names, [("URL", "http://a:1"), ("KEY", "k")]);
        assert!(variables("import x;\n// Variable Default\n// A b\n").is_empty());
    }

    #[test]
    fn an_origin_ends_where_the_path_begins() {
        for (url, expected) in [
            ("http://localhost:3000/a/b", "http://localhost:3000"),
            ("https://x", "https://x"),
            ("ws://x:1?token=2", "ws://x:1"),
            ("nonsense", "nonsense"),
        ] {
            assert_eq!(origin(url), expected);
        }
    }
}
