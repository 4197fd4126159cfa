//! Selections of a small page.

use super::select::BadSelector;
use super::walk::{NEXT, PREVIOUS, UP};
use super::*;
use proptest::prelude::*;

const PAGE: &str = r#"<html><head><title>T</title></head><body>
  <ul id="list"><li class="a">one</li><li class="b">two <b>bold</b></li><li class="c">three</li></ul>
  <form action="/go" method="post">
    <input name="text" value="v"><input type="checkbox" name="box" checked><input type="checkbox" name="no">
    <input type="radio" name="r" value="1"><input type="radio" name="r" value="2" checked>
    <select name="one"><option value="x">X</option><option selected>Y</option></select>
    <select name="many" multiple><option selected>1</option><option selected>2</option></select>
    <textarea name="area"> long </textarea><input name="off" disabled value="d"><input value="nameless">
    <button type="submit" name="go" value="1">Go</button><input type="submit" name="send">
  </form></body></html>"#;

fn page() -> Selection {
    Selection::parse(PAGE, "http://host/dir/page")
}

fn find(text: &str) -> Selection {
    page().find(&selector(text).unwrap())
}

fn texts(selection: &Selection) -> Vec<String> {
    selection.each().map(|one| one.text()).collect()
}

#[test]
fn elements_are_found_and_picked() {
    assert_eq!(texts(&find("li")), ["one", "two bold", "three"]);
    assert_eq!(find("li").at(1).text(), "two bold");
    assert_eq!(find("li").at(-1).text(), "three");
    assert_eq!(find("li").at(3).len(), 0);
    assert_eq!(texts(&find("li").slice(1, None)), ["two bold", "three"]);
    assert_eq!(texts(&find("li").slice(-2, Some(-1))), ["two bold"]);
    assert_eq!(find("li").slice(2, Some(1)).len(), 0);
    assert_eq!(find("title").text(), "T");
    assert_eq!(find("#list").attr("id"), Some("list"));
    assert_eq!(find("li.b").inner_html().unwrap(), "two <b>bold</b>");
    assert_eq!(selector("li:nope(").err(), Some(BadSelector("li:nope(".into())));
}

#[test]
fn what_jquery_added_to_css_selects() {
    for (css, found) in [
        ("li:contains('two')", &["two bold"][..]),
        ("#list > li:contains(\"BOLD\")", &["two bold"]),
        ("li:containsOwn('bold')", &[]),
        ("#list > :contains(three)", &["three"]),
        (
            "li:contains('one'), li:contains('a,b)'), li:contains('three')",
            &["one", "three"],
        ),
        ("li[class!='b']", &["one", "three"]),
        ("li:not(.b):contains('t')", &["three"]),
    ] {
        assert_eq!(texts(&find(css)), found, "{css}");
    }
    let form = Selection::parse(
        "<input type=checkbox name=a checked><input type=radio name=b><input name=c disabled><textarea name=d></textarea>
         <select name=e><option selected>x</select><a name=f href=/>",
        "",
    );
    for (css, names) in [
        (":checked", "a"),
        ("input:checked", "a"),
        (":disabled", "c"),
        ("input:enabled", "a b"),
        ("body > :enabled:input", "a b d e"),
    ] {
        let found = form.find(&selector(css).unwrap());
        let found: Vec<_> = found
            .each()
            .filter_map(|one| one.attr("name").map(str::to_owned))
            .collect();
        assert_eq!(found.join(" "), names, "{css}");
    }
    for bad in [
        "li:contains('a') b",
        "li:contains(",
        "li)",
        "li:contains('a",
        "",
        ",",
    ] {
        assert_eq!(selector(bad).err(), Some(BadSelector(bad.into())));
    }
}

#[test]
fn selections_are_narrowed() {
    let b = selector(".b").unwrap();
    assert_eq!(texts(&find("li").filter(&b, true)), ["two bold"]);
    assert_eq!(texts(&find("li").filter(&b, false)), ["one", "three"]);
    assert_eq!(texts(&find("li").having(&selector("b").unwrap())), ["two bold"]);
    let page = page();
    let all = page.find(&selector("li").unwrap());
    let some = page.find(&b);
    assert_eq!(all.within(&some, false).len(), 2);
    assert_eq!(
        all.within(&find(".b"), true).len(),
        0,
        "another page's elements are others"
    );
}

#[test]
fn relatives_are_found() {
    let c = selector(".c").unwrap();
    assert_eq!(texts(&find(".a").nearest(NEXT, None)), ["two bold"]);
    assert_eq!(find(".a").nearest(NEXT, Some(&c)).len(), 0);
    assert_eq!(texts(&find(".a").all(NEXT, None, None)), ["two bold", "three"]);
    assert_eq!(texts(&find(".a").all(NEXT, None, Some(&c))), ["two bold"]);
    assert_eq!(texts(&find(".c").all(PREVIOUS, None, None)), ["two bold", "one"]);
    assert_eq!(find("b").all(UP, None, None).len(), 4, "li, ul, body, html");
    assert_eq!(
        find("b").closest(&selector("ul").unwrap()).attr("id"),
        Some("list")
    );
    assert_eq!(find("li").nearest(UP, None).len(), 1, "each parent once");
    assert_eq!(find("ul").children(Some(&c)).len(), 1);
    assert_eq!(find(".b").contents().len(), 2);
    assert_eq!(texts(&find(".b").siblings(None)), ["one", "three"]);
    let page = page();
    let (list, bold) = (
        page.find(&selector("ul").unwrap()),
        page.find(&selector("b").unwrap()),
    );
    assert!(list.contains(&bold) && !bold.contains(&list));
}

#[test]
fn a_form_sends_what_a_browser_would() {
    let fields: Vec<(String, String)> = find("form")
        .fields()
        .into_iter()
        .map(|field| (field.name, field.value))
        .collect();
    let expected = [
        ("text", "v"),
        ("box", "on"),
        ("r", "2"),
        ("one", "Y"),
        ("many", "1"),
        ("many", "2"),
        ("area", " long "),
    ];
    let expected: Vec<(String, String)> = expected
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    assert_eq!(fields, expected);
    assert_eq!(
        find("select[multiple]").value(),
        Some(Value::Many(vec!["1".into(), "2".into()]))
    );
    assert_eq!(find("li").value(), None);
}

proptest! {
    #[test]
    fn no_page_and_no_selector_make_it_panic(text in ".{0,200}", css in ".{0,20}") {
        let page = Selection::parse(&text, "");
        let _ = page.fields();
        if let Ok(css) = selector(&css) {
            let _ = page.find(&css).closest(&css).text();
        }
    }
}
