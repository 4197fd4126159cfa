//! A checker for the part of JSON Schema that `docs/` uses. A keyword that it does not know is a failure, so a schema
//! cannot promise what nothing checks.
#![allow(dead_code, reason = "each test file uses its part")]

use serde_json::Value;

/// What of `value` does not fit the schema, each with its path.
pub fn faults(schema: &Value, value: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    Checker {
        root: schema,
        faults: &mut faults,
    }
    .check(schema, value, "");
    faults
}

struct Checker<'a> {
    root: &'a Value,
    faults: &'a mut Vec<String>,
}

impl Checker<'_> {
    fn check(&mut self, schema: &Value, value: &Value, path: &str) {
        for (keyword, rule) in schema.as_object().expect("a schema is an object") {
            let holds = match keyword.as_str() {
                "$schema" | "$id" | "$defs" | "title" | "description" => true,
                "$ref" => {
                    let pointer = rule.as_str().unwrap().strip_prefix('#').unwrap();
                    let target = self.root.pointer(pointer).unwrap_or_else(|| panic!("no {rule}"));
                    self.check(target, value, path);
                    true
                }
                "type" => match rule {
                    Value::Array(kinds) => kinds.iter().any(|kind| is(kind, value)),
                    kind => is(kind, value),
                },
                "const" => rule == value,
                "enum" => rule.as_array().unwrap().contains(value),
                "minimum" => value.as_f64().is_none_or(|n| n >= rule.as_f64().unwrap()),
                "maximum" => value.as_f64().is_none_or(|n| n <= rule.as_f64().unwrap()),
                "pattern" => value
                    .as_str()
                    .is_none_or(|text| pattern(rule.as_str().unwrap(), text)),
                "items" => {
                    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                        self.check(rule, item, &format!("{path}/{index}"));
                    }
                    true
                }
                "required" => {
                    for name in rule.as_array().unwrap() {
                        let name = name.as_str().unwrap();
                        if value.is_object() && value.get(name).is_none() {
                            self.faults.push(format!("{path}: `{name}` is missing"));
                        }
                    }
                    true
                }
                "properties" => {
                    for (name, rule) in rule.as_object().unwrap() {
                        if let Some(inner) = value.get(name) {
                            self.check(rule, inner, &format!("{path}/{name}"));
                        }
                    }
                    true
                }
                "additionalProperties" => {
                    for (name, inner) in value.as_object().into_iter().flatten() {
                        if schema["properties"].get(name).is_some() {
                            continue;
                        }
                        match rule {
                            Value::Bool(allowed) if !allowed => {
                                self.faults.push(format!("{path}: `{name}` is not in the schema"));
                            }
                            Value::Bool(_) => {}
                            rule => self.check(rule, inner, &format!("{path}/{name}")),
                        }
                    }
                    true
                }
                other => panic!("the checker does not know the keyword {other}"),
            };
            if !holds {
                self.faults
                    .push(format!("{path}: {value} is not {keyword} {rule}"));
            }
        }
    }
}

fn is(kind: &Value, value: &Value) -> bool {
    match kind.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "number" => value.is_number(),
        "integer" => value.as_f64().is_some_and(|n| n.fract() == 0.0),
        other => panic!("no type {other}"),
    }
}

/// Patterns of literal characters (also escaped) and `[a-z]{n}` between `^` and `$`.
fn pattern(pattern: &str, text: &str) -> bool {
    let mut rest = pattern
        .strip_prefix('^')
        .and_then(|p| p.strip_suffix('$'))
        .unwrap();
    let mut text = text.chars();
    while let Some(c) = rest.chars().next() {
        if let Some(class) = rest.strip_prefix('[') {
            let (class, after) = class.split_once("]{").unwrap();
            let (times, after) = after.split_once('}').unwrap();
            for _ in 0..times.parse::<usize>().unwrap() {
                if !text.next().is_some_and(|c| in_class(class, c)) {
                    return false;
                }
            }
            rest = after;
        } else {
            rest = &rest[c.len_utf8()..];
            let literal = if c == '\\' {
                let escaped = rest.chars().next().unwrap();
                rest = &rest[escaped.len_utf8()..];
                escaped
            } else {
                c
            };
            if text.next() != Some(literal) {
                return false;
            }
        }
    }
    text.next().is_none()
}

fn in_class(class: &str, c: char) -> bool {
    let class: Vec<char> = class.chars().collect();
    class.chunks(3).any(|range| match range {
        [from, '-', to] => (*from..=*to).contains(&c),
        single => single.contains(&c),
    })
}
