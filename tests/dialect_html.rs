//! Pages as scripts see them: `k6/html`, `response.html()`, forms and links.
#![allow(clippy::unwrap_used)]

mod dialect_support;

use dialect_support::{echo_server, iterate};

const PAGE: &str = r#"
  const page = `<html><body><h1 data-some-key='{"a":1}' data-word="x">Title</h1>
    <ul><li>one</li><li class="b">two</li></ul><p>text <!-- note --></p>
    <a id="link" href="../next?x=1">next</a>
    <form action="/form" method="POST"><input name="a" value="1"><input type="submit" name="go" value="Go"></form>
    <form id="search" action="/search?old=1"><input name="q" value="z"><input name="b" value="y"></form>
    </body></html>`;
"#;

fn page(body: &str) {
    let url = format!("http://{}", echo_server());
    let encoded = format!(
        "{PAGE} const parse = (await import('k6/html')).parseHTML; const doc = parse(page);
         const answer = http.post(`${{url}}/page/dir/here`, page, {{ headers: {{ 'X-Echo': 'raw' }} }}); {body}"
    );
    iterate(&url, &encoded);
}

#[test]
fn a_selection_answers_as_jquery_does() {
    page(
        "eq(doc.find('li').size(), 2);
         eq(doc.find('li').text(), 'onetwo');
         eq(doc.find('li').first().next().text(), 'two');
         eq(doc.find('li').map((i, el) => `${i}${el.text()}`), ['0one', '1two']);
         const seen = []; doc.find('li').each((i, el) => seen.push(el.textContent())); eq(seen, ['one', 'two']);
         eq(doc.find('li').filter((i, el) => el.is('.b')).text(), 'two');
         eq(doc.find('li').not('.b').text(), 'one');
         eq(doc.find('h1').data(), { someKey: { a: 1 }, word: 'x' });
         eq(doc.find('h1').data('word'), 'x');
         eq([doc.find('a').attr('id'), doc.find('a').attr('no') === undefined, doc.find('a').attr('no', 'd')], ['link', true, 'd']);
         eq(doc.find('ul').html(), '<li>one</li><li class=\"b\">two</li>');
         eq(doc.find('form').eq(1).serialize(), 'q=z&b=y');
         eq(doc.find('form').serializeArray().length, 3);
         eq(doc.find('li').get(0).nodeName(), 'li');
         eq(doc.find('li').toArray().map((s) => s.text()), ['one', 'two']);",
    );
}

#[test]
fn an_element_answers_as_the_dom_does() {
    page(
        "const ul = doc.find('ul').get(0);
         eq([ul.childElementCount(), ul.firstChild().textContent(), ul.lastElementChild().className()], [2, 'one', 'b']);
         eq(ul.querySelector('.b').previousElementSibling().textContent(), 'one');
         eq(ul.querySelector('.nope') ?? null, null);
         eq(ul.querySelectorAll('li').length, 2);
         eq(ul.contains(ul.firstChild()), true);
         eq(doc.find('p').get(0).childNodes().map((n) => [n.nodeName(), n.nodeType()]), [['#text', 3], ['#comment', 8]]);
         eq(doc.find('h1').get(0).attributes()['data-word'].value, 'x');
         eq(doc.find('li').get(0).nextElementSibling().matches('.b'), true);",
    );
}

#[test]
fn a_bad_selector_selects_nothing() {
    page(
        "eq([doc.find('li:nope(').size(), doc.find('li').not('li:nope(').size()], [0, doc.find('li').size()]);",
    );
}

#[test]
fn forms_are_sent_and_links_followed() {
    page(
        "eq(answer.html('li').size(), 2);
         const sent = answer.submitForm({ fields: { extra: 'e' } }).json();
         eq([sent.method, sent.path, sent.body], ['POST', '/form', 'a=1&extra=e&go=Go']);
         const asked = answer.submitForm({ formSelector: '#search', fields: { q: 'new' }, params: { headers: { 'X-A': '1' } } }).json();
         eq([asked.method, asked.path, asked.headers['x-a']], ['GET', '/search?b=y&q=new', '1']);
         const clicked = answer.clickLink({ selector: '#link' }).json();
         eq([clicked.method, clicked.path], ['GET', '/page/next?x=1']);
         for (const [call, part] of [[() => answer.submitForm({ formSelector: '#no' }), 'no form `#no`'],
                                     [() => answer.clickLink({ selector: '#no' }), 'no link `#no`']]) {
           let message = ''; try { call(); } catch (e) { message = e.message; }
           eq(message.includes(part), true);
         }",
    );
}
