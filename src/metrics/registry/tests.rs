//! Tests of the registry: definitions, interning, and what happens past the limits.

use super::*;
use crate::metrics::{MethodTag, Proto, TlsTag};

fn registry() -> Arc<Registry> {
    Registry::new(SystemTags::default())
}

fn key() -> HttpKey {
    HttpKey {
        context: TagsId::EMPTY,
        name: NameId(0),
        method: MethodTag::Get,
        status: 200,
        proto: Proto::Http11,
        tls: TlsTag::None,
        error_code: 0,
        expected: Some(true),
    }
}

#[test]
fn defining_twice_is_the_same_metric_and_another_kind_is_an_error() {
    let registry = registry();
    let id = registry
        .define("orders", Kind::Counter, Contains::Default)
        .unwrap();
    assert_eq!(
        registry.define("orders", Kind::Counter, Contains::Default),
        Ok(id)
    );
    assert_eq!(registry.lookup("orders"), Some(id));
    let clash = registry
        .define("http_reqs", Kind::Trend, Contains::Time)
        .unwrap_err();
    assert_eq!(
        clash.to_string(),
        "metric `http_reqs` is already a counter, it cannot be a trend too"
    );
    for bad in ["", "a", "1a", "a-b", "ü1", &"x".repeat(130)] {
        assert!(
            matches!(
                registry.define(bad, Kind::Gauge, Contains::Default),
                Err(MetricError::Name(_))
            ),
            "{bad}"
        );
    }
}

#[test]
fn the_built_in_ids_are_the_built_in_names() {
    let registry = registry();
    assert_eq!(registry.lookup("http_reqs"), Some(builtin::HTTP_REQS));
    assert_eq!(&*registry.definition(builtin::VUS_MAX).name, "vus_max");
    assert_eq!(registry.definitions().len(), builtin::ALL.len());
}

#[test]
fn http_tags_are_those_of_the_reference_output() {
    let registry = registry();
    let context = registry.intern(&TagSet::from_pairs([("scenario", "default"), ("group", "::g1")]));
    let id = registry.http_tags(&HttpKey {
        context,
        name: registry.name("x"),
        ..key()
    });
    let text: Vec<String> = registry
        .tags(id)
        .iter()
        .map(|(k, v)| format!("{k}={v}"))
        .collect();
    assert_eq!(
        text.join(" "),
        "expected_response=true group=::g1 method=GET name=x proto=HTTP/1.1 scenario=default status=200 url=x"
    );
}

#[test]
fn a_failed_request_says_why_and_has_no_protocol() {
    let registry = registry();
    let id = registry.http_tags(&HttpKey {
        status: 0,
        proto: Proto::None,
        error_code: 1212,
        expected: Some(false),
        ..key()
    });
    let tags = registry.tags(id);
    assert_eq!(tags.get("error"), Some("dial: connection refused"));
    assert_eq!(
        (tags.get("error_code"), tags.get("status"), tags.get("proto")),
        (Some("1212"), Some("0"), None)
    );
}

#[test]
fn system_tags_that_are_off_are_not_set() {
    let registry = Registry::new(SystemTags::parse(["status"]).unwrap());
    assert_eq!(registry.tags(registry.http_tags(&key())).len(), 1);
}

#[test]
fn names_past_the_limit_share_one_and_are_counted() {
    let registry = registry();
    let filter = Filter {
        metric: "http_reqs".into(),
        tags: vec![("name".into(), "http://h/users/42".into())],
    };
    registry.protect([&filter]);
    for index in 0..MAX_NAMES + 50 {
        registry.name(&format!("n{index}"));
    }
    assert_eq!(&*registry.name_text(registry.name("n3")), "n3");
    assert_eq!(&*registry.name_text(registry.name("yet another")), OTHER_NAME);
    assert!(registry.collapsed().0 >= 50);
    // What a threshold names is neither templated nor collapsed.
    assert_eq!(
        &*registry.name_text(registry.url_name("http://h/users/42")),
        "http://h/users/42"
    );
}

#[test]
fn tag_sets_past_the_limit_lose_the_tags_of_the_scripts_making() {
    let registry = Registry::with_max_series(SystemTags::default(), 10);
    let filter = Filter {
        metric: "http_reqs".into(),
        tags: vec![("tier".into(), "gold".into())],
    };
    registry.protect([&filter]);
    let set = |user: usize| {
        let user = user.to_string();
        TagSet::from_pairs([
            ("scenario", "s"),
            ("group", "::g"),
            ("user", user.as_str()),
            ("tier", "gold"),
        ])
    };
    let ids: FxHashSet<TagsId> = (0..100).map(|user| registry.intern(&set(user))).collect();
    assert_eq!(
        ids.len(),
        10,
        "nine whole sets besides the empty one, and the collapsed one"
    );
    let tags = registry.tags(registry.intern(&set(99)));
    assert_eq!(
        tags.iter().collect::<Vec<_>>(),
        [("group", "::g"), ("scenario", "s"), ("tier", "gold")]
    );
    assert_eq!(
        registry.tags(registry.intern(&set(3))).get("user"),
        Some("3"),
        "those from before stay whole"
    );
    assert!(registry.collapsed().1 >= 90);
}

#[test]
fn made_up_groups_and_checks_cannot_grow_without_end() {
    let registry = Registry::with_max_series(SystemTags::default(), 10);
    let ids: FxHashSet<TagsId> = (0..1000)
        .map(|n| {
            registry.intern(&TagSet::from_pairs([
                ("scenario", "s"),
                ("check", &format!("order {n} is ok")),
            ]))
        })
        .collect();
    assert!(ids.len() <= 21, "{}", ids.len());
}
