//! Proto files as people write them, and with mistakes.

use std::collections::BTreeMap;

use super::*;

fn compile(folders: &[&str], file: &str, texts: &[(&str, &str)]) -> Result<Methods, SchemaError> {
    let texts: BTreeMap<String, String> = texts
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
        .collect();
    let folders: Vec<String> = folders.iter().map(|folder| (*folder).to_owned()).collect();
    Methods::compile(&folders, &[file.to_owned()], move |path| {
        let text = texts.get(path).ok_or_else(|| format!("no {path}"))?;
        Ok(Bytes::from(text.clone()))
    })
}

const SHOP: &str = r#"syntax = "proto3"; package shop.v1;
import "google/protobuf/empty.proto"; import "common/item.proto";
service Shop { rpc Buy(common.Item) returns (google.protobuf.Empty); rpc Watch(stream Order) returns (stream Order); }
message Order { repeated Order parts = 1; string name = 2; }"#;
const ITEM: &str = r#"syntax = "proto3"; package common; message Item { double price = 1; }"#;

#[test]
fn files_are_found_in_folders_with_what_they_import() {
    let texts = [("protos/shop.proto", SHOP), ("protos/common/item.proto", ITEM)];
    let methods = compile(&["elsewhere", "protos"], "./shop.proto", &texts).unwrap();
    let told: Vec<_> = methods
        .iter()
        .map(|method| {
            let streams = (method.is_client_streaming(), method.is_server_streaming());
            (method.path().as_str().to_owned(), method.takes_floats(), streams)
        })
        .collect();
    assert_eq!(
        told,
        [
            ("/shop.v1.Shop/Buy".to_owned(), true, (false, false)),
            ("/shop.v1.Shop/Watch".to_owned(), false, (true, true)),
        ]
    );
    let buy = methods.iter().next().unwrap();
    assert_eq!(
        (buy.package(), buy.service_name(), buy.service(), buy.name()),
        ("shop.v1".to_owned(), "Shop".to_owned(), "shop.v1.Shop", "Buy")
    );
}

#[test]
fn a_mistake_has_its_place() {
    let broken = "syntax = \"proto3\";\nmessage A {\n  strin name = 1;\n}\n";
    for (texts, part) in [
        (vec![("a.proto", broken)], "a.proto:3:"),
        (
            vec![("a.proto", "syntax = \"proto3\";\nmessage {")],
            "a.proto:2:9",
        ),
        (vec![("a.proto", SHOP)], "common/item.proto"),
        (vec![], "no such file or directory in the script's folder"),
    ] {
        let Err(error) = compile(&[], "a.proto", &texts) else {
            panic!("{texts:?}")
        };
        assert!(error.to_string().contains(part), "{error}");
    }
    let Err(error) = compile(&["x", "y"], "a.proto", &[]) else {
        panic!()
    };
    assert_eq!(
        error.to_string(),
        "cannot load \"a.proto\": no such file or directory in x, y"
    );
    assert!(Methods::decode(b"syntax = 3").is_err());
}
