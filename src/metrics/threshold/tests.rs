//! Tables of what parses to what, the exact messages of what does not, and that no text makes a parser panic.

use proptest::prelude::*;

use super::*;

fn expression(text: &str) -> Expression {
    text.parse().unwrap()
}

fn filter(text: &str) -> Filter {
    text.parse().unwrap()
}

fn tags(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect()
}

#[test]
fn expressions_of_the_dialect() {
    for (text, aggregation, op, bound) in [
        ("p(95)<500", Aggregation::P(95.0), Op::Less, 500.0),
        ("p(99.9) <= 1e3", Aggregation::P(99.9), Op::LessEqual, 1000.0),
        ("p( 0 )>=0", Aggregation::P(0.0), Op::GreaterEqual, 0.0),
        ("p (100) < 5", Aggregation::P(100.0), Op::Less, 5.0),
        ("  rate >0.9 ", Aggregation::Rate, Op::Greater, 0.9),
        ("count==100", Aggregation::Count, Op::Equal, 100.0),
        ("count === 100", Aggregation::Count, Op::Equal, 100.0),
        ("value!=-1.5", Aggregation::Value, Op::NotEqual, -1.5),
        ("avg<.5", Aggregation::Avg, Op::Less, 0.5),
        ("min>1", Aggregation::Min, Op::Greater, 1.0),
        ("max<200", Aggregation::Max, Op::Less, 200.0),
        ("med\t<\t200", Aggregation::Med, Op::Less, 200.0),
    ] {
        let parsed = expression(text);
        assert_eq!(
            (parsed.aggregation, parsed.op, parsed.bound),
            (aggregation, op, bound),
            "{text}"
        );
        assert_eq!(parsed.source, text.trim());
    }
}

#[test]
fn expression_errors_name_the_place() {
    for (text, message) in [
        ("", "the threshold is empty; write one like `p(95)<500`"),
        ("p(95)<abc", "`p(95)<abc`: expected a number after `<`"),
        ("p(95)<", "`p(95)<`: expected a number after `<`"),
        ("rate<=inf", "`rate<=inf`: expected a number after `<=`"),
        ("rate<1 2", "`rate<1 2`: expected a number after `<`"),
        (
            "rate=<1",
            "`rate=<1`: expected an operator (<, <=, >, >=, ==, ===, !=) after `rate`",
        ),
        (
            "p(95)",
            "`p(95)`: expected an operator (<, <=, >, >=, ==, ===, !=) after `p(95)`",
        ),
        (
            "p(101)<1",
            "`p(101)<1`: a percentile is `p(N)` with N from 0 to 100",
        ),
        ("p95<1", "`p95<1`: a percentile is `p(N)` with N from 0 to 100"),
        ("p(x)<1", "`p(x)<1`: a percentile is `p(N)` with N from 0 to 100"),
        (
            "mean<1",
            "`mean<1`: expected one of count, rate, value, avg, min, max, med, p(N) but found `mean`",
        ),
        (
            "<1",
            "`<1`: expected one of count, rate, value, avg, min, max, med, p(N) but found `<1`",
        ),
    ] {
        assert_eq!(
            text.parse::<Expression>().unwrap_err().to_string(),
            message,
            "{text}"
        );
    }
}

#[test]
fn holding() {
    for (text, value, holds) in [
        ("rate<1", 1.0, false),
        ("rate<=1", 1.0, true),
        ("rate>1", 1.0, false),
        ("rate>=1", 1.0, true),
        ("rate==1", 1.0, true),
        ("rate!=1", 1.0, false),
        ("rate<1", f64::NAN, false),
    ] {
        assert_eq!(expression(text).holds(value), holds, "{text} with {value}");
    }
}

#[test]
fn aggregations_fit_their_kinds() {
    for (kind, fitting) in [
        (Kind::Counter, &["count<1", "rate<1"][..]),
        (Kind::Gauge, &["value<1"]),
        (Kind::Rate, &["rate<1"]),
        (Kind::Trend, &["avg<1", "min<1", "med<1", "max<1", "p(95)<1"]),
    ] {
        for text in [
            "count<1", "rate<1", "value<1", "avg<1", "min<1", "med<1", "max<1", "p(95)<1",
        ] {
            assert_eq!(
                expression(text).fits(kind).is_ok(),
                fitting.contains(&text),
                "{text}"
            );
        }
    }
    assert_eq!(
        expression("p(95)<1").fits(Kind::Counter).unwrap_err().to_string(),
        "`p(95)<1`: a counter has no `p(95)`; it has count, rate"
    );
}

#[test]
fn filters_of_the_dialect() {
    for (text, metric, expected, canonical) in [
        ("http_reqs", "http_reqs", &[][..], "http_reqs"),
        (" http_reqs ", "http_reqs", &[], "http_reqs"),
        ("m{name:x}", "m", &[("name", "x")], "m{name:x}"),
        (
            "m { name : x , status : 200 }",
            "m",
            &[("name", "x"), ("status", "200")],
            "m{name:x,status:200}",
        ),
        (
            "m{group:::login}",
            "m",
            &[("group", "::login")],
            "m{group:::login}",
        ),
        ("m{name:'x'}", "m", &[("name", "x")], "m{name:x}"),
        (
            "m{name:\"a,b\",b:c}",
            "m",
            &[("name", "a,b"), ("b", "c")],
            "m{name:\"a,b\",b:c}",
        ),
        (
            "m{name:it's,b:c's}",
            "m",
            &[("name", "it's"), ("b", "c's")],
            "m{name:it's,b:c's}",
        ),
        (
            "m{url:http://x/{id}?q=1}",
            "m",
            &[("url", "http://x/{id}?q=1")],
            "m{url:http://x/{id}?q=1}",
        ),
        ("m{a:1,a:1}", "m", &[("a", "1")], "m{a:1}"),
    ] {
        let parsed = filter(text);
        assert_eq!(
            (parsed.metric.as_str(), &parsed.tags),
            (metric, &tags(expected)),
            "{text}"
        );
        assert_eq!(parsed.to_string(), canonical);
        assert_eq!(filter(canonical), parsed);
    }
}

#[test]
fn filter_errors_name_the_key() {
    for (text, message) in [
        (
            "",
            "``: a threshold key starts with a metric's name, as in `http_req_duration{name:login}`",
        ),
        (
            "{a:b}",
            "`{a:b}`: a threshold key starts with a metric's name, as in `http_req_duration{name:login}`",
        ),
        (
            "m{a:b",
            "`m{a:b`: `{` and `}` do not pair up; write `metric{tag:value}`",
        ),
        (
            "m}",
            "`m}`: `{` and `}` do not pair up; write `metric{tag:value}`",
        ),
        (
            "m{a:b}x",
            "`m{a:b}x`: expected nothing after the closing `}`, found `x`",
        ),
        (
            "m{}",
            "`m{}`: the braces are empty; name a tag as in `{name:login}`, or leave the braces out",
        ),
        ("m{a}", "`m{a}`: expected `tag:value` but found `a`"),
        ("m{a:}", "`m{a:}`: expected `tag:value` but found `a:`"),
        ("m{a:b,}", "`m{a:b,}`: expected `tag:value` but found ``"),
        (
            "m{a:b,a:c}",
            "`m{a:b,a:c}`: tag `a` is asked to be both `b` and `c`, which no sample can be",
        ),
    ] {
        assert_eq!(text.parse::<Filter>().unwrap_err().to_string(), message, "{text}");
    }
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC*") {
        let _ = text.parse::<Filter>();
        let _ = text.parse::<Expression>();
    }

    #[test]
    fn near_misses_do_not_panic(text in "[mp]{0,2}[({]?[a:,\"' é}{]{0,12}[)}]?[<>=!]{0,3}[0-9.e+-]{0,4}") {
        let _ = text.parse::<Filter>();
        let _ = text.parse::<Expression>();
    }

    #[test]
    fn what_parses_is_shown_so_that_it_parses_again(text in "m\\{[ab:,\" x]{1,16}\\}") {
        if let Ok(parsed) = text.parse::<Filter>() {
            let shown = parsed.to_string();
            prop_assert_eq!(shown.parse::<Filter>(), Ok(parsed), "{}", shown);
        }
    }

    #[test]
    fn expressions_keep_their_numbers(bound in -1e12f64..1e12, rank in 0.0f64..=100.0) {
        let parsed = expression(&format!("p({rank}) >= {bound}"));
        prop_assert_eq!(parsed.aggregation, Aggregation::P(rank));
        prop_assert_eq!(parsed.bound.to_bits(), bound.to_bits());
    }
}
